"""Export and import as a user meets them: the question, the progress, the end, what was refused."""

import json
from collections.abc import Callable
from pathlib import Path

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
from tests.chat.exchange_trees import conversation, document, message

Open = Callable[..., AppContext]


class Chosen:
    """The desktop's windows, answered: what was asked, and the path that is given."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.starts: list[str] = []

    def file(self, parent: QWidget, title: str, start: str, kinds: str) -> str:
        self.starts.append(start)
        return self.path

    def folder(self, parent: QWidget, title: str, start: str) -> str:
        self.starts.append(start)
        return self.path

    @property
    def pickers(self) -> Pickers:
        return Pickers(self.file, self.file, self.folder)


def _answered(store: Store, question: str, answer: str) -> int:
    asked = store.add_question(question)
    reply = store.add_answer(asked.id, AnswerDetails(model_name="M"))
    store.finish_answer(reply.id, answer, "done", AnswerDetails(model_name="M"))
    return asked.conversation_id


def _give(parts: AppContext, path: Path | str) -> Chosen:
    chosen = Chosen(str(path))
    parts.desk._pickers = chosen.pickers
    return chosen


def _export(parts: AppContext, form: str, qtbot: QtBot) -> list[Path]:
    """Answers the dialog that is open, and waits for the files."""
    dialog = parts.desk.dialog
    dialog.formats.buttons[form].click()
    with qtbot.waitSignal(parts.desk._transfer.exported) as exported:
        dialog.buttons["export"].click()
    paths: list[Path] = exported.args[0]
    return paths


def test_the_open_conversation_becomes_a_word_document(
    store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    kept = _answered(store, "橋脚の点検は？", "年に **一度** です。")
    parts = open_window()
    parts.session.open(kept)
    chosen = _give(parts, tmp_path / "報告")
    opened: list[Path] = []
    parts.desk._open_folder = opened.append
    parts.navigation.export_requested.emit()
    assert parts.desk.dialog.formats.value == "docx"
    assert _export(parts, "docx", qtbot) == [tmp_path / "報告.docx"]
    assert chosen.starts[0].endswith("橋脚の点検は？.docx")
    assert "年に 一度 です。" in [p.text for p in Document(str(tmp_path / "報告.docx")).paragraphs]
    banner = parts.desk.strip.banner
    assert banner.isVisible()
    assert not parts.desk.strip.progress.isVisible()
    banner.action_requested.emit("folder")
    assert opened == [tmp_path]


def test_chosen_conversations_go_into_a_folder(store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot) -> None:
    ids = [_answered(store, f"題 {number}", "答え") for number in range(3)]
    parts = open_window()
    _give(parts, tmp_path)
    parts.window.sidebar.list.export_requested.emit(ids[:2])
    assert parts.desk.dialog.accessibleDescription() == "選んだ 2 件の会話"
    assert sorted(path.name for path in _export(parts, "markdown", qtbot)) == ["題 0.md", "題 1.md"]


def test_all_conversations_go_out_and_come_back_in_an_empty_window(
    store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    for number in range(3):
        _answered(store, f"題 {number}", "答え")
    parts = open_window()
    _give(parts, tmp_path / "すべて.json")
    parts.window.sidebar.export_all_requested.emit()
    assert parts.desk.dialog.formats.value == "json"
    assert _export(parts, "json", qtbot) == [tmp_path / "すべて.json"]
    assert len(json.loads((tmp_path / "すべて.json").read_text("utf-8"))["conversations"]) == 3
    parts.conversations.bin([found.id for found in parts.conversations.all()])
    parts.conversations.erase([found.id for found in parts.conversations.binned()])
    with qtbot.waitSignal(parts.desk._transfer.imported):
        parts.window.sidebar.import_requested.emit()
    assert len(parts.conversations.all()) == 3
    assert "3 件の会話を取り込みました。" in parts.desk.strip.banner.accessibleName()
    assert parts.window.sidebar.conversations.rowCount() > 0


def test_nothing_is_written_when_the_dialog_or_the_desktops_window_is_cancelled(
    store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    kept = _answered(store, "題", "答え")
    parts = open_window()
    chosen = _give(parts, "")
    parts.desk.export([kept])
    parts.desk.dialog.buttons["cancel"].click()
    assert chosen.starts == []
    parts.desk.export([kept])
    parts.desk.dialog.buttons["export"].click()
    assert len(chosen.starts) == 1
    parts.desk.choose_import()
    assert not parts.desk._transfer.is_working
    assert not parts.desk.strip.isVisible()


def test_a_temporary_conversation_is_exported_from_memory(
    store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    _answered(store, "保存した会話", "同じ番号")
    parts = open_window()
    parts.session.new(is_temporary=True)
    parts.session.ask("書かれない質問")
    qtbot.waitUntil(lambda: not parts.session.is_busy)
    _give(parts, tmp_path / "a.json")
    parts.navigation.export_requested.emit()
    _export(parts, "json", qtbot)
    (written,) = json.loads((tmp_path / "a.json").read_text("utf-8"))["conversations"]
    assert written["title"] == "書かれない質問"
    assert [found.title for found in store.conversations()] == ["保存した会話"]


def test_where_there_is_nothing_to_export_it_is_said(open_window: Open) -> None:
    parts = open_window()
    parts.desk.export_all()
    assert "まだありません" in parts.desk.strip.banner.accessibleName()


def test_an_error_is_shown_in_words_until_it_is_closed(
    store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    kept = _answered(store, "題", "答え")
    parts = open_window()
    _give(parts, tmp_path / "ない" / "a.md")
    parts.desk.export([kept])
    parts.desk.dialog.formats.buttons["markdown"].click()
    with qtbot.waitSignal(parts.desk._transfer.failed):
        parts.desk.dialog.buttons["export"].click()
    assert "書き出し先のフォルダが見つかりません" in parts.desk.strip.banner.accessibleName()
    parts.desk.strip.banner.dismiss()
    assert not parts.desk.strip.isVisible()


def test_a_success_goes_with_its_page_and_an_error_stays(
    store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    kept = _answered(store, "題", "答え")
    parts = open_window()
    strip = parts.desk.strip
    _give(parts, tmp_path / "a.md")
    parts.desk.export([kept])
    _export(parts, "markdown", qtbot)
    parts.session.open(kept)
    assert strip.isVisible()
    parts.window.show_page("documents")
    assert not strip.isVisible()
    _give(parts, tmp_path / "ない" / "a.md")
    parts.desk.export([kept])
    parts.desk.dialog.formats.buttons["markdown"].click()
    with qtbot.waitSignal(parts.desk._transfer.failed):
        parts.desk.dialog.buttons["export"].click()
    parts.window.show_page("ask")
    assert "書き出し先のフォルダが見つかりません" in strip.banner.accessibleName()
    assert strip.isVisible()


def test_what_was_refused_is_listed_with_its_reason(open_window: Open, tmp_path: Path, qtbot: QtBot) -> None:
    bad = conversation(message(role="system"), title="<b>怪しい</b>")
    (tmp_path / "a.json").write_text(json.dumps(document(bad, conversation())))
    parts = open_window()
    with qtbot.waitSignal(parts.desk._transfer.imported):
        parts.desk.import_path(tmp_path / "a.json")
    (dialog,) = parts.window.findChildren(Dialog)
    assert dialog.accessibleName() == "1 件の会話を取り込みました。"
    assert dialog.accessibleDescription() == "1 件の回答は未照合です。1 件は取り込めませんでした。"
    listed = dialog.findChild(QPlainTextEdit)
    assert listed.toPlainText() == "1 番目「<b>怪しい</b>」：発言 1：質問でも回答でもありません"
    dialog.buttons["cancel"].click()


def test_a_second_piece_of_work_waits_and_the_first_can_be_cancelled(
    store: Store, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    written = document(*(conversation(uid=f"{number:032x}") for number in range(300)))
    (tmp_path / "a.json").write_text(json.dumps(written))
    _answered(store, "題", "答え")
    parts = open_window()
    with qtbot.waitSignal(parts.desk._transfer.cancelled):
        parts.desk.import_path(tmp_path / "a.json")
        assert parts.desk.strip.progress.isVisible()
        parts.desk.export_all()
        assert "続けています" in parts.desk.strip.banner.accessibleName()
        parts.desk.strip.progress.cancel_button.click()
    assert len(parts.conversations.all()) == 1
    assert not parts.desk.strip.progress.isVisible()


def drop(window: QWidget, place: QPoint, data: QMimeData) -> bool:
    """As a desktop does it. Whether it was taken."""
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place, copy, data, left, none)
    QApplication.sendEvent(window.windowHandle(), enter)
    if enter.isAccepted():
        QApplication.sendEvent(window.windowHandle(), QDropEvent(QPointF(place), copy, data, left, none))
    return enter.isAccepted()


def test_a_json_file_dropped_on_the_window_is_imported(open_window: Open, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document(conversation())))
    parts = open_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.json"))])
    with qtbot.waitSignal(parts.desk._transfer.imported):
        assert drop(parts.window, QPoint(5, 5), data)
    assert len(parts.conversations.all()) == 1


def test_a_json_file_dropped_on_the_field_is_imported_and_no_text(
    open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document(conversation())))
    parts = open_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.json"))])
    data.setText(str(tmp_path / "a.json"))  # file managers add it
    page = parts.window.page("ask")
    editor = page.composer.editor
    with qtbot.waitSignal(parts.desk._transfer.imported):
        assert drop(parts.window, editor.mapTo(parts.window, editor.rect().center()), data)
    assert len(parts.conversations.all()) == 1
    assert editor.text() == ""


def test_other_files_are_no_text_either(open_window: Open) -> None:
    parts = open_window()
    data = QMimeData()
    data.setUrls([QUrl("file:///a/b.pdf")])
    data.setText("/a/b.pdf")
    editor = parts.window.page("ask").composer.editor
    assert not drop(parts.window, editor.mapTo(parts.window, editor.rect().center()), data)
    assert editor.text() == ""


@pytest.mark.parametrize("url", ["file:///a/b.gguf", "https://example.org/a.json", "file:///a/json"])
def test_nothing_else_that_is_dropped_is_taken(url: str, qapp: QApplication) -> None:
    data = QMimeData()
    data.setUrls([QUrl(url)])
    assert json_file_in(data) is None
    data.setUrls([QUrl("file:///a.json"), QUrl("file:///b.json")])
    assert json_file_in(data) is None


def test_a_name_without_suffix_gets_one_and_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "報告.docx").touch()
    assert complete_suffix(tmp_path / "報告", ".docx") == tmp_path / "報告 (2).docx"
    assert complete_suffix(tmp_path / "報告.DOCX", ".docx") == tmp_path / "報告.DOCX"
    assert complete_suffix(tmp_path / "v1.2", ".md") == tmp_path / "v1.2.md"


def test_a_file_that_took_long_is_told_to_whoever_is_away(open_window: Open, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document(conversation())))
    parts = open_window()
    with qtbot.waitSignal(parts.desk.ended) as ended:
        parts.desk.import_path(tmp_path / "a.json")
    assert ended.args[0] == "会話を取り込みました"
    assert ended.args[1] > 0
