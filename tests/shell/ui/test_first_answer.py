"""The first question with nothing prepared: the trial model, and Kotae's own manual."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base import paths
from app.base.wording import phrase
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript.answer_view import AnswerView
from app.chat.ui.transcript.sources_footer import SourceRow
from app.inference.local_model import LocalModel
from app.uikit.widgets.labels import Label
from tests.uikit.ui import clipping

TIMEOUT_MS = 60_000


@pytest.fixture
def page(open_window: Callable[..., AppContext], store: Store, starter_model: Path, qtbot: QtBot) -> ChatPage:
    size = starter_model.stat().st_size
    store.put_local_model(
        LocalModel("trial", "お試し", str(starter_model), size, "gemma3", "Q4_K_M", 32768, 1.0, "gemma-3-270m", "gemma")
    )
    parts = open_window()
    with qtbot.waitSignal(parts.documents.opened, timeout=TIMEOUT_MS):
        parts.documents.open()
    with qtbot.waitSignal(parts.documents.queue.emptied, timeout=TIMEOUT_MS):
        parts.documents.provide_manual(paths.resources() / "manual" / "manual.ja.md", "Kotae の使い方")
    qtbot.waitUntil(lambda: len(parts.session.scope) == 1, timeout=TIMEOUT_MS)
    page = parts.window.page("ask")
    assert isinstance(page, ChatPage)
    return page


def ask(page: ChatPage, qtbot: QtBot) -> AnswerView:
    with qtbot.waitSignal(page._session.answer_finished, timeout=TIMEOUT_MS):
        QTest.keyClick(page.composer.editor, Qt.Key.Key_Return)
    view = page.transcript.view_of(page.transcript.messages[-1].id)
    assert isinstance(view, AnswerView)
    return view


def test_the_example_is_answered_from_the_manual_with_sources(page: ChatPage, qtbot: QtBot) -> None:
    page.empty.manual_button.click()
    view = ask(page, qtbot)
    (excerpts,) = [one for one in view.findChildren(Label) if one.text() == phrase("chat.excerpts")]
    qtbot.waitUntil(excerpts.isVisible)
    assert view.height() == view.fit(view.width())
    assert clipping.clipped(view) == []
    rows = [row for row in view.findChildren(SourceRow) if row.isVisible()]
    assert rows
    assert all(row.height() == row.sizeHint().height() for row in rows)
    assert "モデル" in view.text.plain_text()
    assert view.sources[0] == 1
    QTest.keyClick(view.text, Qt.Key.Key_1)
    assert page.panel.isVisible()
    assert page.panel.path.text().startswith("Kotae の使い方")
    sidebar = page.window().sidebar.list
    sidebar.setFocus()
    assert sidebar.hasFocus()
    QTest.keyClick(sidebar, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert not page.panel.isVisible()
    sidebar.setFocus()
    QTest.keyClick(sidebar, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    assert page.panel.isVisible()
    marked = page.panel.text.sheet.text.extraSelections()
    assert marked
    assert all(len(one.cursor.selectedText()) > 8 for one in marked)


def test_what_the_manual_does_not_have_is_said_to_be_missing(page: ChatPage, qtbot: QtBot) -> None:
    page.composer.set_text("航空法で定める無人航空機の飛行高度の上限は何メートルですか。")
    view = ask(page, qtbot)
    assert not view.text.isVisible()
    assert "資料にありません" in [label.text() for label in view.findChildren(type(page.panel.title))]
