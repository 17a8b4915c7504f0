"""Starts that did not come to a window are counted, and nothing else is."""

from pathlib import Path

import pytest

from app.base import diagnostics
from app.base.diagnostics import StartRecord


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "start.json"


def test_the_first_start_of_all_suspects_nothing(file: Path) -> None:
    last = diagnostics.read_start_record(file)
    assert (last.failed_by_now, last.is_safe_mode_due, last.was_cut_off) == (0, False, False)


def test_two_starts_in_a_row_that_die_make_the_third_one_safe(file: Path) -> None:
    due = []
    for _ in range(4):
        due.append(diagnostics.read_start_record(file).is_safe_mode_due)
        diagnostics.record_program_start(file)
    assert due == [False, False, True, True]


@pytest.mark.parametrize("end", [diagnostics.record_window_up, diagnostics.record_end])
def test_a_start_that_succeeds_or_is_refused_in_words_begins_the_count_anew(file: Path, end: object) -> None:
    diagnostics.record_program_start(file)
    diagnostics.record_program_start(file)
    end(file)
    assert diagnostics.read_start_record(file).failed_by_now == 0
    diagnostics.record_program_start(file)
    assert diagnostics.read_start_record(file).failed_by_now == 1


def test_a_window_that_died_later_was_cut_off_and_is_no_failed_start(file: Path) -> None:
    diagnostics.record_program_start(file)
    diagnostics.record_window_up(file)
    last = diagnostics.read_start_record(file)
    assert (last.was_cut_off, last.failed_by_now) == (True, 0)
    diagnostics.record_program_start(file)
    assert not diagnostics.read_start_record(file).was_cut_off


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\x00" * 90, b"\xff\xfe", b'"starting"', b'{"state": "starting", "failed": "many"}',
        b'{"state": "starting", "failed": true}', b'{"state": "starting", "failed": -3}', b'{"state": "else"}',
        b'{"state": "starting", "failed": 9, "version": 3}', b'{"state": "starting", "failed": 9, "unknown": 1}',
    ],
)  # fmt: skip
def test_a_damaged_record_suspects_nothing_and_the_next_start_replaces_it(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert diagnostics.read_start_record(file) == StartRecord()
    diagnostics.record_program_start(file)
    assert diagnostics.read_start_record(file) == StartRecord("starting")
