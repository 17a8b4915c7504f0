"""What scrolls is as high as was asked, at each text size; in a dialog as far as the window has room."""

from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QApplication, QListView, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.settings import Settings
from app.chat import presets
from app.chat.ui import preset_section
from app.chat.ui.preset_section import LIST_PX
from app.shell.ui.start_notice import TEXT_PX, safe_mode_dialog
from app.uikit.dialogs import DETAILS_PX, BugReporter, Dialog
from app.uikit.theme import Theme
from app.uikit.untrusted_text import ADDRESS_PX, ask_to_open_link
from app.uikit.widgets.fields import TextField

OpenParts = Callable[[int, int, int], AppContext]


def of_a_bug(parts: AppContext) -> Dialog | None:
    error = ValueError("x" * 300)
    return BugReporter(parts.theme, parts.window, lambda: None).report(ValueError, error, None)


def of_a_link(parts: AppContext) -> Dialog | None:
    return ask_to_open_link(parts.theme, f"https://example.com/{'a' * 200}", lambda _: None, parts.window)


def of_refused_presets(parts: AppContext) -> Dialog:
    return preset_section.preset_import_dialog(parts.theme, 3, [AppError("cancelled")] * 30, parts.window)


def of_presets_to_export(parts: AppContext) -> Dialog:
    return preset_section.PresetExportDialog(parts.theme, list(presets.built_in_presets()) * 10, [], parts.window)


def of_safe_mode(parts: AppContext) -> Dialog:
    return safe_mode_dialog(parts.theme, parts.paths, parts.window)


DIALOGS = {
    of_a_bug: DETAILS_PX,
    of_a_link: ADDRESS_PX,
    of_refused_presets: LIST_PX,
    of_presets_to_export: LIST_PX,
    of_safe_mode: TEXT_PX,
}


@pytest.fixture
def open_parts(open_window: Callable[..., AppContext], qapp: QApplication) -> OpenParts:
    def open_(width: int, height: int, percent: int) -> AppContext:
        parts = open_window(width, height)
        parts.theme.apply(qapp, Settings(theme="light", text_scale_percent=percent))
        parts.window.resize(width, height)
        return parts

    return open_


def shown(make: Callable[[AppContext], Dialog | None], parts: AppContext) -> tuple[Dialog, QWidget]:
    """The dialog, laid out, and what scrolls in it."""
    dialog = make(parts)
    assert dialog is not None
    dialog.show()
    inner = dialog.findChild(QPlainTextEdit) or dialog.findChild(QListView)
    assert inner is not None
    return dialog, inner


@pytest.mark.parametrize("percent", [100, 200])
def test_a_box_in_a_dialog_is_as_high_as_was_asked(open_parts: OpenParts, percent: int) -> None:
    parts = open_parts(1280, 1300, percent)
    for make, asked_px in DIALOGS.items():
        dialog, inner = shown(make, parts)
        assert inner.height() == parts.theme.px(asked_px), make.__name__
        dialog.close()


@pytest.mark.parametrize("percent", [100, 200])
def test_a_dialog_is_no_higher_than_a_low_window(open_parts: OpenParts, percent: int) -> None:
    parts = open_parts(800, 600, percent)
    for make in DIALOGS:
        dialog, _ = shown(make, parts)
        assert dialog.height() <= parts.window.height(), make.__name__
        dialog.close()


@pytest.mark.parametrize("percent", [100, 200])
def test_a_field_of_several_lines_keeps_its_height_when_the_text_size_changes(
    theme: Theme, qapp: QApplication, qtbot: QtBot, percent: int
) -> None:
    field = TextField(theme, "指示", 116)
    qtbot.addWidget(field)
    field.show()
    theme.apply(qapp, Settings(theme="light", text_scale_percent=percent))
    assert (field.minimumHeight(), field.height()) == (theme.px(116), theme.px(116))
