"""What a model needs, against what the engine child really takes; and what the machine and its container have left."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf as gguf_py
import psutil
import pytest

from app.inference import memory_estimate, processor_cores
from app.inference.gguf import GgufHeader, TensorInfo, read_header
from app.models import catalogue, model_fit
from tests import model_files as models
from tests.inference.engine.child import Child

GIB = 1 << 30


def shaped(architecture: str = "llama", **values: Any) -> GgufHeader:
    """A header with Llama-3-8B's shape and no tensors; `values` replaces its numbers (dots as double underscores)."""
    numbers: dict[str, Any] = {
        "context_length": 131_072,
        "embedding_length": 4096,
        "block_count": 32,
        "feed_forward_length": 14_336,
        "attention.head_count": 32,
        "attention.head_count_kv": 8,
    }
    numbers |= {name.replace("__", "."): value for name, value in values.items()}
    metadata = {f"{architecture}.{name}": value for name, value in numbers.items()}
    return GgufHeader(
        path=Path("model.gguf"),
        version=3,
        alignment=32,
        metadata={"general.architecture": architecture, **metadata},
        types={},
        tensors={},
        data_offset=0,
        file_bytes=0,
    )


def written(path: Path, architecture: str, **lists: Any) -> GgufHeader:
    """A header read from a file, for values that are lists."""
    writer = gguf_py.GGUFWriter(path, architecture)
    models.add_metadata(writer, {k: v for k, v in shaped(architecture).metadata.items() if isinstance(v, int)})
    for name, values in lists.items():
        writer.add_array(f"{architecture}.{name.replace('__', '.')}", values)
    return read_header(models.finish(writer, path))


# --------------------------------------------------------- key/value cache


def kv(header: GgufHeader, context: int = 8192, **options: Any) -> int:
    return memory_estimate.estimate_memory(header, context, **options).kv_bytes


WITHOUT_GROUPS = {k: v for k, v in shaped().metadata.items() if not k.endswith("head_count_kv")}
KV_BYTES = {
    "grouped heads": (shaped(), GIB),
    "every head has a cache": (replace(shaped(), metadata=WITHOUT_GROUPS), 4 * GIB),
    "keys and values of two lengths": (
        shaped(attention__key_length=192, attention__value_length=128),
        GIB * (192 + 128) // 256,
    ),
    "sliding windows are kept whole": (shaped("gemma3", attention__sliding_window=512), GIB),
    "latent attention caches keys only": (
        shaped("deepseek2", attention__head_count_kv=1, attention__key_length=576, attention__key_length_mla=192),
        32 * 576 * 2 * 8192,
    ),
    "layers without attention have none": (shaped("qwen3next"), GIB // 4),
    "layers that share one": (shaped("gemma4", attention__shared_kv_layers=8), GIB * 24 // 32),
}


@pytest.mark.parametrize("what", KV_BYTES)
@pytest.mark.fault("F5")
def test_the_cache_of_8k_tokens_follows_the_attention(what):
    header, expected = KV_BYTES[what]
    assert kv(header) == expected


@pytest.mark.fault("F5")
def test_the_cache_follows_its_type_and_the_context_which_is_rounded_up_and_never_beyond_what_was_trained():
    assert kv(shaped(), 1024) == 1024 * 128 * 1024
    assert kv(shaped(), kv_type="q8_0") == GIB * 34 // 64
    assert kv(shaped(), kv_type="q4_0") == GIB * 18 // 64
    assert kv(shaped(), 1000) == kv(shaped(), 1024)
    assert kv(shaped(context_length=2048), 8192) == kv(shaped(), 2048)
    assert kv(shaped(context_length=4096), 0) == kv(shaped(), 4096)


@pytest.mark.fault("F5")
def test_layers_of_a_hybrid_without_heads_have_no_cache(tmp_path):
    heads = [8, 0, 0, 0] * 8
    header = written(tmp_path / "hybrid.gguf", "jamba", attention__head_count_kv=heads)
    assert header.head_counts_kv == tuple(heads)
    assert kv(header) == GIB // 4


# ------------------------------------------------------------------ verdict


def test_ten_percent_to_spare_is_comfortable():
    needed = memory_estimate.MemoryEstimate(800, 100, 100, 1000)
    assert [memory_estimate.judge_fit(needed, free) for free in (1101, 1100, 1099, 1000, 999)] == [
        "comfortable",
        "comfortable",
        "tight",
        "tight",
        "insufficient",
    ]


@pytest.mark.fault("F5")
def test_a_matrix_unit_takes_copies_of_more_types_and_of_an_embedding_that_is_the_output(monkeypatch):
    monkeypatch.setattr(processor_cores, "has_matrix_unit", lambda: True)
    rows = (("token_embd.weight", "Q8_0", 3400), ("a.weight", "Q6_K", 2100), ("b.weight", "Q5_0", 7))
    tensors = {name: TensorInfo(name, (4096, 4096), kind, 0, size) for name, kind, size in rows}

    def copied() -> int:
        header = replace(shaped(), tensors=tensors)
        return memory_estimate.estimate_memory(header, 2048, repack=True).weights_bytes - header.weights_bytes

    assert copied() == 3800 + 2180
    tensors["output.weight"] = TensorInfo("output.weight", (4096, 4096), "Q4_K", 0, 50)
    assert copied() == 2180 + 50


@pytest.mark.fault("F5")
def test_repacking_copies_what_is_multiplied(monkeypatch):
    monkeypatch.setattr(processor_cores, "has_matrix_unit", lambda: False)
    tensors = {
        name: TensorInfo(name, (4096, 4096), kind, 0, 9_437_184)
        for name, kind in (("token_embd.weight", "Q4_K"), ("blk.0.attn_q.weight", "Q4_K"), ("output.weight", "F16"))
    }
    header = replace(shaped(), tensors=tensors)
    plain, repacked = (
        memory_estimate.estimate_memory(header, 2048),
        memory_estimate.estimate_memory(header, 2048, repack=True),
    )
    assert repacked.weights_bytes - plain.weights_bytes == 9_437_184
    assert repacked.total_bytes == repacked.weights_bytes + repacked.kv_bytes + repacked.compute_bytes


@pytest.mark.fault("F5")
def test_a_header_that_was_not_checked_gets_some_estimate(tmp_path):
    """Models are listed before they are checked."""
    for damage in (
        {"llama.block_count": (1 << 32) - 1},
        {"llama.attention.head_count": 0},
        {"llama.context_length": 0},
    ):
        header = read_header(models.tiny_llama(tmp_path / "odd.gguf", metadata=damage))
        assert memory_estimate.estimate_memory(header, 0).total_bytes > 0
    header = written(tmp_path / "nan.gguf", "llama", attention__head_count_kv=[float("nan")] * 32)
    assert memory_estimate.estimate_memory(header, 4096).total_bytes > 0


# -------------------------------------------------------- the real engine


def growth(model: Path, folder: Path, context: int, question: str, **options: Any) -> int:
    """By how much loading and one question enlarge the engine child, bytes."""
    with Child("llama", folder / "engine.log") as child:
        process = psutil.Process(child.process.pid)
        before = process.memory_info().rss
        child.load(model, context_tokens=context, threads=1, **options)
        child.ask(question, max_tokens=2)
        return process.memory_info().rss - before


def assert_close(estimate: memory_estimate.MemoryEstimate, measured: int) -> None:
    assert 0.95 <= estimate.total_bytes / measured <= 1.15, (estimate, measured)


@pytest.mark.model
@pytest.mark.parametrize("context", [*(pytest.param(size, marks=pytest.mark.slow) for size in (2048, 4096)), 8192])
@pytest.mark.fault("F5")
def test_the_estimate_is_what_the_starter_takes(context, starter_model, tmp_path):
    measured = growth(starter_model, tmp_path, context, "あ " * 540)
    assert_close(memory_estimate.estimate_memory(read_header(starter_model), context), measured)


@pytest.mark.model
@pytest.mark.parametrize(
    "options",
    [
        {"kv_type": "q4_0"}, {"batch_tokens": 128},
        *(
            pytest.param(options, marks=pytest.mark.slow)
            for options in (
                {"kv_type": "q8_0"}, {"repack": True}, {"kv_type": "q8_0", "repack": True},
                {"kv_type": "q4_0", "batch_tokens": 128},
                {"repack": True, "batch_tokens": 256}, {"batch_tokens": 1024},
            )
        ),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.fault("F5")
def test_the_estimate_follows_the_options(options, starter_model, tmp_path):
    engine = options | ({"flash_attention": True} if "kv_type" in options else {})
    measured = growth(starter_model, tmp_path, 4096, "あ " * 540, **engine)
    assert_close(memory_estimate.estimate_memory(read_header(starter_model), 4096, **options), measured)


@pytest.mark.slow
@pytest.mark.parametrize("context", [2048, 4096, 8192])
@pytest.mark.fault("F5")
def test_the_estimate_is_what_a_published_shape_takes(context, big_model, tmp_path):
    """From the file's header, and from the numbers that its card has before there is a file."""
    measured = growth(big_model, tmp_path, context, "あ " * 130)
    assert_close(memory_estimate.estimate_memory(read_header(big_model), context), measured)
    card = catalogue.card(big_model.stem)
    file = card.file_of("Q4_K_M")
    assert file is not None
    assert_close(model_fit.estimate_card(card, file, context), measured)


@pytest.fixture(
    scope="module", params=["llama-3-swallow-8b-instruct-v0.1", "qwen2.5-7b-instruct", "qwen3-4b-instruct-2507"]
)
def big_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    card = catalogue.card(request.param)
    assert card.shape is not None
    path = models.synthetic(tmp_path_factory.mktemp("big") / f"{card.id}.gguf", card.shape)
    yield path
    path.unlink()


# ------------------------------------------------------------- this machine


def test_available_memory_is_at_most_what_the_system_has():
    assert 0 < memory_estimate.available_memory_bytes() <= psutil.virtual_memory().total


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def free_bytes(root: Path, membership: Path) -> list[int]:
    return [free for _limit, free in memory_estimate.cgroup_limits(root, membership)]


@pytest.mark.fault("F5")
def test_limits_of_both_kinds_of_control_groups_count_with_their_reclaimable_pages(tmp_path):
    membership, root = tmp_path / "cgroup", tmp_path / "fs"
    assert free_bytes(tmp_path, membership) == []
    membership.write_text("nonsense\n\n0::/\n")
    assert free_bytes(tmp_path, membership) == []
    membership.write_text("0::/box/inner\n")
    group(root / "box/inner", memory__max="max\n", memory__current="100\n")
    stat = "anon 300\ninactive_file 50\n"
    group(root / "box", memory__max="1000\n", memory__current="400\n", memory__stat=stat)
    assert free_bytes(root, membership) == [650]
    membership.write_text("5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/\n")  # of the first kind
    group(root / "memory", memory__limit_in_bytes=str(0x7FFFFFFFFFFFF000), memory__usage_in_bytes="1")  # is no limit
    inner = root / "memory/docker/abc"
    group(inner, memory__limit_in_bytes="900", memory__usage_in_bytes="1000", memory__stat="total_inactive_file 30\n")
    assert free_bytes(root, membership) == [0]
    membership.write_text("0::/../../outside\n")  # in a container the mounted root is the group
    group(root, memory__max="1000", memory__current="200")
    assert free_bytes(root, membership) == [800]
