"""Votes on the disk: they survive whatever ends the program, and nobody overwrites another's."""

import errno
import os
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.wording import describe_error
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindFile, Retracted, Revealed, Voted

ONE = Voted("q1", "a_better", "base", "tuned", at=1.0)
TWO = Voted("q2", "both_wrong", "tuned", "base", is_open=True, at=2.0)


def kept(folder: Path) -> tuple[Voted, ...]:
    return BlindFile(folder).votes("base", "tuned")


def test_votes_survive_reopening_in_their_order(tmp_path: Path) -> None:
    file = BlindFile(tmp_path)
    file.add(ONE)
    file.add(TWO, Revealed("base", "tuned"))
    assert kept(tmp_path) == file.votes("tuned", "base") == (ONE, TWO)
    assert BlindFile(tmp_path).is_revealed("tuned", "base")


def test_a_study_without_votes_gets_no_file_by_being_looked_at(tmp_path: Path) -> None:
    assert kept(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_a_vote_that_is_taken_back_stays_in_the_file_and_does_not_count(tmp_path: Path) -> None:
    file = BlindFile(tmp_path)
    file.add(ONE)
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


def test_a_file_whose_first_line_is_half_written_begins_anew(tmp_path: Path) -> None:
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


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / blind.FILE).write_bytes(b'{"type":"Begun","version":2}\n')
    with pytest.raises(AppError, match="blind_damaged"):
        BlindFile(tmp_path)


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


def test_while_another_window_writes_it_is_said_that_it_does(tmp_path: Path) -> None:
    lock = work_folder.acquire_lock(tmp_path / blind.LOCK)
    try:
        with pytest.raises(AppError) as caught:
            BlindFile(tmp_path).add(ONE)
    finally:
        lock.release()
    assert caught.value.code == "blind_busy"
    assert "ほかの Kotae" in describe_error(caught.value).message
    assert kept(tmp_path) == ()


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
