"""What the window shows as 機密 leaves it as 機密, also where only its collections have become that."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.confidentiality import Label
from app.base.paths import Paths
from app.chat.exchange import conversation_import
from app.chat.exchange.conversation_export import save_file, stored_bundles
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding
from app.documents.library import Library
from app.uikit import clipboard_guard
from app.uikit.desktop import Pickers
from tests.chat.driver import store_thread
from tests.chat.ui.driver import clipboard, entries
from tests.permits import PERMIT, permit_to_lower

TIMEOUT_MS = 10_000
Opened = Callable[[int], AppContext]


def answered(store: Store, asked: list[CollectionRef], used: str, label: Label) -> int:
    """A conversation that asks those, and was answered from one of them, which was labelled so."""
    grounding = Grounding("answered", (CitedSource(used, label, "内規.pdf", "/内規.pdf", "鍵は守衛室にある。"),))
    details = AnswerDetails("m", "M", "end", scope=tuple(asked), grounding=grounding)
    question, _ = store_thread(store, "鍵はどこですか？", "守衛室です[1]。", details=details)
    store.set_scope(question.conversation_id, asked)
    return question.conversation_id


@pytest.fixture
def opened(open_window: Callable[..., AppContext], qtbot: QtBot, tmp_path: Path) -> Opened:
    """The window with that conversation; what is exported goes to 会話.json or 回答.docx of the test's folder."""

    def open_(conversation_id: int) -> AppContext:
        parts = open_window()
        with qtbot.waitSignal(parts.documents.opened, timeout=TIMEOUT_MS):
            parts.documents.open()
        parts.session.open(conversation_id)

        def given(_parent: QWidget, _title: str, _start: str, kinds: str = "") -> str:
            return str(tmp_path / ("会話.json" if "json" in kinds else "回答.docx"))

        parts.desk._pickers = Pickers(given, given, given)
        return parts

    return open_


def shown(parts: AppContext) -> tuple[str, dict[str, tuple[bool, bool]]]:
    """The label above the conversation, and those of its menu: ticked, and to be had."""
    header = parts.window.page("ask").header
    menu = header.menu()
    labels = entries(entries(menu)["ラベル"].menu())
    offered = {name: (action.isChecked(), action.isEnabled()) for name, action in labels.items()}
    menu.deleteLater()
    return header.label_tag.words.text(), offered


def check_copy(parts: AppContext) -> None:
    QGuiApplication.clipboard().setText("前")
    clipboard_guard.copy_text(parts.window.page("ask").transcript, "守衛室です。")
    assert clipboard() == "前"
    parts.secrecy.dialog.buttons["go"].click()
    assert clipboard() == "守衛室です。"


def check_ways_out(parts: AppContext, where: Paths, tmp_path: Path, qtbot: QtBot) -> None:
    """One conversation, all of them, one answer and a copy: each asks, and is in the log after a yes."""
    desk = parts.desk
    for deed in (desk.export_open, desk.export_all):
        deed()
        desk.dialog.formats.buttons["json"].click()
        desk.dialog.buttons["export"].click()
        assert not (tmp_path / "会話.json").exists()
        with qtbot.waitSignal(desk._transfer.exported):
            parts.secrecy.dialog.buttons["go"].click()
        (written,) = json.loads((tmp_path / "会話.json").read_text("utf-8"))["conversations"]
        assert written["label"] == "secret"
        (tmp_path / "会話.json").unlink()
    desk.export_answer(parts.session.messages()[-1].id)
    with qtbot.waitSignal(desk._transfer.exported):
        parts.secrecy.dialog.buttons["go"].click()
    check_copy(parts)
    logged = [json.loads(line) for line in where.exports_log.read_text("utf-8").splitlines()]
    assert [line["what"] for line in logged] == ["conversation", "conversation", "answer", "copy"]


def test_what_was_public_when_it_was_asked_leaves_as_what_its_collection_is_now(
    library: Library, store: Store, where: Paths, opened: Opened, tmp_path: Path, qtbot: QtBot
) -> None:
    asked = CollectionRef(library.add_collection("公報", "public"), "公報")
    kept = answered(store, [asked], "公報", "public")
    library.set_label(asked.id, "secret")
    parts = opened(kept)
    offered = {"公開": (False, False), "社外秘": (False, False), "機密": (True, True)}
    assert shown(parts) == ("機密", offered)
    check_ways_out(parts, where, tmp_path, qtbot)
    parts.session.ask_of([])  # what is asked next changes nothing about what was asked
    assert shown(parts) == ("機密", offered)
    parts.desk.export_open()
    parts.desk.dialog.buttons["export"].click()
    assert parts.secrecy.dialog.isVisible()


def test_what_asks_a_secret_collection_leaves_as_secret_also_where_another_one_has_answered(
    library: Library, store: Store, where: Paths, opened: Opened, tmp_path: Path, qtbot: QtBot
) -> None:
    labels: dict[str, Label] = {"点検記録": "secret", "内規": "internal"}
    asked = [CollectionRef(library.add_collection(name, label), name) for name, label in labels.items()]
    parts = opened(answered(store, asked, "内規", "internal"))
    assert parts.session.label == "internal"
    assert shown(parts) == ("機密", {"公開": (False, False), "社外秘": (False, False), "機密": (True, True)})
    check_ways_out(parts, where, tmp_path, qtbot)


def test_a_branch_that_is_not_shown_counts_too(library: Library, store: Store, opened: Opened) -> None:
    asked = CollectionRef(library.add_collection("点検記録", "secret"), "点検記録")
    kept = answered(store, [asked], "点検記録", "internal")
    store.set_scope(kept, [])
    store.add_question("別の聞き方", kept)  # beside the first one, and shown
    parts = opened(kept)
    assert [message.text for message in parts.window.page("ask").transcript.messages] == ["別の聞き方"]
    assert shown(parts)[0] == "機密"


def test_where_the_collections_cannot_be_read_what_was_asked_of_any_leaves_as_secret(
    store: Store, where: Paths, opened: Opened, tmp_path: Path, qtbot: QtBot
) -> None:
    parts = opened(answered(store, [], "内規", "internal"))
    where.documents.unlink(missing_ok=True)
    where.documents.write_bytes(b"no database" * 1000)
    check_ways_out(parts, where, tmp_path, qtbot)


@pytest.mark.parametrize("is_imported", [False, True])
def test_the_list_shows_the_label_that_stands_above_the_conversation(
    library: Library, store: Store, where: Paths, opened: Opened, *, is_imported: bool
) -> None:
    asked = CollectionRef(library.add_collection("入札", "internal"), "入札")
    kept = answered(store, [asked], "入札", "internal")
    store.set_scope(kept, [])
    if is_imported:
        export = where.data / "会話.json"
        (path,) = save_file(stored_bundles(store, [kept], lambda *_: None, []), "json", export, permit=PERMIT)
        shelf = ConversationOrganizer(store.database)
        shelf.bin([kept])
        shelf.erase([kept])
        assert conversation_import.import_conversations(store, path, lambda *_: None, where.documents).imported == 1
        (kept,) = [one.id for one in store.conversations()]
    library.set_label(asked.id, "secret")
    parts = opened(kept)
    parts.session._conversations.note_change()
    assert shown(parts)[0] == "機密"
    rows = parts.window.sidebar.conversations
    _time, label, _folder = rows.facts(rows.row(rows.index_of(kept).row()))
    assert label == "secret"
    library.set_label(asked.id, "internal", permit_to_lower("入札"))
    parts.documents.check_for_changes()
    assert rows.facts(rows.row(rows.index_of(kept).row()))[1] == "internal"


def test_before_the_documents_are_open_a_copy_is_asked_about_too(
    library: Library, store: Store, where: Paths, open_window: Callable[..., AppContext]
) -> None:
    asked = CollectionRef(library.add_collection("公報", "public"), "公報")
    kept = answered(store, [asked], "公報", "public")
    library.set_label(asked.id, "secret")
    parts = open_window()
    parts.session.open(kept)
    check_copy(parts)
