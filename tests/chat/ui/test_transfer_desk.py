"""Export and import as a user meets them: the question, the progress, the end, what was refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.uikit.desktop import Pickers, complete_suffix, json_file_in
from app.uikit.dialogs import Dialog
from tests.chat.driver import store_thread
from tests.chat.exchange_trees import conversation, document, message
from tests.chat.ui.driver import Window, heard

DETAILS = AnswerDetails(model_name="M")


class TransferWindow(Window):
    """The window, with the desktop's own dialogs answered by `path`."""

    def __init__(self, parts: AppContext, qtbot: QtBot, folder: Path) -> None:
        super().__init__(parts, qtbot)
        self.desk, self.folder, self.path = parts.desk, folder, folder
        self.strip, self.conversations = parts.desk.strip, parts.conversations
        self.starts: list[str] = []
        parts.desk._pickers = Pickers(self._given, self._given, self._given)

    def _given(self, _parent: QWidget, _title: str, start: str, _kinds: str = "") -> str:
        self.starts.append(start)
        return str(self.path or "")

    @property
    def banner(self) -> str:
        return self.strip.banner.accessibleName()

    def export(self, form: str, ends: str = "exported") -> Any:
        """Answer the dialog that is open, and wait for the files; what the signal of the end carries."""
        self.desk.dialog.formats.buttons[form].click()
        with self.qtbot.waitSignal(getattr(self.desk._transfer, ends)) as ended:
            self.desk.dialog.buttons["export"].click()
        return ended.args[0]

    def read(self, name: str) -> list[dict[str, Any]]:
        return json.loads((self.folder / name).read_text("utf-8"))["conversations"]


@pytest.fixture
def opened(open_window: Callable[..., AppContext], qtbot: QtBot, tmp_path: Path) -> Callable[[], TransferWindow]:
    return lambda: TransferWindow(open_window(), qtbot, tmp_path)


def answered(store: Store, question: str, answer: str) -> int:
    return store_thread(store, question, answer, details=DETAILS)[0].conversation_id


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One conversation."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document(conversation())))
    return path


def test_the_open_conversation_becomes_a_word_document(store, opened, tmp_path):
    kept = answered(store, "橋脚の点検は？", "年に **一度** です。")
    window = opened()
    window.session.open(kept)
    window.path = tmp_path / "報告"
    folders: list[Path] = []
    window.desk._open_folder = folders.append
    window.parts.navigation.export_requested.emit()
    assert window.desk.dialog.formats.value == "docx"
    assert window.export("docx") == [tmp_path / "報告.docx"]
    assert window.starts[0].endswith("橋脚の点検は？.docx")
    assert "年に 一度 です。" in [p.text for p in Document(str(tmp_path / "報告.docx")).paragraphs]
    assert window.strip.banner.isVisible()
    assert not window.strip.progress.isVisible()
    window.strip.banner.action_requested.emit("folder")
    assert folders == [tmp_path]


def test_chosen_conversations_go_into_a_folder_and_all_come_back_in_an_empty_window(store, opened, tmp_path, qtbot):
    for number in range(3):
        answered(store, f"題 {number}", "答え")
    window = opened()
    window.window.sidebar.list.export_requested.emit([one.id for one in window.conversations.all_conversations()][1:])
    assert window.desk.dialog.accessibleDescription() == "選んだ 2 件の会話"
    assert sorted(path.name for path in window.export("markdown")) == ["題 0.md", "題 1.md"]
    window.path = tmp_path / "すべて.json"
    window.window.sidebar.export_all_requested.emit()
    assert window.desk.dialog.formats.value == "json"
    assert window.export("json") == [window.path]
    assert len(window.read("すべて.json")) == 3
    window.conversations.bin([found.id for found in window.conversations.all_conversations()])
    window.conversations.erase([found.id for found in window.conversations.binned()])
    window.desk.export_all()
    assert "まだありません" in window.banner
    with qtbot.waitSignal(window.desk._transfer.imported):
        window.window.sidebar.import_requested.emit()
    assert len(window.conversations.all_conversations()) == 3
    assert "3 件の会話を取り込みました。" in window.banner
    assert window.window.sidebar.conversations.rowCount() > 0


def test_a_temporary_conversation_is_exported_from_memory(store, opened, tmp_path, qtbot):
    answered(store, "保存した会話", "同じ番号")
    window = opened()
    window.session.open_new(is_temporary=True)
    window.session.ask("書かれない質問")
    qtbot.waitUntil(lambda: not window.session.is_busy)
    window.path = tmp_path / "a.json"
    window.parts.navigation.export_requested.emit()
    window.export("json")
    (written,) = window.read("a.json")
    assert written["title"] == "書かれない質問"
    assert [found.title for found in store.conversations()] == ["保存した会話"]


def test_what_is_cancelled_writes_nothing_a_success_goes_with_its_page_and_an_error_stays_until_it_is_closed(
    store, opened, tmp_path
):
    kept = answered(store, "題", "答え")
    window = opened()
    window.path = None
    for button, asked in (("cancel", 0), ("export", 1)):
        window.desk.export([kept])
        window.desk.dialog.buttons[button].click()
        assert len(window.starts) == asked
    window.desk.choose_import()
    assert not window.desk._transfer.is_working
    assert not window.strip.isVisible()
    window.path = tmp_path / "a.md"
    window.desk.export([kept])
    window.export("markdown")
    window.session.open(kept)
    assert window.strip.isVisible()
    window.window.show_page("documents")
    assert not window.strip.isVisible()
    window.path = tmp_path / "ない" / "a.md"
    window.desk.export([kept])
    window.export("markdown", "failed")
    window.window.show_page("ask")
    assert "書き出し先のフォルダが見つかりません" in window.banner
    assert window.strip.isVisible()
    window.strip.banner.dismiss()
    assert not window.strip.isVisible()


def test_what_was_refused_is_listed_with_its_reason(opened, tmp_path, qtbot):
    bad = conversation(message(role="system"), title="<b>怪しい</b>")
    (tmp_path / "a.json").write_text(json.dumps(document(bad, conversation())))
    window = opened()
    with qtbot.waitSignal(window.desk._transfer.imported):
        window.desk.import_path(tmp_path / "a.json")
    (dialog,) = window.window.findChildren(Dialog)
    assert dialog.accessibleName() == "1 件の会話を取り込みました。"
    assert dialog.accessibleDescription() == "1 件の回答は未照合です。1 件は取り込めませんでした。"
    listed = dialog.findChild(QPlainTextEdit)
    assert listed.toPlainText() == "1 番目「<b>怪しい</b>」：発言 1：質問でも回答でもありません"
    dialog.buttons["cancel"].click()


def test_a_second_piece_of_work_waits_and_the_first_can_be_cancelled(store, opened, tmp_path, qtbot):
    written = document(*(conversation(uid=f"{number:032x}") for number in range(300)))
    (tmp_path / "a.json").write_text(json.dumps(written))
    answered(store, "題", "答え")
    window = opened()
    with qtbot.waitSignal(window.desk._transfer.cancelled):
        window.desk.import_path(tmp_path / "a.json")
        assert window.strip.progress.isVisible()
        window.desk.export_all()
        assert "終わっていません" in window.banner
        window.strip.progress.cancel_button.click()
    assert len(window.conversations.all_conversations()) == 1
    assert not window.strip.progress.isVisible()


def drop(window: QWidget, place: QPoint, path: str) -> bool:
    """As a desktop does it. Whether it was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path)])
    data.setText(path)  # file managers add it
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place, copy, data, left, none)
    QApplication.sendEvent(window.windowHandle(), enter)
    if enter.isAccepted():
        QApplication.sendEvent(window.windowHandle(), QDropEvent(QPointF(place), copy, data, left, none))
    return enter.isAccepted()


@pytest.mark.parametrize("is_on_field", [True, False])
def test_a_json_file_dropped_on_window_or_field_is_imported_and_no_text(opened, file, qtbot, is_on_field):
    window = opened()
    editor = window.editor
    place = editor.mapTo(window.window, editor.rect().center()) if is_on_field else QPoint(5, 5)
    assert drop(window.window, place, "/a/b.pdf") == is_on_field, "the page 質問 takes other files"
    assert editor.text() == ""
    ended = heard(window.desk.ended)
    with qtbot.waitSignal(window.desk._transfer.imported):
        assert drop(window.window, place, str(file))
    assert len(window.conversations.all_conversations()) == 1
    assert editor.text() == ""
    ((words, seconds),) = ended
    assert words == "会話を取り込みました", "told to whoever is away"
    assert seconds > 0


@pytest.mark.parametrize(
    "urls",
    [["file:///a/b.gguf"], ["https://example.org/a.json"], ["file:///a/json"], ["file:///a.json", "file:///b.json"]],
)
def test_nothing_else_that_is_dropped_is_taken(urls):
    data = QMimeData()
    data.setUrls([QUrl(url) for url in urls])
    assert json_file_in(data) is None


def test_a_name_without_suffix_gets_one_and_replaces_nothing(tmp_path):
    (tmp_path / "報告.docx").touch()
    for name, suffix, completed in (
        ("報告", ".docx", "報告 (2).docx"),
        ("報告.DOCX", ".docx", "報告.DOCX"),
        ("v1.2", ".md", "v1.2.md"),
    ):
        assert complete_suffix(tmp_path / name, suffix) == tmp_path / completed
