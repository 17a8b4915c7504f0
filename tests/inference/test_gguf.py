"""Reading GGUF headers: what sound files say; hostile ones raise AppError and nothing else, soon, in little memory."""

import random
import resource
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf as gguf_py
import pytest

from app.base.errors import AppError
from app.inference.gguf import GgufArray, check_model, read_header
from tests import model_files as models
from tests.inference.gguf_bytes import ARRAY, F32, STRING, U32, header, pair, tensor, text, write


def error_of(path: Path, call: Callable[[Path], object] = read_header) -> AppError:
    with pytest.raises(AppError) as caught:
        call(path)
    return caught.value


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# -------------------------------------------------------------- sound files


def test_a_header_tells_what_the_model_is(tiny_model: Path) -> None:
    found = read_header(tiny_model)
    assert (found.architecture, found.name, found.licence) == ("llama", "Tiny", "apache-2.0")
    assert (found.version, found.alignment, found.quantization) == (3, 32, "F32")
    assert (found.context_length, found.block_count, found.embedding_length) == (512, 2, 64)
    assert (found.head_counts, found.head_counts_kv) == ((4, 4), (2, 2))
    assert (found.key_length, found.value_length, found.vocab_size) == (16, 16, 260)
    assert found.parameters == 107_328
    assert found.weights_bytes == 4 * found.parameters
    assert found.file_bytes == tiny_model.stat().st_size
    assert not found.is_adapter
    assert found.chat_template is None


@pytest.mark.model
def test_the_starter_is_described_as_its_card_says(starter_model: Path) -> None:
    found = check_model(starter_model)
    assert (found.architecture, found.quantization, found.licence) == ("gemma3", "Q4_K_M", "gemma")
    assert (found.block_count, found.context_length, found.vocab_size) == (18, 32_768, 262_144)
    assert (found.parameters, found.key_length, found.head_counts_kv) == (268_098_176, 256, (1,) * 18)
    assert found.chat_template is None


def test_it_reads_what_the_reference_reader_reads(tiny_model: Path) -> None:
    ours, theirs = read_header(tiny_model), gguf_py.GGUFReader(tiny_model)
    names = {name for name in theirs.fields if not name.startswith("GGUF.")}
    assert set(ours.metadata) == names
    for name in names:
        value, expected = ours.metadata[name], theirs.fields[name].contents()
        if isinstance(value, GgufArray):
            assert value.length == len(expected)
        else:
            assert value == expected
    for one in theirs.tensors:
        mine = ours.tensors[one.name]
        assert (mine.shape, mine.size_bytes) == (tuple(one.shape.tolist()), one.n_bytes)
        assert (mine.type, ours.data_offset + mine.offset) == (one.tensor_type.name, one.data_offset)


def test_without_a_file_type_most_bytes_decide(tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "model.gguf", metadata={"general.file_type": None, "general.name": None})
    found = read_header(path)
    assert found.quantization == "F32"
    assert found.name == "model"


@pytest.mark.fault("S2")
def test_a_long_chat_template_is_kept_whole_and_an_absurd_one_is_left(tmp_path: Path) -> None:
    template = "{{ 質問 }}\n" * 16_000
    path = models.tiny_llama(tmp_path / "long.gguf", chat_template=template)
    assert check_model(path).chat_template == template
    path = models.tiny_llama(tmp_path / "absurd.gguf", chat_template=template * 2)
    found = check_model(path)
    assert found.chat_template is None
    assert found.metadata["tokenizer.chat_template"] == GgufArray("char", 2 * len(template.encode()))


def test_short_lists_keep_their_values_and_long_ones_their_length(tmp_path: Path) -> None:
    short = pair("heads", ARRAY, struct.pack("<IQ3I", U32, 3, 8, 4, 0))
    long = pair("scores", ARRAY, struct.pack("<IQ", F32, 600) + bytes(2400))
    data = header([short, long])
    found = read_header(write(tmp_path / "lists.gguf", data))
    scores = GgufArray("f32", 600, position=len(data) - 2400)
    assert found.metadata == {"heads": GgufArray("u32", 3, (8, 4, 0)), "scores": scores}


def test_strings_are_found_across_the_edges_of_the_reading_window(tmp_path: Path) -> None:
    """1 MiB is read at a time; strings of every length up to 300 bytes, and one very long."""
    chance = random.Random(3)
    words = [chance.randbytes(chance.randrange(300)) for _ in range(30_000)]
    words[9_000] = bytes(200_000)
    listed = pair("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, len(words)) + b"".join(map(text, words)))
    path = write(tmp_path / "words.gguf", header([listed, pair("after", U32, struct.pack("<I", 7))]))
    tokens: list[bytes] = []
    assert read_header(path, tokens=tokens).integer("after") == 7
    assert tokens == words
    assert read_header(path).integer("after") == 7


def test_weights_are_never_read(tmp_path: Path) -> None:
    """8 GB of weights as a hole in the file, read with a few megabytes of memory."""
    rows = 1 << 19
    path = write(tmp_path / "huge.gguf", header(tensors=[tensor("blk.0.ffn_up.weight", (4096, rows))]), 4096 * rows * 4)
    tracemalloc.start()
    assert read_header(path).weights_bytes == 4096 * rows * 4
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_files_are_closed_whatever_happens(tmp_path: Path, tiny_model: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny_model.read_bytes()[:3000])
    before = open_files()
    for _ in range(20):
        check_model(tiny_model)
        error_of(broken)
    assert open_files() == before


# ------------------------------------------------------------- hostile files

_LISTED = "tokenizer.ggml.tokens"
_HOSTILE = {
    "a trillion keys": header(key_count=1 << 40),
    "2^64 - 1 keys": header(key_count=(1 << 64) - 1),
    "a million tensors": header(tensor_count=1_000_000),
    "a key of a gigabyte": header([struct.pack("<Q", 1 << 30) + b"x"]),
    "a key of 2^63 bytes": header([struct.pack("<Q", 1 << 63) + b"x"]),
    "an empty key": header([pair("", U32, bytes(4))]),
    "a key with a NUL, which llama.cpp reads as another": header([pair("llama.block_count\0", U32, bytes(4))]),
    "a tensor name with a NUL": header(tensors=[tensor("w\0x", (1,))]),
    "the same key twice": header([pair("a", U32, bytes(4))] * 2),
    "an unknown value type": header([pair("a", 99, bytes(8))]),
    "a list of lists": header([pair("a", ARRAY, struct.pack("<IQ", ARRAY, 1) + bytes(12))]),
    "a list of 2^62 numbers": header([pair("a", ARRAY, struct.pack("<IQ", U32, 1 << 62))]),
    "a list of 16 M numbers that are not there": header([pair("a", ARRAY, struct.pack("<IQ", U32, 1 << 24))]),
    "8 M strings that are not there": header([pair(_LISTED, ARRAY, struct.pack("<IQ", STRING, 8_000_000))]),
    "more strings than any file has": header([pair(_LISTED, ARRAY, struct.pack("<IQ", STRING, 9_000_000))]),
    "a string of 2^64 - 1 bytes": header([pair("a", STRING, struct.pack("<Q", (1 << 64) - 1))]),
    "a token of 2^63 bytes": header([pair(_LISTED, ARRAY, struct.pack("<IQQ", STRING, 2, 1 << 63) + bytes(64))]),
    "an alignment of 3": header([pair("general.alignment", U32, struct.pack("<I", 3))]),
    "an alignment of 0": header([pair("general.alignment", U32, bytes(4))]),
    "an alignment of 8, which llama.cpp aborts for": header([pair("general.alignment", U32, struct.pack("<I", 8))]),
    "an alignment that is a text": header([pair("general.alignment", STRING, text("32"))]),
    "a tensor name of 64 bytes": header(tensors=[tensor("n" * 64, (1,))]),
    "five dimensions": header(tensors=[tensor("w", (1, 1, 1, 1, 1))]),
    "a dimension of 0": header(tensors=[tensor("w", (4, 0))]),
    "2^64 elements": header(tensors=[tensor("w", (1 << 32, 1 << 32))]),
    "half a block": header(tensors=[tensor("w", (100, 4), kind=12)]),
    "an unknown type": header(tensors=[tensor("w", (32,), kind=77)]),
    "an absurd type": header(tensors=[tensor("w", (32,), kind=1 << 31)]),
    "a type that was withdrawn": header(tensors=[tensor("w", (32,), kind=4)]),
    "a tensor beyond the end": header(tensors=[tensor("w", (1 << 30,))]),
    "a tensor at 2^63": header(tensors=[tensor("w", (8,), offset=1 << 63)]),
    "a tensor out of line": header(tensors=[tensor("w", (8,), offset=4)]),
    "two tensors in one place": header(tensors=[tensor("a", (8,)), tensor("b", (8,))]),
    "two tensors of one name": header(tensors=[tensor("a", (8,)), tensor("a", (8,), offset=32)]),
}


@pytest.mark.parametrize("what", _HOSTILE)
@pytest.mark.fault("S2")
def test_a_hostile_header_is_refused_soon_and_in_little_memory(what: str, tmp_path: Path) -> None:
    path = write(tmp_path / "hostile.gguf", _HOSTILE[what], 4096)
    tracemalloc.start()
    started = time.process_time()
    found = error_of(path)
    taken, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.code in ("gguf_damaged", "truncated", "truncated_header", "unknown_tensor_type")
    assert "where" in found.facts or found.code == "truncated"
    assert taken < 0.5
    assert peak < 4 << 20


def _long_text(number: int) -> bytes:
    return pair(b"k%d" % number, STRING, text(b"x" * (256 << 10)))


_CROWDED = {
    "thousands of the longest texts": lambda: header(list(map(_long_text, range(100)))),
    "keys of the longest length": lambda: header([pair(b"%065d" % n * 1000, U32, bytes(4)) for n in range(300)]),
    "short lists of numbers under many keys": lambda: header(
        [pair(b"k%d" % n, ARRAY, struct.pack("<IQ", U32, 512) + bytes(2048)) for n in range(2000)]
    ),
    "a vocabulary of long texts": lambda: header(
        [pair(_LISTED, ARRAY, struct.pack("<IQ", STRING, 300) + text(b"x" * (200 << 10)) * 300)]
    ),
    "a vocabulary of three million": lambda: header([pair(_LISTED, ARRAY, struct.pack("<IQ", STRING, 3_000_000))]),
}


@pytest.mark.parametrize("what", _CROWDED)
@pytest.mark.fault("S2")
def test_what_is_allowed_one_by_one_has_a_limit_together(what: str, tmp_path: Path) -> None:
    path = write(tmp_path / "crowded.gguf", _CROWDED[what]())
    tracemalloc.start()
    started = time.process_time()
    found = error_of(path, lambda file: read_header(file, tokens=[]))
    taken, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.code in ("gguf_header_large", "gguf_damaged")
    assert taken < 1
    assert peak < 32 << 20


@pytest.mark.fault("S2")
def test_millions_of_empty_strings_do_not_keep_it_busy(tmp_path: Path) -> None:
    """The slowest thing a file can ask for: as many strings as are allowed, all there."""
    count = 8_000_000
    listed = pair("a", ARRAY, struct.pack("<IQ", STRING, count))
    path = write(tmp_path / "empty.gguf", header([listed]) + bytes(8 * count))
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_header(path)
    assert time.process_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


@pytest.mark.fault("S2")
def test_texts_that_are_not_utf8_can_still_be_stored_and_shown(tmp_path: Path) -> None:
    key = b"general.\xff\xfe"
    path = write(
        tmp_path / "odd.gguf", header([pair("general.name", STRING, text(b"\x93\xfa\x96{")), pair(key, U32, b"")])
    )
    with pytest.raises(AppError) as caught:
        read_header(path)
    caught.value.facts["where"].encode()
    path = write(tmp_path / "name.gguf", header([pair("general.name", STRING, text(b"\x93\xfa\x96{"))]))
    assert read_header(path).name.encode()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.fault("S2")
def test_random_bytes_behind_the_magic_only_raise_app_error(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    path = tmp_path / "noise.gguf"
    for _ in range(250):
        small = bytes(chance.choice((0, 0, 0, 1, 4, 8, chance.randrange(256))) for _ in range(chance.randrange(400)))
        path.write_bytes(b"GGUF" + struct.pack("<I", 3) + chance.choice((small, chance.randbytes(300))))
        try:
            check_model(path)
        except AppError:
            continue
        pytest.fail("noise passed as a model")


@pytest.mark.fault("S2")
def test_every_cut_of_a_header_is_an_app_error(tmp_path: Path, tiny_model: Path) -> None:
    data = tiny_model.read_bytes()
    path = tmp_path / "cut.gguf"
    for end in (*range(200), *range(200, 8192, 37), len(data) - 1):
        path.write_bytes(data[:end])
        assert error_of(path, check_model).code in ("file_empty", "not_gguf_text", "truncated_header", "truncated")


@pytest.mark.fault("S10")
def test_a_path_with_a_nul_or_a_thousand_letters_is_an_app_error(tmp_path: Path) -> None:
    assert error_of(tmp_path / "a\0b").code == "file_unreadable"
    assert error_of(tmp_path / ("長" * 1000)).code == "file_unreadable"
