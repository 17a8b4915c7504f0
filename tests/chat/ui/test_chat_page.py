"""The page 質問: with doubles of the services for what is shown, with the real ones and the fake engine end to end.

The file is long, because the page brings all parts together.
"""

import dataclasses
import re

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.base.wording import phrase
from app.chat.presets import Choices
from app.chat.records import Message, UnsentDraft
from app.chat.services.conversations import Conversations
from app.chat.ui.chat_page import ChatPage
from app.inference.services.events import ContextOverflow
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from tests.chat.driver import store_thread
from tests.chat.ui.driver import (
    ALT,
    CONTROL,
    Double,
    answer,
    buttons,
    clipboard,
    entries,
    failed,
    heard,
    press,
    question,
    streaming,
    words,
)
from tests.scene import Scene

Key = Qt.Key
EXAMPLE = "日本の首都はどこですか？"

# -------------------------------------------------------------------- header


def test_the_header_shows_title_and_model_and_its_menu_the_models_with_their_size(double: Double) -> None:
    header, pages = double.header, heard(double.navigation.page_requested)
    assert header.title.text() == phrase("common.new_question")
    double.open(question(1), answer(2))
    assert header.title.text() == "題 & 名"
    assert header.title.textFormat() == Qt.TextFormat.PlainText
    assert header.model_button.text().strip() == "R&&D モデル Q4_K_M"
    assert header.model_button.accessibleName() == "モデル：R&D モデル Q4_K_M"
    header.model_button.menu().aboutToShow.emit()
    listed = entries(header.model_button.menu())
    assert {name: action.isChecked() for name, action in listed.items()} == {
        "R&&D モデル Q4_K_M　4.92 GB": True,
        "お試し　0.25 GB": False,
        "モデルを追加…": False,
    }
    listed["お試し　0.25 GB"].trigger()
    assert double.calls == [("use_model", "t")]
    listed["モデルを追加…"].trigger()
    assert pages == [("models",)]


def test_in_a_narrow_page_model_and_preset_are_chosen_in_the_menu(double: Double, qtbot: QtBot) -> None:
    header = double.header
    assert header.menu().actions()[0].menu() is None
    double.page.resize(560, 500)
    qtbot.waitUntil(lambda: not header.model_button.isVisible() and not header.preset_button.isVisible())
    assert next(iter(double.menu())) == "モデル"
    entries(double.menu()["プリセット"].menu())[double.presets.chat_preset("brief").name].trigger()
    assert double.calls == [("answer_by", "brief", Choices())]


def test_the_menu_ends_at_the_right_edge_of_its_button(double: Double, qtbot: QtBot) -> None:
    double.page.resize(560, 500)
    button = double.header.menu_button
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    menu = QApplication.activePopupWidget()
    assert menu is not None
    assert abs(menu.geometry().right() - button.mapToGlobal(button.rect().topRight()).x()) <= 1
    menu.close()


def test_the_menu_starts_a_question_copies_exports_and_opens_the_record(double: Double) -> None:
    double.open(question(1, "何ですか"), answer(2, "**これ**です"))
    logs, exports = heard(double.navigation.log_requested), heard(double.navigation.export_requested)
    menu = double.menu()
    menu["新しい質問"].trigger()
    assert double.calls == [("open_new",)]
    menu["会話をコピー"].trigger()
    assert clipboard() == "質問：何ですか\n\n回答：**これ**です"
    menu["記録を見る"].trigger()
    menu["会話を書き出す…"].trigger()
    assert (len(logs), len(exports)) == (1, 1)


def test_a_trial_model_is_not_asked_to_rewrite_an_answer(double: Double) -> None:
    double.open(question(1), answer(2))
    assert "要約" in buttons(double.view(2))
    double.session.model_id = "t"
    double.preferences.change(model_id="t")
    assert "要約" not in {*buttons(double.view(2)), *entries(double.view(2)._end.row.menu())}


def test_a_trial_model_is_said_to_be_one(double: Double) -> None:
    notice, pages = double.page.trial_notice, heard(double.navigation.page_requested)
    assert not notice.isVisible()
    double.session.model_id = "t"
    double.preferences.change(model_id="t")
    assert notice.isVisible()
    buttons(notice)["モデルを選ぶ"].click()
    assert pages == [("models",)]


def test_the_preset_menu_lists_presets_and_checks_the_one_in_force(double: Double) -> None:
    button = double.header.preset_button
    assert button.accessibleName() == "プリセット：標準"
    button.menu().aboutToShow.emit()
    listed = entries(button.menu())
    own, all_presets = "この会話だけの設定…", "プリセットを編集…"
    assert list(listed) == [*(preset.name for preset in double.presets.presets_of_kind("chat")), own, all_presets]
    assert [name for name, action in listed.items() if action.isChecked()] == ["標準"]
    double.session.choices = Choices(temperature=0.1)
    listed[double.presets.chat_preset("exact").name].trigger()
    assert double.calls == [("answer_by", "exact", Choices(temperature=0.1))]
    double.session.answer_settings_changed.emit()
    assert button.accessibleName() == "プリセット：標準（変更あり）"
    answering, settings = (
        heard(double.navigation.answer_settings_requested),
        heard(double.navigation.settings_requested),
    )
    listed[own].trigger()
    listed[all_presets].trigger()
    assert (len(answering), settings) == (1, [("presets",)])
    double.session.preset = dataclasses.replace(double.presets.presets_of_kind("chat")[0], name="いつもの & 短い")
    double.presets.put(double.session.preset)
    assert "いつもの && 短い" in button.text()


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    renamed: list[tuple[int, str]] = []
    monkeypatch.setattr(Conversations, "rename", lambda _self, *change: renamed.append(change))
    return renamed


def test_the_title_is_changed_in_its_place(double: Double, renamed: list[tuple[int, str]]) -> None:
    double.press(Key.Key_F2)
    assert not double.header.field.isVisible(), "a conversation without a question has no name"
    assert not {"名前を変更", "会話を書き出す…"} & set(double.menu())
    double.open(question(1), answer(2))
    header = double.header
    for key, title in ((Key.Key_Return, "新しい題"), (Key.Key_Escape, "捨てる題")):
        double.press(Key.Key_F2)
        assert (header.field.isVisible(), header.title.isVisible()) == (True, False)
        assert header.field.selectedText() == "題 & 名"
        header.field.setText(title)
        press(header.field, key)
        assert (header.field.isVisible(), header.title.isVisible()) == (False, True)
    assert renamed == [(1, "新しい題")]
    double.menu()["名前を変更"].trigger()
    header.field.setText("離れる")
    double.composer.editor.setFocus()
    assert renamed == [(1, "新しい題"), (1, "離れる")]
    header.start_renaming()
    header.field.setText("別の会話が開く")
    double.open_new()
    assert renamed[2:] == [(1, "別の会話が開く")]
    assert not header.field.isVisible()
    assert header.title.text() == phrase("common.new_question")


# ----------------------------------------------------------------- temporary


def test_a_temporary_conversation_says_so_wherever_one_looks(double: Double) -> None:
    def places() -> list[bool]:
        told = (double.composer.editor.placeholderText(), " ".join(words(double.page.empty)))
        return [double.header.tag.isVisible(), *("保存しません" in text for text in told)]

    double.menu()["一時的な会話"].trigger()
    assert double.calls == [("open_new", True)]
    double.session.is_temporary = True
    double.open_new()
    assert places() == [True] * 3
    double.session.is_temporary = False
    double.open(question(1), answer(2))
    assert places() == [False] * 3


def test_a_temporary_conversation_can_be_kept(double: Double) -> None:
    double.session.is_temporary = True
    double.open(question(1), answer(2))
    menu = double.menu()
    assert "名前を変更" not in menu
    double.composer.set_text("打ちかけ")
    double.composer.begin_edit(1, "編集中")
    menu["この会話を保存する"].trigger()
    assert double.calls == [("keep_temporary",)]
    assert double.session.kept[-1] == UnsentDraft("打ちかけ"), "numbers of questions are others in the stored copy"


# --------------------------------------------------------------- what was said


def test_an_edited_question_is_asked_instead_and_the_typed_text_comes_back(double: Double) -> None:
    double.open(question(1), answer(2), question(3, "二つ目"), answer(4))
    composer = double.composer
    composer.set_text("打ちかけ")
    double.requests.edit_requested.emit(3)
    assert composer.text() == "二つ目"
    composer.set_text("二つ目を直す")
    double.press(Key.Key_Return)
    assert double.calls == [("edit", 3, "二つ目を直す")]
    assert composer.draft() == UnsentDraft("打ちかけ")
    assert double.session.kept[-1] == UnsentDraft("打ちかけ"), "at once: the store forgot it together with the edit"
    assert double.composer.editor.hasFocus(), "where the next question is typed"


def test_an_edit_that_was_not_taken_stays_until_esc_ends_it_from_anywhere_on_the_page(double: Double) -> None:
    double.open(question(1), answer(2))
    double.session.takes_questions = False
    double.press(Key.Key_Up)
    double.press(Key.Key_Return)
    assert double.calls == [("edit", 1, "質問です。")]
    assert double.composer.edited_id == 1
    double.view(2).text.setFocus()
    press(double.view(2).text, Key.Key_Escape)
    assert double.composer.edited_id is None
    assert len(double.calls) == 1


def test_what_is_asked_of_an_answer_reaches_the_session(double: Double) -> None:
    double.open(question(1), answer(2, branch=2, branches=3))
    buttons(double.view(2))["要約"].click()
    double.requests.reproduce_requested.emit(2)
    double.press(Key.Key_Left, ALT)
    double.press(Key.Key_Right, ALT)
    assert double.calls == [
        ("act", 2, double.presets.presets_of_kind("action")[0]),
        ("reproduce", 2),
        ("show_branch", 2, -1),
        ("show_branch", 2, 1),
    ]


def test_details_come_and_go_with_the_setting(double: Double) -> None:
    double.open(question(1), answer(2, answer_tokens=0, tokens_per_s=0.0))
    for shows_details in (True, False):
        double.preferences.change(shows_details=shows_details)
        assert ("8.2 秒・試験 8B・終了：回答の完了・乱数 7" in words(double.view(2))) == shows_details


# --------------------------------------------------------------------- empty


def test_an_example_takes_the_place_of_what_was_typed_and_ctrl_z_brings_it_back(double: Double, qtbot: QtBot) -> None:
    editor = double.composer.editor
    qtbot.keyClicks(editor, "a long question")
    buttons(double.page)[EXAMPLE].click()
    assert editor.text() == EXAMPLE
    assert editor.hasFocus()
    assert double.calls == []
    double.press(Key.Key_Z, CONTROL)
    assert editor.text() == "a long question"


def test_without_a_model_the_ways_to_get_one_are_offered(double: Double) -> None:
    double.library.list.clear()
    double.session.model_id = None
    double.library.changed.emit()
    starters, files = heard(double.navigation.starter_requested), heard(double.navigation.model_file_requested)
    offered = buttons(double.page.empty)
    offered["お試し用ではじめる"].click()
    offered[phrase("common.import_a_gguf_file")].click()
    assert (len(starters), len(files)) == (1, 1)
    double.composer.set_text("質問")
    double.composer.send_button.click()
    assert double.calls == []
    assert double.composer.text() == "質問"
    assert "使えるモデルがありません" in double.banner.accessibleName()


# ------------------------------------------------------------------- sending


def test_the_text_goes_with_the_send_key_and_only_when_the_question_was_taken(double: Double) -> None:
    double.composer.set_text("残る質問")
    for is_taken in (False, True):
        double.session.takes_questions = is_taken
        double.press(Key.Key_Return)
        assert double.composer.text() == ("" if is_taken else "残る質問")
    assert double.calls == [("ask", "残る質問")] * 2
    double.preferences.change(send_key="ctrl_enter")
    double.composer.set_text("質問")
    double.press(Key.Key_Return)
    assert len(double.calls) == 2
    double.press(Key.Key_Return, CONTROL)
    assert double.calls[2:] == [("ask", "質問\n")]


def test_esc_stops_from_anywhere_on_the_page(double: Double) -> None:
    double.open(question(1))
    double.session.is_busy = True
    double.session.message_added.emit(streaming(2))
    assert double.composer.stop_button.isVisible()
    double.press(Key.Key_Escape)
    double.view(1).text.setFocus()
    press(double.view(1).text, Key.Key_Escape)
    assert double.calls == [("stop",)] * 2
    double.session.is_busy = False
    double.session.answer_finished.emit(answer(2, "途中", "stopped", stop_reason="cancelled"))
    assert double.composer.send_button.isVisible()
    double.press(Key.Key_Escape)
    assert len(double.calls) == 2
    double.session.message_added.emit(dataclasses.replace(streaming(3), parent_id=1))  # beside what is shown
    assert [message.id for message in double.transcript.messages] == [1, 2]


# ------------------------------------------------------------------ problems


def test_a_problem_of_the_last_answer_is_told_below_it(double: Double) -> None:
    double.open(question(1))
    double.session.message_added.emit(streaming(2))
    double.session.answer_finished.emit(failed(2, code="decode_failed"))
    double.fail("decode_failed", status=-3)
    assert not double.banner.isVisible()
    assert any("-3" in text for text in words(double.view(2)))
    buttons(double.view(2))["もう一度答える"].click()
    assert double.calls == [("regenerate", 2)]


@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_a_problem_is_told_where_one_looks_not_below_an_answer_out_of_sight(double: Double, is_elsewhere: bool) -> None:
    double.open(question(1), streaming(2))
    double.session.answer_finished.emit(failed(2, code="decode_failed"))
    double.fail("decode_failed", status=-3)
    if is_elsewhere:
        double.open(question(7), answer(8))
    else:
        double.session.conversation_opened.emit(double.session.conversation, [question(1), answer(3)])
    double.fail("disk_full", path="/x")
    assert double.banner.isVisible()
    assert "もう一度答える" not in buttons(double.banner)


def test_a_problem_of_its_own_is_told_at_the_top_until_it_is_read_or_another_conversation_opens(double: Double) -> None:
    logs = heard(double.navigation.log_requested)
    for is_read in (True, False):
        double.fail("database_unusable", reason="読み取り専用")
        assert "読み取り専用" in double.banner.accessibleName()
        if is_read:
            buttons(double.banner)["記録を見る"].click()
        else:
            double.open(question(1))
        assert not double.banner.isVisible()
    assert len(logs) == 1


@pytest.mark.parametrize(
    ("way", "force", "context"), [("文脈を 2,048 にする", False, 2048), ("このまま試す", True, 4096)]
)
def test_too_little_memory_offers_ways_on(double: Double, way: str, force: bool, context: int) -> None:
    double.open(question(1))
    double.session.message_added.emit(streaming(2))
    double.session.answer_finished.emit(failed(2, "", "memory_short"))
    double.fail("memory_short", need_bytes=6.6e9, free_bytes=4.1e9)
    assert "必要 6.6 GB、空き 4.1 GB" in double.banner.accessibleName()
    buttons(double.banner)[way].click()
    assert double.calls == [("regenerate", 2, force)]
    assert double.preferences.value.context_tokens == context


@pytest.mark.parametrize(
    ("overflow", "offered"),
    [
        (ContextOverflow(5200, 4096, 3, 8192), ["古い 3 件を外す", "文脈を 8,192 に広げる", "新しい質問にする"]),
        (ContextOverflow(5200, 4096, 0, 8192), ["文脈を 8,192 に広げる", "新しい質問にする"]),
        (ContextOverflow(5200, 4096, 1, None), ["古い 1 件を外す", "新しい質問にする"]),
    ],
)
def test_a_full_context_offers_what_helps(double: Double, overflow: ContextOverflow, offered: list[str]) -> None:
    double.session.overflow.counted.emit(overflow)
    assert phrase("chat.the_conversation_has_reached_the") in double.banner.accessibleName()
    found = buttons(double.banner)
    assert [name for name in found if name != "閉じる"] == offered
    found[offered[0]].click()
    assert double.calls == [("resolve_overflow", "drop" if overflow.droppable_turns else "widen")]


def test_a_link_is_opened_only_after_consent(double: Double) -> None:
    double.requests.link_chosen.emit("file:///etc/passwd")
    assert double.page.findChild(Dialog) is None
    double.requests.link_chosen.emit("https://example.com/a")
    dialog = double.page.findChild(Dialog)
    assert dialog.findChild(QPlainTextEdit).toPlainText() == "https://example.com/a"
    assert double.opened == []
    dialog.buttons["open"].click()
    assert [url.toString() for url in double.opened] == ["https://example.com/a"]


def test_composer_and_conversation_stand_in_one_column(double: Double, qtbot: QtBot) -> None:
    double.open(question(1), answer(2))
    composer = double.composer
    for width in (1400, 1101, 700, 600, 560):
        double.page.resize(width, 600)
        qtbot.wait(20)
        view = double.view(2)
        left, right = composer.mapTo(double.page, QPoint()).x(), view.mapTo(double.page, QPoint()).x()
        assert abs(left - right) <= 1, width
        assert abs(composer.width() - view.width()) <= 2, width


@pytest.mark.parametrize("scale", [100, 150])
def test_nothing_is_clipped(double: Double, theme: Theme, qtbot: QtBot, scale: int) -> None:
    double.preferences.change(text_scale_percent=scale)
    theme.apply(QGuiApplication.instance(), double.preferences.value)
    double.open(question(1), failed(2))
    composer = double.composer
    composer.set_text("\n".join("あいうえお"))
    for size in ((1208, 872), (560, 400)):
        double.page.resize(*size)
        qtbot.wait(30)
        for button in (composer.send_button, *buttons(double.transcript.viewport()).values()):
            assert button.width() >= button.minimumSizeHint().width(), button.text()
            assert button.height() >= button.minimumSizeHint().height(), button.text()
        assert composer.mapTo(double.page, composer.rect().bottomLeft()).y() < double.page.height()
        view = double.view(2)
        inside = view.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        assert all(child.geometry().bottom() <= view.height() for child in inside)


# --------------------------------------------------------------- end to end


def send(page: ChatPage, text: str) -> None:
    page.composer.set_text(text)
    press(page.composer.editor, Key.Key_Return)


def wait_for_end(page: ChatPage, qtbot: QtBot) -> Message:
    qtbot.waitUntil(page.composer.send_button.isVisible)
    return page.transcript.messages[-1]


def ask(page: ChatPage, text: str, qtbot: QtBot) -> Message:
    send(page, text)
    return wait_for_end(page, qtbot)


def push(page: ChatPage, name: str, message: Message, qtbot: QtBot, *, by_key: bool = False) -> None:
    """As a person does: with the mouse, or with Tab and the space bar."""
    button = buttons(page.transcript.view_of(message.id))[name]
    button.setFocus()
    if by_key:
        press(button, Key.Key_Space)
    else:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_question_typed_is_answered_and_shown_stopped_or_left_by_an_engine_that_dies(
    page: ChatPage, scene: Scene, qtbot: QtBot
) -> None:
    stages = heard(scene.session.stage_changed)
    send(page, "これは **太い** 質問です。")
    assert page.composer.text() == ""
    assert page.composer.stop_button.isVisible()
    last = wait_for_end(page, qtbot)
    assert last.status == "done"
    view = page.transcript.view_of(last.id)
    assert view.text.plain_text() == "これは 太い 質問です。"
    assert page.header.title.text() == "これは **太い** 質問です。"
    assert any(re.fullmatch(r"[\d.]+ 秒", text) for text in words(view))
    kinds = [stage.kind for (stage,) in stages if stage.kind != "reading"]
    assert (kinds[0], kinds[-1]) == ("loading", "idle")
    send(page, "!slow " + "長い答え" * 20)
    qtbot.waitUntil(lambda: len(page.transcript.messages) == 4)
    view = page.transcript.view_of(page.transcript.messages[-1].id)
    qtbot.waitUntil(lambda: len(view.text.plain_text()) > 2)
    press(page.composer.editor, Key.Key_Escape)
    last = wait_for_end(page, qtbot)
    assert last.status == "stopped"
    assert view.text.plain_text().strip() == last.text.strip()
    last = ask(page, "!crash", qtbot)
    assert last.status == "failed"
    assert {"もう一度答える", "記録を見る"} <= set(buttons(page.transcript.view_of(last.id)))


def test_regenerating_shows_the_new_branch_and_the_old_one_with_what_followed_it_is_a_step_away(
    page: ChatPage, qtbot: QtBot
) -> None:
    page.activateWindow()
    first = ask(page, "一", qtbot)
    ask(page, "二", qtbot)
    push(page, "再生成", first, qtbot)
    qtbot.waitUntil(lambda: len(page.transcript.messages) == 2)
    second = wait_for_end(page, qtbot)
    assert [message.role for message in page.transcript.messages] == ["question", "answer"]
    assert (second.text, second.branch, second.branches) == ("一", 2, 2)
    push(page, "前の回答", second, qtbot)
    assert [message.text for message in page.transcript.messages] == ["一", "一", "二", "二"]
    push(page, "次の回答", first, qtbot, by_key=True)
    assert page.transcript.messages[-1].id == second.id
    push(page, "再生成", second, qtbot, by_key=True)
    qtbot.waitUntil(lambda: page.transcript.messages[-1].id != second.id)
    third = wait_for_end(page, qtbot)
    push(page, "前の回答", third, qtbot, by_key=True)
    assert page.transcript.messages[-1].id == second.id


def test_without_a_model_an_answer_asked_for_again_says_what_is_missing(page: ChatPage, scene: Scene) -> None:
    asked, reply = store_thread(scene.store, "質問", "回答")
    scene.session.open(asked.conversation_id)
    scene.library.remove("tiny")
    page.transcript.requests.regenerate_requested.emit(reply.id)
    scene.qtbot.waitUntil(page.banner.isVisible)
    assert "使えるモデルがありません" in page.banner.accessibleName()
