"""What commands say of the scores of people that they are given."""

from pathlib import Path

import pytest

from app.base.cli.commands import Output
from app.evaluation.cli import eval_studies
from app.evaluation.records import Question

QUESTIONS = [Question("1", "門の鍵はどこですか", "守衛室にあります。")]


def told(path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    path.write_text("\n".join(["id,回答,点", *rows]), "utf-8")
    found = eval_studies.read_ratings(path, QUESTIONS, Output(is_json=False))
    return len(found.cases), capsys.readouterr().err


def test_scores_that_do_not_count_are_told_with_their_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["1,守衛室,2点", "1,総務課,5", "9,守衛室,3", "1,,1", "1,受付,"]
    used, said = told(tmp_path / "用紙.csv", rows, capsys)
    assert used == 1
    assert said.splitlines() == [
        "用紙.csv：人の点 1 件を使います。",
        "点が空欄の行 1 件は使いません。",
        "3 行目の点は使えません：点は 0、1、2、3 のどれかです（5）",
        "4 行目の点は使えません：今回の質問集にない質問です",
        "5 行目の点は使えません：回答が空です",
    ]


def test_of_many_rows_the_first_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, said = told(tmp_path / "用紙.csv", ["1,守衛室,2", *["1,守衛室,良"] * 23], capsys)
    assert said.splitlines()[-1] == "ほかにも 3 行の点が使えません。"
