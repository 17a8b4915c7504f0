"""A number that may be left open: nothing below its least can be typed or stepped to."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.uikit.widgets.fields import AutoSpin

KEY = Qt.Key
TOKENS = ((16, 8192), 64, " トークン", "512 トークン", 512)
QUESTIONS = ((1, 100_000), 10, " 問", "すべて", None)
TIMES = ((1, 100), 1, " 回", "1 回", 1)
Field = tuple[tuple[int, int], int, str, str, int | None]


def shown(qtbot: QtBot, field: Field) -> AutoSpin:
    limits, step, unit, words, number = field
    spin = AutoSpin(*limits, step, 0, unit, lambda _value: None)
    spin.show_auto(words, number)
    spin.show_number(None)
    qtbot.addWidget(spin)
    spin.show()
    spin.setFocus()
    return spin


@pytest.mark.parametrize(
    ("field", "first", "keys", "text", "number"),
    [
        (QUESTIONS, 3, "-5", "5 問", 5),
        (QUESTIONS, 3, "0", "1 問", 1),
        (TOKENS, None, "0", "16 トークン", 16),
        (TOKENS, None, "15", "16 トークン", 16),
        (TOKENS, None, "5120", "5,120 トークン", 5120),
        (TIMES, 3, "1", "1 回", None),
        (TIMES, None, "15", "15 回", 15),
        (TIMES, 3, "15", "15 回", 15),
    ],
)
def test_what_is_typed_counts_and_is_never_below_the_least(
    qtbot: QtBot, field: Field, first: int | None, keys: str, text: str, number: int | None
) -> None:
    spin = shown(qtbot, field)
    spin.show_number(first)
    spin.selectAll()
    QTest.keyClicks(spin, keys)
    QTest.keyClick(spin, KEY.Key_Return)
    assert (spin.text().replace(",", ""), spin.number()) == (text.replace(",", ""), number)


def test_a_digit_behind_a_number_that_stands_for_nothing_chosen_is_added_to_it(qtbot: QtBot) -> None:
    spin = shown(qtbot, TIMES)
    spin.lineEdit().setCursorPosition(1)
    QTest.keyClicks(spin, "5")
    QTest.keyClick(spin, KEY.Key_Return)
    assert spin.number() == 15


@pytest.mark.parametrize(
    ("field", "first", "seen"),
    [
        (TOKENS, 48, ["16 トークン", "512 トークン", "448 トークン"]),
        (QUESTIONS, 3, ["1 問", "すべて", "すべて"]),
        (TIMES, 2, ["1 回", "1 回"]),
    ],
)
def test_steps_lead_down_to_the_least_and_then_to_nothing_chosen(
    qtbot: QtBot, field: Field, first: int, seen: list[str]
) -> None:
    spin = shown(qtbot, field)
    spin.show_number(first)
    for text in seen:
        QTest.keyClick(spin, KEY.Key_Down)
        assert spin.text() == text
