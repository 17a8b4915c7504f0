"""A widget that was closed hears nothing more of what lives on: the theme changes, background work ends."""

import functools

import pytest
import shiboken6
from PySide6.QtWidgets import QWidget

from app.base.services import background
from app.models.ui.fit_views import MemoryBar
from app.training.ui.token_view import TokenView
from app.uikit.theme import Theme
from trainer.events import Preview, PreviewToken


def token_view(theme: Theme) -> QWidget:
    view = TokenView(theme)
    view.show_previews([Preview(1, (PreviewToken(1, "はい", is_trained=True),))])
    return view


@pytest.mark.parametrize("make", [token_view, MemoryBar])
def test_a_theme_that_changes_after_a_widget_was_closed_disturbs_nobody(make, theme, qtbot):
    view = make(theme)
    with qtbot.captureExceptions() as raised:
        theme.changed.emit()  # while it is there
        shiboken6.delete(view)
        theme.changed.emit()
    assert raised == []


def test_work_that_ends_after_its_widget_was_closed_calls_no_partial_of_it(theme, qtbot):
    heard: list[str] = []

    class Panel(QWidget):
        def note(self, words: str, _result: None) -> None:
            self.update()
            heard.append(words)

    gone, there = Panel(), Panel()
    qtbot.addWidget(there)
    for panel, words in ((gone, "gone"), (there, "there")):
        background.run(lambda: None, functools.partial(panel.note, words), lambda _error: None)
    shiboken6.delete(gone)
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == ["there"]
