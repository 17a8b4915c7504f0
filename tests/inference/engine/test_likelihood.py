"""The likelihood of reference answers, and its divergence from f16: against their definitions (`direct`)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from app.inference import scoring_files
from app.inference.engine import model_jobs
from app.inference.engine.model_jobs import Score
from app.inference.engine.score import ReferenceHeader, ReferenceReader, ReferenceWriter, likeliest_tokens
from app.inference.engine.scored_model import ScoredModel
from app.inference.prompts import ScoredText, Segment
from app.inference.scoring_files import Scores
from tests import model_files as models
from tests.convert import engine_side, texts
from tests.inference.engine import direct, held_out, jobs
from tests.model_files import TinyShape

# Wide enough for k-quants, and with more tokens than a reference keeps.
SHAPE = TinyShape(embedding=256, feed_forward=256, context=640, vocabulary=4096)
SPACE = 3  # the tiny model puts one before every piece of text
MARKUP = "<s>問い"
PAIRS = [
    ("水は何度で沸く？", "百度です。"),
    ("首都は？", "東京です。</s>" * 10),
    ("橋脚のかぶりは？", "百ミリです。" * 30),  # 541 tokens, where 256 are read at once
]


@pytest.fixture(scope="module")
def f16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    engine_side.requantize(models.tiny_llama(folder / "f32.gguf", shape=SHAPE), folder / "f16.gguf")
    return folder / "f16.gguf"


@pytest.fixture(scope="module")
def q4_k_m(f16: Path) -> Path:
    path = f16.with_name("q4_k_m.gguf")
    engine_side.requantize(f16, path, "Q4_K_M")
    return path


@pytest.fixture
def job(tmp_path: Path, f16: Path) -> Score:
    asked = tuple(
        ScoredText((Segment(MARKUP, markup=True), Segment(question)), answer, line)
        for line, (question, answer) in enumerate(PAIRS, start=1)
    )
    return Score(str(f16), "", str(tmp_path / "点数.json"), texts=asked)


def ids_by_hand(question: str, answer: str) -> direct.Text:
    """The first token, markup whose control token is one, and plain text; the places are the answer's."""
    markup = [1, SPACE, *held_out.byte_ids(MARKUP.removeprefix("<s>"))]
    prompt = [1, *markup, SPACE, *held_out.byte_ids(question)]
    ids = (*prompt, SPACE, *held_out.byte_ids(answer))
    return ids, tuple(range(len(prompt), len(ids)))


TEXTS = [ids_by_hand(*pair) for pair in PAIRS]


def scored(job: Score, folder: Path) -> Scores:
    return scoring_files.read_scores(Path(jobs.finished(job, folder).path))


def against_f16(job: Score, q4_k_m: Path, folder: Path) -> Scores:
    reference = str(folder / "reference")
    scored(replace(job, reference=reference, makes_reference=True), folder)
    return scored(replace(job, model=str(q4_k_m), reference=reference), folder)


def test_a_quantized_model_s_likelihood_and_divergence_are_those_of_the_definitions(
    tmp_path: Path, job: Score, f16: Path, q4_k_m: Path
) -> None:
    found = against_f16(job, q4_k_m, tmp_path)
    pairs = zip(direct.log_probabilities(f16, TEXTS), direct.log_probabilities(q4_k_m, TEXTS), strict=True)
    for (ids, places), example in zip(TEXTS, found.examples, strict=True):
        nll, divergence, whole, same = 0.0, 0.0, 0.0, 0
        for place in places:
            p, q = next(pairs)
            nll -= q[ids[place]]
            divergence += direct.divergence_of_likeliest(p, q)
            whole += direct.divergence(p, q)
            same += int(p.argmax() == q.argmax())
        assert (example.tokens, example.same_first) == (len(places), same)
        assert example.nll == pytest.approx(nll, abs=1e-4)
        assert example.divergence == pytest.approx(divergence, abs=1e-4)
        assert 0.001 < divergence / len(places) < whole / len(places)
    assert [example.line for example in found.examples] == [1, 2, 3]
    other = models.tiny_llama(tmp_path / "other.gguf", shape=SHAPE, metadata={"tokenizer.ggml.add_bos_token": False})
    failed = jobs.failure(replace(job, model=str(other), reference=str(tmp_path / "reference")), tmp_path)
    assert failed.code == "reference_unreadable"  # that of a model with another tokenizer


def compare(path: Path, reference: Path, asked: list[direct.Text], folder: Path) -> tuple[float, float, float]:
    """Largest differences of a token's likelihood and divergence, and the mean divergence."""
    model, first = ScoredModel(path, ""), ScoredModel(reference, "")
    about = ReferenceHeader(sum(len(places) for _, places in asked), model.vocabulary_size, "by hand")
    for one in (model, first):
        one.open(max(len(ids) for ids, _ in asked))
    writer = ReferenceWriter(folder / "kept", about)
    for ids, places in asked:
        for log_p in first.log_probabilities(ids, places, lambda _tokens: None):
            writer.add(log_p)
    writer.close()
    reader = ReferenceReader(folder / "kept", about)
    rows = zip(direct.log_probabilities(reference, asked), direct.log_probabilities(path, asked), strict=True)
    nll, divergences, found = [], [], []
    for ids, places in asked:
        for place, log_q in zip(places, model.log_probabilities(ids, places, lambda _tokens: None), strict=True):
            p, q = next(rows)
            nll.append(float(log_q[ids[place]]) - q[ids[place]])
            found.append(reader.compare(log_q)[0])
            divergences.append(found[-1] - direct.divergence_of_likeliest(p, q))
    for one in (model, first, reader):
        one.close()
    return float(np.abs(nll).max()), float(np.abs(divergences).max()), float(np.mean(found))


def test_no_token_s_likelihood_or_divergence_is_off(tmp_path: Path, f16: Path, q4_k_m: Path) -> None:
    nll, divergence, mean = compare(q4_k_m, f16, TEXTS, tmp_path)
    assert nll <= 1e-4
    assert divergence <= 1e-4
    assert mean > 0.001


@pytest.mark.slow
def test_of_the_trial_model_neither(tmp_path: Path, starter_model: Path) -> None:
    f16 = tmp_path / "f16.gguf"
    engine_side.requantize(starter_model, f16)
    model = ScoredModel(starter_model, "")
    ids = model.ids_of((Segment(texts.passage()),))[:87]
    model.close()
    assert model.rows == 64  # of 67: it is read in parts
    nll, divergence, mean = compare(starter_model, f16, [(ids, tuple(range(20, 87)))], tmp_path)
    assert nll <= 1e-4
    assert divergence <= 1e-4
    assert mean > 0.001


def test_a_question_that_is_too_long_is_named(tmp_path: Path, job: Score) -> None:
    long = structs.replace(job.texts[1], answer="あ" * 300)
    failed = jobs.failure(replace(job, texts=(job.texts[0], long)), tmp_path)
    tokens = len(ids_by_hand(PAIRS[1][0], long.answer)[0])
    assert (failed.code, failed.facts) == (
        "likelihood_too_long",
        {"line": 2, "tokens": tokens, "context_tokens": SHAPE.context},
    )


@pytest.mark.parametrize("holdout", ["", "holdout.json"])
def test_a_job_measures_either_a_hold_out_or_texts(tmp_path: Path, job: Score, holdout: str) -> None:
    model_jobs.write_job(replace(job, holdout=holdout, texts=job.texts if holdout else ()), tmp_path / "job.json")
    with pytest.raises(ValueError, match="either"):
        model_jobs.read_job(tmp_path / "job.json", Score)
    model_jobs.write_job(job, tmp_path / "job.json")
    assert model_jobs.read_job(tmp_path / "job.json", Score) == job


@pytest.mark.parametrize(("size", "count"), [(7, 7), (260, 260), (1500, 1024), (4097, 1024), (50_001, 1024)])
def test_the_likeliest_tokens_are_those_that_a_sort_finds(size: int, count: int) -> None:
    random = np.random.default_rng(size)
    one_value = np.zeros(size, np.float32)
    for row in (random.normal(size=size).astype(np.float32), np.sort(random.random(size, np.float32)), one_value):
        ids = likeliest_tokens(row, count)
        assert len(set(ids.tolist())) == count
        assert np.sort(row[ids]).tolist() == np.sort(row)[-count:].tolist()
    assert len(likeliest_tokens(np.full(size, np.nan, np.float32), count)) == count
