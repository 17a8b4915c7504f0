"""良い, 悪い: given in an answer's menu, shown below it, taken back by choosing it again."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QMenu
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.answer_ratings import BAD, GOOD, UNRATED
from app.chat.records import AnswerDetails, Message
from app.chat.services import open_conversation
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript.answer_actions import AnswerActions
from app.chat.ui.transcript.answer_view import AnswerView
from app.chat.ui.transcript.rating_controller import CorrectionEditor
from app.documents.grounding.grounding_record import Grounding
from app.documents.services.document_library import DocumentLibrary
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.labels import IconLabel

TEXT = "年に一度です。[1]"


class Scene:
    """The real page over a real store; no model is needed, the answers are there."""

    def __init__(self, theme: Theme, where: Paths, store: Store, qtbot: QtBot) -> None:
        self.store = store
        self.qtbot = qtbot
        engine = EngineClient([], where.logs / "engine.log")  # never started
        library, preferences = ModelLibrary(store, where.models), Preferences(where.settings)
        conversations, presets = Conversations(store), PresetLibrary(store)
        self.session = ChatSession(
            store, conversations, presets, engine, library, preferences, child_commands.template(), where.documents
        )
        documents = DocumentLibrary(where.documents, [], where.logs)  # never opened
        self.page = ChatPage(theme, Navigation(), self.session, conversations, presets, library, preferences, documents)
        qtbot.addWidget(self.page)
        self.page.resize(1000, 700)
        self.page.show()
        qtbot.waitExposed(self.page)

    def open(self, *, text: str = TEXT, status: str = "done", is_temporary: bool = False) -> int:
        """A conversation with one answer; gives the answer's id."""
        if is_temporary:
            self.session.new(is_temporary=True)
        store, details = self.session._store, AnswerDetails("m", grounding=Grounding())
        answer = store.add_answer(store.add_question("点検は？").id, details)
        store.finish_answer(answer.id, text, status, details)
        if is_temporary:
            self.session._show(answer.conversation_id)
        else:
            self.session.open(answer.conversation_id)
        return answer.id

    def stored(self, answer_id: int) -> tuple[int, str]:
        answer = self.session._store.message(answer_id)
        return answer.rating, answer.correction

    def row(self, answer_id: int) -> AnswerActions:
        view = self.page.transcript.view_of(answer_id)
        assert isinstance(view, AnswerView)
        assert view._end is not None
        return view._end.row

    def entries(self, answer_id: int) -> dict[str, QAction]:
        return {action.text(): action for action in self.row(answer_id).menu().actions()}

    def choose(self, answer_id: int, words: str) -> None:
        self.entries(answer_id)[words].trigger()

    def mark(self, answer_id: int) -> str:
        mark = self.row(answer_id)._rating
        icons = [icon for icon in mark.findChildren(IconLabel) if not icon.isHidden()]
        words = [label.text() for label in mark.findChildren(QLabel) if label.text()]
        assert mark.isHidden() or len(icons) == len(words) == 1, "a word and a sign, not a colour"
        return "" if mark.isHidden() else words[0]

    def editor(self) -> CorrectionEditor:
        (found,) = self.page.findChildren(CorrectionEditor)
        return found


@pytest.fixture
def scene(theme: Theme, where: Paths, store: Store, qtbot: QtBot) -> Iterator[Scene]:
    scene = Scene(theme, where, store, qtbot)
    yield scene
    scene.session.close()


def test_a_good_answer_is_marked_and_stored_and_chosen_again_it_is_neither(scene: Scene) -> None:
    answer_id = scene.open()
    assert scene.mark(answer_id) == ""
    scene.choose(answer_id, "良い")
    assert (scene.mark(answer_id), scene.stored(answer_id)) == ("良い", (GOOD, ""))
    assert scene.entries(answer_id)["良い"].isChecked()
    assert not scene.entries(answer_id)["悪い"].isChecked()
    scene.choose(answer_id, "良い")
    assert (scene.mark(answer_id), scene.stored(answer_id)) == ("", (UNRATED, ""))


def test_a_bad_answer_is_marked_when_the_editor_is_saved_and_not_before(scene: Scene) -> None:
    answer_id = scene.open()
    scene.choose(answer_id, "悪い")
    editor = scene.editor()
    assert editor.text.toPlainText() == "年に一度です。", "the answer without the marks of its sources"
    assert scene.stored(answer_id) == (UNRATED, "")
    editor.save_button.click()
    assert (scene.mark(answer_id), scene.stored(answer_id)) == ("悪い", (BAD, ""))


def test_what_is_written_in_the_editor_is_the_correction(scene: Scene) -> None:
    answer_id = scene.open()
    scene.choose(answer_id, "悪い")
    scene.editor().text.setPlainText("年に二度です。")
    scene.editor().save_button.click()
    assert (scene.mark(answer_id), scene.stored(answer_id)) == ("悪い（訂正あり）", (BAD, "年に二度です。"))


def test_the_editor_that_is_cancelled_changes_nothing(scene: Scene) -> None:
    answer_id = scene.open()
    scene.choose(answer_id, "良い")
    scene.choose(answer_id, "悪い")
    scene.editor().cancel_button.click()
    assert (scene.mark(answer_id), scene.stored(answer_id)) == ("良い", (GOOD, ""))


def test_leaving_the_editor_with_a_correction_asks_first(scene: Scene) -> None:
    answer_id = scene.open()
    scene.choose(answer_id, "悪い")
    editor = scene.editor()
    scene.qtbot.keyClicks(editor.text, "2")
    scene.qtbot.keyClick(editor.text, Qt.Key.Key_Escape)
    (asked,) = editor.findChildren(type(editor.leave_dialog()), options=Qt.FindChildOption.FindDirectChildrenOnly)[:1]
    assert editor.isVisible()
    asked.buttons["cancel"].click()
    assert editor.text.toPlainText() == "2年に一度です。"


def test_a_bad_rating_chosen_again_is_taken_back_and_its_correction_comes_back_with_it(scene: Scene) -> None:
    answer_id = scene.open()
    scene.session.rate(answer_id, BAD, "年に二度です。")
    scene.choose(answer_id, "悪い")
    assert scene.mark(answer_id) == ""
    assert scene.stored(answer_id)[0] == UNRATED
    assert "正しい回答を書く…" not in scene.entries(answer_id)
    scene.choose(answer_id, "悪い")
    assert scene.editor().text.toPlainText() == "年に二度です。"


def test_the_correction_of_a_bad_answer_can_be_written_later(scene: Scene) -> None:
    answer_id = scene.open()
    scene.session.rate(answer_id, BAD)
    scene.choose(answer_id, "正しい回答を書く…")
    scene.editor().text.setPlainText("年に二度です。")
    scene.editor().save_button.click()
    assert scene.stored(answer_id) == (BAD, "年に二度です。")


def test_the_mark_is_there_when_the_conversation_is_opened_and_the_answer_is_shown_anew(scene: Scene) -> None:
    answer_id = scene.open()
    scene.session.rate(answer_id, GOOD)
    scene.page._preferences.change(shows_details=True)
    assert scene.mark(answer_id) == "良い"
    other = scene.open()
    assert scene.mark(other) == ""
    scene.session.open(scene.store.message(answer_id).conversation_id)
    assert scene.mark(answer_id) == "良い"


def test_a_rating_is_said_by_screen_readers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("app.chat.ui.transcript.rating_controller.announce", lambda _widget, words: said.append(words))
    answer_id = scene.open()
    scene.choose(answer_id, "良い")
    assert scene.row(answer_id)._more.accessibleDescription().startswith("良い")
    scene.choose(answer_id, "良い")
    assert said == ["良い", "評価を取り消しました"]


def test_by_the_keyboard_alone_an_answer_is_rated_and_the_keyboard_stays(scene: Scene) -> None:
    answer_id = scene.open()
    more = scene.row(answer_id)._more
    more.setFocus()
    scene.qtbot.keyClick(more, Qt.Key.Key_Return)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    while menu.activeAction() is None or menu.activeAction().text() != "良い":
        scene.qtbot.keyClick(menu, Qt.Key.Key_Down)
    scene.qtbot.keyClick(menu, Qt.Key.Key_Return)
    assert scene.stored(answer_id) == (GOOD, "")
    assert scene.row(answer_id)._more is more
    assert more.hasFocus()


@pytest.mark.parametrize("status", ["stopped", "failed"])
def test_an_answer_without_text_cannot_be_rated(scene: Scene, status: str) -> None:
    entries = scene.entries(scene.open(text="", status=status))
    assert "良い" not in entries
    assert "悪い" not in entries


def test_a_temporary_answer_is_rated_in_memory_and_keeps_it_when_it_is_kept(scene: Scene) -> None:
    answer_id = scene.open(is_temporary=True)
    scene.choose(answer_id, "悪い")
    scene.editor().text.setPlainText("年に二度です。")
    scene.editor().save_button.click()
    assert scene.stored(answer_id) == (BAD, "年に二度です。")
    assert scene.store.conversations() == []
    scene.session.keep_temporary()
    (kept,) = [message for message in scene.store.thread(scene.store.conversations()[0].id) if message.rating]
    assert (kept.rating, kept.correction) == (BAD, "年に二度です。")


def test_a_rating_that_could_not_be_stored_is_not_shown_and_the_editor_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Message:
        raise AppError("disk_full", path="/")

    answer_id = scene.open()
    monkeypatch.setattr(open_conversation.answer_ratings, "rate", full)
    scene.choose(answer_id, "悪い")
    scene.editor().text.setPlainText("年に二度です。")
    with scene.qtbot.waitSignal(scene.session.problem_occurred):
        scene.editor().save_button.click()
    assert scene.editor().isVisible()
    assert scene.editor().problem.text() == "保存できませんでした。"
    assert scene.mark(answer_id) == ""


def test_a_correction_without_end_is_refused_in_words(scene: Scene) -> None:
    scene.choose(scene.open(), "悪い")
    scene.editor().text.setPlainText("長" * 100_001)
    scene.editor().save_button.click()
    assert scene.editor().problem.text() == "文が長すぎます（100,001 文字。100,000 文字まで）。"
