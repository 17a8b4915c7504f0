"""Finding words in the open conversation: in rows with and without a widget, by keyboard, with marks in the text."""

import dataclasses

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.settings import Settings
from app.base.wording import phrase
from app.chat.records import Message
from app.chat.ui.transcript.find_bar import FindBar
from app.inference.services.events import AnswerStage
from app.uikit.theme import Theme
from tests.chat.driver import store_thread
from tests.chat.ui.driver import (
    CONTROL,
    LEFT,
    NONE,
    SHIFT,
    SeenTranscript,
    Window,
    answer,
    clipboard,
    entries,
    heard,
    press,
    question,
    streaming,
)
from tests.uikit.ui.conversion import convert
from tests.uikit.ui.words import marked

FILLER = "関係のない文章が続きます。" * 6


class Finder:
    """Bar and transcript as they stand on the page."""

    def __init__(self, theme: Theme, qtbot: QtBot) -> None:
        self.window = QWidget()
        self.transcript = SeenTranscript(theme, qtbot)
        self.bar = FindBar(theme, self.transcript)
        column = QVBoxLayout(self.window)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        column.addWidget(self.transcript, 1)
        qtbot.addWidget(self.window)
        self.window.resize(900, 600)
        self.window.show()

    def show(self, *texts: str) -> None:
        self.transcript.show_messages(conversation(*texts))

    def find(self, query: str) -> None:
        self.bar.open()
        self.bar.field.selectAll()
        self.bar.field.insert(query)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
        press(self.bar.field, key, modifier)

    @property
    def count(self) -> str:
        return self.bar.count.text()

    def marked(self, number: int) -> list[tuple[str, bool]]:
        return marked(self.transcript.view_of(number).text)

    def outlined(self) -> list[tuple[int, str]]:
        """Message id and text of each place that is the current one."""
        shown = [message.id for message in self.transcript.messages if self.transcript.view_of(message.id)]
        return [(number, words) for number in shown for words, is_current in self.marked(number) if is_current]

    def in_sight(self) -> bool:
        """Whether the current place is."""
        view = self.transcript.view_of(self.transcript._revealed[0])
        return self.transcript.viewport().rect().contains(view.mark_rect().translated(view.pos()))


def conversation(*texts: str, first: int = 1) -> list[Message]:
    """Question, answer, question …"""
    return [(question if number % 2 else answer)(number, text) for number, text in enumerate(texts, start=first)]


@pytest.fixture
def finder(theme: Theme, qtbot: QtBot) -> Finder:
    return Finder(theme, qtbot)


# ----------------------------------------------------------------- finding


def test_typing_shows_how_many_there_are_and_brings_one_into_sight(finder):
    finder.show("橋脚とは", "柱です。橋脚と橋台。", *[FILLER] * 60)
    finder.find("橋脚")
    assert finder.count == "2／2"  # nothing below the end, where one was
    assert finder.outlined() == [(2, "橋脚")]
    assert finder.in_sight()


def test_keys_and_buttons_go_on_and_back_round_and_round(finder, qtbot):
    finder.show("橋脚", "橋脚と橋脚")
    finder.find("橋脚")
    seen = [(finder.count, finder.outlined())]
    for modifier in (NONE, NONE, NONE, SHIFT):
        finder.press(Qt.Key.Key_Return, modifier)
        seen.append((finder.count, finder.outlined()))
    assert [count for count, _ in seen] == ["1／3", "2／3", "3／3", "1／3", "3／3"]
    assert [[number for number, _ in outlined] for _, outlined in seen] == [[1], [2], [2], [1], [2]]
    for button, count in ((finder.bar.previous_button, "2／3"), (finder.bar.next_button, "3／3")):
        qtbot.mouseClick(button, LEFT)
        assert finder.count == count
    finder.find("橋台")
    assert finder.count == "見つかりません"
    assert not finder.bar.next_button.isEnabled()
    assert not finder.bar.previous_button.isEnabled()
    finder.press(Qt.Key.Key_Return)
    assert finder.outlined() == []


def test_messages_without_a_widget_are_found_and_brought_into_sight(finder):
    finder.show(*(f"{FILLER}\n\n橋脚 {number}" if number % 200 == 0 else FILLER for number in range(3000)))
    finder.find("橋脚")
    assert finder.count == "15／15"
    for place in range(1, 16):
        finder.press(Qt.Key.Key_Return)
        assert finder.count == f"{place}／15"
        assert finder.outlined() == [((place - 1) * 200 + 1, "橋脚")]
        assert finder.in_sight()
    assert len(finder.transcript.views) < 75


def test_what_was_found_stays_in_sight_when_the_surroundings_are_filled_in(finder):
    finder.show(*("\n\n".join([FILLER] * (n % 7 + 1)) + (" 橋脚" if n == 500 else "") for n in range(1000)))
    finder.find("橋脚")
    finder.transcript.settle()
    assert finder.in_sight()


def test_a_place_in_the_later_pages_of_a_long_message_is_shown(finder):
    finder.show("質問", "長い文章。" * 9000 + "橋脚", "次", "答え")
    finder.find("橋脚")
    assert finder.outlined() == [(2, "橋脚")]
    assert finder.in_sight()


def test_rows_that_come_into_sight_later_are_marked_too(finder):
    finder.show(*["橋脚 " + FILLER] * 400)
    finder.find("橋脚")
    finder.transcript.scroll(3000)
    assert finder.marked(finder.transcript.first_in_sight()) == [("橋脚", False)]


def test_several_words_are_all_marked_and_signs_are_no_trouble(finder):
    finder.bar.open()
    assert finder.bar.isHidden(), "an empty conversation has nothing to find"
    finder.show("橋脚と配筋", "配筋")
    finder.find("配筋　橋脚")
    assert finder.count == "1／3"
    finder.show("橋脚(A)\\*[1]", "橋脚")
    for query in ("*", "(", "[", "\\", "橋脚(", " ", "　"):
        finder.find(query)
        assert len(finder.count) < 20, query
    assert finder.bar.field.accessibleName() == "この会話の中を検索"
    assert finder.bar.close_button.accessibleName() == "検索を閉じる"


def test_a_longer_word_stays_at_the_message_where_one_was(finder):
    finder.show("橋 脚", "橋台", "橋脚", "橋脚番号", *[FILLER] * 40)
    finder.bar.look_for("橋", 3)
    assert finder.outlined() == [(3, "橋")]
    finder.bar.field.setText("橋脚番")
    assert finder.outlined() == [(4, "橋脚番")]


def test_escape_takes_bar_and_marks_away_and_opening_again_looks_for_the_same(finder):
    left = heard(finder.bar.left)
    finder.show("橋脚", "橋脚")
    finder.find("橋脚")
    finder.press(Qt.Key.Key_Escape)
    assert len(left) == 1
    assert finder.bar.isHidden()
    assert [finder.marked(number) for number in (1, 2)] == [[], []]
    finder.bar.step(1)  # F3
    assert not finder.bar.isHidden()
    assert finder.bar.field.selectedText() == "橋脚"
    assert finder.count == "1／2"


def test_nothing_is_found_in_the_middle_of_a_conversion(finder):
    finder.show("はしの話", "橋の話")
    finder.bar.open()
    convert(finder.bar.field, "はし")
    assert finder.count == ""
    finder.press(Qt.Key.Key_Escape)
    assert not finder.bar.isHidden()  # the key was the conversion's
    convert(finder.bar.field, "", "橋")
    assert finder.count == "1／1"
    assert finder.outlined() == [(2, "橋")]


def test_new_messages_are_counted_without_moving_what_is_read(finder):
    transcript = finder.transcript
    finder.show("橋脚", *[FILLER] * 39)
    finder.bar.look_for("橋脚", 1)
    transcript.add(question(41, "橋脚は？"))
    transcript.add(streaming(42))
    assert finder.count == "1／2"
    transcript.append_text(42, "橋脚です")
    transcript.show_stage(AnswerStage())
    transcript.verticalScrollBar().setValue(0)
    transcript.finish(answer(42, "橋脚です"))
    assert finder.count == "1／3"
    assert transcript.verticalScrollBar().value() == 0


def test_another_conversation_closes_the_bar_and_another_branch_is_counted_anew(finder):
    finder.show("橋脚", "橋脚と橋脚")
    finder.find("橋脚")
    finder.transcript.show_branch([question(1, "橋脚"), answer(3, "橋脚")])
    assert finder.count == "1／2"
    finder.transcript.reveal(2, 0)  # not in this branch
    assert finder.count == "1／2"
    others = conversation("橋脚", "橋脚", first=11)
    finder.transcript.show_messages([dataclasses.replace(message, conversation_id=2) for message in others])
    assert finder.bar.isHidden()
    assert finder.marked(11) == []


def test_marks_take_the_colours_of_another_theme(finder, theme, qapp):
    finder.show("橋脚", "橋脚")
    finder.find("橋脚")
    theme.apply(qapp, Settings(theme="dark"))
    assert finder.outlined() == [(1, "橋脚")]
    (selection,) = finder.transcript.view_of(2).text.extraSelections()
    assert selection.format.background().color() == theme.color("cite")


# ---------------------------------------------------------- in the window


def test_ctrl_f_opens_the_bar_above_the_text_and_escape_gives_the_composer_back(open_window, store, qtbot):
    _, reply = store_thread(store, "橋脚とは", "橋脚は柱です。")
    window = Window(open_window(560, 420), qtbot)
    window.activate()
    window.session.open(reply.conversation_id)
    page, bar = window.page, window.page.find_bar
    inside = (bar.field, bar.count, bar.previous_button, bar.next_button, bar.close_button)
    least = bar.field.minimumWidth()
    for start in (window.editor, window.transcript.view_of(reply.id).text):
        start.setFocus()
        press(start, Qt.Key.Key_F, CONTROL)
        assert bar.field.hasFocus()
        bar.field.insert("橋脚")
        assert bar.count.text() == "1／2"
        press(bar.field, Qt.Key.Key_F3)
        assert bar.count.text() == "2／2"
        assert bar.mapTo(page, QPoint(0, bar.height())).y() <= page.transcript.mapTo(page, QPoint()).y()
        qtbot.waitUntil(lambda: all(part.width() >= min(part.sizeHint().width(), least) for part in inside))
        assert all(bar.rect().contains(part.geometry()) for part in inside)
        press(bar.close_button, Qt.Key.Key_Escape)
        assert bar.isHidden()
        bar.field.setText("")
    bar.open()
    press(bar.field, Qt.Key.Key_Escape)
    assert window.editor.hasFocus()


def test_what_is_found_or_copied_is_all_of_a_long_conversation_that_was_just_opened(open_window, store, qtbot):
    asked = store_thread(store, "橋脚", *["無関係"] * 398, "橋脚")[0]
    other = store_thread(store, "別")[0]
    window = Window(open_window(), qtbot)
    transcript = window.transcript

    def open_long() -> None:
        window.session.open(other.conversation_id)
        window.session.open(asked.conversation_id)
        assert len(transcript.messages) < 400

    open_long()
    window.page.find_bar.open()
    window.page.find_bar.field.setText("橋脚")
    assert window.page.find_bar.count.text().endswith("／2")
    open_long()
    entries(window.page.header.menu())[phrase("chat.copy_the_conversation")].trigger()
    assert clipboard().count("橋脚") == 2
    open_long()
    qtbot.waitUntil(lambda: len(transcript.messages) == 400)
    assert window.shown()[0] == "橋脚"
    window.session.open(other.conversation_id)
    window.session.open_at(asked.id)
    assert len(transcript.messages) == 400
