"""What is refused before the engine sees it: other kinds of file, and values it would abort for."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf as gguf_py
import numpy as np
import pytest

from app.base import wording
from app.base.errors import AppError
from app.inference import gguf
from tests import model_files as models
from tests.inference.gguf_bytes import STRING, header, pair, text, write


def error_of(call: Callable[[], object]) -> AppError:
    with pytest.raises(AppError) as caught:
        call()
    return caught.value


def refusal(path: Path) -> AppError:
    return error_of(lambda: gguf.check_model(path))


# ------------------------------------------------------------------ numbers

_NAN, _INF = float("nan"), float("inf")
_UNSOUND: dict[str, tuple[Any, ...]] = {
    "llama.context_length": (0, None, "long", 1.0),
    "llama.embedding_length": (0, 1 << 30),
    "llama.block_count": (0, 513, (1 << 32) - 1),
    "llama.nextn_predict_layers": (2,),
    "llama.attention.head_count": (0, 7, None, (1 << 32) - 1),
    "llama.attention.head_count_kv": (3, 8),
    "llama.attention.key_length": (0, 32),
    "llama.attention.value_length": (32,),
    "llama.attention.scale": (3e38,),
    "llama.attention.layer_norm_rms_epsilon": (0.0, -1.0, _NAN, _INF),
    "llama.rope.dimension_count": (15, 8, 32),
    "llama.rope.freq_base": (0.0, -10000.0, _NAN),
    "llama.rope.scaling.type": ("spiral",),
    "llama.rope.scaling.factor": (-2.0, 1e-30),
    "llama.expert_count": (1025, 8),
    "llama.expert_used_count": (2,),
    "llama.expert_group_count": (2,),
    "llama.pooling_type": (9,),
    "llama.feed_forward_length": ((1 << 32) - 1,),
    "tokenizer.ggml.model": (None,),
}


@pytest.mark.parametrize("key", _UNSOUND)
@pytest.mark.fault("S2")
def test_a_value_the_engine_would_abort_for_is_named(key, tmp_path):
    for value in _UNSOUND[key]:
        found = refusal(models.tiny_llama(tmp_path / "model.gguf", metadata={key: value}))
        assert found.code == "gguf_damaged", value
        assert found.facts["where"].split(".")[0] == key.split(".")[0]
        assert found.facts["problem"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"llama.attention.key_length": 16, "llama.attention.value_length": 16},
        {"llama.rope.dimension_count": None, "llama.rope.freq_base": None},
        {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0},
        {"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": 0.0},
        {"llama.vocab_size": 260, "llama.expert_count": 0},
        {"general.type": None, "general.alignment": 32, "general.license": None},
        {"something.unknown": "is no obstacle", "llama.something.new": 3},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
def test_what_the_engine_accepts_is_accepted(metadata, tmp_path):
    gguf.check_model(models.tiny_llama(tmp_path / "model.gguf", metadata=metadata))


@pytest.mark.fault("S2")
def test_projections_must_have_a_row_for_each_element_of_a_head(tmp_path):
    """llama.cpp does not compare them for Qwen 2, and aborts when it builds the graph."""
    sound = {"qwen2.attention.key_length": 16, "qwen2.attention.value_length": 16}
    gguf.check_model(models.tiny_llama(tmp_path / "sound.gguf", architecture="qwen2", metadata=sound))
    unsound = sound | {"qwen2.attention.head_count": 8}
    found = refusal(models.tiny_llama(tmp_path / "heads.gguf", architecture="qwen2", metadata=unsound))
    assert found.facts["where"] == "blk.0.attn_q.weight"


def test_layers_may_have_heads_of_their_own(tmp_path):
    path = tmp_path / "layers.gguf"
    writer = gguf_py.GGUFWriter(path, "llama")
    writer.add_block_count(3)
    writer.add_head_count([8, 8, 4])
    writer.add_head_count_kv([2, 0, 4])
    models.finish(writer, path)
    found = gguf.read_header(path)
    assert found.head_counts == (8, 8, 4)
    assert found.head_counts_kv == (2, 0, 4)


# -------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"general.type": "mmproj"}, "projector_as_model"),
        ({"general.architecture": "clip"}, "projector_as_model"),
        ({"general.type": "imatrix"}, "not_a_model"),
        ({"general.architecture": "llama9"}, "unknown_architecture"),
        ({"general.architecture": "(unknown)"}, "unknown_architecture"),
        ({"tokenizer.ggml.model": "no_vocab"}, "unknown_tokenizer"),
        ({"tokenizer.ggml.model": "gpt9"}, "unknown_tokenizer"),
        ({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "home-made"}, "unknown_tokenizer"),
    ],
)
@pytest.mark.fault("S3")
def test_another_kind_of_file_is_called_by_its_name(metadata, code, tmp_path):
    path = models.tiny_llama(tmp_path / "model.gguf", metadata=metadata)
    found = refusal(path)
    assert found.code == code
    for fact in ("architecture", "tokenizer", "kind"):
        assert found.facts.get(fact) in (None, *metadata.values())


@pytest.mark.fault("S3")
def test_an_adapter_is_not_a_model_and_says_what_it_is_for(tmp_path):
    found = refusal(models.tiny_adapter(tmp_path / "adapter.gguf"))
    assert (found.code, found.facts["base"]) == ("adapter_as_model", "Tiny")


@pytest.mark.fault("S3")
def test_a_vocabulary_alone_is_not_a_model(tmp_path):
    path = write(tmp_path / "vocabulary.gguf", header([pair("general.architecture", STRING, text("llama"))]))
    assert refusal(path).code == "model_without_weights"


# --------------------------------------------------------------- vocabulary


def with_tokens(path: Path, change: Callable[[list[bytes]], None], source: Path) -> Path:
    """A copy of a model with other token texts, of the same total length."""
    data = source.read_bytes()
    tokens: list[bytes] = []
    gguf.read_header(source, tokens=tokens)
    before = b"".join(map(text, tokens))
    change(tokens)
    after = b"".join(map(text, tokens))
    assert data.count(before) == 1
    assert len(after) == len(before)
    path.write_bytes(data.replace(before, after))
    return path


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({100: b"<0x61>"}, {"where": "tokenizer.ggml.tokens", "problem": "duplicate_name"}),
        # What differs only behind a NUL is the same to the engine.
        ({100: b"ab\0x\0\0", 101: b"ab\0y\0\0"}, {"where": "tokenizer.ggml.tokens", "problem": "duplicate_name"}),
        ({4 + 0xE3: b"<wrong"}, {"problem": "byte_token_missing", "value": 0xE3}),
    ],
)
@pytest.mark.fault("S2")
def test_tokens_that_are_twice_or_missing_are_damage(changes, facts, tmp_path, tiny_model):
    def change(tokens: list[bytes]) -> None:
        for number, token in changes.items():
            tokens[number] = token

    path = with_tokens(tmp_path / "changed.gguf", change, tiny_model)
    assert facts.items() <= refusal(path).facts.items()
    if facts["problem"] == "duplicate_name":
        gguf.check_model(path, every_token=False)


@pytest.mark.parametrize("name", ["token_embd.weight", "output_norm.weight"])
@pytest.mark.fault("S2")
def test_weights_of_a_type_without_arithmetic_are_damage(name, tmp_path, tiny_model):
    """I32 is as long as F32, so nothing else gives it away; llama.cpp crashes at the first token."""
    data = bytearray(tiny_model.read_bytes())
    at = data.index(text(name)) + len(text(name))
    rank = struct.unpack_from("<I", data, at)[0]
    struct.pack_into("<I", data, at + 4 + 8 * rank, 26)
    path = tmp_path / "integers.gguf"
    path.write_bytes(data)
    assert refusal(path).facts == {"where": name, "problem": "unusable_type", "value": "I32"}


@pytest.mark.fault("S2")
def test_the_token_table_must_fit_the_vocabulary(tmp_path):
    shape = replace(models.TINY, vocabulary=300)
    path = models.tiny_llama(tmp_path / "rows.gguf", shape=shape)
    assert gguf.check_model(path).vocab_size == 300
    data = path.read_bytes()
    old, new = text("token_embd.weight") + struct.pack("<I2Q", 2, 64, 300), struct.pack("<I2Q", 2, 64, 299)
    path.write_bytes(data.replace(old, text("token_embd.weight") + new))
    assert refusal(path).facts["where"] in ("token_embd.weight", "output.weight")


# ------------------------------------------------------------- several files


def split_model(folder: Path) -> list[Path]:
    """The tiny model in three files."""
    models.tiny_llama(folder / "whole.gguf", tensors_per_file=9)
    return sorted(folder.glob("whole-*.gguf"))


def test_a_model_in_several_files_is_one_model(tmp_path, tiny_model):
    first, *others = split_model(tmp_path)
    found, whole = gguf.check_model(first), gguf.check_model(tiny_model)
    assert found.parts == tuple(others)
    assert len(others) == 2
    assert (found.parameters, found.weights_bytes) == (whole.parameters, whole.weights_bytes)
    assert found.file_bytes == sum(path.stat().st_size for path in (first, *others))


@pytest.mark.fault("S3")
def test_a_part_that_is_not_in_its_place_or_not_whole_is_named(tmp_path):
    first, second, last = split_model(tmp_path)
    whole = last.read_bytes()
    later = refusal(second)
    assert later.code == "split_not_first"
    assert later.facts == {"first": first.name, "number": 2, "count": 3}
    last.write_bytes(second.read_bytes())  # a part of another model
    assert refusal(first).facts == {"where": last.name, "problem": "wrong_part"}
    last.write_bytes(whole[:-5000])
    cut = refusal(first)
    assert (cut.code, cut.facts["have_bytes"]) == ("truncated", len(whole) - 5000)
    last.unlink()
    missing = refusal(first)
    assert (missing.code, missing.facts["missing"]) == ("split_part_missing", last.name)


# ----------------------------------------------------------------- adapters


@pytest.fixture
def base(tiny_model: Path) -> gguf.GgufHeader:
    return gguf.check_model(tiny_model)


def adapter_refusal(path: Path, base: gguf.GgufHeader) -> AppError:
    return error_of(lambda: gguf.check_adapter(path, base))


def test_an_adapter_that_fits_is_accepted(tmp_path, base):
    found = gguf.check_adapter(models.tiny_adapter(tmp_path / "adapter.gguf"), base)
    assert found.is_adapter
    assert len(found.tensors) == 8


@pytest.mark.parametrize(
    ("make", "code", "where"),
    [
        (models.wrong_shape_adapter, "adapter_mismatch", None),
        (models.wrong_architecture_adapter, "adapter_mismatch", None),
        (
            lambda path: models.tiny_adapter(path, shape=replace(models.TINY, layers=3)),
            "adapter_mismatch",
            "blk.2.attn_q.weight",
        ),
        (models.unpaired_adapter, "gguf_damaged", "blk.1.attn_v.weight.lora_b"),
        (models.tiny_llama, "model_as_adapter", None),
    ],
)
@pytest.mark.fault("S2")
def test_an_adapter_that_does_not_fit_is_refused(make, code, where, tmp_path, base):
    found = adapter_refusal(make(tmp_path / "adapter.gguf"), base)
    assert found.code == code
    assert where in (None, found.facts.get("where"))
    if code == "adapter_mismatch":
        assert found.facts["base"] == "Tiny"
        assert "Tiny" in wording.describe_error(found).message


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"adapter.type": "ia3"}, "adapter_unsupported"),
        ({"general.type": "model"}, "adapter_unsupported"),
        ({"general.type": 3}, "gguf_damaged"),
        ({"adapter.type": None}, "gguf_damaged"),
        ({"adapter.lora.alpha": _NAN}, "gguf_damaged"),
        ({"adapter.lora.alpha": 4}, "gguf_damaged"),
    ],
)
@pytest.mark.fault("S2")
def test_an_adapter_the_engine_would_abort_for_is_refused(metadata, code, tmp_path, base):
    path = models.tiny_adapter(tmp_path / "adapter.gguf", metadata=metadata)
    assert adapter_refusal(path, base).code == code


def test_a_token_table_is_adapted_the_other_way_round(tmp_path, base):
    """A is {rank, tokens} and B {rank, embedding}: llama.cpp looks rows of A up."""
    for (a, b), fits in {((260, 4), (64, 4)): True, ((4, 64), (260, 4)): False, ((260, 2), (64, 4)): False}.items():
        path = tmp_path / "tokens.gguf"
        writer = gguf_py.GGUFWriter(path, "llama")
        models.add_metadata(writer, {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": 4.0})
        writer.add_tensor("token_embd.weight.lora_a", np.zeros(a, np.float32))
        writer.add_tensor("token_embd.weight.lora_b", np.zeros(b, np.float32))
        models.finish(writer, path)
        if fits:
            gguf.check_adapter(path, base)
        else:
            assert adapter_refusal(path, base).code == "adapter_mismatch"
