"""The check that nothing is sent, as it is started and read in the window; and what stops the network."""

import json
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel

from app.base.isolation import network_guard
from app.compliance.offline_check.records import CheckOutcome
from app.compliance.ui import offline_panel as panels
from tests.compliance import check_results
from tests.forked_program import ROOT

LEFT = Qt.MouseButton.LeftButton
LIMIT_MS = 300_000


def words(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


@pytest.fixture
def parts(open_window):
    return open_window()


@pytest.fixture
def network(parts):
    parts.window.show_settings("network")
    return parts.window.page("settings").section("network")


def focused():
    return QApplication.focusWidget()


def press(qtbot, key):
    """To whatever has the focus, as a keyboard does."""
    qtbot.keyClick(focused(), key)


def test_the_check_is_started_keeps_the_keyboard_to_its_end_and_its_page_is_opened(network, qtbot, monkeypatch):
    opened = []
    monkeypatch.setattr(panels, "open_file", opened.append)
    monkeypatch.setattr(panels, "open_folder", opened.append)
    shown = network.check
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shown._check._child.use_command([sys.executable, check_results.__file__])
    assert not shown.report_button.isVisible()
    shown.button.setFocus()
    press(qtbot, Qt.Key.Key_Return)
    assert focused() is shown.progress.cancel_button
    assert not shown.button.isVisible()
    with qtbot.waitSignal(shown._check.finished, timeout=LIMIT_MS):
        press(qtbot, Qt.Key.Key_Shift)
    assert focused() is shown.button
    assert "送信は" in words(shown.banner)
    assert not shown.progress.isVisible()
    qtbot.mouseClick(shown.report_button, LEFT)
    qtbot.mouseClick(shown.folder_button, LEFT)
    assert opened == [shown._check.report_path, shown._check.report_path.parent]
    assert opened[0].is_file()


def test_a_check_can_be_started_and_cancelled_by_mouse(network, qtbot):
    shown = network.check
    with qtbot.waitSignal(shown._check.stage_changed, timeout=LIMIT_MS):
        qtbot.mouseClick(shown.button, LEFT)
        assert shown.progress.isVisible()
    with qtbot.waitSignal(shown._check.cancelled, timeout=LIMIT_MS):
        qtbot.mouseClick(shown.progress.cancel_button, LEFT)
    assert shown.button.isVisible()
    assert not shown.banner.isVisible()


def test_the_keyboard_stays_with_the_check_when_it_is_cancelled(network, qtbot):
    shown = network.check
    shown.button.setFocus()
    press(qtbot, Qt.Key.Key_Space)
    with qtbot.waitSignal(shown._check.cancelled, timeout=LIMIT_MS):
        press(qtbot, Qt.Key.Key_Space)
        assert focused() is shown.progress
        press(qtbot, Qt.Key.Key_Down)
        assert focused() is shown.progress
    assert focused() is shown.button


def test_who_has_gone_on_to_another_setting_is_not_called_back(network, qtbot):
    shown = network.check
    shown.button.setFocus()
    press(qtbot, Qt.Key.Key_Return)
    network.block.setFocus()
    shown._check.cancel()
    qtbot.waitUntil(shown.button.isVisible, timeout=LIMIT_MS)
    assert focused() is network.block


@pytest.mark.parametrize(
    ("verdict", "level"),
    [("clean", "success"), ("limited", "success"), ("incomplete", "warning"), ("leak", "danger")],
)
def test_the_outcome_has_its_colour(network, verdict, level):
    network.check.show_outcome(CheckOutcome(verdict, "見出し", "説明", str(network.check._check.report_path)))
    assert network.check.banner.property("surface") == level
    assert "見出し\n説明" in words(network.check.banner)


def test_the_foot_of_the_sidebar_leads_to_it_by_mouse_and_by_keyboard(parts, qtbot):
    traffic = parts.window.sidebar.traffic
    assert "確かめられます" in traffic.toolTip()
    qtbot.mouseClick(traffic, LEFT)
    assert parts.window.current_page == "settings"
    parts.window.show_page("ask")
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Space):
        traffic.setFocus()
        qtbot.keyClick(traffic, key)
        assert parts.window.current_page == "settings"
        assert parts.window.page("settings").section("network").check.button.isVisible()
        parts.window.show_page("ask")


def test_stopping_says_what_the_kernel_does_and_when(network, qtbot):
    """This process is not under the filter: it cannot be taken off again."""
    network.block.click()
    kernel = "次に Kotae を開いたときからは、OS のカーネルも止めます。"
    expected = kernel if network_guard.is_filter_supported() else "OS のカーネルでは止められません"
    assert f"✓ Kotae が、すべての通信を断ります。{expected}" in words(network)
    network.block.click()
    assert "カーネル" not in words(network._block_row._note)
    assert not network._block_row._note.isVisible()


def test_what_an_administrator_has_stopped_is_locked_and_says_so(open_window, where, qtbot):
    (where.data / "policy.toml").write_text('network = "never"\n', "utf-8")
    parts = open_window()
    parts.window.show_settings("network")
    network = parts.window.page("settings").section("network")
    assert network.block.isChecked()
    assert not network.block.isEnabled()
    assert f"管理者が止めています。ここでは変えられません（{where.data / 'policy.toml'}）" in words(network)
    parts.preferences.change(network_allowed=True, theme="dark")
    assert not parts.preferences.value.network_allowed
    assert json.loads(where.settings.read_text("utf-8"))["network_allowed"] is True  # the user's own choice is kept
