"""What is 機密 leaves the window after a yes only, and not without its line in the log."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.confidentiality import Label
from app.base.paths import Paths
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.documents.library import Library
from app.uikit import clipboard_guard
from app.uikit.desktop import Pickers
from tests.faults.ledger import Tally

Open = Callable[..., AppContext]
TEXT = "鍵は守衛室にあります[1]。"


def keep(store: Store, label: Label) -> int:
    """A conversation with one answer from a document of that label."""
    question = store.add_question("鍵はどこですか？")
    answer = store.add_answer(question.id, AnswerDetails())
    source = CitedSource("内規", label, "内規.pdf", "/home/yamada/内規.pdf", "鍵は守衛室にある。", ("第2章",), "", 4)
    grounding = Grounding("answered", (source,), (Claim(TEXT, 0, len(TEXT), (1,), True),))
    store.finish_answer(answer.id, TEXT, "done", AnswerDetails("m", "M", "end", grounding=grounding))
    return question.conversation_id


def show(parts: AppContext, conversation_id: int, target: Path) -> None:
    parts.session.open(conversation_id)

    def given(_parent: QWidget, _title: str, _start: str, _kinds: str = "") -> str:
        return str(target)

    parts.desk._pickers = Pickers(given, given, given)


def logged(where: Paths) -> list[dict[str, str]]:
    return [json.loads(line) for line in where.exports_log.read_text("utf-8").splitlines()]


def answer_id(parts: AppContext) -> int:
    return parts.session.messages()[-1].id


def dialog_of(parts: AppContext) -> QWidget:
    dialog = parts.secrecy.dialog
    assert dialog is not None
    return dialog


def test_a_secret_answer_becomes_a_word_document_after_a_yes(
    store: Store, where: Paths, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    parts, target = open_window(), tmp_path / "回答.docx"
    show(parts, keep(store, "secret"), target)
    parts.window.page("ask").transcript.requests.answer_export_requested.emit(answer_id(parts))
    dialog = parts.secrecy.dialog
    assert dialog is not None
    assert dialog.accessibleName() == "機密の内容を書き出しますか"
    dialog.buttons["cancel"].click()
    assert not target.exists()
    assert not where.exports_log.exists()

    parts.window.page("ask").transcript.requests.answer_export_requested.emit(answer_id(parts))
    dialog = parts.secrecy.dialog
    with qtbot.waitSignal(parts.desk._transfer.exported):
        dialog.buttons["go"].click()
    document = Document(str(target))
    assert "鍵はどこですか？" in [paragraph.text for paragraph in document.paragraphs]
    assert document.tables[0].rows[1].cells[1].text == "内規.pdf"
    (line,) = logged(where)
    assert (line["what"], line["label"], line["target"]) == ("answer", "secret", str(target))


def test_the_name_that_is_suggested_for_what_is_secret_holds_nothing_of_it(
    store: Store, where: Paths, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    parts = open_window()
    show(parts, keep(store, "secret"), tmp_path)
    parts.session._conversations.note_change()
    names: list[str] = []

    def accepted(_parent: QWidget, _title: str, start: str, _kinds: str = "") -> str:
        names.append(Path(start).name)
        return str(tmp_path / names[-1])

    parts.desk._pickers = Pickers(accepted, accepted, accepted)
    conversation = parts.session.conversation
    assert conversation is not None
    deeds: tuple[Callable[[], None], ...] = (
        lambda: parts.desk.export_answer(answer_id(parts)),
        parts.desk.export_open,
        lambda: parts.desk.export([conversation.id]),
    )
    for deed in deeds:
        deed()
        if deed is not deeds[0]:
            parts.desk.dialog.buttons["export"].click()
        with qtbot.waitSignal(parts.desk._transfer.exported):
            parts.secrecy.dialog.buttons["go"].click()
    kinds = [re.sub(r"\d{8}-\d{4}\..+$", "", name) for name in names]
    assert kinds == ["Kotae-回答-", "Kotae-会話-", "Kotae-会話-"]
    assert len(logged(where)) == 3
    assert "鍵" not in where.exports_log.read_text("utf-8")


@pytest.mark.parametrize("label", ["public", "internal"])
def test_what_is_not_secret_is_exported_without_a_question(
    store: Store, where: Paths, open_window: Open, tmp_path: Path, qtbot: QtBot, label: Label
) -> None:
    parts, target = open_window(), tmp_path / "回答.docx"
    show(parts, keep(store, label), target)
    with qtbot.waitSignal(parts.desk._transfer.exported):
        parts.desk.export_answer(answer_id(parts))
    assert parts.secrecy.dialog is None
    assert target.exists()
    assert not where.exports_log.exists()


def test_a_conversation_and_all_conversations_with_a_secret_one_ask(
    store: Store, where: Paths, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    parts, target = open_window(), tmp_path / "会話.json"
    keep(store, "internal")
    show(parts, keep(store, "secret"), target)
    parts.session._conversations.note_change()
    for start, what in ((parts.desk.export_open, "conversation"), (parts.desk.export_all, "conversations")):
        start()
        parts.desk.dialog.formats.buttons["json"].click()
        parts.desk.dialog.buttons["export"].click()
        with qtbot.waitSignal(parts.desk._transfer.exported):
            parts.secrecy.dialog.buttons["go"].click()
        assert logged(where)[-1]["what"] == what
        assert "yamada" not in target.read_text("utf-8")


def test_without_a_line_in_the_log_nothing_is_exported(
    store: Store, where: Paths, open_window: Open, tmp_path: Path
) -> None:
    parts, target = open_window(), tmp_path / "回答.docx"
    show(parts, keep(store, "secret"), target)
    where.exports_log.mkdir()  # nobody can write to it
    parts.desk.export_answer(answer_id(parts))
    parts.secrecy.dialog.buttons["go"].click()
    assert "書き出しの記録" in parts.secrecy.dialog.accessibleName()
    assert not target.exists()


def test_a_secret_answer_is_copied_after_a_yes(store: Store, where: Paths, open_window: Open, tmp_path: Path) -> None:
    parts = open_window()
    show(parts, keep(store, "secret"), tmp_path)
    QGuiApplication.clipboard().setText("前")
    view = parts.window.page("ask").transcript.view_of(answer_id(parts))
    header = parts.window.page("ask").header
    for copy, expected in (
        (view._end.row._copy, TEXT),
        (view.copy_cited, f"{TEXT}\n\n[1] 内規.pdf　第2章　p.4"),
        (view._copy_shown, view.text.plain_text()),
        (header._copy_conversation, f"質問：鍵はどこですか？\n\n回答：{TEXT}"),
    ):
        before = QGuiApplication.clipboard().text()
        copy()
        assert QGuiApplication.clipboard().text() == before
        assert "コピーした日時を記録します。" in dialog_of(parts).accessibleDescription()
        parts.secrecy.dialog.buttons["go"].click()
        assert QGuiApplication.clipboard().text() == expected
    assert [(line["what"], line["target"]) for line in logged(where)] == [("copy", "clipboard")] * 4


def test_what_is_selected_in_a_secret_answer_is_copied_after_a_yes(
    store: Store, where: Paths, open_window: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    parts = open_window()
    show(parts, keep(store, "secret"), tmp_path)
    text = parts.window.page("ask").transcript.view_of(answer_id(parts)).text
    text.setFocus()
    text.selectAll()
    QGuiApplication.clipboard().setText("前")
    qtbot.keyClick(text, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "前"
    parts.secrecy.dialog.buttons["go"].click()
    assert QGuiApplication.clipboard().text() == text.plain_text()
    QGuiApplication.clipboard().setText("前")
    menu = text.menu_at(QPoint(5, 5))
    next(action for action in menu.actions() if action.objectName() == "edit-copy").trigger()
    menu.deleteLater()
    assert QGuiApplication.clipboard().text() == "前"
    parts.secrecy.dialog.buttons["go"].click()
    assert QGuiApplication.clipboard().text() == text.plain_text()
    assert [line["what"] for line in logged(where)] == ["copy", "copy"]
    assert TEXT not in where.exports_log.read_text("utf-8")


def test_the_label_of_a_conversation_is_chosen_in_its_menu_and_not_below_its_documents(
    store: Store, open_window: Open, tmp_path: Path
) -> None:
    parts = open_window()
    show(parts, keep(store, "internal"), tmp_path)
    header = parts.window.page("ask").header

    def labels() -> dict[str, tuple[bool, bool]]:
        menu = header.menu()
        (inner,) = [action.menu() for action in menu.actions() if action.text() == "ラベル"]
        found = {action.text(): (action.isChecked(), action.isEnabled()) for action in inner.actions()}
        menu.deleteLater()
        return found

    assert labels() == {"公開": (False, False), "社外秘": (True, True), "機密": (False, True)}
    parts.session.give_label("secret")
    assert labels()["機密"] == (True, True)
    assert parts.session.label == "secret"
    assert not header.label_tag.isHidden()
    parts.session.give_label("public")  # as no menu offers it
    assert parts.session.label == "internal"


@pytest.mark.fault("S16")
def test_a_question_of_a_secret_conversation_is_copied_after_a_yes_too(
    store: Store, where: Paths, open_window: Open, tmp_path: Path
) -> None:
    parts = open_window()
    show(parts, keep(store, "secret"), tmp_path)
    QGuiApplication.clipboard().setText("前")
    view = parts.window.page("ask").transcript.view_of(parts.session.messages()[0].id)
    view._copy()
    assert QGuiApplication.clipboard().text() == "前"
    dialog_of(parts).buttons["go"].click()
    assert QGuiApplication.clipboard().text() == "鍵はどこですか？"
    assert [line["what"] for line in logged(where)] == ["copy"]


PAGES = ("ask", "documents", "models", "training", "evaluation", "settings", "bin", "search", "batch")


@pytest.mark.fault("S16")
def test_every_page_says_how_confidential_it_is_now(
    store: Store, library: Library, where: Paths, open_window: Open, tmp_path: Path, tally: Tally
) -> None:
    collection = library.add_collection("内規")
    parts = open_window()
    show(parts, keep(store, "internal"), tmp_path)
    before = {key: parts.window.page(key).label_now() for key in PAGES}
    assert "secret" not in before.values()
    assert clipboard_guard.label_at(parts.window.sidebar.list) == "internal"
    library.set_label(collection, "secret")  # as another process may do it
    after = {key for key in PAGES if parts.window.page(key).label_now() == "secret"}
    assert after == {"ask", "documents", "bin", "search"}  # the answer rests on it; the others show nothing of it
    assert clipboard_guard.label_at(parts.window.sidebar.list) == "secret"  # titles are of the conversations
    assert clipboard_guard.label_at(parts.window.page("ask").composer.editor) == "secret"
    tally.tried(len(PAGES) + 2)


@pytest.mark.fault("S16")
def test_what_is_dragged_out_of_the_list_of_conversations_carries_nothing_of_them(
    store: Store, open_window: Open, tmp_path: Path
) -> None:
    parts = open_window()
    show(parts, keep(store, "secret"), tmp_path)
    model = parts.window.sidebar.conversations
    parts.session._conversations.note_change()
    rows = [model.index(row) for row in range(model.rowCount())]
    assert any("鍵" in str(index.data()) for index in rows)
    data = model.mimeData(rows)
    assert data.formats() == ["application/x-qabstractitemmodeldatalist"]
    raw = bytes(data.data(data.formats()[0]).data())
    assert "鍵".encode("utf-16-be") not in raw
    assert "鍵".encode() not in raw
