"""`kotae eval pairs`: what people preferred becomes pairs, which are imported and reviewed like rows."""

from pathlib import Path
from typing import Any

import pytest

from app.base import paths
from app.base.paths import Paths
from app.chat import answer_ratings
from app.chat.answer_ratings import BAD, GOOD, UNRATED
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindFile, Voted
from app.evaluation.study import studies
from app.training.data import check, curation, file_import
from app.training.data.curation import Curation, Decision
from app.training.generation import pair_files
from tests.command_fixtures import Kotae
from tests.evaluation.blind_study import BASE, TUNED, blind_study
from tests.evaluation.driver import contender, write_study
from tests.training.driver import code_of

Rated = tuple[str, int, str]  # an answer, its rating and its correction


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return paths.locate(str(tmp_path / "データ"))


def ask(store: Store, question: str, *answers: Rated, below: tuple[int, int] | tuple[()] = ()) -> tuple[int, int]:
    """Return the conversation and the last answer."""
    asked = store.add_question(question, *below)
    for text, rating, correction in answers:
        answer = store.finish_answer(store.add_answer(asked.id, AnswerDetails()).id, text, "done", AnswerDetails())
        answer_ratings.rate(store, answer.id, rating, correction)
    return asked.conversation_id, answer.id


def compare_blind(where: Paths) -> None:
    """The second answer is chosen for one question, neither for another, and the third is decided with names shown."""
    folder = where.evaluations / "比較"
    write_study(folder, contender(1, "/models/m.gguf"))
    evaluation = blind_study(3)
    studies.write_results(evaluation, (), folder)
    one, other, third = blind.blind_pairing(evaluation, BASE, TUNED).pairs
    chosen = "a_better" if one.a_system == TUNED else "b_better"
    votes = BlindFile(folder)
    votes.add(Voted(one.question.id, chosen, one.a_system, one.b_system))
    votes.add(Voted(other.question.id, "same", other.a_system, other.b_system))
    votes.add(Voted(third.question.id, "a_better", third.a_system, third.b_system, is_open=True))


def test_ratings_corrections_new_answers_and_blind_choices_become_pairs(
    kotae: Kotae, where: Paths, tmp_path: Path
) -> None:
    store = Store.open(where.database, where.backups)
    first = ask(store, "甲は？", ("乙です。", BAD, "甲です。"))
    ask(store, "では丙は？", ("丁です。", BAD, ""), ("丙です。", GOOD, ""), below=first)
    ask(store, "戊は？", ("己です。", UNRATED, ""), ("戊です。", GOOD, ""))
    ask(store, "庚は？", ("辛です。", BAD, ""), ("庚です。", UNRATED, ""))
    ask(store, "壬は？", ("壬です。", GOOD, ""))  # nothing worse is known
    store.close()
    compare_blind(where)
    out = tmp_path / "好み.jsonl"
    status, data, _ = kotae("eval", "pairs", "--out", str(out))
    assert (status, data["pairs"], data["label"]) == (0, 5, "internal")
    assert data["origins"] == {"correction": 1, "rating": 1, "regenerated": 2, "blind": 1}
    found = file_import.import_file(out)
    assert not found.bad_rows
    texts = [(row.question, row.answer, row.rejected) for row in found.rows]
    assert texts[:4] == [
        ("甲は？", "甲です。", "乙です。"),
        ("では丙は？", "丙です。", "丁です。"),
        ("戊は？", "戊です。", "己です。"),
        ("庚は？", "庚です。", "辛です。"),
    ]
    assert texts[4][1].startswith("tuned の回答")
    assert texts[4][2].startswith("base の回答")
    assert [message.text for message in found.rows[1].messages] == ["甲は？", "乙です。", "では丙は？", "丙です。"]
    assert (found.rows[0].group, found.label) == (found.rows[1].group, "internal")  # one conversation stays together


def test_pairs_have_the_label_of_their_conversation_and_of_its_collections_now(
    kotae: Kotae, where: Paths, tmp_path: Path
) -> None:
    library = Library.open(where.documents)
    rules, plain = library.add_collection("規則"), library.add_collection("公開資料")
    library.close()
    store = Store.open(where.database, where.backups)
    for name, collection in (("規則", rules), ("公開資料", plain)):
        asked = store.add_question(f"{name}は？")
        details = AnswerDetails(scope=(CollectionRef(collection, name),))
        answer = store.finish_answer(store.add_answer(asked.id, details).id, "乙です。", "done", details)
        answer_ratings.rate(store, answer.id, BAD, "甲です。")
    store.close()
    out, exporting = tmp_path / "好み.jsonl", ("eval", "pairs", "--out", str(tmp_path / "好み.jsonl"))
    assert kotae(*exporting)[1]["label"] == "internal"
    found = file_import.import_file(out)
    assert (found.label, set(found.origins)) == ("internal", {("規則", ""), ("公開資料", "")})
    library = Library.open(where.documents)
    library.set_label(rules, "secret")
    library.close()
    out.unlink()
    # Also the rows that were exported before count as what their collection is now.
    assert collection_lookup.label_of_origins(where.documents, found.origins, "internal") == "secret"
    assert kotae(*exporting)[1]["error"]["code"] == "secret_export"
    status, data, _ = kotae(*exporting, "--allow-secret")
    assert (status, data["label"]) == (0, "secret")
    assert "rows" in where.exports_log.read_text("utf-8")


def test_without_a_preference_the_way_to_one_is_told(kotae: Kotae, tmp_path: Path) -> None:
    status, data, said = kotae("eval", "pairs", "--out", str(tmp_path / "x.jsonl"))
    assert (status, data["error"]["code"]) == (3, "no_preference_pairs")
    assert "「悪い」" in said


PAIRS: dict[str, list[Any]] = {
    "texts": [{"prompt": "甲は？", "chosen": "甲です。", "rejected": "乙です。"}],
    "messages": [
        {
            "prompt": [{"role": "user", "content": "甲は？"}],
            "chosen": [{"role": "assistant", "content": "甲です。"}],
            "rejected": [{"role": "assistant", "content": "乙です。"}],
        }
    ],
    "whole conversations": [
        {
            "prompt": "甲は？",
            "chosen": [{"role": "user", "content": "甲は？"}, {"role": "assistant", "content": "甲です。"}],
            "rejected": [{"role": "user", "content": "甲は？"}, {"role": "assistant", "content": "乙です。"}],
        }
    ],
    "our own": [
        {
            "messages": [{"role": "user", "content": "甲は？"}, {"role": "assistant", "content": "甲です。"}],
            "rejected": "乙です。",
        }
    ],
}


@pytest.mark.parametrize("form", PAIRS)
def test_pairs_are_read_in_each_usual_form_and_those_without_a_worse_answer_are_named(
    form: str, tmp_path: Path
) -> None:
    path, (given,) = tmp_path / "組.jsonl", PAIRS[form]
    same, empty = {**given, "rejected": given.get("chosen", "甲です。")}, {**given, "rejected": ""}
    path.write_bytes(pair_files.rows_to_lines((given, same, empty)))
    found = file_import.import_file(path)
    assert [(row.question, row.answer, row.rejected) for row in found.rows] == [("甲は？", "甲です。", "乙です。")]
    assert [(one.line, one.code) for one in found.bad_rows] == [(2, "rejected_same"), (3, "empty_rejected")]
    assert found.rows[0].as_json()["rejected"] == "乙です。"


def test_a_proposed_pair_is_used_once_it_is_accepted_and_both_answers_can_be_edited(tmp_path: Path) -> None:
    path = tmp_path / "組.jsonl"
    rows = [{"prompt": f"{n} は？", "chosen": f"{n} です。", "rejected": "さあ。"} for n in range(3)]
    path.write_bytes(pair_files.rows_to_lines(rows))
    file = file_import.import_file(path)
    curation.create(tmp_path / "行", curation.items_from_rows(file.rows, check.check_rows(file), are_proposed=True))
    desk = Curation(tmp_path / "行")
    assert (desk.are_pairs, desk.rows(), desk.counts["undecided"]) == (True, [], 3)
    desk.decide(Decision(1, "accepted"))
    desk.decide(Decision(2, "edited", "1 とは？", "1 です。", " 知りません。 "))
    desk.decide(Decision(3, "rejected"))
    for worse in ("", "2 です。"):
        assert code_of(lambda worse=worse: desk.decide(Decision(3, "edited", "2 は？", "2 です。", worse))) == (
            "row_unusable"
        )
    again = Curation(tmp_path / "行")  # after a restart
    kept = [(row.question, row.answer, row.rejected) for row in again.rows()]
    assert kept == [("0 は？", "0 です。", "さあ。"), ("1 とは？", "1 です。", "知りません。")]
