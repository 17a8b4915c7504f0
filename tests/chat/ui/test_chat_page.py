"""The page 質問: with doubles of the services for what is shown, with the real ones and the fake engine end to end."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QLabel, QMenu, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.presets import Choices
from app.chat.records import AnswerDetails, Message, UnsentDraft
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript import rows_view
from app.chat.ui.transcript.answer_actions import AnswerActions
from app.documents.services.document_library import DocumentLibrary
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.inference.services.events import AnswerStage, ContextOverflow
from app.models.services.model_library import ModelLibrary
from app.uikit.dialogs import Dialog
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from tests import model_files as models
from tests.chat.ui.chat_double import TRIAL, Double, answer, question


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_view, "BUDGET_S", 60.0)


@pytest.fixture
def double(theme: Theme, where: Paths, store: Store, qtbot: QtBot) -> Double:
    return Double(theme, where, store, qtbot)


# -------------------------------------------------------------------- header


def test_the_header_shows_title_and_model(double: Double) -> None:
    header = double.page.header
    assert header.height() == 48
    assert header.title.text() == "新しい質問"
    double.open(question(1), answer(2))
    assert header.title.text() == "題 & 名"
    assert header.title.textFormat() == Qt.TextFormat.PlainText
    assert header.model_button.text().strip() == "R&&D モデル Q4_K_M"
    assert header.model_button.accessibleName() == "モデル：R&D モデル Q4_K_M"


def test_the_model_menu_lists_models_with_size_and_checks_the_current_one(double: Double, qtbot: QtBot) -> None:
    menu = double.page.header.model_button.menu()
    menu.aboutToShow.emit()
    entries = [(action.text(), action.isChecked()) for action in menu.actions() if not action.isSeparator()]
    assert entries == [
        ("R&&D モデル Q4_K_M　4.92 GB", True),
        ("お試し　0.25 GB", False),
        ("モデルを追加…", False),
    ]
    menu.actions()[1].trigger()
    assert double.session.calls == [("use_model", "t")]
    with qtbot.waitSignal(double.navigation.page_requested, check_params_cb=lambda key: key == "models"):
        menu.actions()[-1].trigger()


def test_in_a_narrow_page_the_model_is_chosen_in_the_menu(double: Double, qtbot: QtBot) -> None:
    assert double.page.header.menu().actions()[0].menu() is None
    double.page.resize(560, 500)
    qtbot.waitUntil(lambda: not double.page.header.model_button.isVisible())
    assert double.page.header.menu().actions()[0].text() == "モデル"


def test_the_menu_starts_a_question_copies_and_opens_the_record(double: Double, qtbot: QtBot) -> None:
    double.open(question(1, "何ですか"), answer(2, "**これ**です"))
    actions = {action.text(): action for action in double.page.header.menu().actions()}
    actions["新しい質問"].trigger()
    assert double.session.calls == [("new",)]
    actions["会話をコピー"].trigger()
    assert QGuiApplication.clipboard().text() == "質問：何ですか\n\n回答：**これ**です"
    with qtbot.waitSignal(double.navigation.log_requested):
        actions["記録を見る"].trigger()


def test_a_trial_model_is_said_to_be_one(double: Double, qtbot: QtBot) -> None:
    assert not double.page.trial_notice.isVisible()
    double.session.model = TRIAL
    double.preferences.change(model_id="t")
    assert double.page.trial_notice.isVisible()
    with qtbot.waitSignal(double.navigation.page_requested, check_params_cb=lambda key: key == "models"):
        double.buttons(double.page.trial_notice)["モデルを選ぶ"].click()


def entries(menu: QMenu) -> dict[str, QAction]:
    return {action.text(): action for action in menu.actions() if not action.isSeparator()}


def test_the_preset_menu_lists_presets_and_checks_the_one_in_force(double: Double, qtbot: QtBot) -> None:
    header = double.page.header
    assert header.preset_button.accessibleName() == "プリセット：標準"
    menu = header.preset_button.menu()
    menu.aboutToShow.emit()
    listed = entries(menu)
    names = [preset.name for preset in double.presets.all("chat")]
    assert list(listed) == [*names, "この会話だけの設定…", "プリセットを編集…"]
    assert [name for name, action in listed.items() if action.isChecked()] == ["標準"]
    double.session.choices = Choices(temperature=0.1)
    listed[double.presets.chat_preset("exact").name].trigger()
    assert double.session.calls == [("answer_by", "exact", Choices(temperature=0.1))]
    double.session.answering_changed.emit()
    assert header.preset_button.accessibleName() == "プリセット：標準（変更あり）"
    with qtbot.waitSignal(double.navigation.answering_requested):
        listed["この会話だけの設定…"].trigger()
    with qtbot.waitSignal(double.navigation.settings_requested, check_params_cb=lambda name: name == "presets"):
        listed["プリセットを編集…"].trigger()


def test_a_preset_that_is_renamed_is_renamed_in_the_header(double: Double) -> None:
    standard = double.presets.all("chat")[0]
    double.session.preset = dataclasses.replace(standard, name="いつもの & 短い")
    double.presets.put(double.session.preset)
    assert double.page.header.preset_button.text().strip() == "いつもの && 短い"


def test_in_a_narrow_page_the_preset_is_chosen_in_the_menu(double: Double, qtbot: QtBot) -> None:
    double.page.resize(600, 600)
    qtbot.waitUntil(lambda: not double.page.header.preset_button.isVisible())
    submenu = entries(double.page.header.menu())["プリセット"].menu()
    entries(submenu)[double.presets.chat_preset("brief").name].trigger()
    assert double.session.calls == [("answer_by", "brief", Choices())]


def test_the_title_is_changed_in_its_place(double: Double, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed: list[tuple[int, str]] = []
    monkeypatch.setattr(Conversations, "rename", lambda _self, *change: renamed.append(change))
    double.open(question(1), answer(2))
    header = double.page.header
    for keys, is_taken in (((Qt.Key.Key_Return,), True), ((Qt.Key.Key_Escape,), False)):
        qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_F2)
        assert header.field.isVisible()
        assert not header.title.isVisible()
        assert header.field.selectedText() == "題 & 名"
        header.field.setText("新しい題" if is_taken else "捨てる題")
        qtbot.keyClick(header.field, keys[0])
        assert not header.field.isVisible()
        assert header.title.isVisible()
    assert renamed == [(1, "新しい題")]
    entries(header.menu())["名前を変更"].trigger()
    header.field.setText("離れる")
    double.page.composer.editor.setFocus()
    assert renamed == [(1, "新しい題"), (1, "離れる")]


def test_a_title_that_is_being_changed_is_taken_when_another_conversation_opens(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[tuple[int, str]] = []
    monkeypatch.setattr(Conversations, "rename", lambda _self, *change: renamed.append(change))
    double.open(question(1), answer(2))
    double.page.header.start_renaming()
    double.page.header.field.setText("新しい題")
    double.session.about_to_leave.emit()
    double.session.conversation = None
    double.session.conversation_opened.emit(None, [])
    assert renamed == [(1, "新しい題")]
    assert not double.page.header.field.isVisible()
    assert double.page.header.title.text() == "新しい質問"


def test_a_conversation_without_a_question_has_no_name_to_change(double: Double, qtbot: QtBot) -> None:
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_F2)
    assert not double.page.header.field.isVisible()
    assert "名前を変更" not in entries(double.page.header.menu())
    assert "会話を書き出す…" not in entries(double.page.header.menu())


def test_export_is_asked_for_from_the_header_and_from_an_answer(double: Double, qtbot: QtBot) -> None:
    double.open(question(1), answer(2))
    with qtbot.waitSignal(double.navigation.export_requested):
        entries(double.page.header.menu())["会話を書き出す…"].trigger()
    with qtbot.waitSignal(double.navigation.export_requested):
        entries(double.page.transcript.findChildren(AnswerActions)[0].menu())["会話を書き出す…"].trigger()


# ----------------------------------------------------------------- temporary


def test_a_temporary_conversation_says_so_wherever_one_looks(double: Double) -> None:
    entries(double.page.header.menu())["一時的な会話"].trigger()
    assert double.session.calls == [("new", "temporary")]
    double.session.is_temporary = True
    double.session.about_to_leave.emit()
    double.session.conversation_opened.emit(None, [])
    page = double.page
    assert page.header.tag.isVisible()
    assert "保存しません" in page.composer.editor.placeholderText()
    assert any("保存しません" in label.text() for label in page.empty.findChildren(QLabel) if label.isVisible())
    double.session.is_temporary = False
    double.open(question(1), answer(2))
    assert not page.header.tag.isVisible()
    assert "保存しません" not in page.composer.editor.placeholderText()


def test_a_temporary_conversation_can_be_kept(double: Double) -> None:
    double.session.is_temporary = True
    double.open(question(1), answer(2))
    menu = entries(double.page.header.menu())
    assert "名前を変更" not in menu
    double.page.composer.set_text("打ちかけ")
    double.page.composer.begin_edit(1, "編集中")
    menu["この会話を保存する"].trigger()
    assert double.session.calls == [("keep_temporary",)]
    assert double.session.kept[-1] == UnsentDraft("打ちかけ"), "numbers of questions are others in the stored copy"


# --------------------------------------------------------------- what was said


def test_an_edited_question_is_asked_instead_and_the_typed_text_comes_back(double: Double, qtbot: QtBot) -> None:
    double.open(question(1), answer(2), question(3, "二つ目"), answer(4))
    double.page.composer.set_text("打ちかけ")
    double.page.transcript.requests.edit_requested.emit(3)
    composer = double.page.composer
    assert composer.text() == "二つ目"
    composer.set_text("二つ目を直す")
    qtbot.keyClick(composer.editor, Qt.Key.Key_Return)
    assert double.session.calls == [("edit", 3, "二つ目を直す")]
    assert composer.draft() == UnsentDraft("打ちかけ")
    assert double.session.kept[-1] == UnsentDraft("打ちかけ"), "at once: the store forgot it together with the edit"


def test_an_edit_that_was_not_taken_stays(double: Double, qtbot: QtBot) -> None:
    double.open(question(1), answer(2))
    double.session.takes_questions = False
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Up)
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Return)
    assert double.session.calls == [("edit", 1, "質問です。")]
    assert double.page.composer.edited_id == 1


def test_esc_ends_an_edit_from_anywhere_on_the_page(double: Double, qtbot: QtBot) -> None:
    double.open(question(1), answer(2))
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Up)
    view = double.page.transcript.view_of(2)
    assert view is not None
    view.text.setFocus()
    qtbot.keyClick(view.text, Qt.Key.Key_Escape)
    assert double.page.composer.edited_id is None
    assert double.session.calls == []


def test_actions_and_repetition_reach_the_session(double: Double) -> None:
    double.open(question(1), answer(2))
    double.buttons(double.page.transcript.view_of(2))["要約"].click()
    double.page.transcript.requests.reproduce_requested.emit(2)
    assert double.session.calls == [("act", 2, "summarize"), ("reproduce", 2)]


def test_alt_and_arrows_switch_branches_also_from_the_field(double: Double, qtbot: QtBot) -> None:
    double.open(question(1), dataclasses.replace(answer(2), branch=2, branches=3))
    alt = Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Left, alt)
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Right, alt)
    assert double.session.calls == [("show_branch", 2, -1), ("show_branch", 2, 1)]


def test_details_come_and_go_with_the_setting(double: Double) -> None:
    details = AnswerDetails("m", "試験 8B", "end", seed=5, total_s=8.2)
    double.open(question(1), dataclasses.replace(answer(2), details=details))
    view = double.page.transcript.view_of(2)
    assert view is not None
    words = "8.2 秒・試験 8B・終わり：自然な終わり・乱数 5"
    for shows_details in (True, False):
        double.preferences.change(shows_details=shows_details)
        shown = [label.text() for label in view.findChildren(QLabel) if label.isVisible()]
        assert (words in shown) == shows_details


# --------------------------------------------------------------------- empty


def test_an_example_fills_the_composer_and_sends_nothing(double: Double) -> None:
    double.buttons()["日本の首都はどこですか？"].click()
    assert double.page.composer.text() == "日本の首都はどこですか？"
    assert double.session.calls == []
    assert double.page.composer.editor.hasFocus()


def test_an_example_takes_the_place_of_what_was_typed_and_ctrl_z_brings_it_back(double: Double, qtbot: QtBot) -> None:
    editor = double.page.composer.editor
    qtbot.keyClicks(editor, "a long question")
    double.buttons()["日本の首都はどこですか？"].click()
    assert editor.text() == "日本の首都はどこですか？"
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert editor.text() == "a long question"


def test_without_a_model_the_ways_to_get_one_are_offered(double: Double, qtbot: QtBot) -> None:
    double.library.list.clear()
    double.session.model = None
    double.library.changed.emit()
    buttons = double.buttons(double.page.empty)
    with qtbot.waitSignal(double.navigation.starter_requested):
        buttons["お試し用ではじめる"].click()
    with qtbot.waitSignal(double.navigation.model_file_requested):
        buttons["GGUF ファイルを取り込む"].click()
    double.page.composer.set_text("質問")
    double.page.composer.send_button.click()
    assert double.session.calls == []
    assert double.page.composer.text() == "質問"
    assert "使えるモデルがありません" in double.page.banner.accessibleName()


# ------------------------------------------------------------------- sending


def test_the_text_goes_only_when_the_question_was_taken(double: Double, qtbot: QtBot) -> None:
    double.session.takes_questions = False
    double.page.composer.set_text("残る質問")
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Return)
    assert double.page.composer.text() == "残る質問"
    double.session.takes_questions = True
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Return)
    assert double.page.composer.text() == ""
    assert double.session.calls == [("ask", "残る質問")] * 2


def test_the_send_key_follows_the_settings(double: Double, qtbot: QtBot) -> None:
    double.preferences.change(send_key="ctrl_enter")
    double.page.composer.set_text("質問")
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Return)
    assert double.session.calls == []
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert double.session.calls == [("ask", "質問\n")]


def test_esc_stops_from_anywhere_on_the_page(double: Double, qtbot: QtBot) -> None:
    double.open(question(1))
    double.session.is_busy = True
    double.session.message_added.emit(answer(2, "", "streaming", ""))
    assert double.page.composer.stop_button.isVisible()
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Escape)
    view = double.page.transcript.view_of(1)
    assert view is not None
    view.text.setFocus()
    qtbot.keyClick(view.text, Qt.Key.Key_Escape)
    assert double.session.calls == [("stop",)] * 2
    double.session.is_busy = False
    double.session.answer_finished.emit(answer(2, "途中", "stopped", "cancelled"))
    assert double.page.composer.send_button.isVisible()
    qtbot.keyClick(double.page.composer.editor, Qt.Key.Key_Escape)
    assert len(double.session.calls) == 2


def test_a_branch_beside_what_is_shown_is_not_added_to_it(double: Double) -> None:
    double.open(question(1), answer(2))
    double.session.message_added.emit(Message(3, 1, 1, "answer", "", "streaming", 1.8e9))
    assert [message.id for message in double.page.transcript.messages] == [1, 2]


# ------------------------------------------------------------------ problems


def test_a_problem_of_the_last_answer_is_told_below_it(double: Double) -> None:
    double.open(question(1))
    double.session.message_added.emit(answer(2, "", "streaming", ""))
    double.session.answer_finished.emit(answer(2, "途中", "failed", "failed", "decode_failed"))
    double.session.problem_occurred.emit(AppError("decode_failed", status=-3))
    assert not double.page.banner.isVisible()
    view = double.page.transcript.view_of(2)
    texts = [getattr(widget, "text", str)() for widget in view.findChildren(QWidget)]  # type: ignore[union-attr]
    assert any("-3" in text for text in texts)
    double.buttons(view)["もう一度答える"].click()
    assert double.session.calls == [("regenerate", 2, False)]


@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_a_problem_is_told_where_one_looks_not_below_an_answer_out_of_sight(double: Double, is_elsewhere: bool) -> None:
    failed = answer(2, "途中", "failed", "failed", "decode_failed")
    double.open(question(1), answer(2, "", "streaming", ""))
    double.session.answer_finished.emit(failed)
    double.session.problem_occurred.emit(AppError("decode_failed", status=-3))
    if is_elsewhere:
        double.open(question(7), answer(8))
    else:
        double.session.conversation_opened.emit(double.session.conversation, [question(1), answer(3)])
    double.session.problem_occurred.emit(AppError("disk_full", path="/x"))
    assert double.page.banner.isVisible()
    assert "もう一度答える" not in double.buttons(double.page.banner)


def test_a_problem_of_its_own_is_told_at_the_top(double: Double, qtbot: QtBot) -> None:
    double.session.problem_occurred.emit(AppError("database_unusable", reason="読み取り専用"))
    assert "読み取り専用" in double.page.banner.accessibleName()
    with qtbot.waitSignal(double.navigation.log_requested):
        double.buttons(double.page.banner)["記録を見る"].click()
    assert not double.page.banner.isVisible()


@pytest.mark.parametrize(
    ("words", "call"),
    [("文脈を 2,048 にする", ("regenerate", 2, False)), ("このまま試す", ("regenerate", 2, True))],
)
def test_too_little_memory_offers_ways_on(double: Double, words: str, call: tuple[object, ...]) -> None:
    double.open(question(1))
    double.session.message_added.emit(answer(2, "", "streaming", ""))
    double.session.answer_finished.emit(answer(2, "", "failed", "failed", "memory_short"))
    double.session.problem_occurred.emit(AppError("memory_short", need_bytes=6.6e9, free_bytes=4.1e9))
    assert "必要 6.6 GB、空き 4.1 GB" in double.page.banner.accessibleName()
    double.buttons(double.page.banner)[words].click()
    assert double.session.calls == [call]
    assert double.preferences.value.context_tokens == (2048 if "文脈" in words else 4096)


@pytest.mark.parametrize(
    ("overflow", "words"),
    [
        (ContextOverflow(5200, 4096, 3, 8192), ["古い 3 件を外す", "文脈を 8,192 に広げる", "新しい質問にする"]),
        (ContextOverflow(5200, 4096, 0, 8192), ["文脈を 8,192 に広げる", "新しい質問にする"]),
        (ContextOverflow(5200, 4096, 1, None), ["古い 1 件を外す", "新しい質問にする"]),
    ],
)
def test_a_full_context_offers_what_helps(double: Double, overflow: ContextOverflow, words: list[str]) -> None:
    double.session.overflow.counted.emit(overflow)
    assert "会話が文脈の上限に達しました。" in double.page.banner.accessibleName()
    buttons = double.buttons(double.page.banner)
    assert [name for name in buttons if name != "閉じる"] == words
    buttons[words[0]].click()
    assert double.session.calls == [("resolve_overflow", "drop" if "外す" in words[0] else "widen")]


def test_another_conversation_takes_the_banner_away(double: Double) -> None:
    double.session.problem_occurred.emit(AppError("database_unusable", reason="x"))
    double.open(question(1))
    assert not double.page.banner.isVisible()


def test_a_link_is_opened_only_after_consent(double: Double) -> None:
    double.page.transcript.requests.link_chosen.emit("file:///etc/passwd")
    assert double.page.findChild(Dialog) is None
    double.page.transcript.requests.link_chosen.emit("https://example.com/a")
    dialog = double.page.findChild(Dialog)
    assert dialog.findChild(QPlainTextEdit).toPlainText() == "https://example.com/a"
    assert double.opened == []
    dialog.buttons["open"].click()
    assert [url.toString() for url in double.opened] == ["https://example.com/a"]


@pytest.mark.parametrize("width", [1400, 1101, 700, 600, 560])
def test_composer_and_conversation_stand_in_one_column(double: Double, qtbot: QtBot, width: int) -> None:
    double.open(question(1), answer(2))
    double.page.resize(width, 600)
    qtbot.waitUntil(lambda: double.page.width() == width and double.page.composer.width() > 0)
    qtbot.wait(20)
    view = double.page.transcript.view_of(2)
    assert view is not None
    composer = double.page.composer
    left, right = composer.mapTo(double.page, composer.rect().topLeft()).x(), view.mapTo(double.page, QPoint()).x()
    assert abs(left - right) <= 1
    assert abs(composer.width() - view.width()) <= 2


@pytest.mark.parametrize("scale", [100, 150])
@pytest.mark.parametrize("size", [(1208, 872), (560, 400)])
def test_nothing_is_clipped(double: Double, theme: Theme, qtbot: QtBot, scale: int, size: tuple[int, int]) -> None:
    double.preferences.change(text_scale_percent=scale)
    theme.apply(QGuiApplication.instance(), double.preferences.value)
    double.page.resize(*size)
    double.open(question(1), answer(2, "途中", "failed", "failed", "engine_died"))
    double.page.composer.set_text("\n".join("あいうえお"))
    qtbot.wait(30)
    composer = double.page.composer
    for button in (composer.send_button, *double.buttons(double.page.transcript.viewport()).values()):
        assert button.width() >= button.minimumSizeHint().width(), button.text()
        assert button.height() >= button.minimumSizeHint().height(), button.text()
    assert composer.mapTo(double.page, composer.rect().bottomLeft()).y() < double.page.height()
    view = double.page.transcript.view_of(2)
    assert view is not None
    assert all(
        child.geometry().bottom() <= view.height() for child in view.findChildren(QWidget) if child.parent() is view
    )


# --------------------------------------------------------------- end to end


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.tiny_llama(tmp_path_factory.mktemp("models") / "long.gguf", metadata={"llama.context_length": 32768})


@pytest.fixture
def page(theme: Theme, where: Paths, store: Store, model_file: Path, qtbot: QtBot) -> Iterator[ChatPage]:
    store.put_local_model(
        LocalModel("tiny", "小さなモデル", str(model_file), 1, "llama", "F32", 32768, 1.0, form_id="llama3")
    )
    engine = EngineClient([*programs.own_program(), "--engine", "echo"], where.logs / "engine.log")
    library = ModelLibrary(store, where.models)
    preferences = Preferences(where.settings)
    conversations, presets = Conversations(store), PresetLibrary(store)
    session = ChatSession(
        store, conversations, presets, engine, library, preferences, child_commands.template(), where.documents
    )
    documents = DocumentLibrary(where.documents, [], where.logs)
    page = ChatPage(theme, Navigation(), session, conversations, presets, library, preferences, documents)
    qtbot.addWidget(page)
    page.resize(900, 700)
    page.show()
    qtbot.waitExposed(page)
    yield page
    session.close()
    engine.shut_down()


def send(page: ChatPage, text: str, qtbot: QtBot) -> None:
    page.composer.set_text(text)
    qtbot.keyClick(page.composer.editor, Qt.Key.Key_Return)


def wait_for_end(page: ChatPage, qtbot: QtBot) -> Message:
    qtbot.waitUntil(lambda: page.composer.send_button.isVisible(), timeout=20_000)
    return page.transcript.messages[-1]


def test_a_question_typed_is_answered_and_shown(page: ChatPage, qtbot: QtBot) -> None:
    send(page, "これは **太い** 質問です。", qtbot)
    assert page.composer.text() == ""
    assert page.composer.stop_button.isVisible()
    last = wait_for_end(page, qtbot)
    assert last.status == "done"
    view = page.transcript.view_of(last.id)
    assert view is not None
    assert view.text.plain_text() == "これは 太い 質問です。"
    assert page.header.title.text() == "これは **太い** 質問です。"
    texts = [getattr(widget, "text", str)() for widget in view.findChildren(QWidget)]
    assert any(re.fullmatch(r"[\d.]+ 秒", text) for text in texts)


def test_a_stopped_answer_keeps_its_text_and_says_so(page: ChatPage, qtbot: QtBot) -> None:
    send(page, "!slow " + "長い答え" * 20, qtbot)
    view = None
    qtbot.waitUntil(lambda: bool(page.transcript.messages[-1].role == "answer"), timeout=20_000)
    answer_id = page.transcript.messages[-1].id
    view = page.transcript.view_of(answer_id)
    assert view is not None
    qtbot.waitUntil(lambda: len(view.text.plain_text()) > 2, timeout=20_000)
    qtbot.keyClick(page.composer.editor, Qt.Key.Key_Escape)
    last = wait_for_end(page, qtbot)
    assert last.status == "stopped"
    assert view.text.plain_text().strip() == last.text.strip()


def press(page: ChatPage, name: str, qtbot: QtBot, message: Message, by_key: bool) -> None:
    """As a person does: with the mouse, or with Tab and the space bar."""
    view = page.transcript.view_of(message.id)
    assert view is not None
    button = next(b for b in view.findChildren(QAbstractButton) if name in (b.text().strip(), b.accessibleName()))
    button.setFocus()
    if by_key:
        qtbot.keyClick(button, Qt.Key.Key_Space)
    else:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("by_key", [False, True])
def test_regenerating_shows_the_new_branch_and_the_old_one_is_a_step_away(
    page: ChatPage, qtbot: QtBot, by_key: bool
) -> None:
    page.activateWindow()
    send(page, "もう一度", qtbot)
    first = wait_for_end(page, qtbot)
    press(page, "再生成", qtbot, first, by_key)
    qtbot.waitUntil(lambda: page.transcript.messages[-1].id != first.id, timeout=10_000)
    second = wait_for_end(page, qtbot)
    assert [message.role for message in page.transcript.messages] == ["question", "answer"]
    assert (second.text, second.branch, second.branches) == ("もう一度", 2, 2)
    press(page, "前の回答", qtbot, second, by_key)
    assert page.transcript.messages[-1].id == first.id
    press(page, "次の回答", qtbot, page.transcript.messages[-1], by_key)
    assert page.transcript.messages[-1].id == second.id


def test_an_earlier_answer_regenerated_keeps_what_followed_it_in_its_own_branch(page: ChatPage, qtbot: QtBot) -> None:
    send(page, "一", qtbot)
    first = wait_for_end(page, qtbot)
    send(page, "二", qtbot)
    wait_for_end(page, qtbot)
    press(page, "再生成", qtbot, first, by_key=False)
    wait_for_end(page, qtbot)
    assert len(page.transcript.messages) == 2
    press(page, "前の回答", qtbot, page.transcript.messages[-1], by_key=False)
    assert [message.text for message in page.transcript.messages] == ["一", "一", "二", "二"]


def test_an_engine_that_dies_leaves_question_and_a_way_on(page: ChatPage, qtbot: QtBot) -> None:
    send(page, "!crash", qtbot)
    last = wait_for_end(page, qtbot)
    assert last.status == "failed"
    view = page.transcript.view_of(last.id)
    assert view is not None
    names = [button.text() for button in view.findChildren(QAbstractButton)]
    assert {"もう一度答える", "記録を見る"} <= set(names)


def test_the_stage_is_shown_until_the_answer_begins(page: ChatPage, qtbot: QtBot) -> None:
    stages: list[AnswerStage] = []
    page._session.stage_changed.connect(stages.append)
    send(page, "段階", qtbot)
    wait_for_end(page, qtbot)
    assert [stage.kind for stage in stages if stage.kind != "reading"][:1] == ["loading"]
    assert stages[-1].kind == "idle"


def test_without_a_model_an_answer_asked_for_again_says_what_is_missing(page: ChatPage, store: Store) -> None:
    asked = store.add_question("質問")
    reply = store.add_answer(asked.id, AnswerDetails())
    store.finish_answer(reply.id, "回答", "done", AnswerDetails())
    page._session.open(asked.conversation_id)
    page._library.remove("tiny")
    page.transcript.requests.regenerate_requested.emit(reply.id)
    assert page.banner.isVisible()
    assert "使えるモデルがありません" in page.banner.accessibleName()
