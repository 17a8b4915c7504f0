"""What a start has to say at the foot of the window: one thing, in words, once."""

import pytest
from PySide6.QtWidgets import QPlainTextEdit

from app.base.diagnostics import CLOSED, STARTING, UP, StartRecord
from app.base.errors import AppError
from app.compliance.ui.report_window import ReportWindow
from app.shell.ui.start_notice import apply_safe_mode, safe_mode_dialog, show_notices
from app.uikit.widgets.buttons import Button
from tests.uikit.ui.words import shown


@pytest.fixture
def said(open_window):
    """Shows the notice of a start; gives it with the window and what was asked for."""
    parts = open_window(1000, 700)

    def say(last: StartRecord, *, is_safe: bool = False):
        asked = []
        where = parts.paths
        notice = show_notices(parts.window, where, last, is_safe, lambda: asked.append("restart"))
        return notice, parts, asked

    return say


def press(notice, words: str) -> None:
    (button,) = [one for one in notice.findChildren(Button) if one.text() == words]
    button.click()


def test_the_weightiest_thing_is_said_and_nothing_of_an_ordinary_start(said):
    for last, is_safe, words in (
        (StartRecord(CLOSED), False, ""),
        (StartRecord(), False, ""),  # the very first one
        (StartRecord(STARTING, 1), True, "起動に 2 回続けて"),
        (StartRecord(STARTING, 4), True, "起動に 5 回続けて"),
        (StartRecord(CLOSED), True, "セーフモードで開いています。"),
        (StartRecord(UP), False, "Kotae は前回、正しく終了しませんでした。"),
        (StartRecord(UP), True, "セーフモードで開いています。"),
    ):
        notice, _, _ = said(last, is_safe=is_safe)
        assert notice.isHidden() == (not words), last
        if words:
            assert words in notice.banner.accessibleName()
            notice.banner.dismiss()


def test_it_goes_when_it_is_closed(said):
    notice, _, _ = said(StartRecord(UP))
    notice.banner.dismiss()
    assert notice.isHidden()


def test_safe_mode_offers_a_usual_start_the_report_and_what_to_try(said, qtbot):
    notice, parts, asked = said(StartRecord(STARTING, 1), is_safe=True)
    press(notice, "ふつうに起動し直す")
    assert asked == ["restart"]
    press(notice, "報告を作る…")
    (report,) = parts.window.findChildren(ReportWindow)
    qtbot.waitUntil(lambda: report.save_button.isEnabled())
    report.close()
    press(notice, "詳細…")
    assert not notice.isHidden()


@pytest.mark.parametrize("code", ["conversations_damage_found", "documents_damage_found"])
def test_damage_found_later_takes_the_place_of_a_notice_and_offers_a_restart(said, code):
    notice, parts, asked = said(StartRecord(UP))
    notice.tell_damage(AppError(code, path=str(parts.paths.data)))
    assert not notice.isHidden()
    assert "破損が見つかりました" in notice.banner.accessibleName()
    press(notice, "起動し直す")
    assert asked == ["restart"]


def test_what_to_try_names_the_places_as_text(open_window, where):
    parts = open_window(800, 600)
    dialog = safe_mode_dialog(parts.theme, where, parts.window)
    dialog.open()
    words = "\n".join(shown(dialog))
    for text in (str(where.models), str(where.database), str(where.backups), "ふつうに起動し直す", "止めているもの"):
        assert text in words
    dialog.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (800, 600)])
def test_what_to_try_is_read_without_a_peephole(open_window, where, width, height):
    parts = open_window(width, height)
    dialog = safe_mode_dialog(parts.theme, where, parts.window)
    dialog.open()
    text = dialog.findChild(QPlainTextEdit)
    lines = text.height() / text.fontMetrics().lineSpacing()
    assert lines >= 16
    assert dialog.height() <= height
    dialog.close()


def test_safe_mode_leaves_the_place_of_the_window_alone(open_window, where):
    file = where.data / "window.json"
    open_window(900, 650).window.close()
    before = file.read_bytes()
    parts = open_window(700, 500)
    apply_safe_mode(parts.window, parts.preload, parts.offers)
    parts.window.sidebar.conversations.folded = frozenset({1})
    parts.window.close()
    assert file.read_bytes() == before
