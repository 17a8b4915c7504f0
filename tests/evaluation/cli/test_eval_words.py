"""What an evaluation has found, on the terminal and as JSON."""

import dataclasses

import pytest

from app.base.cli.commands import Output
from app.evaluation.cli import eval_output
from app.evaluation.judge import judge_calibration
from app.evaluation.records import Evaluation, ReportSection, RuleScores
from tests.evaluation import made_evaluation as made


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return made.evaluation(seeds=(1,))


def test_few_questions_have_a_mean_without_an_interval(found: Evaluation) -> None:
    for count, has_interval in ((1, False), (4, False), (5, True)):
        text = eval_output.as_text(None, made.first_questions(found, count), (), Output(is_json=False))
        assert "  得点：" in text
        assert ("95 % 区間" in text.partition("差があるとは")[0]) == has_interval


def test_systems_stand_below_each_other_in_columns_of_the_terminal(found: Evaluation) -> None:
    lines = eval_output.as_text(None, found, (), Output(is_json=False)).splitlines()
    table = lines[2 : 3 + len(found.systems)]
    assert [line.split()[0] for line in table] == ["構成", "元のモデル", "元のモデル", "学習済み", "学習済み"]
    assert all(name in table[0] for name in ("得点（0〜1）", "秒/問", "途中で切れた", "繰り返し・空"))
    assert len({sum(2 if ord(one) > 0x2FFF else 1 for one in line) for line in table}) == 1
    rest = lines[lines.index("元のモデル") + 1 :]
    assert not any(" / " in line for line in rest)
    assert any(line.startswith("  必ず含む語が入っていた割合（%）：") for line in rest)
    assert not any("途中で切れた" in line for line in rest)


def test_what_was_cut_off_is_counted_and_how_to_raise_the_limit_is_said(found: Evaluation) -> None:
    first = found.systems[0]
    cut = dataclasses.replace(first.rows[0], verdict="length", marks=RuleScores(score=0.0, is_broken=True))
    systems = (dataclasses.replace(first, rows=(cut, *first.rows[1:])), *found.systems[1:])
    one = dataclasses.replace(found, systems=systems)
    assert "「回答の長さ」を増やすと" in eval_output.as_text(None, one, (), Output(is_json=False))
    assert "回答の長さ" not in eval_output.as_text(None, found, (), Output(is_json=False))
    assert [told["cut_off"] for told in eval_output.as_json(None, one, ())["systems"]] == [1, 0, 0, 0]


def test_of_a_judge_it_is_told_how_often_points_fell_by_kind(found: Evaluation) -> None:
    kinds = tuple(
        judge_calibration.PerturbationResult(kind, 20, 2.5, 1.0, 0.85, 0.1, 0.05) for kind in ("number", "swapped")
    )
    measured = judge_calibration.JudgeCalibration("採点", "kotae", 0.6, "seeded", 40, None, kinds)
    section = ReportSection("採点モデルの確かさ", ("確かです。",), (), (judge_calibration.calibration_table(measured),))
    text = eval_output.as_text(None, dataclasses.replace(found, systems=()), (section,), Output(is_json=False))
    assert text.splitlines()[2:] == [
        "",
        "回答に加えた変更  件数  点が下がった",
        "数値の誤り          20          85 %",
        "用語の取り違え      20          85 %",
    ]


def test_every_measure_that_any_answer_has_is_compared_by_the_one_to_believe_first(found: Evaluation) -> None:
    told = eval_output.as_json(None, found, ())
    assert [one["measure"] for one in told["comparisons"]] == ["judge"] * 3 + ["score"] * 3
    assert set(told["systems"][1]["means"]) == {
        "score", "must_include", "numbers", "char_f1", "citation", "gold_cited", "judge"
    }  # fmt: skip
