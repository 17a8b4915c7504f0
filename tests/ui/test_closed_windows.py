"""What was closed is gone: nothing that lives on speaks to it."""

import pytest
from PySide6.QtWidgets import QApplication

from app.core.errors import AppError
from app.services.events import EngineStatus
from app.ui.dialogs import Dialog
from tests import screenshots


@pytest.mark.parametrize("name", screenshots.SHOTS)
def test_everything_may_change_after_a_window_was_opened_and_closed(
    name: str, qapp: QApplication, tmp_path, quick_pause: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot of a deleted widget raises, which fails the test."""
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    with screenshots.opened(qapp, str(tmp_path), name, "light", "wide") as parts:
        for window in screenshots.other_windows(qapp, parts):
            getattr(window, "reject", window.close)()
        for window in screenshots.other_windows(qapp, parts):
            if isinstance(window, Dialog):  # whether changes may be lost
                window.buttons["leave"].click()
        screenshots.pause()
        details = not parts.preferences.value.shows_details
        parts.preferences.change(theme="dark", text_scale_percent=130, shows_details=details, send_key="ctrl_enter")
        parts.library.changed.emit()
        parts.library.progressed.emit(1, 2)
        parts.library.failed.emit(AppError("file_empty"))
        parts.presets.changed.emit()
        parts.conversations.note_change()
        parts.engine.status_changed.emit(EngineStatus("off"))
        parts.session.new()
        screenshots.pause()
        assert screenshots.other_windows(qapp, parts) == []
