"""Blind comparisons as sheets of the exported workbook."""

from pathlib import Path

import openpyxl
from blind_study import BASE, NAMES, TUNED, blind_study

from app.evaluation.report import blind, export
from app.evaluation.report.blind import FILE, BlindComparison, BlindFile
from tests.permits import PERMIT

SHEET, SUMS = "ブラインド比較", "ブラインド比較の集計"


def compared(folder: Path, count: int = 3) -> BlindComparison:
    return BlindComparison(blind.blind_pairing(blind_study(count), BASE, TUNED), BlindFile(folder))


def saved(folder: Path, count: int = 3) -> openpyxl.Workbook:
    out = folder / "結果.xlsx"
    export.save(blind_study(count), (), out, folder, permit=PERMIT)
    return openpyxl.load_workbook(out)


def test_each_vote_stands_in_the_workbook_with_the_names_and_when_it_was_given(tmp_path: Path) -> None:
    comparison = compared(tmp_path)
    first = comparison.current
    assert first is not None
    comparison.vote("a_better")
    comparison.reveal()
    comparison.vote("same")
    book = saved(tmp_path)
    head, one, two, *rest = book[SHEET].iter_rows(values_only=True)
    shown = dict(zip(head, one, strict=True))
    assert (shown["番号"], shown["質問"]) == (first.question.id, first.question.text)
    assert (shown["A の構成"], shown["B の構成"]) == (NAMES[first.a_system], NAMES[first.b_system])
    assert (shown["選んだもの"], shown["選ばれた構成"]) == ("A が良い", NAMES[first.a_system])
    assert (one[-1], two[-1], rest) == ("名前を見る前", "名前を見たあと", [])
    head, row = book[SUMS].iter_rows(values_only=True)
    sums = dict(zip(head, row, strict=True))
    assert (sums["構成 1"], sums["構成 2"]) == (NAMES[BASE], NAMES[TUNED])
    assert (sums["選んだ問数"], sums["同じくらい"], sums["うち名前を見たあと"]) == (2, 1, 1)
    assert sums["判断"] == "少なくて判断できない"


def test_enough_votes_have_an_interval_and_a_verdict(tmp_path: Path) -> None:
    comparison = compared(tmp_path, 40)
    while (pair := comparison.current) is not None:
        comparison.vote("a_better" if pair.a_system == TUNED else "b_better")
    head, row = saved(tmp_path, 40)[SUMS].iter_rows(values_only=True)
    sums = dict(zip(head, row, strict=True))
    assert (sums["構成 2 が良い"], sums["選ばれ方の差（+1 は構成 2）"]) == (40, 1)
    assert sums["判断"] == f"「{NAMES[TUNED]}」が良い"


def test_what_is_still_blind_is_not_told(tmp_path: Path) -> None:
    compared(tmp_path).vote("a_better")
    book = saved(tmp_path)
    cells = [cell for row in book[SHEET].iter_rows(values_only=True, min_row=2) for cell in row if cell]
    assert cells == ["名前をまだ表示していない比較は、ここに含めていません。"]
    assert SUMS not in book.sheetnames


def test_without_votes_there_is_no_sheet_and_damaged_ones_leave_the_rest(tmp_path: Path) -> None:
    assert export.blind_sections(blind_study(3), tmp_path) == ()
    (tmp_path / FILE).write_text("{}\n", "utf-8")
    book = saved(tmp_path)
    assert {"結果", SHEET} <= set(book.sheetnames)
