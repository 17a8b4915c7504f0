"""The blind comparison: what is drawn, what a vote means, and how far a person agrees with the judge."""

import dataclasses
import itertools
from pathlib import Path

import pytest

from app.evaluation.records import Evaluation, PairPreference
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindComparison, BlindFile, BlindPairing, Vote, Voted
from tests.evaluation.blind_study import BASE, DOCUMENTS, JUDGE, NAMES, SEEDS, TUNED, blind_study


def opened(folder: Path, found: Evaluation, one: str = BASE, other: str = TUNED) -> BlindComparison:
    return BlindComparison(blind.blind_pairing(found, one, other), BlindFile(folder))


def preferring(pairing: BlindPairing, gains: dict[str, int]) -> list[Voted]:
    """Votes as if the person had preferred the second system (1), the first (-1) or neither (0)."""
    votes = []
    for pair in pairing.pairs:
        gain = gains[pair.question.id]
        winner = {1: pairing.second.id, -1: pairing.first.id}.get(gain)
        vote: Vote = "same" if winner is None else "a_better" if pair.a_system == winner else "b_better"
        votes.append(Voted(pair.question.id, vote, pair.a_system, pair.b_system))
    return votes


# ------------------------------------------------------------------------------------------------------------ drawn


def test_the_first_system_and_the_best_other_one_are_compared_unless_others_are_chosen() -> None:
    assert blind.suggested_systems(blind_study(3)) == (BASE, TUNED)
    judged = blind_study(3, {BASE: [1, 1, 1], DOCUMENTS: [3, 3, 3], TUNED: [2, 2, 2]}, judge=JUDGE)
    assert blind.suggested_systems(judged) == (BASE, DOCUMENTS), "the judge is trusted, so its scores decide"


def test_order_and_sides_are_the_same_whenever_the_study_is_opened_and_whichever_system_is_named_first() -> None:
    first, again = (blind.blind_pairing(blind_study(40), *ids) for ids in ((BASE, TUNED), (TUNED, BASE)))
    assert first == again
    order = [pair.question.id for pair in first.pairs]
    assert sorted(order) == sorted(f"q{number}" for number in range(1, 41))
    assert order != [f"q{number}" for number in range(1, 41)]


def test_other_systems_are_shown_in_another_order() -> None:
    found = blind_study(40)
    orders = [[pair.question.id for pair in blind.blind_pairing(found, BASE, id).pairs] for id in (DOCUMENTS, TUNED)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize("count", [40, 41])
def test_each_system_is_a_as_often_as_b_but_not_in_turn(count: int) -> None:
    sides = [pair.a_system for pair in blind.blind_pairing(blind_study(count), BASE, TUNED).pairs]
    assert abs(sides.count(BASE) - sides.count(TUNED)) <= 1
    changes = sum(one != other for one, other in itertools.pairwise(sides))
    assert 10 < changes < 30, "sides that alternate, or hardly ever change, could be guessed"


def test_an_answer_stands_under_the_letter_of_its_system_and_is_of_the_first_seed() -> None:
    for pair in blind.blind_pairing(blind_study(9), BASE, TUNED).pairs:
        number = pair.question.id.removeprefix("q")
        assert {pair.a_system: pair.a, pair.b_system: pair.b} == {
            BASE: f"base の回答 {number}",
            TUNED: f"tuned の回答 {number}",
        }


def test_questions_with_equal_answers_are_left_out_and_counted_and_an_empty_answer_is_one() -> None:
    answers = {(BASE, 1): "同じ。", (TUNED, 1): " 同じ。\n", (BASE, 2): "", (TUNED, 2): "  ", (BASE, 3): ""}
    pairing = blind.blind_pairing(blind_study(5, answers=answers), BASE, TUNED)
    assert (pairing.equal, sorted(pair.question.id for pair in pairing.pairs)) == (2, ["q3", "q4", "q5"])
    (empty,) = (pair for pair in pairing.pairs if pair.question.id == "q3")
    assert sorted((empty.a, empty.b)) == ["", "tuned の回答 3"]


# ------------------------------------------------------------------------------------------------------------ votes


def test_the_next_question_comes_after_a_vote_and_the_same_one_again_after_it_was_taken_back(tmp_path: Path) -> None:
    comparison = opened(tmp_path, blind_study(3))
    order = [pair.question.id for pair in comparison.pairing.pairs]
    comparison.vote("same")
    comparison.vote("both_wrong")
    assert comparison.current is not None
    assert comparison.current.question.id == order[2]
    comparison.undo()
    assert comparison.current is not None
    assert (comparison.current.question.id, [one.vote for one in comparison.votes]) == (order[1], ["same"])


def test_names_stay_hidden_until_all_is_decided_or_somebody_asks_and_later_votes_are_told_apart(tmp_path: Path) -> None:
    comparison = opened(tmp_path, blind_study(4))
    comparison.vote("a_better")
    assert not comparison.is_revealed
    comparison.reveal()
    assert opened(tmp_path, blind_study(4)).is_revealed
    comparison.vote("a_better")
    assert blind.blind_outcome(comparison.pairing, comparison.votes).when_open == 1
    assert not opened(tmp_path, blind_study(4), BASE, DOCUMENTS).is_revealed, "other systems have not been shown"


def test_the_last_vote_reveals_the_names_and_one_that_replaces_it_was_given_knowing_them(tmp_path: Path) -> None:
    comparison = opened(tmp_path, blind_study(2))
    comparison.vote("same")
    comparison.vote("same")
    assert (comparison.current, comparison.is_revealed) == (None, True)
    assert blind.blind_outcome(comparison.pairing, comparison.votes).when_open == 0
    comparison.undo()
    assert comparison.is_revealed
    comparison.vote("a_better")
    assert blind.blind_outcome(comparison.pairing, comparison.votes).when_open == 1


def test_two_pairings_of_one_study_do_not_mix(tmp_path: Path) -> None:
    found = blind_study(3)
    opened(tmp_path, found, BASE, TUNED).vote("same")
    assert opened(tmp_path, found, BASE, DOCUMENTS).votes == ()
    assert len(opened(tmp_path, found, TUNED, BASE).votes) == 1


# ----------------------------------------------------------------------------------------------------------- result


def test_a_preference_counts_for_the_system_whatever_its_letter_was() -> None:
    pairing = blind.blind_pairing(blind_study(12), BASE, TUNED)
    gains = {pair.question.id: 1 for pair in pairing.pairs} | {"q1": -1, "q2": 0}
    found = blind.blind_outcome(pairing, preferring(pairing, gains))
    assert (found.n, found.first_wins, found.second_wins, found.same, found.both_wrong) == (12, 1, 10, 1, 0)
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(9 / 12)
    assert (found.verdict, found.difference.holds_zero) == ("second", False)


def test_the_first_system_can_win_and_a_draw_is_unclear() -> None:
    pairing = blind.blind_pairing(blind_study(12), BASE, TUNED)
    ids = [pair.question.id for pair in pairing.pairs]
    assert blind.blind_outcome(pairing, preferring(pairing, dict.fromkeys(ids, -1))).verdict == "first"
    even = {id: 1 if at % 2 else -1 for at, id in enumerate(ids)}
    assert blind.blind_outcome(pairing, preferring(pairing, even)).verdict == "unclear"


def test_a_handful_of_votes_decides_nothing() -> None:
    pairing = blind.blind_pairing(blind_study(12), BASE, TUNED)
    votes = preferring(pairing, {pair.question.id: 1 for pair in pairing.pairs})
    assert [blind.blind_outcome(pairing, votes[:count]).verdict for count in (0, 5, 6)] == ["few", "few", "second"]
    assert blind.blind_outcome(pairing, []).difference is None


def test_votes_for_neither_do_not_make_five_that_agree_more_than_chance() -> None:
    """Of a fair coin five equal throws have p = 0.0625."""
    pairing = blind.blind_pairing(blind_study(12), BASE, TUNED)
    gains = {pair.question.id: int(at < 5) for at, pair in enumerate(pairing.pairs)}
    found = blind.blind_outcome(pairing, preferring(pairing, gains))
    assert (found.n, found.decided, found.verdict) == (12, 5, "few")


def test_seven_of_eight_may_be_chance_and_eight_of_nine_are_not_whatever_the_votes_for_neither() -> None:
    for count, verdict in ((8, "unclear"), (9, "second")):
        pairing = blind.blind_pairing(blind_study(count + 10), BASE, TUNED)
        gains = {pair.question.id: (at < count) * (1 if at else -1) for at, pair in enumerate(pairing.pairs)}
        assert blind.blind_outcome(pairing, preferring(pairing, gains)).verdict == verdict


def test_votes_that_were_given_when_the_names_were_known_decide_nothing() -> None:
    pairing = blind.blind_pairing(judged_by_scores(60), BASE, TUNED)
    votes = preferring(pairing, {pair.question.id: 1 for pair in pairing.pairs})
    opened = [dataclasses.replace(one, is_open=at >= 20) for at, one in enumerate(votes)]
    found, blindly = blind.blind_outcome(pairing, opened), blind.blind_outcome(pairing, votes[:20])
    assert (found.n, found.second_wins, found.when_open, found.decided) == (60, 60, 40, 20)
    assert (found.verdict, found.difference) == (blindly.verdict, blindly.difference)
    assert found.agreement == blindly.agreement
    assert (found.agreement.n, found.agreement.most, found.agreement.kappa) == (20, 20, None)
    few = [dataclasses.replace(one, is_open=at >= 3) for at, one in enumerate(votes)]
    assert blind.blind_outcome(pairing, few).verdict == "few"


# ------------------------------------------------------------------------------------------------------------ kappa


def judged_by_scores(count: int) -> Evaluation:
    """Of every three questions the judge prefers the tuned system, the base, and neither."""
    base = [(1, 3, 2)[at % 3] for at in range(count)]
    tuned = [(3, 1, 2)[at % 3] for at in range(count)]
    return blind_study(count, {BASE: list(base), TUNED: list(tuned), DOCUMENTS: [0] * count}, judge=JUDGE)


def test_kappa_is_1_where_a_person_prefers_what_the_judge_scores_higher() -> None:
    pairing = blind.blind_pairing(judged_by_scores(30), BASE, TUNED)
    found = blind.agreement_of(pairing, preferring(pairing, {id: int(gain) for id, gain in pairing.judged.items()}))
    assert pairing.basis == "scores"
    assert (found.n, found.same, found.kappa, found.missing_votes) == (30, 30, 1.0, 0)


def test_kappa_of_a_case_reckoned_by_hand() -> None:
    """The judge says 1, -1, 0 ten times each; the person says 0 wherever the judge says 1, and else the same.

    Mean square distance: 10 / 30 = 1/3. By chance: judge (10, 10, 10) of -1, 0, 1 and person (10, 20, 0):
    -1 and 0: 10 * 20 * 1; 0 and -1: 10 * 10 * 1; 1 and -1: 10 * 10 * 4; 1 and 0: 10 * 20 * 1, of 900: 900 / 900 = 1.
    """
    pairing = blind.blind_pairing(judged_by_scores(30), BASE, TUNED)
    gains = {id: min(0, int(gain)) for id, gain in pairing.judged.items()}
    found = blind.agreement_of(pairing, preferring(pairing, gains))
    assert found.kappa == pytest.approx(1 - (1 / 3) / 1)
    assert found.same == 20


def test_both_wrong_counts_as_no_preference() -> None:
    pairing = blind.blind_pairing(judged_by_scores(30), BASE, TUNED)
    votes = preferring(pairing, {id: int(gain) for id, gain in pairing.judged.items()})
    votes = [Voted(one.question, "both_wrong", one.a, one.b) if one.vote == "same" else one for one in votes]
    assert blind.agreement_of(pairing, votes).kappa == 1.0


def test_kappa_is_hidden_below_30_answers() -> None:
    pairing = blind.blind_pairing(judged_by_scores(40), BASE, TUNED)
    votes = preferring(pairing, {id: int(gain) for id, gain in pairing.judged.items()})
    found = blind.agreement_of(pairing, votes[:29])
    assert (found.kappa, found.missing_votes, found.most) == (None, 1, 40)


def test_the_judgement_of_pairs_goes_before_scores_and_what_it_could_not_read_is_left_out() -> None:
    told = [PairPreference(TUNED, f"q{number}", SEEDS[0], "a") for number in range(1, 31)]
    told += [PairPreference(TUNED, f"q{number}", SEEDS[1], "b") for number in range(1, 31)]
    told += [PairPreference(TUNED, "q31", SEEDS[0], None), PairPreference(DOCUMENTS, "q31", SEEDS[0], "b")]
    found = dataclasses.replace(judged_by_scores(31), preferences=tuple(told))
    pairing = blind.blind_pairing(found, BASE, TUNED)
    assert (pairing.basis, dict(pairing.judged)) == ("pairs", {f"q{number}": -1.0 for number in range(1, 31)})
    others = blind.blind_pairing(found, DOCUMENTS, TUNED)
    assert others.basis == "scores", "pairs are judged against the first system alone"


def test_without_a_judge_there_is_nothing_to_agree_with() -> None:
    pairing = blind.blind_pairing(blind_study(40), BASE, TUNED)
    found = blind.agreement_of(pairing, preferring(pairing, {pair.question.id: 1 for pair in pairing.pairs}))
    assert (found.has_judge, found.n, found.kappa) == (False, 0, None)


def test_an_answer_that_the_judge_gave_no_score_is_not_counted() -> None:
    scores: dict[str, list[int | None]] = {BASE: [1] * 31, TUNED: [3] * 30 + [None], DOCUMENTS: [0] * 31}
    pairing = blind.blind_pairing(blind_study(31, scores, judge=JUDGE), BASE, TUNED)
    found = blind.agreement_of(pairing, preferring(pairing, {pair.question.id: 1 for pair in pairing.pairs}))
    assert (found.n, found.most) == (30, 30)
    assert found.kappa is None, "both always preferred the same one, of which chance cannot be told"


def test_names_are_those_of_the_evaluation() -> None:
    pairing = blind.blind_pairing(blind_study(3), TUNED, BASE)
    assert (pairing.first.name, pairing.second.name) == (NAMES[BASE], NAMES[TUNED])
