"""`kotae eval sets from-chats`: rated answers become a question set, and what is left out is told."""

from pathlib import Path

import pytest

from app.base import paths
from app.chat import answer_ratings
from app.chat.answer_ratings import BAD, GOOD
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.evaluation import question_sets
from tests.command_fixtures import Kotae


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """A good, a corrected and a bad answer in the data folder; gives the folder of question sets."""
    where = paths.locate(str(tmp_path / "データ"))
    store = Store.open(where.database, where.backups)
    for question, rating, correction in (("甲は？", GOOD, ""), ("乙は？", BAD, "乙です。"), ("丙は？", BAD, "")):
        answer = store.add_answer(store.add_question(question).id, AnswerDetails())
        store.finish_answer(answer.id, "答えです。", "done", AnswerDetails())
        answer_ratings.rate(store, answer.id, rating, correction)
    store.close()
    return where.questions


def test_rated_answers_are_stored_once_and_what_is_left_out_is_told(kotae: Kotae, rated: Path) -> None:
    status, data, said = kotae("eval", "sets", "from-chats", "窓口")
    assert (status, data["name"], data["version"], data["count"]) == (0, "窓口", 1, 2)
    assert (data["is_new"], data["label"], data["left_out"]) == (True, "internal", {"no_reference": 1})
    assert said == "「悪い」と評価した回答のうち 1 件は、正しい回答が書かれていないため除きました。\n"
    found = question_sets.find(rated, "窓口")
    assert [(one.text, one.reference, one.origin) for one in found.questions] == [
        ("甲は？", "答えです。", "conversation"),
        ("乙は？", "乙です。", "conversation"),
    ]
    assert found.sha256 == data["sha256"]
    assert question_sets.load_versions(rated, "窓口").newest.source == "会話での評価"
    status, data, _ = kotae("eval", "sets", "from-chats", "窓口")
    assert (status, data["version"], data["is_new"]) == (0, 1, False)


def test_without_a_rated_answer_nothing_is_stored_and_the_way_to_one_is_told(kotae: Kotae, tmp_path: Path) -> None:
    status, data, said = kotae("eval", "sets", "from-chats", "窓口")
    assert (status, data["error"]["code"]) == (3, "no_rated_answers")
    assert "「良い」" in said
    assert not paths.locate(str(tmp_path / "データ")).questions.exists()
