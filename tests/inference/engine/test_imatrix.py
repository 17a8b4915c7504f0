"""The importance matrix against its definition, and what it is for: a quantized model that errs less on that text."""

import ctypes
import re
import sysconfig
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import pytest
from llama_cpp import llama_cpp as api

from app.inference.engine import imatrix
from app.inference.engine.model_jobs import Imatrix, Quantize
from tests import model_files as models
from tests.inference.engine import jobs
from tests.model_files import TinyShape
from trainer.convert_job import Progress

WIDE = TinyShape(embedding=256, feed_forward=512)
TEXT = "橋脚のかぶりは設計基準強度と環境条件から定める。\n" * 40


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "m.gguf", shape=WIDE)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "自分の文書.txt"
    path.write_text(TEXT, encoding="utf-8-sig")  # as Windows' editor writes it
    return path


def job(model: Path, text: Path) -> Imatrix:
    return Imatrix(str(model), str(text), str(model.with_name("means.imatrix")))


def test_a_column_s_value_is_the_mean_square_of_what_it_is_multiplied_with(
    tmp_path: Path, model: Path, text: Path
) -> None:
    end = jobs.finished(job(model, text), tmp_path)
    means = imatrix.read(Path(end.path))
    ids = [byte + 4 for byte in b" " + TEXT.encode()]  # the vocabulary has one token a byte, and puts a space first
    ids[0] = 3
    pieces = [[1, *ids[at : at + 511]] for at in range(0, len(ids) - 511 + 1, 511)]
    assert end.notes == {"tokens": 512 * len(pieces), "tensors": len(WIDE.matrices()) - 2}
    reader = {tensor.name: tensor.data for tensor in gguf.GGUFReader(model).tensors}
    vectors = reader["token_embd.weight"].reshape(-1, WIDE.embedding)[[token for piece in pieces for token in piece]]
    normalized = vectors / np.sqrt((vectors**2).mean(axis=1, keepdims=True) + 1e-5)
    expected = (normalized.astype(np.float64) ** 2).mean(axis=0)
    for name in ("blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"):
        np.testing.assert_allclose(means[name], expected, rtol=2e-3)
    assert means["blk.1.ffn_down.weight"].shape == (WIDE.feed_forward,)


def test_the_result_is_given_to_the_quantizer(tmp_path: Path, model: Path, text: Path) -> None:
    means = jobs.finished(job(model, text), tmp_path).path
    plain, better = tmp_path / "plain.gguf", tmp_path / "better.gguf"
    jobs.finished(Quantize(str(model), str(plain), "Q4_K_M"), tmp_path)
    jobs.finished(Quantize(str(model), str(better), "Q4_K_M", imatrix=means), tmp_path)
    assert plain.stat().st_size == better.stat().st_size
    assert plain.read_bytes() != better.read_bytes()


def test_progress_counts_tokens(tmp_path: Path, model: Path, text: Path) -> None:
    _, events = jobs.run(job(model, text), tmp_path)
    steps = [event for event in events if isinstance(event, Progress)]
    assert [step.done_bytes for step in steps] == list(range(0, steps[-1].total_bytes + 1, 512))


def test_a_short_text_is_refused_with_how_much_is_needed(tmp_path: Path, model: Path, text: Path) -> None:
    text.write_text("短い文章。", encoding="utf-8")
    failed = jobs.failure(job(model, text), tmp_path)
    assert failed.code == "imatrix_text_short"
    assert failed.facts["needed"] == imatrix.MIN_TOKENS > failed.facts["tokens"]


@pytest.mark.parametrize("content", ["設計".encode("cp932") * 2000, None])
def test_a_text_that_cannot_be_read_is_refused(tmp_path: Path, model: Path, text: Path, content: bytes | None) -> None:
    if content is None:
        text.unlink()
    else:
        text.write_bytes(content)
    assert jobs.failure(job(model, text), tmp_path).code == "imatrix_text_unreadable"


def test_a_mixture_of_experts_is_refused(tmp_path: Path, text: Path) -> None:
    experts = models.tiny_llama(tmp_path / "moe.gguf", metadata={"llama.expert_count": 4, "llama.expert_used_count": 2})
    assert jobs.failure(job(experts, text), tmp_path).code == "imatrix_experts"


def test_a_damaged_result_is_refused(tmp_path: Path, model: Path) -> None:
    broken = tmp_path / "means.imatrix"
    broken.write_bytes(b"PK\x03\x04 and no more")
    failed = jobs.failure(Quantize(str(model), str(tmp_path / "q.gguf"), "Q4_K_M", imatrix=str(broken)), tmp_path)
    assert failed.code == "imatrix_failed"


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


class Logits:
    """Log-probabilities of a model over pieces of up to 256 tokens, [tokens, vocabulary]."""

    def __init__(self, path: Path) -> None:
        self._model = api.llama_model_load_from_file(str(path).encode(), api.llama_model_default_params())
        params = api.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = 256
        self._context = api.llama_init_from_model(self._model, params)
        self._vocabulary = api.llama_model_get_vocab(self._model)

    def tokens(self, text: str) -> list[int]:
        raw = text.encode()
        out = (api.llama_token * len(raw))()
        return list(out[: api.llama_tokenize(self._vocabulary, raw, len(raw), out, len(raw), True, False)])

    def of(self, tokens: list[int]) -> npt.NDArray[np.float32]:
        api.llama_memory_clear(api.llama_get_memory(self._context), True)
        batch = api.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for at, token in enumerate(tokens):
            batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, at, 1
            batch.seq_id[at][0], batch.logits[at] = 0, True
        assert api.llama_decode(self._context, batch) == 0
        api.llama_batch_free(batch)
        rows = api.llama_get_logits(self._context)
        count = api.llama_vocab_n_tokens(self._vocabulary)
        logits: Any = np.ctypeslib.as_array(ctypes.cast(rows, ctypes.POINTER(ctypes.c_float)), (len(tokens), count))
        logits = logits - logits.max(axis=1, keepdims=True)
        result: npt.NDArray[np.float32] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return result

    def close(self) -> None:
        api.llama_free(self._context)
        api.llama_model_free(self._model)


def divergences(reference: Path, others: dict[str, Path], text: str, pieces: int) -> dict[str, float]:
    """Mean KL divergence a token of each from the reference, in nats."""
    first = Logits(reference)
    opened = {name: Logits(path) for name, path in others.items()}
    tokens = first.tokens(text)
    chosen = [tokens[at : at + 256] for at in range(0, len(tokens) - 255, 256)][:pieces]
    sums = dict.fromkeys(others, 0.0)
    for piece in chosen:
        wanted = first.of(piece)
        for name, model in opened.items():
            sums[name] += float((np.exp(wanted) * (wanted - model.of(piece))).sum(dtype=np.float64))
    for model in (first, *opened.values()):
        model.close()
    return {name: total / (256 * len(chosen)) for name, total in sums.items()}


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
    for part in (whole[: len(whole) // 2], whole[len(whole) * 3 // 4 :]):
        found = divergences(f16, made, part, pieces=2)
        print(form, found)
        assert found["better"] <= found["plain"]
