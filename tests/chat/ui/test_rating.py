"""良い, 悪い: given in an answer's menu, shown below it, taken back by choosing it again."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.base.wording import phrase
from app.chat.answer_ratings import BAD, GOOD, UNRATED
from app.chat.records import AnswerDetails
from app.chat.services import open_conversation
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript.answer_actions import AnswerActions
from app.chat.ui.transcript.rating_controller import CorrectionEditor
from app.documents.grounding.grounding_record import Grounding
from app.uikit.dialogs import Dialog
from app.uikit.widgets.labels import IconLabel
from tests.chat.driver import fill_disk
from tests.chat.ui.driver import entries, press
from tests.scene import Scene

TEXT = "年に一度です。[1]"
CORRECTION = "年に二度です。"


class Rated:
    """A conversation with one answer on the page; no model is needed."""

    def __init__(self, page: ChatPage, scene: Scene) -> None:
        self.page, self.session, self.store = page, scene.session, scene.store

    def open(self, text: str = TEXT, status: str = "done", *, is_temporary: bool = False) -> None:
        if is_temporary:
            self.session.open_new(is_temporary=True)
        store, details = self.session._store, AnswerDetails("m", grounding=Grounding())
        answer = store.add_answer(store.add_question("点検は？").id, details)
        store.finish_answer(answer.id, text, status, details)
        (self.session._show_conversation if is_temporary else self.session.open)(answer.conversation_id)
        self.id = answer.id

    def stored(self) -> tuple[int, str]:
        answer = self.session._store.message(self.id)
        return answer.rating, answer.correction

    def row(self) -> AnswerActions:
        return self.page.transcript.view_of(self.id)._end.row

    def entries(self) -> dict[str, QAction]:
        return entries(self.row().menu())

    def choose(self, words: str) -> None:
        self.entries()[words].trigger()

    def mark(self) -> str:
        mark = self.row()._rating
        icons = [icon for icon in mark.findChildren(IconLabel) if not icon.isHidden()]
        words = [label.text() for label in mark.findChildren(QLabel) if label.text()]
        assert mark.isHidden() or len(icons) == len(words) == 1, "a word and a sign, not a colour"
        return "" if mark.isHidden() else words[0]

    def editor(self) -> CorrectionEditor:
        (shown,) = [editor for editor in self.page.findChildren(CorrectionEditor) if editor.isVisible()]
        return shown

    def save(self, text: str) -> None:
        self.editor().text.setPlainText(text)
        self.editor().save_button.click()


@pytest.fixture
def rated(page: ChatPage, scene: Scene) -> Rated:
    rated = Rated(page, scene)
    rated.open()
    return rated


def test_a_good_answer_is_marked_and_stored_and_chosen_again_it_is_neither(
    rated: Rated, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("app.chat.ui.transcript.rating_controller.announce", lambda _widget, words: said.append(words))
    assert rated.mark() == ""
    rated.choose("良い")
    assert (rated.mark(), rated.stored()) == ("良い", (GOOD, ""))
    assert [rated.entries()[name].isChecked() for name in ("良い", "悪い")] == [True, False]
    assert rated.row()._more_button.accessibleDescription().startswith("良い")
    rated.choose("悪い")
    rated.editor().cancel_button.click()
    assert (rated.mark(), rated.stored()) == ("良い", (GOOD, ""))
    rated.choose("良い")
    assert (rated.mark(), rated.stored()) == ("", (UNRATED, ""))
    assert said == ["良い", "評価を取り消しました"]


def test_a_bad_answer_is_marked_when_the_editor_is_saved_and_not_before(rated: Rated) -> None:
    rated.choose("悪い")
    assert rated.editor().text.toPlainText() == "年に一度です。", "the answer without the marks of its sources"
    assert rated.stored() == (UNRATED, "")
    rated.editor().save_button.click()
    assert (rated.mark(), rated.stored()) == ("悪い", (BAD, ""))
    rated.choose("正しい回答を書く…")
    rated.save(CORRECTION)
    assert (rated.mark(), rated.stored()) == ("悪い（訂正あり）", (BAD, CORRECTION))
    rated.choose("悪い")
    assert (rated.mark(), rated.stored()[0]) == ("", UNRATED)
    assert "正しい回答を書く…" not in rated.entries()
    rated.choose("悪い")
    assert rated.editor().text.toPlainText() == CORRECTION, "it comes back with the rating"


def test_leaving_the_editor_with_a_correction_asks_first(rated: Rated, qtbot: QtBot) -> None:
    rated.choose("悪い")
    editor = rated.editor()
    qtbot.keyClicks(editor.text, "2")
    press(editor.text, Qt.Key.Key_Escape)
    (asked,) = editor.findChildren(Dialog, options=Qt.FindChildOption.FindDirectChildrenOnly)
    assert editor.isVisible()
    asked.buttons["cancel"].click()
    assert editor.text.toPlainText() == "2年に一度です。"


def test_the_mark_is_there_when_the_conversation_is_opened_and_the_answer_is_shown_anew(rated: Rated) -> None:
    first = rated.id
    rated.session.rate(first, GOOD)
    rated.page._preferences.change(shows_details=True)
    assert rated.mark() == "良い"
    rated.open()
    assert rated.mark() == ""
    rated.id = first
    rated.session.open(rated.store.message(first).conversation_id)
    assert rated.mark() == "良い"


def test_by_the_keyboard_alone_an_answer_is_rated_and_the_keyboard_stays(rated: Rated) -> None:
    more = rated.row()._more_button
    more.setFocus()
    press(more, Qt.Key.Key_Return)
    menu = QApplication.activePopupWidget()
    while menu.activeAction() is None or menu.activeAction().text() != "良い":
        press(menu, Qt.Key.Key_Down)
    press(menu, Qt.Key.Key_Return)
    assert rated.stored() == (GOOD, "")
    assert rated.row()._more_button is more
    assert more.hasFocus()


def test_an_answer_without_text_cannot_be_rated(rated: Rated) -> None:
    for status in ("stopped", "failed"):
        rated.open("", status)
        assert not {"良い", "悪い"} & set(rated.entries())


def test_a_temporary_answer_is_rated_in_memory_and_keeps_it_when_it_is_kept(page: ChatPage, scene: Scene) -> None:
    rated = Rated(page, scene)
    rated.open(is_temporary=True)
    rated.choose("悪い")
    rated.save(CORRECTION)
    assert rated.stored() == (BAD, CORRECTION)
    assert rated.store.conversations() == []
    rated.session.keep_temporary()
    (kept,) = [message for message in rated.store.thread(rated.store.conversations()[0].id) if message.rating]
    assert (kept.rating, kept.correction) == (BAD, CORRECTION)


def test_a_rating_that_could_not_be_stored_is_not_shown_and_the_editor_stays(
    rated: Rated, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    rated.choose("悪い")
    rated.save("長" * 100_001)
    assert rated.editor().problem.text() == "文が長すぎます（100,001 文字。100,000 文字まで）。"
    fill_disk(monkeypatch, open_conversation.answer_ratings, "rate")
    with qtbot.waitSignal(rated.session.problem_occurred):
        rated.save(CORRECTION)
    assert rated.editor().isVisible()
    assert rated.editor().problem.text() == phrase("chat.it_could_not_be_saved")
    assert rated.mark() == ""
