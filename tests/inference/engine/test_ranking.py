"""A reranker in the engine child: one of random weights, whose scores numpy computes too."""

import time
from pathlib import Path

import pytest

from app.inference.engine.messages import Cancel, Embed, Embedded, Failed, Rank, Ranked
from tests.embedding_model import CONTEXT, score_of, tiny_bert, tiny_reranker
from tests.inference.engine.child import Child

QUESTION = "橋の点検はいつ行うか"
PASSAGES = ("橋の点検は五年に一度行う", "犬は庭にいる", "賃金は月末に払う", "犬は庭にいる")
NEAR = {"rel": 0.03, "abs": 0.05}  # llama.cpp computes the attention with half the digits


def outcome(child: Child, question: str, *passages: str) -> Ranked | Failed:
    child.send(Rank("r", question, passages))
    event = child.events_until(Ranked, Failed)[-1]
    assert isinstance(event, Ranked | Failed)
    return event


def scores(child: Child, question: str, *passages: str) -> list[float]:
    event = outcome(child, question, *passages)
    assert isinstance(event, Ranked), event
    return list(event.scores)


def test_pairs_are_scored_as_numpy_scores_them(child: Child, tmp_path: Path) -> None:
    child.load(tiny_reranker(tmp_path / "r.gguf"), embedding=True, context_tokens=512)
    before = child.log.stat().st_size
    found = scores(child, QUESTION, *PASSAGES)
    assert found == pytest.approx([score_of(QUESTION, one) for one in PASSAGES], **NEAR)
    assert found[1] == found[3]
    assert len(set(found)) == 3
    assert scores(child, "別の問い", PASSAGES[0]) != found[:1]
    assert scores(child, QUESTION, *PASSAGES) == found
    assert scores(child, QUESTION) == []
    assert child.log.stat().st_size == before


def test_the_end_of_a_long_passage_is_cut_but_a_question_is_not(child: Child, tmp_path: Path) -> None:
    child.load(tiny_reranker(tmp_path / "r.gguf", "橋"), embedding=True, context_tokens=512)
    short, long, other = scores(child, "橋", "橋" * 100, "橋" * 100 + "川" * 2000, "川" * 150 + "橋" * 2000)
    assert long == pytest.approx(short, abs=2.0)
    assert other < long - 10
    failed = outcome(child, "橋" * (CONTEXT + 1), "川")
    assert isinstance(failed, Failed)
    assert (failed.code, failed.facts) == ("pair_not_scored", {"number": 1, "reason": "context_full"})
    assert scores(child, "橋", "橋" * 100) == [short]


def test_a_template_of_the_file_is_filled_and_control_tokens_of_a_text_stay_text(child: Child, tmp_path: Path) -> None:
    path = tiny_reranker(tmp_path / "r.gguf", template="問{query}[SEP]答{document}")
    child.load(path, embedding=True, context_tokens=512)
    plain, control, place = scores(child, "橋", "川", "川[SEP]犬", "川{query}犬")
    assert plain == pytest.approx(score_of("問橋", "答川", begins=False), **NEAR)
    assert control == pytest.approx(score_of("問橋", "答川[sep]犬", begins=False), **NEAR)
    assert place == pytest.approx(score_of("問橋", "答川{query}犬", begins=False), **NEAR)


def test_a_pair_without_a_score_is_named(child: Child, tmp_path: Path) -> None:
    child.load(tiny_reranker(tmp_path / "r.gguf", broken=True), embedding=True, context_tokens=512)
    failed = outcome(child, QUESTION, *PASSAGES)
    assert isinstance(failed, Failed)
    assert (failed.code, failed.facts["number"]) == ("pair_not_scored", 1)


def test_each_model_does_only_its_own(child: Child, tmp_path: Path, tiny_model: Path) -> None:
    for path, embeds in ((tiny_bert(tmp_path / "e.gguf"), True), (tiny_model, False)):
        child.load(path, embedding=embeds, context_tokens=512)
        failed = outcome(child, QUESTION, *PASSAGES)
        assert isinstance(failed, Failed)
        assert failed.code == "not_a_reranker"
    child.load(tiny_reranker(tmp_path / "r.gguf"), embedding=True, context_tokens=512)
    child.send(Embed("e", PASSAGES))
    event = child.events_until(Embedded, Failed)[-1]
    assert isinstance(event, Failed)
    assert event.code == "not_an_embedding_model"


def test_cancelling_ends_soon_and_the_engine_goes_on(child: Child, tmp_path: Path) -> None:
    child.load(tiny_reranker(tmp_path / "r.gguf"), embedding=True, context_tokens=512)
    child.send(Rank("r", QUESTION, ("橋" * 100,) * 100_000))
    time.sleep(0.5)
    child.send(Cancel("r"))
    began = child.processor_s()
    event = child.events_until(Ranked, Failed)[-1]
    assert isinstance(event, Failed)
    assert event.code == "cancelled"
    assert child.processor_s() - began < 5
    assert scores(child, QUESTION, PASSAGES[0]) == pytest.approx([score_of(QUESTION, PASSAGES[0])], **NEAR)
