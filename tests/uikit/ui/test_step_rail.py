"""The rail of steps: done, now, later, in words and shapes as well as in colour."""

import pytest
from PySide6.QtCore import Qt

from app.uikit.widgets.section_bars import StepRail, TabBar

NAMES = ("目的", "データ", "確認")


@pytest.fixture
def rail(theme, qtbot):
    rail = StepRail(theme, NAMES)
    qtbot.addWidget(rail)
    rail.resize(600, 40)
    rail.show()
    rail.show_step(1)
    return rail


def test_each_step_says_where_it_is(rail):
    assert [step.state for step in rail.steps] == ["done", "now", "later"]
    assert [step.accessibleName() for step in rail.steps] == ["1 目的", "2 データ", "3 確認"]
    assert [step.accessibleDescription() for step in rail.steps] == ["済み", "いまの手順", "このあと"]


def test_the_states_look_different_without_colour(rail):
    shapes = {step.grab().toImage().convertToFormat(step.grab().toImage().Format.Format_Mono).bits().tobytes()[:200]
              for step in rail.steps}  # fmt: skip
    assert len(shapes) == 3


def test_a_done_step_can_be_gone_back_to_by_mouse_and_keyboard(rail, qtbot):
    with qtbot.waitSignal(rail.step_chosen) as signal:
        qtbot.mouseClick(rail.steps[0], Qt.MouseButton.LeftButton)
    assert signal.args == [0]
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
        with qtbot.waitSignal(rail.step_chosen) as signal:
            qtbot.keyClick(rail.steps[0], key)
        assert signal.args == [0]


@pytest.mark.parametrize("place", [1, 2])
def test_what_is_not_done_cannot_be_chosen(rail, qtbot, place):
    with qtbot.assertNotEmitted(rail.step_chosen):
        qtbot.mouseClick(rail.steps[place], Qt.MouseButton.LeftButton)
    assert rail.steps[place].focusPolicy() == Qt.FocusPolicy.NoFocus


def test_a_narrow_rail_shows_the_number_and_the_name_of_the_step_that_is_now(rail):
    rail.resize(140, 40)
    assert not any(step.isVisible() for step in rail.steps)
    assert rail._short_label.text() == "2／3　データ"
    rail.resize(600, 40)
    assert all(step.isVisible() for step in rail.steps)
    assert not rail._short_label.isVisible()


def test_larger_text_shortens_the_rail(rail, theme, qapp):
    from app.base.settings import Settings

    rail.resize(rail.sizeHint().width() + 60, 40)
    theme.apply(qapp, Settings(theme="light", text_scale_percent=200))
    assert rail._short_label.isVisible()


def test_a_tab_is_chosen_by_enter(theme, qtbot):
    tabs = TabBar(theme, {"text": "本文", "pages": "ページ"})
    qtbot.addWidget(tabs)
    tabs.show()
    with qtbot.waitSignal(tabs.chosen) as signal:
        qtbot.keyClick(tabs.buttons["pages"], Qt.Key.Key_Return)
    assert signal.args == ["pages"]
