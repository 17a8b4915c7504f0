"""An answer that somebody edits by hand: marked, unchecked, exported as such, and its original kept."""

import contextlib
import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from app.application import AppContext
from app.base.wording import phrase
from app.chat import answer_check
from app.chat.answer_check import AnswerRecord
from app.chat.exchange import conversation_import, docx_file, markdown_file
from app.chat.exchange.conversation_bundle import Bundle, bundle_from_dict, bundle_to_dict
from app.chat.message_index import MessageIndex
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript.answer_view import AnswerView
from app.chat.ui.transcript.rating_controller import AnswerEditor
from app.chat.ui.transcript.sources_footer import SourceRow
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.uikit.undo import UndoableAction
from tests.chat.driver import fill_disk
from tests.chat.ui.driver import buttons, clipboard, entries, heard, words
from tests.scene import Scene

TEXT = "かぶりは70mm以上です。[1]"
SOURCE = CitedSource("基準", "internal", "基準.pdf", "/x", "かぶりは70mm以上とする。", ("2.2 かぶり",), "標準", 14)
GROUNDING = Grounding("answered", (SOURCE,), (Claim(TEXT, 0, len(TEXT), (1,), is_supported=True),), is_excerpt=True)
CHECKED = "違いは見つかりませんでした"


class Edited:
    """A conversation with one answer on the page; no model is needed."""

    def __init__(self, page: ChatPage, scene: Scene) -> None:
        self.page, self.session = page, scene.session
        self.undone: list[tuple[UndoableAction]] = heard(page._navigation.undo_offered)

    def open(self, grounding: Grounding | None = GROUNDING, *, is_temporary: bool = False) -> None:
        if is_temporary:
            self.session.open_new(is_temporary=True)
        store, details = self.session._store, AnswerDetails("m", "試験 8B", "end", answer_tokens=9, grounding=grounding)
        answer = store.add_answer(store.add_question("かぶりは？").id, details)
        store.finish_answer(answer.id, TEXT, "done", details)
        (self.session._show_conversation if is_temporary else self.session.open)(answer.conversation_id)
        self.id = answer.id

    @property
    def stored(self) -> Message:
        return self.session._store.message(self.id)

    @property
    def view(self) -> AnswerView:
        return self.page.transcript.view_of(self.id)

    @property
    def editor(self) -> AnswerEditor:
        (shown,) = [editor for editor in self.page.findChildren(AnswerEditor) if editor.isVisible()]
        return shown

    def save(self, text: str) -> None:
        entries(self.view._end.row.menu())["回答を編集…"].trigger()
        self.editor.text.setPlainText(text)
        self.editor.save_button.click()
        QApplication.sendPostedEvents()

    def undo(self) -> None:
        self.undone[-1][0].undo()


@pytest.fixture
def edited(page: ChatPage, scene: Scene) -> Edited:
    edited = Edited(page, scene)
    edited.open()
    return edited


def test_an_edited_answer_says_so_and_nothing_is_claimed_of_it(edited: Edited) -> None:
    assert "抜粋表示" in words(edited.view)
    edited.save("かぶりは50mm以上です。[1]")
    shown = words(edited.view)
    assert edited.view.text.plain_text() == "かぶりは50mm以上です。[1]"
    assert any(text.startswith("編集済み") and "照合していません" in text for text in shown)
    assert "抜粋表示" not in shown
    assert not any(CHECKED in text or "照合しました" in text for text in shown)
    assert edited.view.check_summary.startswith("編集済み")
    assert sum(row.isVisible() for row in edited.view.findChildren(SourceRow)) == 1, "the source that it still cites"
    assert edited.view.height() == edited.view.fit(edited.view.width())
    assert (edited.stored.written_text, edited.stored.is_edited) == (TEXT, True)
    edited.save("出典を消した文です。")
    assert edited.stored.written_text == TEXT, "the first text stays the original"
    assert answer_check.grounding_of(edited.stored) is None, "it cites nothing any more"


def test_the_focus_is_in_the_answer_that_was_edited(edited: Edited) -> None:
    edited.view._end.row._more_button.setFocus()
    edited.save("かぶりは50mm以上です。[1]")
    assert edited.view.text.hasFocus()
    edited.view._end.row._more_button.setFocus()
    edited.undo()
    assert edited.view.isAncestorOf(QApplication.focusWidget())


def test_the_original_is_shown_and_put_back(edited: Edited) -> None:
    edited.save("別の文です。")
    buttons(edited.view)["元の回答を見る"].click()
    assert edited.editor.text.toPlainText() == TEXT
    assert edited.editor.text.isReadOnly()
    edited.editor.save_button.click()
    assert (edited.stored.text, edited.stored.is_edited) == (TEXT, False)
    assert answer_check.grounding_of(edited.stored) == GROUNDING
    assert "抜粋表示" in words(edited.view)
    assert not any(text.startswith("編集済み") for text in words(edited.view))
    edited.undo()
    assert (edited.stored.text, edited.stored.written_text) == ("別の文です。", TEXT)
    assert edited.view.text.plain_text() == "別の文です。"


def test_an_edit_is_undone_also_when_another_conversation_is_open(edited: Edited) -> None:
    edited.save("別の文です。")
    before, store = edited.id, edited.session._store
    edited.open()
    assert edited.undone[-1][0].done == "回答を編集しました。"
    edited.undo()
    assert (store.message(before).text, store.message(before).is_edited) == (TEXT, False)
    assert edited.view.text.plain_text() == TEXT
    edited.undone[-1][0].redo()
    assert store.message(before).text == "別の文です。"
    assert len(edited.undone) == 2
    edited.undo()
    store.database.write("UPDATE conversation SET leaf_id = NULL")
    store.database.write("DELETE FROM message WHERE id = ?", before)
    edited.undo()  # it was erased meanwhile


def test_an_edit_of_a_temporary_conversation_that_is_gone_is_not_undone_in_another(edited: Edited) -> None:
    kept = edited.id
    edited.open(is_temporary=True)
    edited.save("別の文です。")
    edited.session.open_new()
    edited.session.forget_temporary()
    edited.undo()
    assert edited.session._disk.message(kept).text == TEXT


def test_an_edit_is_not_done_again_in_a_temporary_conversation_that_is_open_meanwhile(edited: Edited) -> None:
    edited.save("別の文です。")
    edited.undo()
    kept = edited.id
    edited.open(is_temporary=True)
    assert edited.id == kept, "each store numbers its own messages"
    edited.undone[-1][0].redo()
    assert edited.stored.text == TEXT
    assert edited.session._disk.message(kept).text == "別の文です。"


def test_an_edit_of_an_erased_conversation_is_not_in_the_way_of_what_was_done_before(
    open_window: Callable[..., AppContext],
) -> None:
    parts, undone = open_window(), []
    edited, undo_stack = Edited(parts.page, parts), parts.window.undo_stack
    undo_stack.push(UndoableAction(done="", undone="", undo=lambda: undone.append(1), redo=lambda: None))
    edited.open()
    here = edited.stored.conversation_id
    edited.save("別の文です。")
    parts.session.open_new()
    parts.conversations.bin([here])
    parts.conversations.erase([here])
    undo_stack.undo()
    assert undone == [1]


def test_the_same_text_is_no_edit_and_an_empty_one_is_refused(edited: Edited) -> None:
    edited.save(f"{TEXT}\n")
    assert not edited.stored.is_edited
    assert edited.undone == []
    edited.save(" \n")
    assert edited.editor.problem.text() == phrase("chat.write_the_answer")
    assert edited.stored.text == TEXT


def test_an_edit_that_cannot_be_stored_stays_in_its_window(edited: Edited, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        fill_disk(full, edited.session._store, "put_edited")
        edited.save("別の文です。")
        assert edited.editor.problem.text() == phrase("chat.it_could_not_be_saved")
    assert edited.stored.text == TEXT
    edited.editor.save_button.click()
    assert edited.stored.text == "別の文です。"


def test_an_edit_is_found_by_the_search_and_the_original_no_more(edited: Edited) -> None:
    index = MessageIndex(edited.session._store.database)

    def found(query: str) -> list[int]:
        return [hit.message_id for hit in index.search(query).hits]

    assert found("70mm以上") == [edited.id]
    edited.save("水平打継目の処理です。")
    assert (found("打継目"), found("70mm以上")) == ([edited.id], [])
    edited.undo()
    assert (found("打継目"), found("70mm以上")) == ([], [edited.id])


def test_no_edit_changes_the_label_that_the_user_chose(edited: Edited) -> None:
    edited.open(dataclasses.replace(GROUNDING, sources=(dataclasses.replace(SOURCE, label="public"),)))
    assert edited.session.label == "public"
    edited.session.give_label("internal")
    edited.save("別の文です。[1]")
    assert edited.session.label == "internal"


def test_a_file_says_of_an_edited_answer_that_it_is_one(edited: Edited, tmp_path: Path) -> None:
    edited.save("かぶりは50mm以上です。[1]")
    conversation, messages = edited.session.conversation, tuple(edited.session.messages())
    bundle = Bundle(conversation, messages, "")
    data = json.loads(json.dumps(bundle_to_dict(bundle)))
    word = [
        docx_file.conversation_docx(bundle),
        docx_file.answer_docx(AnswerRecord(messages[0], messages[1], "internal")),
    ]
    for text in (markdown_file.conversation_markdown(bundle), *map(docx_text, word)):
        assert "かぶりは50mm以上です。" in text
        assert "編集済み" in text
        assert "照合していません" in text
        assert CHECKED not in text
    edited.view.copy_cited()
    assert "編集済み" in clipboard()
    again = bundle_from_dict(data).messages[1]
    assert (again.text, again.written_text, again.is_edited) == ("かぶりは50mm以上です。[1]", TEXT, True)
    assert len(answer_check.origin_marks(again)) == 2, "imported and edited"
    target = tmp_path / "a.json"
    target.write_text(json.dumps({"format": "kotae-conversations", "version": 1, "conversations": [data]}))
    with contextlib.closing(Store.in_memory()) as other:
        conversation_import.import_conversations(other, target, lambda *_: None, tmp_path / "none.sqlite")
        (kept,) = other.conversations()
        assert other.tree(kept.id)[1].written_text == TEXT


def docx_text(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return file.read("word/document.xml").decode()


def test_what_the_program_says_itself_cannot_be_edited(edited: Edited) -> None:
    store = edited.session._store
    details = AnswerDetails("m", grounding=Grounding("not_in_documents", (SOURCE,)))
    answer = store.add_answer(store.add_question("別の問い").id, details)
    store.finish_answer(answer.id, "資料にありません。", "done", details)
    edited.session.open(answer.conversation_id)
    assert "回答を編集…" not in entries(edited.page.transcript.view_of(answer.id)._end.row.menu())
