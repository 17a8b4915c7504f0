"""Finding words in the open conversation: in rows with and without a widget, by keyboard, with marks in the text."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication, QTextEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.settings import Settings
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript import rows_view
from app.chat.ui.transcript.find_controller import FindBar, FindController
from app.chat.ui.transcript.transcript import Transcript
from app.inference.services.events import AnswerStage
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from tests.uikit.ui.words import marked

DETAILS = AnswerDetails(model_name="試験", stop_reason="end")
FILLER = "関係のない文章が続きます。" * 6


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_view, "BUDGET_S", 60.0)


class Scene:
    """Bar and transcript as they stand on the page."""

    def __init__(self, theme: Theme, qtbot: QtBot) -> None:
        self.window = QWidget()
        self.qtbot = qtbot
        self.bar = FindBar(theme)
        self.transcript = Transcript(theme, Navigation())
        self.finding = FindController(self.bar, self.transcript, self.window)
        column = QVBoxLayout(self.window)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        column.addWidget(self.transcript, 1)
        qtbot.addWidget(self.window)
        self.window.resize(900, 600)
        self.window.show()
        qtbot.waitExposed(self.window)

    def find(self, query: str) -> None:
        self.finding.open()
        self.bar.field.selectAll()
        self.bar.field.insert(query)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(self.bar.field, key, modifier)

    def outlined(self) -> list[tuple[int, str]]:
        """Message id and text of each place that is the current one."""
        found = []
        for message in self.transcript.messages:
            view = self.transcript.view_of(message.id)
            if view is not None:
                found += [(message.id, words) for words, is_current in marked(view.text) if is_current]
        return found

    def in_sight(self) -> bool:
        """Whether the current place is."""
        message_id = self.transcript._revealed[0]
        view = self.transcript.view_of(message_id)
        assert view is not None
        rect = view.mark_rect().translated(view.pos())
        return self.transcript.viewport().rect().contains(rect)


def write(field: QWidget, words: str) -> None:
    """As an input method does at the end of a conversion."""
    commit = QInputMethodEvent("", [])
    commit.setCommitString(words)
    QApplication.sendEvent(field, commit)


def conversation(*texts: str, first: int = 1, conversation_id: int = 1) -> list[Message]:
    """Question, answer, question …"""
    return [
        Message(
            number, conversation_id, number - 1 or None, role, text, "done", 1.8e9, DETAILS if number % 2 == 0 else None
        )
        for number, text in enumerate(texts, start=first)
        for role in ["question" if number % 2 else "answer"]
    ]


@pytest.fixture
def scene(theme: Theme, qtbot: QtBot) -> Scene:
    return Scene(theme, qtbot)


# ----------------------------------------------------------------- finding


def test_typing_shows_how_many_there_are_and_brings_one_into_sight(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚とは", "柱です。橋脚と橋台。", *[FILLER] * 60))
    scene.find("橋脚")
    assert scene.bar.count.text() == "2／2"  # nothing below the end, where one was
    assert scene.outlined() == [(2, "橋脚")]
    assert scene.in_sight()


def test_enter_goes_on_and_shift_enter_back_round_and_round(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚", "橋脚と橋脚"))
    scene.find("橋脚")
    seen = [(scene.bar.count.text(), scene.outlined())]
    for modifier in (Qt.KeyboardModifier.NoModifier,) * 3 + (Qt.KeyboardModifier.ShiftModifier,):
        scene.press(Qt.Key.Key_Return, modifier)
        seen.append((scene.bar.count.text(), scene.outlined()))
    assert [count for count, _ in seen] == ["1／3", "2／3", "3／3", "1／3", "3／3"]
    assert [[found[0] for found in outlined] for _, outlined in seen] == [[1], [2], [2], [1], [2]]


def test_the_buttons_do_the_same_and_are_off_where_nothing_is_found(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚", "橋脚"))
    scene.find("橋脚")
    scene.qtbot.mouseClick(scene.bar.next_button, Qt.MouseButton.LeftButton)
    assert scene.bar.count.text() == "2／2"
    scene.qtbot.mouseClick(scene.bar.previous_button, Qt.MouseButton.LeftButton)
    assert scene.bar.count.text() == "1／2"
    scene.find("橋台")
    assert scene.bar.count.text() == "見つかりません"
    assert not scene.bar.next_button.isEnabled()
    assert not scene.bar.previous_button.isEnabled()
    scene.press(Qt.Key.Key_Return)
    assert scene.outlined() == []


def test_messages_without_a_widget_are_found_and_brought_into_sight(scene: Scene) -> None:
    texts = [f"{FILLER}\n\n橋脚 {number}" if number % 200 == 0 else FILLER for number in range(3000)]
    scene.transcript.show_messages(conversation(*texts))
    scene.find("橋脚")
    assert scene.bar.count.text() == "15／15"
    for place in range(1, 16):
        scene.press(Qt.Key.Key_Return)
        assert scene.bar.count.text() == f"{place}／15"
        assert scene.outlined() == [((place - 1) * 200 + 1, "橋脚")]
        assert scene.in_sight()
    assert scene.transcript.live_count < 75


def test_what_was_found_stays_in_sight_when_the_surroundings_are_filled_in(scene: Scene) -> None:
    texts = ["\n\n".join([FILLER] * (number % 7 + 1)) + (" 橋脚" if number == 500 else "") for number in range(1000)]
    scene.transcript.show_messages(conversation(*texts))
    scene.find("橋脚")
    scene.qtbot.waitUntil(lambda: not scene.transcript._fill_timer.isActive())
    assert scene.in_sight()


def test_a_place_in_the_later_pages_of_a_long_message_is_shown(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("質問", "長い文章。" * 9000 + "橋脚", "次", "答え"))
    scene.find("橋脚")
    assert scene.outlined() == [(2, "橋脚")]
    assert scene.in_sight()


def test_rows_that_come_into_sight_later_are_marked_too(scene: Scene) -> None:
    scene.transcript.show_messages(conversation(*["橋脚 " + FILLER] * 400))
    scene.find("橋脚")
    scene.transcript.verticalScrollBar().setValue(3000)
    scene.qtbot.waitUntil(lambda: not scene.transcript._fill_timer.isActive())
    view = scene.transcript.view_of(scene.transcript.first_in_sight())
    assert view is not None
    assert marked(view.text) == [("橋脚", False)]


def test_several_words_are_all_marked(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚と配筋", "配筋"))
    scene.find("配筋　橋脚")
    assert scene.bar.count.text() == "1／3"


def test_a_longer_word_stays_at_the_message_where_one_was(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋 脚", "橋台", "橋脚", "橋脚番号", *[FILLER] * 40))
    scene.finding.find("橋", 3)
    assert scene.outlined() == [(3, "橋")]
    scene.bar.field.setText("橋脚番")
    assert scene.outlined() == [(4, "橋脚番")]


@pytest.mark.parametrize("query", ["*", "(", "[", "\\", "橋脚(", " ", "　"])
def test_signs_are_no_trouble(scene: Scene, query: str) -> None:
    scene.transcript.show_messages(conversation("橋脚(A)\\*[1]", "橋脚"))
    scene.find(query)
    assert len(scene.bar.count.text()) < 20


def test_escape_takes_bar_and_marks_away(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚", "橋脚"))
    scene.find("橋脚")
    with scene.qtbot.waitSignal(scene.finding.closed):
        scene.press(Qt.Key.Key_Escape)
    assert scene.bar.isHidden()
    for number in (1, 2):
        view = scene.transcript.view_of(number)
        assert view is not None
        assert marked(view.text) == []


def test_opening_again_looks_for_the_same(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚", "橋脚"))
    scene.find("橋脚")
    scene.press(Qt.Key.Key_Escape)
    scene.finding.step(1)  # F3
    assert not scene.bar.isHidden()
    assert scene.bar.field.selectedText() == "橋脚"
    assert scene.bar.count.text() == "1／2"


def test_nothing_is_found_in_the_middle_of_a_conversion(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("はしの話", "橋の話"))
    scene.finding.open()
    QApplication.sendEvent(scene.bar.field, QInputMethodEvent("はし", []))
    assert scene.bar.count.text() == ""
    scene.press(Qt.Key.Key_Escape)
    assert not scene.bar.isHidden()  # the key was the conversion's
    write(scene.bar.field, "橋")
    assert scene.bar.count.text() == "1／1"
    assert scene.outlined() == [(2, "橋")]


def test_new_messages_are_counted_without_moving_what_is_read(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚", *[FILLER] * 39))
    scene.finding.find("橋脚", 1)
    answer = Message(42, 1, 41, "answer", "", "streaming", 1.8e9, DETAILS)
    scene.transcript.add(Message(41, 1, 40, "question", "橋脚は？", "done", 1.8e9))
    scene.transcript.add(answer)
    assert scene.bar.count.text() == "1／2"
    scene.transcript.append_text(42, "橋脚です")
    scene.transcript.show_stage(AnswerStage())
    scene.transcript.verticalScrollBar().setValue(0)
    scene.transcript.finish(Message(42, 1, 41, "answer", "橋脚です", "done", 1.8e9, DETAILS))
    assert scene.bar.count.text() == "1／3"
    assert scene.transcript.verticalScrollBar().value() == 0


def test_another_conversation_closes_the_bar(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚", "橋脚"))
    scene.find("橋脚")
    scene.transcript.show_messages(conversation("橋脚", "橋脚", first=11, conversation_id=2))
    assert scene.bar.isHidden()
    view = scene.transcript.view_of(11)
    assert view is not None
    assert marked(view.text) == []


def test_another_branch_is_counted_anew(scene: Scene) -> None:
    scene.transcript.show_messages(conversation("橋脚", "橋脚と橋脚"))
    scene.find("橋脚")
    scene.transcript.show_branch([*conversation("橋脚"), Message(3, 1, 1, "answer", "橋脚", "done", 1.8e9, DETAILS)])
    assert scene.bar.count.text() == "1／2"
    scene.transcript.reveal(2, 0)  # not in this branch
    assert scene.bar.count.text() == "1／2"


def test_marks_take_the_colours_of_another_theme(scene: Scene, theme: Theme, qapp: QApplication) -> None:
    scene.transcript.show_messages(conversation("橋脚", "橋脚"))
    scene.find("橋脚")
    theme.apply(qapp, Settings(theme="dark"))
    assert scene.outlined() == [(1, "橋脚")]
    view = scene.transcript.view_of(2)
    assert view is not None
    (selection,) = view.text.extraSelections()
    assert selection.format.background().color() == theme.color("cite")


def test_an_empty_conversation_has_nothing_to_find(scene: Scene) -> None:
    scene.finding.open()
    assert scene.bar.isHidden()


# ---------------------------------------------------------- in the window


def page_of(parts: AppContext) -> ChatPage:
    page = parts.window.page("ask")
    assert isinstance(page, ChatPage)
    return page


def store_conversation(store: Store, *texts: str) -> list[Message]:
    question = store.add_question(texts[0])
    messages = [question]
    for number, text in enumerate(texts[1:], start=1):
        if number % 2:
            answer = store.add_answer(messages[-1].id, AnswerDetails())
            messages.append(store.finish_answer(answer.id, text, "done", AnswerDetails()))
        else:
            messages.append(store.add_question(text, question.conversation_id, messages[-1].id))
    return messages


def test_ctrl_f_opens_the_bar_from_composer_and_text_and_escape_gives_the_composer_back(
    open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    messages = store_conversation(store, "橋脚とは", "橋脚は柱です。")
    parts = open_window()
    parts.window.activateWindow()
    qtbot.waitUntil(parts.window.isActiveWindow)
    page = page_of(parts)
    parts.session.open(messages[0].conversation_id)
    view = page.transcript.view_of(messages[1].id)
    assert view is not None
    for start in (page.composer.editor, view.text):
        start.setFocus()
        qtbot.keyClick(start, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
        assert page.find_bar.field.hasFocus()
        page.find_bar.field.insert("橋脚")
        assert page.find_bar.count.text() == "1／2"
        qtbot.keyClick(page.find_bar.field, Qt.Key.Key_F3)
        assert page.find_bar.count.text() == "2／2"
        qtbot.keyClick(page.find_bar.close_button, Qt.Key.Key_Escape)
        assert page.find_bar.isHidden()
        page.find_bar.set_query("")
    page.finding.open()
    qtbot.keyClick(page.find_bar.field, Qt.Key.Key_Escape)
    assert page.composer.editor.hasFocus()


def test_the_bar_stands_above_the_text_and_covers_none_of_it(
    open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    messages = store_conversation(store, "橋脚とは", "橋脚は柱です。")
    parts = open_window(560, 420)
    page = page_of(parts)
    parts.session.open(messages[0].conversation_id)
    page.finding.find("橋脚", messages[0].id)
    bar = page.find_bar
    assert bar.mapTo(page, QPoint(0, bar.height())).y() <= page.transcript.mapTo(page, QPoint()).y()
    parts_of_bar = (bar.field, bar.count, bar.previous_button, bar.next_button, bar.close_button)
    qtbot.waitUntil(
        lambda: all(part.width() >= min(part.sizeHint().width(), bar.field.minimumWidth()) for part in parts_of_bar)
    )
    assert all(bar.rect().contains(part.geometry()) for part in parts_of_bar)


def test_the_bar_has_names_for_all_its_controls(theme: Theme, qtbot: QtBot) -> None:
    bar = FindBar(theme)
    qtbot.addWidget(bar)
    assert bar.field.accessibleName() == "この会話の中を検索"
    assert bar.close_button.accessibleName() == "検索を閉じる"
    assert isinstance(bar.field.parentWidget(), FindBar)
    assert not isinstance(bar.field, QTextEdit)
