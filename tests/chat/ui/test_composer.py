"""The composer: keys, Japanese conversion, paste, size."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QMimeData, Qt
from PySide6.QtGui import QInputMethodEvent, QKeyEvent, QKeySequence, QShortcut, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.settings import Settings
from app.chat.records import UnsentDraft
from app.chat.ui.composer import TEXT_MAX, Composer
from app.uikit.input_method import GUARD_S, Composition, guard_of
from app.uikit.theme import Theme

ENTER_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


@pytest.fixture
def composer(qtbot: QtBot, qapp: QApplication) -> Iterator[Composer]:
    theme = Theme()
    theme.apply(qapp, Settings(theme="light"))
    window = QWidget()
    column = QVBoxLayout(window)
    composer = Composer(theme)
    column.addStretch(1)
    column.addWidget(composer)
    window.resize(700, 700)
    qtbot.addWidget(window)
    window.show()
    composer.editor.setFocus()
    yield composer
    window.close()


@pytest.fixture
def sent(composer: Composer) -> list[str]:
    texts: list[str] = []
    composer.submitted.connect(texts.append)
    return texts


def convert(composer: Composer, preedit: str, commit: str = "") -> None:
    underline = QTextCharFormat()
    underline.setFontUnderline(True)
    attributes = [
        QInputMethodEvent.Attribute(QInputMethodEvent.AttributeType.TextFormat, 0, len(preedit), underline),
        QInputMethodEvent.Attribute(QInputMethodEvent.AttributeType.Cursor, len(preedit), 1, None),
    ]
    event = QInputMethodEvent(preedit, attributes if preedit else [])
    if commit:
        event.setCommitString(commit)
    QCoreApplication.sendEvent(composer.editor, event)


def press(composer: Composer, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """A press without a release, as some input methods deliver it."""
    event = QKeyEvent(QEvent.Type.KeyPress, key, modifiers, "\r" if key in ENTER_KEYS else "")
    QCoreApplication.sendEvent(composer.editor, event)


def release(composer: Composer, key: Qt.Key) -> None:
    QCoreApplication.sendEvent(composer.editor, QKeyEvent(QEvent.Type.KeyRelease, key, Qt.KeyboardModifier.NoModifier))


def preedit_of(composer: Composer) -> str:
    text: str = composer.editor.textCursor().block().layout().preeditAreaText()
    return text


# ---------------------------------------------------------------------- keys


@pytest.mark.parametrize("key", ENTER_KEYS)
def test_enter_sends_and_keeps_the_text_until_it_is_taken(
    composer: Composer, sent: list[str], key: Qt.Key, qtbot: QtBot
) -> None:
    composer.set_text("こんにちは")
    qtbot.keyClick(composer.editor, key)
    assert sent == ["こんにちは"]
    assert composer.text() == "こんにちは"
    composer.end_edit()
    assert composer.text() == ""


def test_shift_enter_makes_a_new_line(composer: Composer, sent: list[str], qtbot: QtBot) -> None:
    qtbot.keyClicks(composer.editor, "a")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(composer.editor, "b")
    assert composer.text() == "a\nb"
    assert composer.editor.blockCount() == 2
    assert sent == []


def test_with_ctrl_enter_as_send_key_enter_makes_a_new_line(composer: Composer, sent: list[str], qtbot: QtBot) -> None:
    composer.set_send_key("ctrl_enter")
    qtbot.keyClicks(composer.editor, "a")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return)
    assert composer.text() == "a\n"
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert sent == ["a\n"]


def test_the_hint_names_the_send_key(composer: Composer) -> None:
    assert composer.hint.accessibleName() == "Enter送信　Shift+Enter改行"
    composer.set_send_key("ctrl_enter")
    assert composer.hint.accessibleName().endswith("+Enter送信　Enter改行")


def test_a_key_held_down_does_not_send(composer: Composer, sent: list[str]) -> None:
    composer.set_text("押し続ける")
    event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", True)
    QCoreApplication.sendEvent(composer.editor, event)
    assert sent == []
    assert composer.text() == "押し続ける"


def test_spaces_alone_are_not_sent(composer: Composer, sent: list[str], qtbot: QtBot) -> None:
    composer.set_text(" 　\n")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return)
    assert sent == []


def test_while_an_answer_is_written_enter_keeps_the_text_and_esc_stops(
    composer: Composer, sent: list[str], qtbot: QtBot
) -> None:
    composer.set_busy(True)
    composer.set_text("次の質問")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return)
    assert (sent, composer.text()) == ([], "次の質問")
    with qtbot.waitSignal(composer.stop_requested):
        qtbot.keyClick(composer.editor, Qt.Key.Key_Escape)


def test_one_button_is_shown_at_a_time(composer: Composer, qtbot: QtBot) -> None:
    assert composer.send_button.isVisible()
    assert not composer.stop_button.isVisible()
    composer.send_button.setFocus()
    composer.set_busy(True)
    assert composer.stop_button.isVisible()
    assert not composer.send_button.isVisible()
    assert composer.editor.hasFocus(), "the focus is not lost with the hidden button"
    with qtbot.waitSignal(composer.stop_requested):
        composer.stop_button.click()


def test_tab_leaves_the_editor(composer: Composer, qtbot: QtBot) -> None:
    composer.set_text("質問")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Tab)
    assert composer.send_button.hasFocus()
    assert composer.text() == "質問"


# ---------------------------------------------------------------- conversion


@pytest.mark.parametrize(
    "key", [*ENTER_KEYS, Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Backspace, Qt.Key.Key_Up]
)
@pytest.mark.parametrize(
    "modifiers",
    [Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier],
)
@pytest.mark.parametrize("send_key", ["enter", "ctrl_enter"])
def test_during_a_conversion_no_key_sends_edits_or_leaves(
    composer: Composer, sent: list[str], key: Qt.Key, modifiers: Qt.KeyboardModifier, send_key: str
) -> None:
    composer.set_send_key(send_key)
    composer.set_text("前")
    stops: list[bool] = []
    composer.stop_requested.connect(lambda: stops.append(True))
    composer.set_busy(False)
    convert(composer, "にほん")
    press(composer, key, modifiers)
    assert (sent, stops) == ([], [])
    assert composer.text() == "前"
    assert preedit_of(composer) == "にほん"
    assert composer.editor.hasFocus()


def test_the_window_does_not_see_shortcuts_during_a_conversion(composer: Composer, qtbot: QtBot) -> None:
    fired: list[str] = []
    for keys in ("Esc", "Ctrl+N", "Return"):
        QShortcut(QKeySequence(keys), composer.window(), lambda keys=keys: fired.append(keys))
    qtbot.waitExposed(composer.window())
    composer.window().activateWindow()
    convert(composer, "へんかん")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Escape)
    qtbot.keyClick(composer.editor, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return)
    assert fired == []
    convert(composer, "", "変換")
    release(composer, Qt.Key.Key_Return)
    qtbot.keyClick(composer.editor, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert fired == ["Ctrl+N"]


def test_the_return_that_ends_a_conversion_and_arrives_after_it_does_not_send(
    composer: Composer, sent: list[str]
) -> None:
    convert(composer, "日本")
    convert(composer, "", "日本")
    press(composer, Qt.Key.Key_Return)
    assert sent == []
    assert composer.text() == "日本"


def test_the_same_for_input_methods_that_clear_the_preedit_before_they_commit(
    composer: Composer, sent: list[str]
) -> None:
    convert(composer, "日本")
    convert(composer, "")
    convert(composer, "", "日本")
    press(composer, Qt.Key.Key_Return)
    assert (sent, composer.text()) == ([], "日本")


def test_the_esc_that_cancels_a_conversion_does_not_stop_the_answer(composer: Composer) -> None:
    composer.set_busy(True)
    stops: list[bool] = []
    composer.stop_requested.connect(lambda: stops.append(True))
    convert(composer, "にほん")
    convert(composer, "")
    press(composer, Qt.Key.Key_Escape)
    assert stops == []


def test_return_sends_again_once_its_key_was_released(composer: Composer, sent: list[str]) -> None:
    convert(composer, "日本")
    convert(composer, "", "日本")
    release(composer, Qt.Key.Key_Return)
    press(composer, Qt.Key.Key_Return)
    assert sent == ["日本"]


def test_return_sends_again_after_a_moment_when_no_release_comes(
    composer: Composer, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    guard_of(composer.editor).composition = Composition(lambda: now)
    convert(composer, "日本")
    convert(composer, "", "日本")
    now += GUARD_S / 2
    press(composer, Qt.Key.Key_Return)
    assert sent == []
    now += GUARD_S
    press(composer, Qt.Key.Key_Return)
    assert sent == ["日本"]


def test_a_conversion_in_the_middle_of_a_text_keeps_what_is_around_it(composer: Composer, sent: list[str]) -> None:
    composer.set_text("前後")
    cursor = composer.editor.textCursor()
    cursor.setPosition(1)
    composer.editor.setTextCursor(cursor)
    convert(composer, "なか")
    press(composer, Qt.Key.Key_Return)
    convert(composer, "", "中")
    assert (composer.text(), sent) == ("前中後", [])


def test_text_set_during_a_conversion_waits_for_its_end(composer: Composer, qtbot: QtBot) -> None:
    convert(composer, "にほん")
    composer.set_text("例の質問")
    assert preedit_of(composer) == "にほん"
    assert composer.text() == ""
    convert(composer, "", "日本")
    qtbot.waitUntil(lambda: composer.text() == "例の質問")


def test_the_button_does_not_send_half_a_conversion(composer: Composer, sent: list[str]) -> None:
    composer.set_text("前")
    convert(composer, "にほん")
    composer.send_button.click()
    assert sent == []
    assert preedit_of(composer) == "にほん"


def test_pasting_waits_for_no_conversion(composer: Composer) -> None:
    convert(composer, "にほん")
    data = QMimeData()
    data.setText("貼り付け")
    composer.editor.insertFromMimeData(data)
    assert composer.text() == ""
    assert preedit_of(composer) == "にほん"


def test_the_placeholder_is_hidden_during_a_conversion(composer: Composer, qtbot: QtBot) -> None:
    composer.set_has_history(True)
    assert composer.editor.placeholderText() == "続けて質問できます"
    convert(composer, "に")
    assert composer.editor.placeholderText() == ""
    composer.set_has_history(False)
    assert composer.editor.placeholderText() == ""
    convert(composer, "")
    qtbot.waitUntil(lambda: composer.editor.placeholderText() == "質問を入力してください")


# -------------------------------------------------------------- paste and size


def test_only_plain_text_is_pasted(composer: Composer) -> None:
    data = QMimeData()
    data.setHtml("<b>太字</b><img src='file:///etc/passwd'>")
    data.setText("太字")
    composer.editor.insertFromMimeData(data)
    assert composer.text() == "太字"
    only_html = QMimeData()
    only_html.setHtml("<img src='file:///etc/passwd'>")
    assert not composer.editor.canInsertFromMimeData(only_html) or only_html.text() == ""


def test_a_paste_that_no_model_could_read_is_refused_in_words(composer: Composer) -> None:
    composer.set_text("残る")
    data = QMimeData()
    data.setText("長" * (TEXT_MAX + 1))
    composer.editor.insertFromMimeData(data)
    assert composer.text() == "残る"
    assert composer.notice.isVisible()
    assert "50,001" in composer.notice.text()
    composer.set_text("消える")
    assert not composer.notice.isVisible()


def test_the_longest_paste_is_taken(composer: Composer) -> None:
    data = QMimeData()
    data.setText("長" * (TEXT_MAX - 1))
    composer.editor.insertFromMimeData(data)
    assert len(composer.text()) == TEXT_MAX - 1


def lines_high(composer: Composer) -> float:
    return composer.editor.height() / composer.editor.fontMetrics().lineSpacing()


@pytest.mark.parametrize(("window_height", "most"), [(900, 8), (640, 4)])
def test_the_editor_grows_with_its_text_up_to_a_limit(composer: Composer, window_height: int, most: int) -> None:
    composer.editor.fit_window(window_height)
    assert int(lines_high(composer)) == 1
    composer.set_text("\n".join("あいう"))
    assert int(lines_high(composer)) == 3
    composer.set_text("\n" * 20)
    assert int(lines_high(composer)) == most
    composer.end_edit()
    assert int(lines_high(composer)) == 1


def test_one_long_line_wraps_and_grows_too(composer: Composer) -> None:
    composer.set_text("あ" * 100)
    assert int(lines_high(composer)) >= 2


def test_a_click_on_the_frame_goes_to_the_editor(composer: Composer, qtbot: QtBot) -> None:
    composer.send_button.setFocus()
    qtbot.mouseClick(composer, Qt.MouseButton.LeftButton)
    assert composer.editor.hasFocus()


def test_every_part_has_a_name(composer: Composer) -> None:
    names: list[Callable[[], str]] = [
        composer.editor.accessibleName,
        composer.hint.accessibleName,
        composer.send_button.text,
        composer.stop_button.accessibleName,
    ]
    assert all(name() for name in names)


# ------------------------------------------------------------ edits and drafts


def test_an_empty_field_cannot_be_sent_and_says_why(composer: Composer, sent: list[str]) -> None:
    assert not composer.send_button.isEnabled()
    assert "質問を入力すると送信できます" in composer.send_button.toolTip()
    composer.set_text(" 　\n")
    assert not composer.send_button.isEnabled()
    composer.set_text("質問")
    assert composer.send_button.isEnabled()
    assert composer.send_button.toolTip() == ""
    composer.send_button.setFocus()
    composer.end_edit()
    assert composer.editor.hasFocus(), "a button that cannot be used does not keep the keyboard"


def test_what_is_being_converted_can_be_sent_by_the_button(composer: Composer) -> None:
    convert(composer, "はし")
    assert composer.send_button.isEnabled()
    convert(composer, "")
    assert not composer.send_button.isEnabled()
    convert(composer, "", "橋")
    assert composer.send_button.isEnabled()


def test_an_edit_sets_aside_what_was_typed_and_gives_it_back(composer: Composer, qtbot: QtBot) -> None:
    composer.set_text("打ちかけ")
    composer.begin_edit(7, "前の質問")
    assert composer.edit_line.isVisible()
    assert (composer.text(), composer.edited_id) == ("前の質問", 7)
    assert composer.draft() == UnsentDraft("前の質問", 7, "打ちかけ")
    assert composer.editor.textCursor().atEnd()
    qtbot.keyClick(composer.editor, Qt.Key.Key_Escape)
    assert not composer.edit_line.isVisible()
    assert composer.draft() == UnsentDraft("打ちかけ")


def test_an_edit_after_an_edit_still_knows_what_was_typed(composer: Composer) -> None:
    composer.set_text("打ちかけ")
    composer.begin_edit(7, "一")
    composer.begin_edit(9, "二")
    assert composer.draft() == UnsentDraft("二", 9, "打ちかけ")
    composer.edit_line.cancel_button.click()
    assert composer.draft() == UnsentDraft("打ちかけ")
    assert composer.editor.hasFocus()


def test_an_edit_that_was_sent_gives_back_what_was_typed(composer: Composer, sent: list[str], qtbot: QtBot) -> None:
    composer.set_text("打ちかけ")
    composer.begin_edit(7, "前の質問")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return)
    assert sent == ["前の質問"]
    composer.end_edit()
    assert composer.draft() == UnsentDraft("打ちかけ")


def test_esc_stops_an_answer_before_it_ends_an_edit(composer: Composer, qtbot: QtBot) -> None:
    composer.begin_edit(7, "前の質問")
    composer.set_busy(True)
    with qtbot.waitSignal(composer.stop_requested):
        qtbot.keyClick(composer.editor, Qt.Key.Key_Escape)
    assert composer.edited_id == 7
    composer.set_busy(False)
    qtbot.keyClick(composer.editor, Qt.Key.Key_Escape)
    assert composer.edited_id is None


def test_up_in_an_empty_field_asks_for_the_last_question(composer: Composer, qtbot: QtBot) -> None:
    wanted: list[bool] = []
    composer.last_question_requested.connect(lambda: wanted.append(True))
    qtbot.keyClick(composer.editor, Qt.Key.Key_Up)
    assert wanted == [True]
    composer.set_text("一\n二")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Up)
    assert wanted == [True]
    assert composer.editor.textCursor().blockNumber() == 0, "in a text it moves the cursor"


def test_up_while_converting_belongs_to_the_input_method(composer: Composer) -> None:
    wanted: list[bool] = []
    composer.last_question_requested.connect(lambda: wanted.append(True))
    convert(composer, "はし")
    press(composer, Qt.Key.Key_Up)
    assert wanted == []
    assert preedit_of(composer) == "はし"


def test_a_draft_waits_for_the_end_of_a_conversion(composer: Composer, qtbot: QtBot) -> None:
    convert(composer, "はし")
    composer.show_draft(UnsentDraft("別の会話の書きかけ", 3))
    assert preedit_of(composer) == "はし"
    assert composer.edited_id is None
    convert(composer, "", "橋")
    qtbot.waitUntil(lambda: composer.draft() == UnsentDraft("別の会話の書きかけ", 3))


def test_a_draft_that_is_shown_already_leaves_the_cursor_alone(composer: Composer) -> None:
    composer.set_text("同じ文章")
    composer.editor.moveCursor(QTextCursor.MoveOperation.Start)
    composer.show_draft(UnsentDraft("同じ文章"))
    assert composer.editor.textCursor().atStart()


def test_a_draft_is_not_taken_for_typing(composer: Composer, qtbot: QtBot) -> None:
    typed: list[str] = []
    composer.typed.connect(lambda: typed.append(composer.text()))
    composer.show_draft(UnsentDraft("書きかけ"))
    assert typed == []
    qtbot.keyClicks(composer.editor, "a")
    assert typed == ["書きかけa"]
