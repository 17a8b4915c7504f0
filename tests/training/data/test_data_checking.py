"""A check of training data counts, measures, and names every place that is to be looked at."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.base.wording import phrase
from app.training.data import check, file_import
from app.training.data.check import DataCheckReport, summarize_lengths
from app.training.data.file_import import ImportedRows
from tests.permits import PERMIT

LONG = "堤防の点検は毎年出水期の前に一度行い、結果を台帳に記録して保存する。補修が要るときは翌年度の計画に入れる。"
EVIL = ("=1+1は式です。", "+81は番号です。", "-cmd|' /C calc'!A0です。", "@SUM(A1)です。", "\t=1です。")


def imported(tmp_path: Path, rows: Sequence[object], name: str = "q.jsonl") -> ImportedRows:
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return file_import.import_file(path)


def pair(question: str, answer: str) -> dict[str, str]:
    return {"question": question, "answer": answer}


def lines(found: DataCheckReport) -> dict[str, list[tuple[int, int]]]:
    """Of each finding the lines, and those that they are like."""
    return {finding.code: [(place.line, place.like) for place in finding.places] for finding in found.findings}


def test_what_is_wrong_is_found_with_its_lines(tmp_path: Path) -> None:
    rows = [
        pair("堤防の点検はいつ行いますか。", LONG),
        pair("堤防の点検はいつ行いますか。", "出水期の前に行います。"),
        pair("堤防の点検はいつ行いますか。", LONG),
        pair("堤防の点検はいつごろ行いますか。", LONG),
        pair("記録はどうしますか。", '台帳に残します。"},'),
        pair(
            "では補修は誰がどのように行うのが望ましいですか",
            "点検で見つかった傷みの程度に応じて、翌年度の計画に入れて、",
        ),
        pair("連絡先は。", "担当は山田太郎様、電話は 03-1234-5678 です。"),
    ]
    found = check.check_rows(imported(tmp_path, rows))
    assert lines(found) == {
        "json_debris": [(5, 0)],
        "unfinished": [(5, 0), (6, 0)],
        "same_row": [(3, 1)],
        "repeated_question": [(2, 1)],
        "near_duplicate": [(4, 1)],
        "personal_name": [(7, 0)],
        "personal_phone": [(7, 0)],
    }
    places = {finding.code: finding.places[0] for finding in found.findings}
    assert places["personal_phone"].detail == "03-1234-5678"
    assert 0.8 <= places["near_duplicate"].similarity < 1
    assert places["unfinished"].text.endswith('"},')


def test_a_cut_excerpt_says_so(tmp_path: Path) -> None:
    answer = "申し込みは、担当の山田太郎様（090-1234-5678）まで、お早めに電話でお願いいたします。"
    found = check.check_rows(imported(tmp_path, [pair("申し込みは？", answer)]))
    assert [(finding.code, finding.places[0].text) for finding in found.findings] == [
        ("personal_name", "申し込みは、担当の山田太郎様（090-1234-5678）…"),
        ("personal_phone", "申し込みは、担当の山田太郎様（090-1234-5678）まで、お早めに電話でお願いい…"),
    ]


def test_a_question_may_end_as_it_likes_and_a_flaw_counts_once_a_row(tmp_path: Path) -> None:
    turns = ["堤防について教えてほしいことがあるのですが、たとえば点検の", LONG[:-1] + "、", "続き", LONG[:-1] + "、"]
    messages = [{"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(turns)]
    found = check.check_rows(imported(tmp_path, [{"messages": messages}]))
    assert lines(found) == {"unfinished": [(1, 0)]}
    assert (found.rows, found.turns, found.systems) == (1, 1, 0)


def test_clean_rows_have_no_findings_and_are_counted(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "system", "content": "簡潔に"}, {"role": "user", "content": "門は？"},
                      {"role": "assistant", "content": "開いています。"}], "document": "規程"},
        {"messages": [{"role": "user", "content": "窓は？"}, {"role": "assistant", "content": "閉まっています。"}],
         "document": "要領"},
        {"messages": []},
    ]  # fmt: skip
    found = check.check_rows(imported(tmp_path, rows), tokens=[7, 5])
    assert found.findings == ()
    assert (found.rows, found.bad, found.systems, found.groups) == (2, 1, 1, 2)
    assert (found.characters["question"].longest, found.characters["answer"].shortest) == (3, 7)
    assert (found.characters["row"].longest, found.tokens["row"].total) == (13, 12)


def test_without_rows_nothing_is_measured(tmp_path: Path) -> None:
    found = check.check_rows(imported(tmp_path, [5, 6]))
    assert (found.rows, found.bad, found.characters, found.tokens, found.findings) == (0, 2, {}, {}, ())


def test_lengths_and_their_histogram() -> None:
    measured = summarize_lengths([10, 64, 65, 200, 300, 1000])
    assert (measured.shortest, measured.median, measured.p95, measured.longest) == (10, 132.5, 1000, 1000)
    assert measured.histogram == ((64, 2), (128, 1), (256, 1), (512, 1), (1024, 1))
    assert summarize_lengths([500]).histogram == ((512, 1),)
    assert summarize_lengths(list(range(1, 101))).p95 == 95
    assert summarize_lengths([0]).histogram == ((64, 1),)


@pytest.mark.parametrize("code", check.CODES)
def test_every_finding_has_words(code: str) -> None:
    assert phrase(f"training.data_found.{code}")


def evil(tmp_path: Path) -> tuple[ImportedRows, DataCheckReport]:
    rows = [pair(f"質問{at}は何ですか。", f"{text}電話は 03-1234-567{at} です。") for at, text in enumerate(EVIL)]
    made = imported(tmp_path, [*rows, pair("=1+1", ""), {"question": "=2", "answer": 5}])
    return made, check.check_rows(made)


@pytest.mark.fault("S11")
def test_the_file_of_findings_holds_no_formula(tmp_path: Path) -> None:
    made, found = evil(tmp_path)
    check.save_report(tmp_path / "結果.csv", made, found, permit=PERMIT)
    with (tmp_path / "結果.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["行", "見つかったこと", "詳細", "文章"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3", "4", "5", "6", "7"]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row)
    assert rows[6][1:] == ["回答が空です", "", "'=1+1"]
    assert rows[7][1:] == ["文字ではない値があります", "answer: 5", ""]
    check.save_report(tmp_path / "結果.xlsx", made, found, permit=PERMIT)
    sheet = openpyxl.load_workbook(tmp_path / "結果.xlsx").active
    cells: list[Any] = [cell for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type in "sn" for cell in cells)
    assert sheet.cell(7, 4).value == "=1+1"
    assert sheet.max_row == 10
    assert sheet.cell(10, 1).value == "ラベル：公開"


def test_the_object_of_findings_holds_everything(tmp_path: Path) -> None:
    made, found = evil(tmp_path)
    check.save_report(tmp_path / "結果.json", made, found, permit=PERMIT)
    data = json.loads((tmp_path / "結果.json").read_text("utf-8"))
    assert data == json.loads(json.dumps(check.report_object(made, found)))
    assert (data["rows"], data["encoding"], data["mapping"]) == (
        5,
        "utf-8",
        {"question": "question", "answer": "answer"},
    )
    assert [(row["line"], row["code"]) for row in data["bad"]] == [(6, "empty_answer"), (7, "not_text")]
    assert [row["messages"][0]["content"] for row in data["preview"]] == ["質問0は何ですか。", "質問1は何ですか。"]
    assert {finding["code"]: finding["count"] for finding in data["findings"]} == {
        finding.code: len(finding.places) for finding in found.findings
    }
    assert data["lengths"]["characters"]["row"]["total"] == sum(
        len(row.question) + len(row.answer) for row in made.rows
    )
