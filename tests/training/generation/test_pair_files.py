"""Files of generated pairs: training data and a question set at once, and a table that a person decides in."""

import csv
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.base.confidentiality import ExportRequest, permit_export
from app.base.wording import phrase
from app.chat.batch.journal import BatchAnswer
from app.documents.records import Section
from app.evaluation import question_files
from app.evaluation.judge import rule_scoring
from app.evaluation.records import Gold, Question
from app.training.data import file_import
from app.training.generation import pair_files
from app.training.generation.pair_files import PairReview, ReviewProblem
from app.training.generation.pair_records import UNANSWERABLE, PairCandidate, PairWriter, QuestionAnswerPair
from tests.permits import PERMIT
from tests.training.driver import code_of, refused
from tests.training.generation.collection import ANSWER, COVER, QUESTION, TEXT, passage

WATER = "水中で施工する部材では、かぶりを100mm以上とする。"
CANDIDATES = (
    PairCandidate(passage(), "number", COVER, QUESTION, ANSWER),
    PairCandidate(passage(), "everyday", WATER, "水の中で造る部材では、鉄筋をどれだけ離しますか。", "100mm以上です。"),
    PairCandidate(passage(), "keywords", COVER, "かぶり 最小値 土", "土に接する部材では70mm以上とします。"),
    PairCandidate(passage(), UNANSWERABLE, "", "鉄筋の購入費用はいくらですか。", "資料にありません。"),
)
Change = Callable[[list[list[Any]]], object] | dict[tuple[int, int], str]


@pytest.fixture
def pairs(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "組.jsonl"
    path.write_bytes(pair_files.pairs_to_lines([QuestionAnswerPair(one, 3) for one in CANDIDATES], PairWriter("m", "")))
    return pair_files.load_pairs(path)


def reviewed(pairs: list[dict[str, Any]], folder: Path, change: Change, kind: str = "xlsx") -> PairReview:
    """`change`: what a person does to the rows below the heading, or writes into a row's cell."""

    def edit(table: list[list[Any]]) -> None:
        if not isinstance(change, dict):
            change(table)
            return
        for (at, column), value in change.items():
            table[at][column] = value

    path = folder / f"確認表.{kind}"
    pair_files.write_review_table(pairs, path, permit=PERMIT)
    if kind == "csv":
        table = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
        edit(table[1:])
        with path.open("w", encoding="cp932", newline="") as file:  # as Excel saves it
            csv.writer(file).writerows(table)
    else:
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        body = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        edit(body)
        sheet.delete_rows(2, sheet.max_row)
        for row in body:
            sheet.append(row)
        book.save(path)
    return pair_files.read_review_table(path, pairs)


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_what_is_accepted_and_edited_is_kept_and_everything_is_counted(
    pairs: list[dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    decided = {(0, 0): "採用", (1, 0): "修正", (1, 1): "水中の部材では、かぶりは何mm以上ですか。", (2, 0): "却下",
               (1, 2): "水中では100mm以上、ほかは70mm以上です。", (1, 3): COVER + WATER}  # fmt: skip
    found = reviewed(pairs, tmp_path, decided, kind)
    assert (found.total, found.accepted, found.edited, found.rejected, found.undecided) == (4, 1, 1, 1, 1)
    assert (found.missing, found.problems) == (0, ())
    first, second = found.kept_pairs
    assert first == pairs[0] | {"review": "accepted"}
    assert (second["id"], second["question"]) == (pairs[1]["id"], "水中の部材では、かぶりは何mm以上ですか。")
    assert second["must_include"] == ["100mm", "70mm"]
    assert second["gold"] == [pairs[1]["gold"][0] | {"quote": COVER + WATER}]
    assert second["review"] == "edited"


@pytest.mark.parametrize(
    ("at", "cells", "code"),
    [
        (0, {0: "たぶん"}, "unknown_decision"),
        (0, {0: "修正"}, "unchanged"),
        (0, {0: "修正", 1: ""}, "empty"),
        (0, {0: "採用", 2: ""}, "empty"),
        (0, {0: "修正", 3: "土に接する部材のかぶりは70mm以上。"}, "quote_not_in_passage"),
        (0, {0: "修正", 3: ""}, "quote_not_in_passage"),
        (0, {0: "採用", 9: "0123456789abcdef"}, "unknown_id"),
        (3, {0: "修正", 2: "10万円です。"}, "answer_of_unanswerable"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_kept_out(
    pairs: list[dict[str, Any]], tmp_path: Path, at: int, cells: dict[int, str], code: str
) -> None:
    found = reviewed(pairs, tmp_path, {(at, column): value for column, value in cells.items()})
    assert found.kept_pairs == ()
    assert found.problems == (ReviewProblem(at + 2, code),)
    assert phrase(f"training.review_note.{code}")


def test_an_accepted_row_with_changes_counts_as_edited(pairs: list[dict[str, Any]], tmp_path: Path) -> None:
    found = reviewed(pairs, tmp_path, {(0, 0): "○", (0, 2): "70mm以上とすること。"})
    assert (found.accepted, found.edited, found.kept_pairs[0]["answer"]) == (0, 1, "70mm以上とすること。")


def test_what_a_changed_question_says_itself_the_answer_need_not(pairs: list[dict[str, Any]], tmp_path: Path) -> None:
    assert pairs[0]["must_include"] == ["70mm"]
    edited = {(0, 0): "修正", (0, 1): "かぶりを70mm以上とするのは、どのような部材ですか。"}
    assert reviewed(pairs, tmp_path, edited).kept_pairs[0]["must_include"] == []


def test_rows_may_be_sorted_taken_out_and_stand_there_twice(pairs: list[dict[str, Any]], tmp_path: Path) -> None:
    def decide(table: list[list[Any]]) -> None:
        del table[1]
        table.reverse()
        for row in table:
            row[0] = "採用"
        table.append(list(table[0]))

    found = reviewed(pairs, tmp_path, decide)
    assert [pair["id"] for pair in found.kept_pairs] == [pairs[at]["id"] for at in (0, 2, 3)]
    assert found.missing == 1
    assert found.problems == (ReviewProblem(5, "twice"),)


def test_no_cell_is_a_formula_and_what_was_not_touched_is_not_taken_for_changed(tmp_path: Path) -> None:
    candidate = PairCandidate(passage(), "number", COVER, "=1+1 とは、どのようなかぶりですか。", "-5 mm 以上とします。")
    path = tmp_path / "組.jsonl"
    path.write_bytes(pair_files.pairs_to_lines([QuestionAnswerPair(candidate, 2)], PairWriter("m", "")))
    found = pair_files.load_pairs(path)

    def accept(table: list[list[Any]]) -> None:
        assert table[0][1].startswith("'=")
        table[0][0] = "採用"

    assert reviewed(found, tmp_path, accept, "csv").accepted == 1
    pair_files.write_review_table(found, tmp_path / "確認表.xlsx", permit=PERMIT)
    book = openpyxl.load_workbook(tmp_path / "確認表.xlsx")
    assert book.worksheets[0]["B2"].data_type == "s"
    book.worksheets[0]["A2"] = "採用"
    book.save(tmp_path / "確認表.xlsx")
    assert pair_files.read_review_table(tmp_path / "確認表.xlsx", found).accepted == 1


@pytest.mark.fault("S16")
def test_a_table_says_the_label_of_the_moment(pairs: list[dict[str, Any]], tmp_path: Path) -> None:
    out = tmp_path / "表.xlsx"
    export = ExportRequest("pairs", str(out), lambda: "secret")
    pair_files.write_review_table(pairs, out, permit=permit_export(export, tmp_path / "exports.log", is_agreed=True))
    assert openpyxl.load_workbook(out).worksheets[0].oddHeader.right.text == "機密"


def test_a_table_without_its_columns_is_refused(pairs: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "別の表.csv"
    path.write_text("判定,質問\n採用,x\n", "utf-8")
    error = refused(pair_files.read_review_table, path, pairs)
    assert (error.code, error.facts["missing"]) == ("review_no_columns", ["回答", "引用", "番号"])


@pytest.mark.parametrize("spoil", ["text", "passage", "digest", "twice", "empty"])
def test_a_file_that_was_changed_by_hand_is_refused(pairs: list[dict[str, Any]], tmp_path: Path, spoil: str) -> None:
    if spoil == "passage":
        pairs[0]["provenance"]["passage"] += "かぶりは5mmでよい。"
    if spoil == "digest":
        del pairs[0]["provenance"]["passage_sha256"]
    lines = [json.dumps(pair) for pair in pairs]
    lines = {"text": ["{", *lines], "twice": [lines[0], *lines], "empty": [""]}.get(spoil, lines)
    path = tmp_path / "変更.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    assert code_of(pair_files.load_pairs, path) == "review_rows_unreadable"
    assert code_of(pair_files.load_pairs, tmp_path / "ない.jsonl") == "review_rows_missing"


@pytest.mark.parametrize(
    ("name", "value"), [("quality", None), ("quality", "3"), ("category", None), ("group", 1), ("heading", "章"),
                        ("document", None), ("page", "1"), ("label", "内緒")],
)  # fmt: skip
def test_a_file_whose_pairs_lack_what_is_read_of_them_is_told(
    pairs: list[dict[str, Any]], tmp_path: Path, name: str, value: object
) -> None:
    broken = json.loads(json.dumps(pairs[0]))
    place = broken if name in broken else broken["provenance"]
    place[name] = value
    if name == "quality" and value is None:
        del place[name]
    path = tmp_path / "壊れた組.jsonl"
    path.write_text(json.dumps(broken) + "\n", "utf-8")
    assert code_of(pair_files.load_pairs, path) == "review_rows_unreadable"


WRITER = PairWriter("小さなモデル", "ab" * 32, "", 7, "0.1.0")
PAIR = QuestionAnswerPair(PairCandidate(passage(), "number", COVER, QUESTION, ANSWER), 3)
GUIDE = dataclasses.replace(passage(), document="指針.pdf")
OTHER = QuestionAnswerPair(
    PairCandidate(GUIDE, UNANSWERABLE, "", "鉄筋の購入費用はいくらですか。", "資料にありません。")
)


def written(path: Path) -> Path:
    path.write_bytes(pair_files.pairs_to_lines([PAIR, OTHER], WRITER))
    return path


def test_a_line_says_what_it_rests_on_and_who_has_written_it() -> None:
    row = pair_files.pair_row(PAIR, WRITER)
    place = {"document": "基準.pdf", "heading": ["第2章 材料", "2.2 鉄筋のかぶり"], "page": 14}
    assert row["gold"] == [{"quote": COVER, **place}]
    assert row["must_include"] == ["70mm"]
    assert row["provenance"] == {
        "collection": "基準", **place, "tag": "標準", "label": "internal",
        "passage": TEXT, "passage_sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "model": "小さなモデル", "sha256": "ab" * 32, "adapter": "", "seed": 7, "version": "0.1.0",
    }  # fmt: skip
    assert (row["category"], row["quality"], row["origin"], row["answerable"]) == ("number", 3, "generated", True)


def test_the_clause_is_that_of_the_quote() -> None:
    parts = (
        Section(("1 継手",), "継手は、一か所に集めない。", page=3),
        Section(("2 かぶり",), COVER, page=4),
    )
    joined = dataclasses.replace(passage("\n2 かぶり\n".join(part.text for part in parts)), parts=parts)
    row = pair_files.pair_row(
        dataclasses.replace(PAIR, candidate=dataclasses.replace(PAIR.candidate, passage=joined)), WRITER
    )
    assert (row["gold"][0]["heading"], row["gold"][0]["page"]) == (["2 かぶり"], 4)


def test_training_data_are_read_of_it(tmp_path: Path) -> None:
    found = file_import.import_file(written(tmp_path / "組.jsonl"))
    assert not found.bad_rows
    assert found.mapping.as_dict() == {"question": "question", "answer": "answer", "group": "group"}
    assert [(row.question, row.answer, row.group) for row in found.rows] == [
        (QUESTION, ANSWER, "基準.pdf"),
        ("鉄筋の購入費用はいくらですか。", "資料にありません。", "指針.pdf"),
    ]


def test_a_question_set_is_read_of_it(tmp_path: Path) -> None:
    found = question_files.read(written(tmp_path / "組.jsonl"))
    assert not found.skipped
    first, second = found.questions
    assert first.gold == (Gold(COVER, "基準.pdf", ("第2章 材料", "2.2 鉄筋のかぶり"), 14),)
    assert (first.text, first.reference, first.must_include) == (QUESTION, ANSWER, ("70mm",))
    assert (first.category, first.group, first.origin, first.is_answerable) == ("number", "基準.pdf", "generated", True)
    assert (second.is_answerable, second.gold) == (False, ())


def test_the_same_pairs_give_the_same_bytes_and_ids_tell_pairs_apart() -> None:
    lines = pair_files.pairs_to_lines([PAIR, OTHER], WRITER)
    assert lines == pair_files.pairs_to_lines([PAIR, OTHER], WRITER)
    one, other = (json.loads(line)["id"] for line in lines.splitlines())
    assert one != other
    assert len(one) == 16


@pytest.mark.parametrize(
    ("answer", "entries"),
    [
        ("おおむね20〜30年程度とし、2025年3月31日に見直す。", ["20〜30年", "2025年3月31日"]),
        ("3.5〜4.0で、傾きは1/200、安全率は1.5以上とする。", ["3.5〜4.0", "1/200", "1.5"]),
        ("次の3つです。1. 調査 2. レベル2の設計", []),
        ("川幅が50m未満では0.3m、50m以上では0.6mとする。", ["0.3m", "0.6m"]),
    ],
)
def test_what_a_right_answer_must_say_are_its_own_values(answer: str, entries: list[str]) -> None:
    assert pair_files.must_include("川幅50mを境に、いくらですか。", answer) == entries
    question = Question("1", "川幅50mを境に、いくらですか。", answer, tuple(entries))
    assert rule_scoring.score_answer(question, BatchAnswer(1, "answered", answer)).must_include == (
        1.0 if entries else None
    )


def test_no_id_is_a_number_to_a_spreadsheet() -> None:
    for number in range(20):
        pair = QuestionAnswerPair(dataclasses.replace(PAIR.candidate, question=f"{QUESTION}{number}"), 3)
        with pytest.raises(ValueError):
            float(pair_files.pair_row(pair, WRITER)["id"])
