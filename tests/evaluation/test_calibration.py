"""A judge is believed where it finds what was made wrong, or agrees with people, and nowhere else."""

import dataclasses
import re
from collections.abc import Callable, Sequence

import pytest

from app.base import wording
from app.evaluation.judge import judge_calibration
from app.evaluation.judge.judge_calibration import CalibrationCase, JudgeCalibration
from app.evaluation.records import JudgeScore, Question

QUESTIONS = [
    Question(f"q{number}", f"設備{number}の上流側の点検は年に何回ですか", f"上流側を年{number}回以上点検する。")
    for number in range(3, 11)
]
Judge = Callable[[CalibrationCase], int | None]


def measured(judge: Judge, cases: Sequence[CalibrationCase] | None = None) -> JudgeCalibration:
    cases = judge_calibration.calibration_cases(QUESTIONS) if cases is None else cases
    scores = [judge(case) for case in cases]
    judgements = [JudgeScore(score, trouble="" if score is not None else "unreadable") for score in scores]
    return judge_calibration.calibrate("Judge 8B", "kotae", cases, judgements)


def good(case: CalibrationCase) -> int:
    return 3 if case.kind in ("right", "verbose") else 0


def human(scores: Sequence[int]) -> list[CalibrationCase]:
    return [CalibrationCase(QUESTIONS[0], f"回答{number}", "human", score) for number, score in enumerate(scores)]


def test_each_right_answer_stands_before_what_is_made_of_it() -> None:
    cases = judge_calibration.calibration_cases(
        [*QUESTIONS[:2], Question("u", "占用料は？", "ない", is_answerable=False)]
    )
    assert [case.kind for case in cases] == ["right", *judge_calibration.PERTURBATIONS] * 2
    assert cases[0].answer == QUESTIONS[0].reference
    assert cases[1].answer == "上流側を年6回以上点検する。"
    assert len({case.answer for case in cases}) == len(cases) - 2  # an irrelevant one is the other's right one


def test_a_judge_that_finds_every_error_is_trusted() -> None:
    found = measured(good)
    assert found.kappa == pytest.approx(1.0)
    assert (found.basis, found.n, found.unscored, found.doubt) == ("seeded", 40, 0, "")
    assert found.is_trusted
    number = found.seedings[0]
    assert (number.kind, number.n, number.right_mean, number.seeded_mean) == ("number", 8, 3.0, 0.0)
    assert (number.lowered, number.equal, number.raised) == (1.0, 0.0, 0.0)
    verbose = found.seedings[-1]
    assert (verbose.kind, verbose.lowered, verbose.equal) == ("verbose", 0.0, 1.0)


def test_a_judge_that_gives_everything_full_points_or_misses_one_kind_is_not() -> None:
    found = measured(lambda _case: 3)
    assert found.kappa == 0.0
    assert (found.is_trusted, found.doubt) == (False, "kappa")
    assert found.blind_to == judge_calibration.WRONG_PERTURBATIONS
    found = measured(lambda case: 3 if case.kind == "number" else good(case))
    assert found.kappa is not None
    assert found.kappa > judge_calibration.LEAST_KAPPA
    assert (found.is_trusted, found.doubt, found.blind_to) == (False, "seeding", ("number",))


@pytest.mark.parametrize(("noticed", "blind_to"), [(4, ("swapped",)), (5, ())])
def test_half_of_the_cases_are_not_most_of_them(noticed: int, blind_to: tuple[str, ...]) -> None:
    ids = {question.id for question in QUESTIONS[:noticed]}
    found = measured(lambda case: 3 if case.kind == "swapped" and case.question.id not in ids else good(case))
    assert found.blind_to == blind_to


@pytest.mark.parametrize("at_length", [3, 0])
def test_a_judge_that_is_swayed_by_length_is_not_trusted(at_length: int) -> None:
    found = measured(lambda case: at_length if case.kind == "verbose" else 2 if case.kind == "right" else 0)
    verbose = found.seedings[-1]
    assert (verbose.raised + verbose.lowered, verbose.right_mean, verbose.seeded_mean) == (1.0, 2.0, at_length)
    assert found.kappa == pytest.approx(1.0)
    assert (found.is_trusted, found.doubt) == (False, "length")


@pytest.mark.parametrize(("swayed", "doubt"), [(3, ""), (4, "length")])
def test_length_may_sway_fewer_than_half_of_the_scores(swayed: int, doubt: str) -> None:
    ids = {question.id for question in QUESTIONS[:swayed]}
    found = measured(lambda case: 2 if case.kind == "verbose" and case.question.id in ids else good(case))
    assert found.doubt == doubt


def test_a_kind_with_few_cases_says_nothing() -> None:
    cases = [
        case
        for case in judge_calibration.calibration_cases(QUESTIONS)
        if case.kind != "negation" or case.question.id == "q3"
    ]
    found = measured(lambda case: 3 if case.kind == "negation" else good(case), cases)
    assert next(one.n for one in found.seedings if one.kind == "negation") == 1
    assert found.is_trusted


def test_of_few_or_no_answers_or_one_score_everywhere_nothing_is_concluded() -> None:
    found = measured(good, judge_calibration.calibration_cases(QUESTIONS[:3]))
    assert found.kappa == pytest.approx(1.0)
    assert (found.n, found.doubt, found.is_trusted) == (15, "few", None)
    rated = [CalibrationCase(QUESTIONS[0], f"回答 {n}", "human", 2) for n in range(30)]
    found = judge_calibration.calibrate("判定", "kotae", rated, [JudgeScore(2)] * 30)
    assert (found.kappa, found.n, found.doubt, found.is_trusted) == (None, 30, "constant", None)
    assert "すべて同じ" in judge_calibration.calibration_sentence(found)
    for found in (measured(good, []), measured(lambda _case: None)):
        assert (found.kappa, found.n, found.spearman, found.seedings, found.doubt) == (None, 0, None, (), "few")


def test_answers_without_a_score_count_for_nothing_but_their_number() -> None:
    found = measured(lambda case: None if case.question.id == "q3" else good(case))
    assert (found.unscored, found.n) == (6, 35)
    assert {one.n for one in found.seedings} == {7}
    no_right = measured(lambda case: None if case.kind == "right" else good(case))
    assert no_right.seedings == ()


def test_people_s_scores_go_before_what_was_made_unless_they_are_few() -> None:
    scores = [0, 1, 2, 3] * 6
    cases = [*judge_calibration.calibration_cases(QUESTIONS), *human(scores)]
    found = measured(lambda case: good(case) if case.human is None else case.human, cases)
    assert (found.basis, found.n) == ("human", 24)
    assert found.kappa == pytest.approx(1.0)
    assert found.spearman == pytest.approx(1.0)
    assert found.is_trusted
    other_way = measured(lambda case: good(case) if case.human is None else 3 - case.human, cases)
    assert other_way.kappa == pytest.approx(-1.0)
    assert other_way.spearman == pytest.approx(-1.0)
    assert other_way.doubt == "kappa"
    cases = [*judge_calibration.calibration_cases(QUESTIONS), *human([0, 3, 3])]
    found = measured(lambda case: good(case) if case.human is None else case.human, cases)
    assert (found.basis, found.n) == ("seeded", 40)
    assert found.spearman == pytest.approx(1.0)
    only_people = measured(lambda case: case.human, human([0, 3, 3]))
    assert (only_people.basis, only_people.n, only_people.doubt) == ("human", 3, "few")


def test_a_disagreement_of_three_points_weighs_nine_times_one_of_one() -> None:
    cases = human([0, 3] * 10)
    near = measured(lambda case: abs((case.human or 0) - (case.answer == "回答0")), cases).kappa
    far = measured(lambda case: 3 - (case.human or 0) if case.answer == "回答0" else case.human, cases).kappa
    assert near is not None
    assert far is not None
    # By hand: mean weight over that by chance. 1 of 20 is off by 1 (weight 1), and by 3 (weight 9).
    assert near == pytest.approx(1 - (1 / 20) / ((9 * 10 * 10 + 9 * 10 * 9 + 4 * 1 * 10 + 1 * 1 * 10) / 400))
    assert far == pytest.approx(1 - (9 / 20) / ((9 * 10 * 11 + 9 * 10 * 9) / 400))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_sentence_says_whether_to_believe_it_why_and_what_next(language: str) -> None:
    wording.use_language(language)
    said = {
        "trusted": judge_calibration.calibration_sentence(measured(good)),
        "kappa": judge_calibration.calibration_sentence(measured(lambda _case: 3)),
        "seeding": judge_calibration.calibration_sentence(
            measured(lambda case: 3 if case.kind == "number" else good(case))
        ),
        "length": judge_calibration.calibration_sentence(
            measured(lambda case: 2 if case.kind == "verbose" else good(case))
        ),
        "few": judge_calibration.calibration_sentence(measured(good, [])),
    }
    assert len(set(said.values())) == 5
    assert not any("{" in sentence or "?" in sentence for sentence in said.values())
    if language == "ja":
        assert said["trusted"] == "この採点モデルの点は信用できます（κ 1.00、正誤の分かっている回答 40 件）。"
        assert "信用できません（κ 0.00、" in said["kappa"]
        assert "より大きなモデル" in said["kappa"]
        assert "数値の誤りでは、半数以上で点が下がりませんでした" in said["seeding"]
        assert "同じ内容を長く書いただけの回答の半数以上で" in said["length"]
        assert "20 件以上" in said["few"]
    else:
        assert not re.search(r"[\u3000-\u9fff\uff00-\uffef]", "".join(said.values()))


def test_the_table_has_a_row_for_each_kind_and_says_where_kappa_comes_from() -> None:
    found = dataclasses.replace(measured(good), spearman=0.5, unscored=2)
    table = judge_calibration.calibration_table(found)
    assert len(table.head) == 7
    assert table.rows[0] == ("数値の誤り", "8", "3.00", "0.00", "100 %", "0 %", "0 %")
    assert len(table.rows) == len(judge_calibration.PERTURBATIONS)
    assert {len(row) for row in table.rows} == {len(table.head)}
    assert [note.split("：")[1][:4] for note in table.notes] == ["κ 1.", "ρ 0.", "2 件"]
    assert judge_calibration.calibration_table(measured(good, [])).rows == ()
