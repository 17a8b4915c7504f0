"""The composer: keys, Japanese conversion, paste, size."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QMimeData, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut, QTextCursor
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.wording import phrase
from app.chat.records import UnsentDraft
from app.chat.ui.composer import TEXT_MAX, Composer
from app.uikit.input_method import GUARD_S, Composition, conversion_guard_of
from app.uikit.theme import Theme
from tests.chat.ui import driver
from tests.chat.ui.driver import CONTROL, NONE, SHIFT, heard
from tests.uikit.ui.conversion import convert

Key = Qt.Key
ENTER_KEYS = (Key.Key_Return, Key.Key_Enter)


class Desk:
    """The composer at the foot of a window, with what it has asked for."""

    def __init__(self, composer: Composer) -> None:
        self.composer, self.editor = composer, composer.editor
        self.sent, self.stops = heard(composer.submitted), heard(composer.stop_requested)

    def click(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        driver.press(self.editor, key, modifiers)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        """A press without a release, as some input methods deliver it."""
        event = QKeyEvent(QEvent.Type.KeyPress, key, modifiers, "\r" if key in ENTER_KEYS else "")
        QCoreApplication.sendEvent(self.editor, event)

    def release(self, key: Qt.Key) -> None:
        QCoreApplication.sendEvent(self.editor, QKeyEvent(QEvent.Type.KeyRelease, key, NONE))

    def convert(self, *steps: tuple[str, str]) -> None:
        """What is being converted, and what is committed, at each step."""
        for preedit, commit in steps:
            convert(self.editor, preedit, commit)

    @property
    def preedit(self) -> str:
        return self.editor.textCursor().block().layout().preeditAreaText()

    def paste(self, text: str, html: str = "") -> None:
        data = QMimeData()
        data.setHtml(html)
        data.setText(text)
        self.editor.insertFromMimeData(data)

    def lines_high(self) -> int:
        return int(self.editor.height() / self.editor.fontMetrics().lineSpacing())


@pytest.fixture
def desk(qtbot: QtBot, theme: Theme) -> Iterator[Desk]:
    window = QWidget()
    column = QVBoxLayout(window)
    composer = Composer(theme)
    column.addStretch(1)
    column.addWidget(composer)
    window.resize(700, 700)
    qtbot.addWidget(window)
    window.show()
    composer.editor.setFocus()
    yield Desk(composer)
    window.close()


# ---------------------------------------------------------------------- keys


@pytest.mark.parametrize("key", ENTER_KEYS)
def test_enter_sends_and_keeps_the_text_until_it_is_taken(desk, key):
    desk.composer.set_text("こんにちは")
    desk.click(key)
    assert desk.sent == [("こんにちは",)]
    assert desk.composer.text() == "こんにちは"
    desk.composer.end_edit()
    assert desk.composer.text() == ""


@pytest.mark.parametrize(
    ("send_key", "new_line", "send", "hint"),
    [("enter", SHIFT, NONE, "Enter送信　Shift+Enter改行"), ("ctrl_enter", NONE, CONTROL, "Ctrl+Enter送信　Enter改行")],
)
def test_one_key_sends_and_the_other_makes_a_new_line_as_the_hint_says(desk, qtbot, send_key, new_line, send, hint):
    desk.composer.set_send_key(send_key)
    qtbot.keyClicks(desk.editor, "a")
    desk.click(Key.Key_Return, new_line)
    qtbot.keyClicks(desk.editor, "b")
    assert (desk.composer.text(), desk.editor.blockCount(), desk.sent) == ("a\nb", 2, [])
    desk.click(Key.Key_Return, send)
    assert desk.sent == [("a\nb",)]
    assert desk.composer.hint.accessibleName() == hint


def test_a_key_held_down_does_not_send(desk):
    desk.composer.set_text("押し続ける")
    QCoreApplication.sendEvent(desk.editor, QKeyEvent(QEvent.Type.KeyPress, Key.Key_Return, NONE, "\r", True))
    assert (desk.sent, desk.composer.text()) == ([], "押し続ける")


def test_while_an_answer_is_written_enter_keeps_the_text_and_esc_or_the_button_stops(desk):
    composer = desk.composer
    assert (composer.send_button.isVisible(), composer.stop_button.isVisible()) == (True, False)
    composer.send_button.setFocus()
    composer.set_busy(True)
    assert (composer.send_button.isVisible(), composer.stop_button.isVisible()) == (False, True)
    assert desk.editor.hasFocus(), "the focus is not lost with the hidden button"
    composer.set_text("次の質問")
    desk.click(Key.Key_Return)
    assert (desk.sent, composer.text()) == ([], "次の質問")
    desk.click(Key.Key_Escape)
    composer.stop_button.click()
    assert len(desk.stops) == 2


def test_tab_leaves_the_editor_a_click_on_the_frame_comes_back_and_every_part_has_a_name(desk, qtbot):
    desk.composer.set_text("質問")
    desk.click(Key.Key_Tab)
    assert desk.composer.send_button.hasFocus()
    assert desk.composer.text() == "質問"
    qtbot.mouseClick(desk.composer, driver.LEFT)
    assert desk.editor.hasFocus()
    assert all(
        part.accessibleName()
        for part in (desk.editor, desk.composer.hint, desk.composer.stop_button, desk.composer.attach_button)
    )
    assert desk.composer.send_button.text()


# ---------------------------------------------------------------- conversion


@pytest.mark.parametrize("send_key", ["enter", "ctrl_enter"])
def test_during_a_conversion_no_key_sends_edits_or_leaves(desk, send_key):
    last_questions = heard(desk.composer.last_question_requested)
    desk.composer.set_send_key(send_key)
    desk.composer.set_text("前")
    desk.convert(("にほん", ""))
    keys = (Key.Key_Escape, Key.Key_Tab, Key.Key_Backtab, Key.Key_Backspace, Key.Key_Up)
    for key in (*ENTER_KEYS, *keys):
        for modifiers in (NONE, SHIFT, CONTROL):
            desk.press(key, modifiers)
            assert (desk.sent, desk.stops, last_questions) == ([], [], []), key
            assert (desk.composer.text(), desk.preedit) == ("前", "にほん"), key
            assert desk.editor.hasFocus(), key


def test_the_window_does_not_see_shortcuts_during_a_conversion(desk, qtbot):
    fired: list[str] = []
    window = desk.composer.window()
    for keys in ("Esc", "Ctrl+N", "Return"):
        QShortcut(QKeySequence(keys), window, lambda keys=keys: fired.append(keys))
    window.activateWindow()
    desk.convert(("へんかん", ""))
    desk.click(Key.Key_Escape)
    desk.click(Key.Key_N, CONTROL)
    desk.click(Key.Key_Return)
    assert fired == []
    desk.convert(("", "変換"))
    desk.release(Key.Key_Return)
    desk.click(Key.Key_N, CONTROL)
    assert fired == ["Ctrl+N"]


@pytest.mark.parametrize("clears_first", [False, True])
def test_the_return_that_ends_a_conversion_does_not_send_and_the_next_one_does(desk, clears_first):
    """Some input methods clear what is being converted before they commit it."""
    desk.convert(("日本", ""), *[("", "")] * clears_first, ("", "日本"))
    desk.press(Key.Key_Return)
    assert (desk.sent, desk.composer.text()) == ([], "日本")
    desk.release(Key.Key_Return)
    desk.press(Key.Key_Return)
    assert desk.sent == [("日本",)]


def test_the_esc_that_cancels_a_conversion_does_not_stop_the_answer(desk):
    desk.composer.set_busy(True)
    desk.convert(("にほん", ""), ("", ""))
    desk.press(Key.Key_Escape)
    assert desk.stops == []


def test_return_sends_again_after_a_moment_when_no_release_comes(desk):
    now = 100.0
    conversion_guard_of(desk.editor).composition = Composition(lambda: now)
    desk.convert(("日本", ""), ("", "日本"))
    now += GUARD_S / 2
    desk.press(Key.Key_Return)
    assert desk.sent == []
    now += GUARD_S
    desk.press(Key.Key_Return)
    assert desk.sent == [("日本",)]


def test_a_conversion_in_the_middle_of_a_text_keeps_what_is_around_it(desk):
    desk.composer.set_text("前後")
    cursor = desk.editor.textCursor()
    cursor.setPosition(1)
    desk.editor.setTextCursor(cursor)
    desk.convert(("なか", ""))
    desk.press(Key.Key_Return)
    desk.convert(("", "中"))
    assert (desk.composer.text(), desk.sent) == ("前中後", [])


def test_text_and_drafts_set_during_a_conversion_wait_for_its_end(desk, qtbot):
    composer, draft = desk.composer, UnsentDraft("別の会話の書きかけ", 3)
    for begin, awaited in (
        (lambda: composer.set_text("例の質問"), UnsentDraft("例の質問")),
        (lambda: composer.show_draft(draft), draft),
    ):
        before = (composer.text(), composer.edited_id)
        desk.convert(("にほん", ""))
        begin()
        assert desk.preedit == "にほん"
        assert (composer.text(), composer.edited_id) == before
        desk.convert(("", "日本"))
        qtbot.waitUntil(lambda awaited=awaited: composer.draft() == awaited)


def test_neither_button_nor_paste_breaks_into_a_conversion(desk):
    desk.composer.set_text("前")
    desk.convert(("にほん", ""))
    desk.composer.send_button.click()
    desk.paste("貼り付け")
    assert (desk.sent, desk.composer.text(), desk.preedit) == ([], "前", "にほん")


def test_the_placeholder_is_hidden_during_a_conversion(desk, qtbot):
    desk.composer.update_placeholder(True)
    assert desk.editor.placeholderText() == "続けて質問できます"
    desk.convert(("に", ""))
    assert desk.editor.placeholderText() == ""
    desk.composer.update_placeholder(False)
    assert desk.editor.placeholderText() == ""
    desk.convert(("", ""))
    qtbot.waitUntil(lambda: desk.editor.placeholderText() == "質問を入力してください")


# -------------------------------------------------------------- paste and size


def test_only_plain_text_is_pasted(desk):
    desk.paste("太字", "<b>太字</b><img src='file:///etc/passwd'>")
    assert desk.composer.text() == "太字"
    only_html = QMimeData()
    only_html.setHtml("<img src='file:///etc/passwd'>")
    assert not desk.editor.canInsertFromMimeData(only_html) or only_html.text() == ""


def test_a_paste_that_no_model_could_read_becomes_a_file_and_the_longest_is_taken(desk):
    notice, given = desk.composer.notice, heard(desk.editor.long_text_pasted)
    desk.composer.set_text("残る")
    desk.paste("長" * (TEXT_MAX + 1))
    assert desk.composer.text() == "残る"
    assert given == [("長" * (TEXT_MAX + 1),)]
    desk.composer.tell("付いています")
    assert notice.isVisible()
    desk.composer.set_text("")
    assert not notice.isVisible()
    desk.paste("長" * (TEXT_MAX - 1))
    assert len(desk.composer.text()) == TEXT_MAX - 1


@pytest.mark.parametrize(("window_height", "most"), [(900, 8), (640, 4)])
def test_the_editor_grows_with_its_text_up_to_a_limit(desk, window_height, most):
    desk.editor.fit_window(window_height)
    heights = []
    for text in ("", "あ\nい\nう", "\n" * 20):
        desk.composer.set_text(text)
        heights.append(desk.lines_high())
    desk.composer.end_edit()
    assert [*heights, desk.lines_high()] == [1, 3, most, 1]
    desk.composer.set_text("あ" * 100)  # wraps
    assert desk.lines_high() >= 2


# ------------------------------------------------------------ edits and drafts


def test_an_empty_field_cannot_be_sent_and_says_why(desk):
    composer, send = desk.composer, desk.composer.send_button
    for text in ("", " 　\n"):
        composer.set_text(text)
        desk.click(Key.Key_Return)
        assert (desk.sent, send.isEnabled()) == ([], False)
        assert phrase("chat.type_a_question_to_send") in send.toolTip()
    composer.set_text("質問")
    assert (send.isEnabled(), send.toolTip()) == (True, "")
    send.setFocus()
    composer.end_edit()
    assert desk.editor.hasFocus(), "a button that cannot be used does not keep the keyboard"


def test_what_is_being_converted_can_be_sent_by_the_button(desk):
    for preedit, commit, is_enabled in (("はし", "", True), ("", "", False), ("", "橋", True)):
        desk.convert((preedit, commit))
        assert desk.composer.send_button.isEnabled() == is_enabled


def test_an_edit_sets_aside_what_was_typed_and_gives_it_back(desk):
    composer = desk.composer
    composer.set_text("打ちかけ")
    composer.begin_edit(7, "前の質問")
    assert composer.edit_line.isVisible()
    assert (composer.text(), composer.edited_id) == ("前の質問", 7)
    assert desk.editor.textCursor().atEnd()
    composer.begin_edit(9, "二")
    assert composer.draft() == UnsentDraft("二", 9, "打ちかけ"), "also after an edit of another question"
    composer.cancel_button.click()
    assert not composer.edit_line.isVisible()
    assert desk.editor.hasFocus()
    assert composer.draft() == UnsentDraft("打ちかけ")


def test_esc_stops_an_answer_before_it_ends_an_edit(desk):
    desk.composer.set_text("打ちかけ")
    desk.composer.begin_edit(7, "前の質問")
    for is_busy, edited in ((True, 7), (False, None)):
        desk.composer.set_busy(is_busy)
        desk.click(Key.Key_Escape)
        assert (len(desk.stops), desk.composer.edited_id) == (1, edited)
    assert desk.composer.draft() == UnsentDraft("打ちかけ")
    desk.composer.begin_edit(7, "前の質問")
    desk.click(Key.Key_Return)
    assert desk.sent == [("前の質問",)]
    desk.composer.end_edit()
    assert desk.composer.draft() == UnsentDraft("打ちかけ"), "also after an edit that was sent"


def test_up_in_an_empty_field_asks_for_the_last_question(desk):
    wanted = heard(desk.composer.last_question_requested)
    desk.click(Key.Key_Up)
    assert len(wanted) == 1
    desk.composer.set_text("一\n二")
    desk.click(Key.Key_Up)
    assert len(wanted) == 1
    assert desk.editor.textCursor().blockNumber() == 0, "in a text it moves the cursor"


def test_a_draft_is_not_taken_for_typing_and_shown_again_leaves_the_cursor_alone(desk, qtbot):
    typed = heard(desk.composer.typed)
    desk.composer.show_draft(UnsentDraft("書きかけ"))
    assert typed == []
    qtbot.keyClicks(desk.editor, "a")
    assert len(typed) == 1
    assert desk.composer.text() == "書きかけa"
    desk.editor.moveCursor(QTextCursor.MoveOperation.Start)
    desk.composer.show_draft(UnsentDraft("書きかけa"))
    assert desk.editor.textCursor().atStart()
