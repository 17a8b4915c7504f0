"""A sheet is written for people, scored by them, and read again, whatever program they scored it in."""

import csv
import io
import json
from pathlib import Path

import openpyxl
import pytest

from app.base.errors import AppError
from app.base.wording import describe_error
from app.evaluation.judge import human_ratings, judge_prompt
from app.evaluation.judge.human_ratings import SkippedRating
from app.evaluation.judge.judge_calibration import CalibrationCase
from app.evaluation.records import Evaluation, Question, QuestionSet, ResultRow, RuleScores, System, SystemResult
from tests.permits import PERMIT

QUESTIONS = [
    Question("1", "門の鍵はどこですか", "守衛室にあります。"),
    Question("g002", "受付は何時までですか", "17時までです。"),
]
ANSWERS = [(QUESTIONS[0], "- 守衛室\n- 総務課"), (QUESTIONS[1], "=17時まで"), (QUESTIONS[1], "分かりません。")]


def written(path: Path, rows: list[list[object]]) -> Path:
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    elif path.suffix == ".jsonl":
        head, *body = rows
        lines = [json.dumps(dict(zip(map(str, head), row, strict=True)), ensure_ascii=False) for row in body]
        path.write_text("\n".join(lines), "utf-8")
    else:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        path.write_bytes(text.getvalue().encode("cp932"))
    return path


def scored(path: Path, scores: list[object]) -> None:
    """As a person does it in a spreadsheet, which saves the file its own way."""
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path)
        for row, score in enumerate(scores, start=2):
            book.worksheets[0].cell(row, 5, score)
        book.save(path)
        return
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    for cells, score in zip(rows[1:], scores, strict=True):
        cells[4] = "" if score is None else str(score)
    written(path, [[*cells] for cells in rows])


@pytest.mark.parametrize("name", ["採点.xlsx", "採点.csv", "採点.CSV"])
def test_a_sheet_is_written_scored_and_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    human_ratings.write_blank(path, ANSWERS, permit=PERMIT)
    scored(path, [3, None, 0])
    found = human_ratings.read(path, QUESTIONS)
    assert found.cases == (
        CalibrationCase(QUESTIONS[0], "- 守衛室\n- 総務課", "human", 3),
        CalibrationCase(QUESTIONS[1], "分かりません。", "human", 0),
    )
    assert [one.reason for one in found.skipped] == ["not_rated"]


def test_no_answer_on_a_sheet_is_a_formula_and_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "採点.csv"
    human_ratings.write_blank(path, ANSWERS, permit=PERMIT)
    assert "'=17時まで" in path.read_text("utf-8-sig")
    scored(path, [1, 2, 3])
    assert [case.answer for case in human_ratings.read(path, QUESTIONS).cases] == [answer for _, answer in ANSWERS]


def test_the_workbook_says_what_each_score_means(tmp_path: Path) -> None:
    path = tmp_path / "採点.xlsx"
    human_ratings.write_blank(path, ANSWERS, permit=PERMIT)
    sheet, rubric = openpyxl.load_workbook(path).worksheets
    assert [cell.value for cell in sheet[1]] == ["ID", "質問", "模範解答", "回答", "点（0〜3）"]
    assert sheet["C2"].value == "守衛室にあります。"
    assert [tuple(cell.value for cell in row) for row in rubric.rows] == list(enumerate(judge_prompt.rubric("kotae")))


def test_the_workbook_takes_whole_numbers_from_0_to_3_as_scores(tmp_path: Path) -> None:
    path = tmp_path / "採点.xlsx"
    human_ratings.write_blank(path, ANSWERS, permit=PERMIT)
    (asked,) = openpyxl.load_workbook(path).worksheets[0].data_validations.dataValidation
    assert (str(asked.sqref), asked.type, asked.operator) == ("E2:E4", "whole", "between")
    assert (asked.formula1, asked.formula2, asked.showErrorMessage, asked.allowBlank) == ("0", "3", True, True)
    assert asked.error == "点は 0、1、2、3 のどれかです"


def test_another_form_than_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="ratings_out_format"):
        human_ratings.write_blank(tmp_path / "採点.pdf", ANSWERS, permit=PERMIT)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_that_is_filled_in_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "採点.xlsx"
    human_ratings.write_blank(path, ANSWERS, permit=PERMIT)
    before = path.read_bytes()
    with pytest.raises(AppError) as caught:
        human_ratings.write_blank(path, ANSWERS, permit=PERMIT)
    assert (caught.value.code, path.read_bytes()) == ("export_exists", before)


@pytest.mark.parametrize("suffix", [".xlsx", ".csv", ".jsonl"])
@pytest.mark.parametrize("head", ["ID 回答 点", "question_id Answer score", "質問番号 回答文 【採点】"])
def test_rows_are_found_by_their_ids(tmp_path: Path, suffix: str, head: str) -> None:
    path = written(tmp_path / f"人{suffix}", [[*head.split()], [1, "守衛室です。", 2], ["g002", "17時です。", 3]])
    assert [(case.question.id, case.human) for case in human_ratings.read(path, QUESTIONS).cases] == [
        ("1", 2),
        ("g002", 3),
    ]


def test_rows_without_an_id_are_found_by_the_question_s_words(tmp_path: Path) -> None:
    known, unknown = [" 門の鍵は どこですか", "守衛室です。", 2], ["受付は何時まで？", "17時です。", 3]
    found = human_ratings.read(written(tmp_path / "a.csv", [["質問", "回答", "点数"], known, unknown]), QUESTIONS)
    assert [case.question.id for case in found.cases] == ["1"]
    assert found.skipped == (SkippedRating(3, "unknown_question"),)


@pytest.mark.parametrize(
    ("cell", "score"),
    [
        ("0", 0),
        (3, 3),
        ("2.0", 2),
        ("３", 3),
        (" 1 点", 1),
        ("2点", 2),
        (4, None),
        (-1, None),
        ("2.5", None),
        ("良", None),
    ],
)
def test_a_score_is_one_of_four(tmp_path: Path, cell: object, score: int | None) -> None:
    path = written(tmp_path / "a.xlsx", [["id", "回答", "点"], ["1", "守衛室", cell], ["1", "総務課", 1]])
    found = human_ratings.read(path, QUESTIONS)
    assert [case.human for case in found.cases] == ([score, 1] if score is not None else [1])
    assert [one.reason for one in found.skipped] == ([] if score is not None else ["not_score"])
    assert [one.detail for one in found.skipped] == ([] if score is not None else [str(cell)])


def test_what_cannot_be_used_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [
        '{"id": "1", "answer": "守衛室", "score": 3}',
        "壊れた行",
        "",
        '{"id": "1", "answer": "", "score": 3}',
        '{"id": "9", "answer": "守衛室", "score": 3}',
        '{"id": "1", "answer": "守衛室", "score": true}',
        '{"id": "1", "answer": "守衛室", "score": null}',
    ]
    path.write_text("\n".join(lines), "utf-8")
    found = human_ratings.read(path, QUESTIONS)
    assert len(found.cases) == 1
    assert [(one.line, one.reason) for one in found.skipped] == [
        (2, "not_json"),
        (4, "no_answer"),
        (5, "unknown_question"),
        (6, "not_score"),
        (7, "not_rated"),
    ]


@pytest.mark.parametrize("head", ["質問 点", "質問 回答", "回答 点", "甲 乙 丙"])
def test_without_the_columns_nothing_is_read(tmp_path: Path, head: str) -> None:
    path = written(tmp_path / "a.csv", [[*head.split()], ["1", "2", "3"]])
    with pytest.raises(AppError, match="ratings_columns"):
        human_ratings.read(path, QUESTIONS)


def test_a_sheet_that_nobody_scored_says_so(tmp_path: Path) -> None:
    path = tmp_path / "採点.xlsx"
    human_ratings.write_blank(path, ANSWERS, permit=PERMIT)
    with pytest.raises(AppError) as raised:
        human_ratings.read(path, QUESTIONS)
    assert "点が空欄の行 3 件、使えない行 0 件" in str(describe_error(raised.value))
    with pytest.raises(AppError, match="question_file_missing"):
        human_ratings.read(tmp_path / "ない.csv", QUESTIONS)


# ------------------------------------------------------------------------- drawn


def evaluation(*answers: list[str]) -> Evaluation:
    """A list of answers for each system, in turn to the questions."""
    systems = tuple(
        SystemResult(
            System(f"s{number}", f"Model {number}", "m.gguf", "m"),
            tuple(
                ResultRow(QUESTIONS[at % 2].id, at // 2, answer, "answered", RuleScores())
                for at, answer in enumerate(given)
            ),
        )
        for number, given in enumerate(answers)
    )
    return Evaluation("e1", "比較", QuestionSet("鍵", 1, "", tuple(QUESTIONS)), systems, (0, 1, 2))


def test_answers_of_all_systems_are_drawn_alike_always_the_same_ones_and_no_more_than_there_are() -> None:
    many = evaluation([f"甲{n}" for n in range(50)], [f"乙{n}" for n in range(6)])
    drawn = human_ratings.draw_answers(many, 10)
    assert drawn == human_ratings.draw_answers(many, 10)
    assert sorted(answer[0] for _, answer in drawn) == ["乙"] * 5 + ["甲"] * 5
    assert [answer[0] for _, answer in drawn] not in (["甲", "乙"] * 5, ["乙", "甲"] * 5)  # their order tells nothing
    assert all(question == QUESTIONS[int(answer[1:]) % 2] for question, answer in drawn)
    few = evaluation(["同じ", "**違う**", "同じ ", ""], ["同じ", " \n"])
    assert sorted((question.id, answer) for question, answer in human_ratings.draw_answers(few, 10)) == [
        ("1", "同じ"),
        ("g002", "違う"),
    ]
    assert human_ratings.draw_answers(few, 0) == []
    assert human_ratings.draw_answers(evaluation(), 5) == []
