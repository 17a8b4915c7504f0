"""What an evaluation has found, on the terminal and as JSON."""

import pytest

from app.cli import eval_words
from app.cli.output import Output
from app.core.evaluation.results import Evaluation
from tests.core.evaluation import made_evaluation as made


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return made.evaluation(seeds=(1,))


def test_few_questions_have_a_mean_without_an_interval(found: Evaluation) -> None:
    for count, has_interval in ((1, False), (4, False), (5, True)):
        text = eval_words.as_text(None, made.first_questions(found, count), (), Output(is_json=False))
        assert "  得点：" in text
        assert ("95 % 区間" in text.partition("差があるとは")[0]) == has_interval


def test_every_measure_that_any_answer_has_is_compared_by_the_one_to_believe_first(found: Evaluation) -> None:
    told = eval_words.as_json(None, found, ())
    assert [one["measure"] for one in told["comparisons"]] == ["judge"] * 3 + ["score"] * 3
    assert set(told["systems"][1]["means"]) == {
        "score", "must_include", "numbers", "char_f1", "citation", "gold_cited", "judge"
    }  # fmt: skip
