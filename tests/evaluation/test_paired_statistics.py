"""Two systems over the same questions: what is a difference, what is chance, and in which words."""

import itertools
from collections.abc import Callable, Sequence
from math import sqrt

import pytest

from app.base import wording
from app.base.bootstrap import LEAST_UNITS
from app.evaluation.judge import paired_statistics
from app.evaluation.judge.paired_statistics import MEASURES, Comparison, compare, kappa, spearman
from app.evaluation.records import JudgeScore, Question, ResultRow, RuleScores, System, SystemResult
from tests.benchmarks import statistics as simulated

SCORE = MEASURES["score"]


def questions(count: int, groups: int = 0) -> list[Question]:
    return [Question(str(at), "問い", group=f"文書 {at % groups}" if groups else "") for at in range(count)]


def system(*by_seed: Sequence[float | None], **of_row: object) -> SystemResult:
    """With the scores of each seed, in the order of the questions."""
    rows = [
        ResultRow(str(at), seed, "答え", "answered", RuleScores(score=score), **of_row)  # type: ignore[arg-type]
        for seed, scores in enumerate(by_seed)
        for at, score in enumerate(scores)
    ]
    return SystemResult(System("s", "名前", "m.gguf", "モデル"), tuple(rows))


def compared(first: SystemResult, second: SystemResult, asked: Sequence[Question], name: str = "score") -> Comparison:
    found = compare(first, second, asked, MEASURES[name])
    assert found is not None
    return found


def test_a_steady_difference_is_one() -> None:
    before, after = [0.1, 0.5, 0.9, 0.3] * 10, [0.3, 0.6, 0.9, 0.6] * 10
    found = compared(system(before), system(after), questions(40))
    assert (found.first_mean, found.second_mean) == (pytest.approx(0.45), pytest.approx(0.6))
    assert found.by_question.mean == pytest.approx(0.15)
    assert (found.wins, found.ties, found.losses, found.verdict) == (30, 10, 0, "better")
    assert found.by_group is None
    turned = compared(system(after), system(before), questions(40))
    assert (turned.wins, turned.ties, turned.losses, turned.verdict) == (0, 10, 30, "worse")


def test_systems_compared_together_come_out_as_each_alone_also_where_one_lacks_values() -> None:
    asked = questions(12, groups=6)
    systems = [system([0.0, 1.0, 0.5] * 4), system([1.0, 0.5, 1.0] * 4), system([None, 0.5, 1.0] * 4), system([None])]
    pairs = list(itertools.combinations(systems, 2))
    together = paired_statistics.compare_pairs(pairs, asked, SCORE)
    assert [str(one) for one in together] == [str(compare(*pair, asked, SCORE)) for pair in pairs]
    means = paired_statistics.means(systems, asked, SCORE)
    assert [str(one) for one in means] == [str(paired_statistics.mean(one, asked, SCORE)) for one in systems]
    assert means[-1] is None
    assert [mean.by_question.units for mean in means[:3] if mean] == [12, 12, 8]


def test_a_failed_answer_has_a_score_of_nothing_and_an_unjudged_one_none() -> None:
    failed = ResultRow("0", 0, "", "failed", RuleScores(score=0.0), total_s=0.1)
    assert MEASURES["score"].value_of(failed) == 0.0
    assert MEASURES["judge"].value_of(failed) is None
    judged = ResultRow("0", 0, "答え", "answered", RuleScores(char_f1=0.4), JudgeScore(2))
    assert (MEASURES["judge"].value_of(judged), MEASURES["char_f1"].value_of(judged)) == (2, 0.4)


def test_what_differs_no_more_than_chance_or_in_few_questions_is_unclear() -> None:
    found = compared(system([1, 0, 1, 0, 1, 0, 1, 1]), system([0, 1, 1, 1, 1, 0, 1, 1]), questions(8))
    assert found.verdict == "unclear"
    assert found.by_question.low < 0 < found.by_question.high
    few = LEAST_UNITS - 1
    assert compared(system([0.0] * few), system([1.0] * few), questions(few)).verdict == "unclear"
    assert compared(system([0.0] * 5), system([1.0] * 5), questions(5)).verdict == "better"


def test_questions_on_one_document_count_together_but_few_documents_say_nothing_of_chance() -> None:
    # Half of the questions are won by more than the others are lost; but they are on four documents of eight.
    after = [1.0 if at % 8 < 4 else -0.5 for at in range(64)]
    apart = compared(system([0.0] * 64), system(after), questions(64))
    together = compared(system([0.0] * 64), system(after), questions(64, groups=8))
    assert (apart.verdict, together.verdict) == ("better", "unclear")
    assert together.by_group is not None
    assert together.by_group.units == 8
    assert together.by_group.mean == together.by_question.mean == pytest.approx(0.25)
    after = [1.0 if at % 4 < 2 else -0.5 for at in range(64)]
    found = compared(system([0.0] * 64), system(after), questions(64, groups=4))
    assert (found.verdict, found.by_group is not None) == ("better", True)


def test_of_a_question_the_mean_over_the_seeds_counts_where_both_have_a_value() -> None:
    first = system([0.0] * 20, [1.0] * 20, [0.5] * 20)
    second = system([1.0] * 20, [0.0] * 20, [0.5] * 20)
    found = compared(first, second, questions(20))
    assert (found.ties, found.verdict) == (20, "unclear")
    found = compared(system([0.0] * 8), system([1.0] * 6 + [None] * 2), questions(9))
    assert (found.by_question.units, found.left_out) == (6, 3)
    assert compare(system([None] * 8), system([1.0] * 8), questions(8), SCORE) is None


def test_one_system_has_its_mean_with_an_interval() -> None:
    found = paired_statistics.mean(system([0.0, 1.0] * 20, [0.0, 1.0] * 20), questions(40, groups=10), SCORE)
    assert found is not None
    assert found.by_question.mean == 0.5
    assert found.by_question.low == pytest.approx(0.34, abs=0.02)
    assert found.by_group is not None
    assert found.by_group.units == 10
    assert found.spread == 0.0
    assert paired_statistics.mean(system([None]), questions(1), SCORE) is None


# --------------------------------------------------------------------------------- words


def test_a_difference_is_told_with_its_numbers() -> None:
    found = compared(system([0.0] * 20), system([1.0, 0.5] * 10), questions(20))
    assert paired_statistics.comparison_sentence(found, "素", "調整済み") == (
        f"「調整済み」は「素」より良いと言えます（得点の差 +0.750、95 % 区間 {found.by_question.low:+.3f} 〜 "
        f"{found.by_question.high:+.3f}、20 問）。"
    )
    worse = compared(system([1.0] * 20), system([0.0] * 20), questions(20))
    told = paired_statistics.comparison_sentence(worse, "素", "調整済み")
    assert "より悪いと言えます（得点の差 \u22121.000、95 % 区間 \u22121.000 〜 \u22120.678、20 問" in told
    same = compared(system([0.5] * 20), system([0.5] * 20), questions(20))
    told = paired_statistics.comparison_sentence(same, "素", "調整済み")
    assert told.endswith("（得点の差 0.000、95 % 区間 \u22120.161 〜 +0.161、20 問）。")


def test_it_says_how_many_questions_would_show_a_difference() -> None:
    def scores(times: int) -> list[float]:
        return [1.0] * 12 * times + [0.0] * 8 * times

    few = compared(system([0.5] * 20), system(scores(1)), questions(20))
    assert few.verdict == "unclear"
    assert few.needed_questions is not None
    assert f"約 {few.needed_questions} 問で" in paired_statistics.comparison_sentence(few, "素", "調整済み")
    enough, too_few = (round(few.needed_questions * share / 20) for share in (1.1, 0.7))
    verdicts = [
        compared(system([0.5] * 20 * times), system(scores(times)), questions(20 * times)).verdict
        for times in (too_few, enough)
    ]
    assert verdicts == ["unclear", "better"]


@pytest.mark.parametrize(
    ("after", "groups", "told"),
    [
        ([1.0, -1.0] * 32, 0, "、64 問）"),
        ([1.0 if at % 8 < 4 else -0.5 for at in range(64)], 8, "、8 グループ）"),
        ([1.0] * 4, 0, "4 問しかありません（5 問以上が必要です）"),
    ],
)
def test_what_may_be_chance_is_said_to_be_no_difference(after: list[float], groups: int, told: str) -> None:
    found = compared(system([0.0] * len(after)), system(after), questions(len(after), groups))
    words = paired_statistics.comparison_sentence(found, "素", "調整済み")
    assert "差があるとは言えません" in words
    assert told in words


def test_what_systems_are_compared_by_has_its_name_in_both_languages() -> None:
    for language in wording.LANGUAGES:
        wording.use_language(language)
        names = {wording.phrase(f"evaluation.measure.{name}") for name in ("score", "judge", "pairs")}
        wording.use_language("ja")
        assert len(names) == 3


# --------------------------------------------------------------------------- simulated sets


@pytest.mark.parametrize("kind", ["scores", "answers"])
def test_equal_systems_are_seldom_taken_for_different_ones(kind: str) -> None:
    assert simulated.share_without_difference(simulated.SCENARIOS[f"equal {kind}"], 100) >= 0.93


def test_a_difference_of_a_tenth_of_the_scale_is_mostly_found() -> None:
    assert 1 - simulated.share_without_difference(simulated.SCENARIOS["better scores"], 100) >= 0.80


# -------------------------------------------------------------------- agreement


GRANTS = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
IQ = [106, 86, 100, 101, 99, 103, 97, 113, 112, 110]
TELEVISION = [7, 0, 27, 50, 28, 29, 20, 12, 6, 17]  # hours a week


@pytest.mark.parametrize(
    ("agreement", "first", "second", "expected"),
    [
        # Two readers of 50 grants; 35 agree, and by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5 would: (0.7 - 0.5) / 0.5.
        (kappa, [one for one, _ in GRANTS], [other for _, other in GRANTS], 0.4),
        # A disagreement weighs by its distance. Squared distances 0 1 0 4, mean 1.25. All 16 pairs of {0,1,2,3} and
        # {0,2,2,1}: 0+4+4+1 + 1+1+1+0 + 4+0+0+1 + 9+1+1+4 = 32, mean 2.
        (kappa, [0, 1, 2, 3], [0, 2, 2, 1], 1 - 1.25 / 2),
        # 0 and 3 are three apart though 1 and 2 do not occur: 1 - (1 * 9 / 4) / (mean of all squares).
        (kappa, [0, 0, 3, 3], [0, 0, 3, 0], 1 - (9 / 4) / (9 * 8 / 16)),
        (kappa, [0, 1, 2, 3], [0, 1, 2, 3], 1),
        (kappa, [0, 1, 2, 3] * 4, sorted([0, 1, 2, 3] * 4), 0),  # by chance
        (kappa, [0, 1, 2, 3], [2, 2, 2, 2], 0),
        (kappa, [2, 2, 2], [2, 2, 2], None),  # without any difference
        (kappa, [], [], None),
        (spearman, IQ, TELEVISION, -29 / 165),  # without ties: 1 - 6 * 194 / (10 * 99)
        # Equal values share a rank. Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: Pearson's r of these is 4.5 / sqrt(4.5 * 5).
        (spearman, [10, 20, 20, 30], [1, 2, 3, 4], 4.5 / sqrt(4.5 * 5)),
        (spearman, [0, 0, 1, 1], [0, 0, 1, 1], 1),
        (spearman, [0, 0, 1, 1], [3, 3, 2, 2], -1),
        (spearman, [1, 1, 1], [1, 2, 3], None),  # without variance
        (spearman, [1], [2], None),
        (spearman, [], [], None),
    ],
)
def test_agreement_is_that_of_the_example(
    agreement: Callable[..., float | None], first: Sequence[int], second: Sequence[int], expected: float | None
) -> None:
    assert agreement(first, second) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("agreement", [kappa, spearman])
def test_ratings_of_different_things_are_refused(agreement: Callable[..., float | None]) -> None:
    with pytest.raises(ValueError, match="different"):
        agreement([1, 2], [1, 2, 3])
