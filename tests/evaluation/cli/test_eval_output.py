"""What an evaluation has found, on the terminal and as JSON."""

import dataclasses
from pathlib import Path

import pytest

from app.base.cli.commands import Output
from app.evaluation.cli import eval_output, eval_studies
from app.evaluation.judge import judge_calibration
from app.evaluation.records import Evaluation, Question, ReportSection, RuleScores
from tests.evaluation import made_evaluation as made


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return made.evaluation(seeds=(1,))


def test_few_questions_have_a_mean_without_an_interval(found: Evaluation) -> None:
    for count, has_interval in ((1, False), (4, False), (5, True)):
        text = eval_output.as_text(None, made.first_questions(found, count), ())
        assert "  得点：" in text
        assert ("95 % 区間" in text.partition("差があるとは")[0]) == has_interval


def test_systems_stand_below_each_other_in_columns_and_every_measure_is_compared_in_json(found: Evaluation) -> None:
    lines = eval_output.as_text(None, found, ()).splitlines()
    table = lines[2 : 3 + len(found.systems)]
    assert [line.split()[0] for line in table] == ["構成", "元のモデル", "元のモデル", "学習済み", "学習済み"]
    assert all(name in table[0] for name in ("得点（0〜1）", "秒/問", "途中で切れた", "繰り返し・空"))
    assert len({sum(2 if ord(one) > 0x2FFF else 1 for one in line) for line in table}) == 1
    rest = lines[lines.index("元のモデル") + 1 :]
    assert not any(" / " in line for line in rest)
    assert any(line.startswith("  必ず含む語が入っていた割合（%）：") for line in rest)
    assert not any("途中で切れた" in line for line in rest)
    told = eval_output.as_json(None, found, ())
    assert [one["measure"] for one in told["comparisons"]] == ["judge"] * 3 + ["score"] * 3
    assert set(told["systems"][1]["means"]) == {
        "score", "must_include", "numbers", "char_f1", "citation", "gold_cited", "judge"
    }  # fmt: skip


def test_what_was_cut_off_is_counted_and_how_to_raise_the_limit_is_said(found: Evaluation) -> None:
    first = found.systems[0]
    cut = dataclasses.replace(first.rows[0], verdict="length", marks=RuleScores(score=0.0, is_broken=True))
    systems = (dataclasses.replace(first, rows=(cut, *first.rows[1:])), *found.systems[1:])
    one = dataclasses.replace(found, systems=systems)
    assert "「回答の長さ」を増やすと" in eval_output.as_text(None, one, ())
    assert "回答の長さ" not in eval_output.as_text(None, found, ())
    assert [told["cut_off"] for told in eval_output.as_json(None, one, ())["systems"]] == [1, 0, 0, 0]


def test_of_a_judge_it_is_told_how_often_points_fell_by_kind(found: Evaluation) -> None:
    kinds = tuple(
        judge_calibration.PerturbationResult(kind, 20, 2.5, 1.0, 0.85, 0.1, 0.05) for kind in ("number", "swapped")
    )
    measured = judge_calibration.JudgeCalibration("採点", "kotae", 0.6, "seeded", 40, None, kinds)
    section = ReportSection("採点モデルの確かさ", ("確かです。",), (), (judge_calibration.calibration_table(measured),))
    text = eval_output.as_text(None, dataclasses.replace(found, systems=()), (section,))
    assert text.splitlines()[2:] == [
        "",
        "回答に加えた変更  件数  点が下がった",
        "数値の誤り          20          85 %",
        "用語の取り違え      20          85 %",
    ]


# ------------------------------------------------------------- scores of people


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
    _, said = told(tmp_path / "用紙.csv", ["1,守衛室,2", *["1,守衛室,良"] * 23], capsys)
    assert said.splitlines()[-1] == "ほかにも 3 行の点が使えません。"
