"""A converted model says what transformers says of the original: tokens, logits, and merged adapters.

Tiny random models with tokenizers trained on Japanese; float32 transformers is the reference, f16 the conversion.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.convert import engine_side, texts
from tests.convert.conversion import convert
from tests.convert.proof import CASES, Case, rows
from tests.trainer.training_runs import RunServer
from trainer.convert.lora_merge import pack_weights, unpack_weights
from trainer.convert_job import Finished, GgufToHf, HfToGguf, LoraToGguf, Merge

PRE_TOKENIZERS = {
    "llama": "llama-bpe",
    "llama-3.1": "llama-bpe",
    "llama-merges": "dbrx",
    "qwen2": "qwen2",
    "qwen3": "qwen2",
    "gemma3": "gemma4",
    "gemma3-spm": "",  # tokenizer.model says itself how it splits
}


def _one_a_family(case: Case) -> bool:
    return case.with_adapter or case.family not in {other.family for other in CASES if other.with_adapter}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=() if _one_a_family(case) else pytest.mark.slow) for case in CASES],
)
def test_tokens_logits_merges_and_weights_read_back_are_equal(
    case: Case, tiny_model: Callable[[Case], Path], server: RunServer, converter: str, tmp_path: Path
) -> None:
    folder = tiny_model(case)
    base = tmp_path / "base.gguf"
    finished = convert(server, HfToGguf(str(folder / "base"), str(base), converter), tmp_path)
    pre_tokenizer = finished.notes.get("pre_tokenizer", "")
    assert (pre_tokenizer, finished.notes["outtype"]) == (PRE_TOKENIZERS[case.family], "f16")
    equal, top_1, divergence = compare(folder / "reference.npz", base)
    difference = merge_difference(folder, base, server, converter, tmp_path) if case.with_adapter else None
    rows.append(
        f"| {case.family} | {'tied' if case.tied else 'untied'} | {pre_tokenizer} "
        f"| {equal} of {texts.COUNT} | {top_1:.4f} | {divergence:.1e} "
        f"| {'' if difference is None else f'{difference:.1e}'} |"
    )
    if case.family not in ("qwen3", "gemma3"):
        # transformers reads neither the head size of a Qwen 3 nor our own byte-pair tokenizer for Gemma 3 from a file.
        convert(server, GgufToHf(str(base), str(tmp_path / "back")), tmp_path)
        assert_equal_weights(folder / "base", tmp_path / "back")
    assert equal == texts.COUNT
    assert top_1 >= 0.99
    assert divergence <= 1e-4
    assert difference is None or difference <= 1e-3


def test_the_other_types_hold_the_same_weights(
    tiny_model: Callable[[Case], Path], server: RunServer, converter: str, tmp_path: Path
) -> None:
    """bf16 rounds once. Logits are not compared: with bf16 weights llama.cpp multiplies in bf16."""
    source, held = str(tiny_model(CASES[0]) / "base"), {}
    for outtype in ("f16", "f32", "bf16"):
        target = tmp_path / f"{outtype}.gguf"
        assert convert(server, HfToGguf(source, str(target), converter, outtype), tmp_path).notes["outtype"] == outtype
        held[outtype] = engine_side.tensors(target)
    assert held["f16"].keys() == held["f32"].keys() == held["bf16"].keys()
    for name, weights in held["f16"].items():
        rounded = unpack_weights(pack_weights(weights, "BF16"), "BF16") if weights.ndim > 1 else weights
        assert np.array_equal(held["f32"][name], weights), name
        assert np.array_equal(held["bf16"][name], rounded.reshape(weights.shape)), name


def assert_equal_weights(folder: Path, back: Path) -> None:
    """A folder's and those of the folder that was made of its GGUF file."""
    before, after = weights_of(folder), weights_of(back)
    assert before.keys() == after.keys()
    for name, weights in before.items():
        rounded = 2e-3 if weights.ndim == 1 else 0.0  # Gemma's norms are stored plus one
        assert np.allclose(weights.astype(np.float16), after[name].astype(np.float16), rtol=0, atol=rounded), name


def weights_of(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in folder.glob("model*.safetensors"):
        raw = path.read_bytes()
        begin = 8 + int.from_bytes(raw[:8], "little")
        for name, entry in json.loads(raw[8:begin]).items():
            if name != "__metadata__":
                first, last = entry["data_offsets"]
                dtype = {"F16": np.float16, "F32": np.float32}[entry["dtype"]]
                found[name] = np.frombuffer(raw[begin + first : begin + last], dtype).reshape(entry["shape"])
    return found


def compare(reference_file: Path, gguf_file: Path) -> tuple[int, float, float]:
    """How many strings have the same ids, the share of equal first tokens, and the divergence in nats."""
    reference = np.load(reference_file)
    expected = np.split(reference["ids"], np.cumsum(reference["lengths"])[:-1])
    strings = texts.strings()
    assert len(strings) == len(expected) == texts.COUNT
    with engine_side.loaded(gguf_file) as model:
        equal = sum(model.ids(text) == ids.tolist() for text, ids in zip(strings, expected, strict=True))
        logits = np.stack([model.logits(sequence) for sequence in reference["sequences"]])
    return (
        equal,
        engine_side.top_1(reference["logits"], logits),
        engine_side.divergence(reference["logits"], logits),
    )


def merge_difference(folder: Path, base: Path, server: RunServer, converter: str, tmp_path: Path) -> float:
    """Merged as GGUF, against merged by peft and converted."""
    adapter, merged, by_peft = (tmp_path / name for name in ("adapter.gguf", "merged.gguf", "by-peft.gguf"))
    lora = LoraToGguf(str(folder / "adapter"), str(folder / "base"), str(adapter), converter)
    assert convert(server, lora, tmp_path).notes["alpha"] == 32
    finished: Finished = convert(server, Merge(str(base), str(adapter), str(merged), converter), tmp_path)
    layers = 6 if "gemma" in folder.name else 2
    assert finished.notes == {"merged_tensors": 7 * layers, "strength": 1.0}
    convert(server, HfToGguf(str(folder / "merged"), str(by_peft), converter, "f16"), tmp_path)
    assert engine_side.metadata(merged) == engine_side.metadata(base)
    assert engine_side.largest_difference(base, merged) > 0.05  # an adapter that changes nothing would prove nothing
    return engine_side.largest_difference(merged, by_peft)
