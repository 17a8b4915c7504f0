"""The importance matrix against its definition, and what it is for: a quantized model that errs less on that text."""

import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import pytest

from app.inference.engine import imatrix
from app.inference.engine.model_jobs import Imatrix, Quantize
from app.inference.engine.scored_model import ScoredModel
from app.inference.prompts import Segment
from tests import model_files as models
from tests.inference.engine import direct, jobs
from tests.model_files import TinyShape
from trainer.convert_job import Event, Finished, Progress

WIDE = TinyShape(embedding=256, feed_forward=512)
TEXT = "橋脚のかぶりは設計基準強度と環境条件から定める。\n" * 40


@dataclass(frozen=True)
class Measured:
    """A model, a text, and how the matrix was made of them."""

    model: Path
    events: list[Event]

    @property
    def end(self) -> Finished:
        end = self.events[-1]
        assert isinstance(end, Finished)
        return end


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("measured")
    model = models.tiny_llama(folder / "m.gguf", shape=WIDE)
    _, events = jobs.run(job(model, written(folder / "自分の文書.txt")), folder)
    return Measured(model, events)


def written(path: Path) -> Path:
    path.write_text(TEXT, encoding="utf-8-sig")  # as Windows' editor writes it
    return path


def job(model: Path, text: Path) -> Imatrix:
    return Imatrix(str(model), str(text), str(text.with_name("means.imatrix")))


def test_a_column_s_value_is_the_mean_square_of_what_it_is_multiplied_with(measured: Measured) -> None:
    means = imatrix.read(Path(measured.end.path))
    ids = [byte + 4 for byte in b" " + TEXT.encode()]  # the vocabulary has one token a byte, and puts a space first
    ids[0] = 3
    pieces = [[1, *ids[at : at + 511]] for at in range(0, len(ids) - 511 + 1, 511)]
    assert measured.end.notes == {"tokens": 512 * len(pieces), "tensors": len(WIDE.matrices()) - 2}
    reader = {tensor.name: tensor.data for tensor in gguf.GGUFReader(measured.model).tensors}
    vectors = reader["token_embd.weight"].reshape(-1, WIDE.embedding)[[token for piece in pieces for token in piece]]
    normalized = vectors / np.sqrt((vectors**2).mean(axis=1, keepdims=True) + 1e-5)
    expected = (normalized.astype(np.float64) ** 2).mean(axis=0)
    for name in ("blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"):
        np.testing.assert_allclose(means[name], expected, rtol=2e-3)
    assert means["blk.1.ffn_down.weight"].shape == (WIDE.feed_forward,)


def test_progress_counts_tokens(measured: Measured) -> None:
    steps = [event for event in measured.events if isinstance(event, Progress)]
    assert [step.done_bytes for step in steps] == list(range(0, steps[-1].total_bytes + 1, 512))


def test_the_result_is_given_to_the_quantizer(measured: Measured, tmp_path: Path) -> None:
    plain, better, model = tmp_path / "plain.gguf", tmp_path / "better.gguf", str(measured.model)
    jobs.finished(Quantize(model, str(plain), "Q4_K_M"), tmp_path)
    jobs.finished(Quantize(model, str(better), "Q4_K_M", imatrix=measured.end.path), tmp_path)
    assert plain.stat().st_size == better.stat().st_size
    assert plain.read_bytes() != better.read_bytes()
    broken = tmp_path / "means.imatrix"
    broken.write_bytes(b"PK\x03\x04 and no more")
    failed = jobs.failure(Quantize(model, str(better), "Q4_K_M", imatrix=str(broken)), tmp_path)
    assert failed.code == "imatrix_failed"


def test_a_text_that_is_short_or_cannot_be_read_is_refused(measured: Measured, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    assert jobs.failure(job(measured.model, text), tmp_path).code == "imatrix_text_unreadable"
    text.write_bytes("設計".encode("cp932") * 2000)
    assert jobs.failure(job(measured.model, text), tmp_path).code == "imatrix_text_unreadable"
    text.write_text("短い文章。", encoding="utf-8")
    failed = jobs.failure(job(measured.model, text), tmp_path)
    assert failed.code == "imatrix_text_short"
    assert failed.facts["needed"] == imatrix.MIN_TOKENS > failed.facts["tokens"]


def test_a_mixture_of_experts_is_refused(tmp_path: Path) -> None:
    experts = models.tiny_llama(tmp_path / "moe.gguf", metadata={"llama.expert_count": 4, "llama.expert_used_count": 2})
    assert jobs.failure(job(experts, written(tmp_path / "text.txt")), tmp_path).code == "imatrix_experts"


def test_the_layout_of_a_tensor_is_that_of_the_installed_library() -> None:
    header = Path(sysconfig.get_path("purelib"), "include", "ggml.h").read_text("utf-8")
    operations = re.search(r"enum ggml_op \{(.*?)\};", header, re.DOTALL)
    assert operations is not None
    names = re.findall(r"GGML_OP_\w+", re.sub(r"//.*", "", operations[1]))
    assert names.index("GGML_OP_MUL_MAT") == imatrix._MUL_MAT
    struct = re.search(r"struct ggml_tensor \{(.*?)\n    \};", header, re.DOTALL)
    assert struct is not None
    fields = re.findall(r"(\w+)(?:\[[^\]]*\])?;", re.sub(r"//.*", "", struct[1]))
    ours = [name for name, *_ in imatrix._Tensor._fields_]
    assert fields[: len(ours)] == ours
    limits = dict(re.findall(r"define (GGML_MAX_DIMS|GGML_MAX_SRC|GGML_MAX_OP_PARAMS|GGML_MAX_NAME) +(\d+)", header))
    assert limits == {"GGML_MAX_DIMS": "4", "GGML_MAX_SRC": "10", "GGML_MAX_OP_PARAMS": "64", "GGML_MAX_NAME": "64"}


# ----------------------------------------------------------------- what it is for


def divergence(reference: Path, other: Path, pieces: list[direct.Text]) -> float:
    """Mean KL divergence a token from the reference, in nats."""
    rows = zip(direct.log_probabilities(reference, pieces), direct.log_probabilities(other, pieces), strict=True)
    return float(np.mean([direct.divergence(p, q) for p, q in rows]))


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("form", ["Q3_K_M", "IQ4_XS"])
def test_a_quantized_model_errs_less_with_the_importance_matrix(tmp_path: Path, starter_model: Path, form: str) -> None:
    """On the text itself, and on a part of it that the matrix was not made from.

    The trial model's own weights lie on the steps of Q4_K, so that Q4_K_M finds most of them again with any weighting:
    the forms here have other steps.
    """
    root = Path(__file__).parents[3]
    whole = "".join(path.read_text("utf-8") for path in sorted((root / "resources" / "manual").glob("*.md")))
    text = tmp_path / "text.txt"
    text.write_text(whole[: len(whole) * 3 // 4], encoding="utf-8")
    f16 = tmp_path / "f16.gguf"
    jobs.finished(Quantize(str(starter_model), str(f16), "F16", requantize=True), tmp_path)
    means = jobs.finished(Imatrix(str(f16), str(text), str(tmp_path / "means.imatrix")), tmp_path).path
    made = {name: tmp_path / f"{name}.gguf" for name in ("plain", "better")}
    jobs.finished(Quantize(str(f16), str(made["plain"]), form), tmp_path)
    jobs.finished(Quantize(str(f16), str(made["better"]), form, imatrix=means), tmp_path)
    tokenizer = ScoredModel(f16, "")
    for part in (whole[: len(whole) // 2], whole[len(whole) * 3 // 4 :]):
        ids = tokenizer.ids_of((Segment(part),))
        pieces = [(ids[at : at + 256], tuple(range(1, 256))) for at in (0, 256)]
        assert divergence(f16, made["better"], pieces) <= divergence(f16, made["plain"], pieces)
    tokenizer.close()
