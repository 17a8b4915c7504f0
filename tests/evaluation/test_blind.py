"""The blind comparison: what is drawn, what a vote means, and how far a person agrees with the judge."""

import dataclasses
import errno
import itertools
import os
from pathlib import Path

import openpyxl
import pytest

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.wording import describe_error
from app.evaluation.records import Evaluation, PairPreference
from app.evaluation.report import blind, export
from app.evaluation.report.blind import FILE, BlindComparison, BlindFile, BlindPairing, Retracted, Revealed, Vote, Voted
from tests.evaluation.blind_study import BASE, DOCUMENTS, JUDGE, NAMES, SEEDS, TUNED, blind_study
from tests.permits import PERMIT


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


def all_for(pairing: BlindPairing, gain: int) -> list[Voted]:
    return preferring(pairing, {pair.question.id: gain for pair in pairing.pairs})


def as_judged(pairing: BlindPairing) -> list[Voted]:
    return preferring(pairing, {id: int(gain) for id, gain in pairing.judged.items()})


def pairing_of(count: int) -> BlindPairing:
    return blind.blind_pairing(blind_study(count), BASE, TUNED)


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
    others = blind.blind_pairing(blind_study(40), BASE, DOCUMENTS)
    assert [pair.question.id for pair in others.pairs] != order, "other systems are shown in another order"


@pytest.mark.parametrize("count", [40, 41])
def test_each_system_is_a_as_often_as_b_but_not_in_turn(count: int) -> None:
    sides = [pair.a_system for pair in pairing_of(count).pairs]
    assert abs(sides.count(BASE) - sides.count(TUNED)) <= 1
    changes = sum(one != other for one, other in itertools.pairwise(sides))
    assert 10 < changes < 30, "sides that alternate, or hardly ever change, could be guessed"


def test_an_answer_stands_under_the_letter_of_its_system_and_equal_ones_are_left_out_and_counted() -> None:
    for pair in pairing_of(9).pairs:
        number = pair.question.id.removeprefix("q")
        assert {pair.a_system: pair.a, pair.b_system: pair.b} == {
            BASE: f"base の回答 {number}",
            TUNED: f"tuned の回答 {number}",
        }
    answers = {(BASE, 1): "同じ。", (TUNED, 1): " **同じ。**\n", (BASE, 2): "", (TUNED, 2): "  ", (BASE, 3): ""}
    pairing = blind.blind_pairing(blind_study(5, answers=answers), BASE, TUNED)
    assert (pairing.equal, sorted(pair.question.id for pair in pairing.pairs)) == (2, ["q3", "q4", "q5"])
    (empty,) = (pair for pair in pairing.pairs if pair.question.id == "q3")
    assert sorted((empty.a, empty.b)) == ["", "tuned の回答 3"]


# ------------------------------------------------------------------------------------------------------------ votes


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


# ----------------------------------------------------------------------------------------------------------- result


def test_a_preference_counts_for_the_system_whatever_its_letter_was() -> None:
    pairing = pairing_of(12)
    gains = {pair.question.id: 1 for pair in pairing.pairs} | {"q1": -1, "q2": 0}
    found = blind.blind_outcome(pairing, preferring(pairing, gains))
    assert (found.n, found.first_wins, found.second_wins, found.ties, found.both_wrong) == (12, 1, 10, 1, 0)
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(9 / 12)
    assert (found.verdict, found.difference.holds_zero) == ("second", False)
    assert found.second_rate is not None
    assert (found.second_rate.mean, found.second_rate.units) == (10 / 11, 11)
    assert found.second_rate.low == pytest.approx(0.6226, abs=1e-4)  # by Wilson


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([-1] * 12, "first"),
        ([1, -1] * 6, "unclear"),
        ([], "few"),
        ([1] * 5, "few"),
        ([1] * 6, "second"),
        ([1] * 5 + [0] * 7, "few"),  # votes for neither do not make five more: of a fair coin they have p = 0.0625
        ([-1] + [1] * 7 + [0] * 10, "unclear"),
        ([-1] + [1] * 8 + [0] * 10, "second"),
    ],
)
def test_a_verdict_is_what_chance_does_not_explain(gains: list[int], verdict: str) -> None:
    pairing = pairing_of(max(len(gains), 12))
    ids = [pair.question.id for pair in pairing.pairs]
    votes = preferring(pairing, dict(zip(ids, [*gains, *[0] * 12], strict=False)))[: len(gains)]
    found = blind.blind_outcome(pairing, votes)
    assert (found.verdict, found.n, found.decided) == (verdict, len(gains), len(gains) - gains.count(0))
    assert (found.difference is None) == (not gains)


def test_votes_that_were_given_when_the_names_were_known_decide_nothing() -> None:
    pairing = blind.blind_pairing(judged_by_scores(60), BASE, TUNED)
    votes = all_for(pairing, 1)
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


def test_kappa_of_a_case_reckoned_by_hand_in_which_both_wrong_is_no_preference() -> None:
    """The judge says 1, -1, 0 ten times each; the person says 0 wherever the judge says 1, and else the same.

    Mean square distance: 10 / 30 = 1/3. By chance: judge (10, 10, 10) of -1, 0, 1 and person (10, 20, 0):
    -1 and 0: 10 * 20 * 1; 0 and -1: 10 * 10 * 1; 1 and -1: 10 * 10 * 4; 1 and 0: 10 * 20 * 1, of 900: 900 / 900 = 1.
    """
    pairing = blind.blind_pairing(judged_by_scores(30), BASE, TUNED)
    gains = {id: min(0, int(gain)) for id, gain in pairing.judged.items()}
    found = blind.agreement_of(pairing, preferring(pairing, gains))
    assert found.kappa == pytest.approx(1 - (1 / 3) / 1)
    assert found.same_votes == 20
    pairing = blind.blind_pairing(judged_by_scores(30), BASE, TUNED)
    votes = as_judged(pairing)
    votes = [Voted(one.question, "both_wrong", one.a, one.b) if one.vote == "same" else one for one in votes]
    assert blind.agreement_of(pairing, votes).kappa == 1.0


def test_the_judgement_of_pairs_goes_before_scores_and_what_it_could_not_read_is_left_out() -> None:
    told = [PairPreference(TUNED, f"q{number}", SEEDS[0], "a") for number in range(1, 31)]
    told += [PairPreference(TUNED, f"q{number}", SEEDS[1], "b") for number in range(1, 31)]
    told += [PairPreference(TUNED, "q31", SEEDS[0], None), PairPreference(DOCUMENTS, "q31", SEEDS[0], "b")]
    found = dataclasses.replace(judged_by_scores(31), preferences=tuple(told))
    pairing = blind.blind_pairing(found, BASE, TUNED)
    assert (pairing.basis, dict(pairing.judged)) == ("pairs", {f"q{number}": -1.0 for number in range(1, 31)})
    others = blind.blind_pairing(found, DOCUMENTS, TUNED)
    assert others.basis == "scores", "pairs are judged against the first system alone"


def test_without_a_judge_there_is_nothing_to_agree_with_nor_where_it_gave_no_score() -> None:
    pairing = pairing_of(40)
    found = blind.agreement_of(pairing, all_for(pairing, 1))
    assert (found.has_judge, found.n, found.kappa) == (False, 0, None)
    scores: dict[str, list[int | None]] = {BASE: [1] * 31, TUNED: [3] * 30 + [None], DOCUMENTS: [0] * 31}
    pairing = blind.blind_pairing(blind_study(31, scores, judge=JUDGE), BASE, TUNED)
    found = blind.agreement_of(pairing, all_for(pairing, 1))
    assert (found.n, found.most) == (30, 30)
    assert found.kappa is None, "both always preferred the same one, of which chance cannot be told"


# ----------------------------------------------------------------------- sheets


SHEET, SUMS = "ブラインド比較", "ブラインド比較の集計"


def saved(folder: Path, count: int = 3) -> openpyxl.Workbook:
    out = folder / "結果.xlsx"
    export.save(blind_study(count), (), out, folder, permit=PERMIT)
    return openpyxl.load_workbook(out)


def test_each_vote_stands_in_the_workbook_with_the_names_and_when_it_was_given(tmp_path: Path) -> None:
    comparison = opened(tmp_path, blind_study(3))
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
    assert sums["判断"] == "問数が少なく判断できない"


def test_what_is_still_blind_is_not_told(tmp_path: Path) -> None:
    opened(tmp_path, blind_study(3)).vote("a_better")
    book = saved(tmp_path)
    cells = [cell for row in book[SHEET].iter_rows(values_only=True, min_row=2) for cell in row if cell]
    assert cells == ["構成の名前をまだ表示していない比較は含めていません。"]
    assert SUMS not in book.sheetnames


def test_without_votes_there_is_no_sheet_and_damaged_ones_leave_the_rest(tmp_path: Path) -> None:
    assert export.blind_sections(blind_study(3), tmp_path) == ()
    (tmp_path / FILE).write_text("{}\n", "utf-8")
    book = saved(tmp_path)
    assert {"結果", SHEET} <= set(book.sheetnames)


# ------------------------------------------------------------------ on the disk


ONE = Voted("q1", "a_better", "base", "tuned", at=1.0)
TWO = Voted("q2", "both_wrong", "tuned", "base", is_open=True, at=2.0)


def kept(folder: Path) -> tuple[Voted, ...]:
    return BlindFile(folder).votes("base", "tuned")


def test_a_vote_that_is_taken_back_stays_in_the_file_and_does_not_count(tmp_path: Path) -> None:
    file = BlindFile(tmp_path)
    assert (kept(tmp_path), list(tmp_path.iterdir())) == ((), [])  # nothing is written by looking
    file.add(ONE)
    file.add(TWO, Revealed("base", "tuned"))
    assert kept(tmp_path) == file.votes("tuned", "base") == (ONE, TWO)
    assert BlindFile(tmp_path).is_revealed("tuned", "base")
    file.add(Retracted("q2", "base", "tuned"))
    before = file.path.read_bytes()
    file.add(Retracted("q1", "base", "tuned"))
    assert kept(tmp_path) == ()
    assert file.path.read_bytes().startswith(before)


@pytest.mark.parametrize("cut", [1, 30])
def test_half_a_line_from_a_power_cut_is_dropped_and_the_next_vote_does_not_follow_it(tmp_path: Path, cut: int) -> None:
    file = BlindFile(tmp_path)
    file.add(ONE)
    file.add(TWO)
    file.path.write_bytes(file.path.read_bytes()[:-cut])
    assert kept(tmp_path) == (ONE,)
    BlindFile(tmp_path).add(TWO)
    assert kept(tmp_path) == (ONE, TWO)


def test_a_file_whose_first_line_is_half_written_begins_anew_and_one_of_a_later_version_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / blind.FILE).write_bytes(b'{"type":"Begun","version":2}\n')
    with pytest.raises(AppError, match="blind_damaged"):
        BlindFile(tmp_path)
    (tmp_path / blind.FILE).write_bytes(b'{"type":"Beg')
    BlindFile(tmp_path).add(ONE)
    assert kept(tmp_path) == (ONE,)


@pytest.mark.parametrize(
    "damage",
    [
        b'{"type":"Voted"',
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"type":"Voted","question":"q3","vote":"c_better","a":"base","b":"tuned"}',
        b'{"type":"Voted","question":3,"vote":"same","a":"base","b":"tuned"}',
        b'{"type":"Begun","version":1}',
        b"[" * 100_000,
    ],
    ids=["json", "bytes", "list", "empty", "vote", "question", "head", "deep"],
)
def test_a_damaged_file_is_refused_with_the_next_step_and_left_as_it_is(tmp_path: Path, damage: bytes) -> None:
    file = BlindFile(tmp_path)
    file.add(ONE)
    whole = file.path.read_bytes() + damage + b"\n"
    file.path.write_bytes(whole)
    with pytest.raises(AppError) as caught:
        BlindFile(tmp_path)
    assert caught.value.code == "blind_damaged"
    assert "別の場所に移す" in describe_error(caught.value).next
    assert file.path.read_bytes() == whole


def test_of_two_windows_the_one_that_has_not_seen_the_newest_vote_writes_none(tmp_path: Path) -> None:
    mine, theirs = BlindFile(tmp_path), BlindFile(tmp_path)
    theirs.add(ONE)
    with pytest.raises(AppError, match="blind_changed"):
        mine.add(Voted("q1", "same", "base", "tuned"))
    assert mine.votes("base", "tuned") == (), "what was not written does not count"
    assert kept(tmp_path) == (ONE,)
    again = BlindFile(tmp_path)
    again.add(TWO)
    with pytest.raises(AppError, match="blind_changed"):
        theirs.add(Retracted("q1", "base", "tuned"))
    assert kept(tmp_path) == (ONE, TWO)


def test_nothing_is_held_between_votes_so_that_the_folder_can_be_moved(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    file = BlindFile(folder)
    file.add(ONE)
    assert not work_folder.is_locked(folder / blind.LOCK)
    folder.rename(tmp_path / "bin")
    with pytest.raises(AppError, match="blind_unwritable"):
        file.add(TWO)
    assert kept(tmp_path / "bin") == (ONE,)


@pytest.mark.fault("F2")
def test_a_disk_that_is_full_keeps_what_was_there_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = BlindFile(tmp_path)
    file.add(ONE)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(AppError, match="drive_space"):
            file.add(TWO)
    assert kept(tmp_path) == file.votes("base", "tuned") == (ONE,)
    file.add(TWO)
    assert kept(tmp_path) == (ONE, TWO)
