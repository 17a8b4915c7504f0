"""The report is shown whole before it is saved, and saved as it was shown."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from app.compliance.ui.report_window import ReportWindow
from app.uikit.desktop import Pickers

SECRET = "猫柳の橋の点検はいつですか"


@pytest.fixture
def open_report(open_window, store, qtbot):
    """The window of the report, composed; `target`: what the user chooses as its place."""
    store.add_question(SECRET)
    parts = open_window(900, 700)

    def open_(target: str = "") -> ReportWindow:
        where = parts.paths
        window = ReportWindow(parts.theme, where, (), parts.window, Pickers(save=lambda *_: target))
        window.show()
        assert not window.save_button.isEnabled()
        qtbot.waitUntil(lambda: window.save_button.isEnabled())
        return window

    return open_


def test_what_is_shown_is_what_is_saved(open_report, tmp_path):
    target = tmp_path / "報告.txt"
    window = open_report(str(target))
    assert SECRET not in window.text.toPlainText()
    window.save_button.click()
    assert target.read_text("utf-8") == window.text.toPlainText()
    assert "保存しました。送信はしていません。" in window.banner.accessibleName()
    assert window.text.isReadOnly()


def test_nothing_is_written_where_the_user_chooses_no_place(open_report, tmp_path):
    before = sorted(tmp_path.rglob("*.txt"))
    window = open_report("")
    window.save_button.click()
    assert not window.banner.isVisible()
    assert sorted(tmp_path.rglob("*.txt")) == before


def test_a_place_that_cannot_be_written_is_said(open_report, tmp_path):
    window = open_report(str(tmp_path / "no" / "folder" / "x.txt"))
    window.save_button.click()
    assert window.banner.property("surface") == "danger"
    assert window.banner.accessibleName()
    assert window.save_button.isEnabled()


def test_it_can_be_copied(open_report):
    window = open_report()
    window.copy_button.click()
    assert QApplication.clipboard().text() == window.text.toPlainText()


def test_one_that_is_closed_while_it_is_composed_harms_nobody(open_window, qtbot):
    parts = open_window()
    window = ReportWindow(parts.theme, parts.paths, (), parts.window)
    window.show()
    with qtbot.waitSignal(window.destroyed):
        window.close()


def test_it_fits_a_small_window(open_window, qtbot):
    parts = open_window(560, 420)
    window = ReportWindow(parts.theme, parts.paths, (), parts.window)
    window.show()
    qtbot.waitUntil(lambda: window.save_button.isEnabled())
    assert Path(window.windowTitle()).name == "報告用のファイル"
    assert window.width() <= 560
    assert window.height() <= 420
