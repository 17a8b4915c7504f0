"""Merging an adapter into a model's GGUF file: the numbers, what is kept, what is refused, and the memory it takes."""

from pathlib import Path

import numpy as np
import pytest

from tests import model_files as models
from tests.convert import engine_side
from tests.convert.conversion import convert, failure
from trainer.convert.lora_merge import pack_weights
from trainer.convert_job import Merge


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "base.gguf")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return models.tiny_adapter(tmp_path / "adapter.gguf", metadata={"adapter.lora.alpha": 12.0}, size=0.1)


@pytest.mark.parametrize(("kind", "type_"), [("", "F32"), ("F16", "F16"), ("BF16", "BF16")])
@pytest.mark.parametrize("strength", [1.0, 0.5, -1.0])
def test_the_merge_is_the_formula_rounded_once(kind, type_, strength, base, adapter, server, converter, tmp_path):
    if kind:
        base, plain = tmp_path / f"{kind}.gguf", base
        engine_side.requantize(plain, base, kind)
    target = tmp_path / "結果 {1}.gguf"
    convert(server, Merge(str(base), str(adapter), str(target), converter, strength), tmp_path)
    before, after, lora = (engine_side.tensors(path) for path in (base, target, adapter))
    changed = {name.rpartition(".lora_")[0] for name in lora}
    for name, weights in before.items():
        expected = weights
        if name in changed:
            delta = (lora[f"{name}.lora_b"] * np.float32(strength * 12 / 4)) @ lora[f"{name}.lora_a"]
            rounded = np.frombuffer(pack_weights(weights + delta, type_), before_rounding(type_))
            expected = widened(rounded).reshape(weights.shape)
        assert np.array_equal(after[name], expected), name
    assert engine_side.metadata(target) == engine_side.metadata(base)
    assert target.stat().st_size == base.stat().st_size


def before_rounding(type_: str) -> type:
    return {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[type_]


def widened(numbers: np.ndarray) -> np.ndarray:
    if numbers.dtype == np.uint16:
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float32)


def test_no_strength_changes_no_byte(base, adapter, server, converter, tmp_path):
    target = tmp_path / "same.gguf"
    convert(server, Merge(str(base), str(adapter), str(target), converter, 0.0), tmp_path)
    assert target.read_bytes() == base.read_bytes()


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (models.wrong_shape_adapter, "adapter_mismatch", "blk.0.attn_q.weight"),
        (models.wrong_architecture_adapter, "adapter_mismatch", "general.architecture"),
        (models.unpaired_adapter, "adapter_mismatch", "blk.1.attn_v.weight"),
        (models.tiny_llama, "adapter_unsupported", "general.type: model"),
    ],
)
def test_what_does_not_fit_is_refused(make, code, said, base, server, converter, tmp_path):
    job = Merge(str(base), str(make(tmp_path / "other.gguf")), str(tmp_path / "merged.gguf"), converter)
    failed = failure(server, job, tmp_path)
    assert failed.code == code
    assert said in failed.facts.values()


def test_a_quantized_base_is_refused(base, adapter, server, converter, tmp_path):
    quantized = tmp_path / "quantized.gguf"
    engine_side.requantize(base, quantized, "Q8_0")
    failed = failure(server, Merge(str(quantized), str(adapter), str(tmp_path / "merged.gguf"), converter), tmp_path)
    assert failed.code == "base_quantized"
    assert failed.facts["type"] == "Q8_0"


@pytest.mark.parametrize("kept_bytes", [0, 3, 1000])
def test_a_base_that_is_no_gguf_is_refused(kept_bytes, base, adapter, server, converter, tmp_path):
    base.write_bytes(base.read_bytes()[:kept_bytes])
    failed = failure(server, Merge(str(base), str(adapter), str(tmp_path / "merged.gguf"), converter), tmp_path)
    assert (failed.code, failed.facts) == ("source_missing", {"path": str(base)})


def test_memory_stays_at_a_few_blocks(large_files, environment, converter, tmp_path):
    """243 MB, of which 131 MB are two matrices; Python with numpy alone takes 45 MB."""
    large, adapter = large_files
    finished = convert(environment, Merge(str(large), str(adapter), str(tmp_path / "merged.gguf"), converter), tmp_path)
    print(f"{large.stat().st_size / 1e6:.0f} MB merged with {finished.peak_rss_bytes / 1e6:.0f} MB")
    assert finished.peak_rss_bytes < 110e6 < large.stat().st_size / 2
