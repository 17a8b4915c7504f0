"""Several evaluations as one: nothing of any of them is taken for less confidential, or for another judge's."""

import dataclasses

import pytest

from app.base.errors import AppError
from app.evaluation.records import merge_evaluations
from app.evaluation.report import tables
from tests.evaluation.made_evaluation import JUDGE, UNTRUSTED, evaluation


def test_the_label_is_the_highest_of_all() -> None:
    secret = evaluation()
    public = dataclasses.replace(secret, questions=dataclasses.replace(secret.questions, label="public"))
    assert secret.questions.label == "secret"
    assert merge_evaluations([public, secret]).questions.label == "secret"
    assert merge_evaluations([public, public]).questions.label == "public"


def test_every_system_keeps_its_rows_under_a_name_of_its_own() -> None:
    made = [dataclasses.replace(evaluation(), id=f"評価 {number}") for number in range(3)]  # of one set: of one name
    found = merge_evaluations(made)
    assert [one.rows for one in found.systems] == [result.rows for one in made for result in one.systems]
    assert len({one.system.name for one in found.systems}) == len({one.system.id for one in found.systems}) == 12


def test_scores_of_two_judges_do_not_stand_side_by_side() -> None:
    found = merge_evaluations([evaluation(JUDGE), evaluation(UNTRUSTED)])
    assert found.judge is None
    assert {row.judgement for result in found.systems for row in result.rows} == {None}
    assert merge_evaluations([evaluation(JUDGE), evaluation(JUDGE)]).judge == JUDGE


def test_one_judge_is_trusted_as_far_as_where_it_was_trusted_least() -> None:
    doubtful = dataclasses.replace(JUDGE, kappa=0.2, is_trusted=False)
    unknown = dataclasses.replace(JUDGE, kappa=None, is_trusted=None)
    less = dataclasses.replace(JUDGE, kappa=0.61)
    for told, least in (((JUDGE, unknown, doubtful), doubtful), ((JUDGE, unknown), unknown), ((JUDGE, less), less)):
        assert merge_evaluations([evaluation(one) for one in told]).judge == least
    assert merge_evaluations([evaluation(None)]).judge is None


def test_of_how_many_seeds_a_question_counts_is_said_of_all() -> None:
    found = merge_evaluations([evaluation(seeds=(1,)), evaluation(seeds=(1, 2, 3))])
    assert any("1〜3 個の乱数の種" in note for note in tables.means(found).notes)
    assert any("、2 個の乱数の種" in note for note in tables.means(evaluation()).notes)


def test_other_questions_are_refused() -> None:
    one = evaluation()
    other = dataclasses.replace(one.questions, questions=one.questions.questions[1:])
    with pytest.raises(AppError) as caught:
        merge_evaluations([one, dataclasses.replace(one, questions=other)])
    assert caught.value.code == "evaluation_other_questions"
