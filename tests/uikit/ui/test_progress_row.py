"""How far long work is and how long it still takes, told only once it can be told."""

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QProgressBar

from app.base import wording
from app.chat.ui.transcript.answer_view import StageLine
from app.inference.services.events import AnswerStage, EngineStatus
from app.shell.ui.status_line import StatusLine
from app.uikit.widgets.progress_row import ProgressRow, TimeLeftText


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def go_on(left: TimeLeftText, clock: Clock, steps: list[tuple[float, float]]) -> None:
    """`steps`: seconds that pass, and the fraction that is done then."""
    for seconds, fraction in steps:
        clock.now += seconds
        left.note(fraction)


def test_the_time_left_follows_from_the_rate(clock):
    left = TimeLeftText(clock)
    go_on(left, clock, [(0, 0.0), (1, 0.1), (1, 0.2), (1, 0.3)])
    assert left.seconds == 7


def test_nothing_is_said_before_the_rate_is_stable(clock):
    left = TimeLeftText(clock)
    assert left.seconds is None
    go_on(left, clock, [(0, 0.0), (0.5, 0.3), (0.5, 0.4)])
    assert left.seconds is None
    assert left.words == ""


def test_nothing_is_said_while_nothing_moves_nor_when_it_is_done(clock):
    left = TimeLeftText(clock)
    go_on(left, clock, [(0, 0.5), (5, 0.5)])
    assert left.seconds is None
    go_on(left, clock, [(1, 1.0)])
    assert left.seconds is None


def test_the_time_left_runs_down_between_two_steps_but_never_to_nothing(clock):
    left = TimeLeftText(clock)
    go_on(left, clock, [(0, 0.0), (5, 0.5)])
    assert left.seconds == 5
    clock.now += 3
    assert left.seconds == 2
    clock.now += 30
    assert left.seconds == 1


def test_the_rate_is_that_of_the_recent_past(clock):
    left = TimeLeftText(clock)
    go_on(left, clock, [(0, 0.0), *[(1, 0.01 * n) for n in range(1, 21)]])
    assert left.seconds == 80
    go_on(left, clock, [(1, 0.2 + 0.05 * n) for n in range(1, 13)])
    assert left.seconds == 4


def test_work_that_begins_again_is_estimated_anew(clock):
    left = TimeLeftText(clock)
    go_on(left, clock, [(0, 0.0), (5, 0.9), (1, 0.0)])
    assert left.seconds is None
    go_on(left, clock, [(2, 0.5)])
    assert left.seconds == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "残り 1 秒"),
        (59, "残り 59 秒"),
        (60, "残り約 1 分"),
        (61, "残り約 2 分"),
        (3_540, "残り約 59 分"),
        (3_541, "残り約 1 時間 0 分"),
        (7_900, "残り約 2 時間 12 分"),
    ],
)
def test_the_time_left_in_words(seconds, words):
    assert wording.format_time_left(seconds) == words


@pytest.fixture
def row(theme, qtbot):
    row = ProgressRow(theme)
    qtbot.addWidget(row)
    return row


def test_a_row_is_seen_from_start_to_finish(row):
    assert row.isHidden()
    row.start("書き出しています")
    assert not row.isHidden()
    row.finish()
    assert row.isHidden()


def test_seconds_are_counted_while_the_length_is_not_known(row, qtbot):
    row.start("取り込んでいます")
    row.set_progress(3, 0)
    assert row.words == "0 秒"
    assert row.findChild(QProgressBar).isHidden()
    qtbot.waitUntil(lambda: row.words == "1 秒")
    row.start("取り込んでいます", elapsed_s=128.0)
    assert row.words == "2 分 8 秒"


def test_done_and_total_are_shown_as_numbers_and_as_a_bar(row):
    row.start("書き出しています")
    row.set_progress(1_250, 5_000)
    bar = row.findChild(QProgressBar)
    assert row.words == "1,250／5,000（25 %）"
    assert bar.value() == bar.maximum() // 4
    assert bar.accessibleName() == "書き出しています"


def test_bytes_are_shown_in_gigabytes_past_what_an_int_of_c_holds(row):
    row.start("取り込んでいます")
    row.set_progress(5_000_000_000, 20_000_000_000, is_bytes=True)
    assert row.words == "5.00／20.00 GB（25 %）"


def test_the_time_left_stands_after_the_amount(row, clock, monkeypatch):
    monkeypatch.setattr(row, "_time_left", TimeLeftText(clock))
    row.start("書き出しています")
    row.set_progress(0, 100)
    clock.now += 4
    row.set_progress(25, 100)
    assert row.words == "25／100（25 %）　残り 12 秒"


def test_cancelling_is_said_once_and_shown_until_the_work_has_ended(row, qtbot):
    row.start("書き出しています")
    with qtbot.waitSignal(row.cancelled):
        qtbot.mouseClick(row.cancel_button, Qt.MouseButton.LeftButton)
    assert not row.cancel_button.isEnabled()
    assert row.cancel_button.text() == "取り消しています…"
    row.finish()
    row.start("もう一度")
    assert row.cancel_button.isEnabled()
    assert row.cancel_button.text() == "取り消す"


def test_loading_a_model_tells_the_time_left_beside_the_question(theme, qtbot, clock, monkeypatch):
    line = StageLine(theme)
    qtbot.addWidget(line)
    monkeypatch.setattr(line, "_time_left", TimeLeftText(clock))
    began_at = time.monotonic()
    line.show_stage(AnswerStage("loading", 0.0, began_at))
    assert line.text() == "モデルを読み込んでいます… 0 秒"
    clock.now += 6
    line.show_stage(AnswerStage("loading", 0.5, began_at))
    assert line.text() == "モデルを読み込んでいます… 0 秒　残り 6 秒"
    line.show_stage(AnswerStage("reading", 0.6, began_at))
    assert line.text() == "質問を読んでいます 60 %"


def test_loading_a_model_tells_the_time_left_at_the_foot_of_the_window(theme, qtbot, clock, monkeypatch):
    line = StatusLine(theme)
    qtbot.addWidget(line)
    monkeypatch.setattr(line, "_load_left", TimeLeftText(clock))
    line.show_status(EngineStatus("loading", "小さなモデル", load_fraction=0.25))
    assert line.load_left.isHidden()
    clock.now += 5
    line.show_status(EngineStatus("loading", "小さなモデル", load_fraction=0.5))
    assert line.load_left.text() == "残り 10 秒"
    assert not line.load_left.isHidden()
    line.show_status(EngineStatus("ready", "小さなモデル"))
    assert line.load_left.isHidden()
