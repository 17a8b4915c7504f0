"""Which collections a question asks: chips above the editor, their menu, and what new conversations begin with."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.application import AppContext, _on_state_changed
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.store import Store
from app.chat.ui.collection_picker import StayOpenMenu
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Section
from app.inference.local_model import LocalModel
from app.uikit import clipboard_guard
from app.uikit.localization import with_note
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.labels import IconLabel
from tests.chat.ui.driver import CONTROL, Window, clipboard, press
from tests.permits import permit_to_lower

TIMEOUT_MS = 60_000
LABELS: dict[str, Label] = {"基準": "internal", "点検記録": "secret"}
MANUAL = "Kotae の使い方"


class Scope(Window):
    """The window with its documents open."""

    def __init__(self, parts: AppContext, qtbot: QtBot) -> None:
        super().__init__(parts, qtbot)
        self.line, self.header, self.documents = self.page.scope_line, self.page.header, parts.documents
        with qtbot.waitSignal(parts.documents.opened, timeout=TIMEOUT_MS):
            parts.documents.open()

    def asked(self) -> list[str]:
        return [ref.name for ref in self.session.scope]

    def chips(self) -> list[str]:
        return [chip.label.text() for chip in self.line.chips if chip.isVisible()]

    def locks(self) -> dict[str, list[str]]:
        """Return what the signs of each chip say."""
        found = {chip.label.text(): chip.findChildren(IconLabel) for chip in self.line.chips}
        return {name: [icon.accessibleName() for icon in icons] for name, icons in found.items()}

    def choices(self) -> dict[str, tuple[str, bool]]:
        """Return text and mark of each collection in the menu."""
        menu = self.line.menu()
        found = {one.data(): (one.text(), one.isChecked()) for one in menu.actions() if one.isCheckable()}
        menu.deleteLater()
        return found

    def toggle(self, name: str) -> None:
        menu = self.line.menu()
        next(action for action in menu.actions() if action.data() == name).toggle()
        menu.deleteLater()

    def open_menu(self) -> StayOpenMenu:
        press(self.editor, Qt.Key.Key_L, CONTROL)
        return QApplication.activePopupWidget()

    def labels(self) -> tuple[str, str]:
        """Return the label of the open conversation, above it and in the list."""
        listed = self.window.sidebar.conversations
        facts = listed.facts_text(listed.row(listed.index_of(listed.open_id).row()))
        return self.header.label_tag.words.text(), facts.partition("　")[2]

    def come_back(self) -> None:
        """As when the user was in another program."""
        _on_state_changed(Qt.ApplicationState.ApplicationActive, self.parts)


@pytest.fixture
def put(library: Library) -> Callable[..., None]:
    """Adds collections of one document each that has been read."""

    def put(labels: dict[str, Label], *, is_builtin: bool = False) -> None:
        for name, label in labels.items():
            collection_id = library.add_collection(name, label, is_builtin=is_builtin)
            (document_id,) = library.add_documents(collection_id, [Path(f"/nowhere/{name}.md")])
            library.put(library.document(document_id), [Section(("1",), f"{name}の本文。")])
            library.keep(document_id)

    return put


@pytest.fixture
def opened(open_window: Callable[..., AppContext], qtbot: QtBot) -> Callable[..., Scope]:
    return lambda width=1440: Scope(open_window(width), qtbot)


def test_at_first_the_manual_is_asked_where_there_is_nothing_else(put, opened):
    put({MANUAL: "public"}, is_builtin=True)
    scope = opened()
    assert scope.asked() == scope.chips() == [MANUAL]
    empty = scope.page.empty
    assert not empty.manual_button.isHidden()
    assert all(button.isHidden() for button in empty.example_buttons)
    assert scope.editor.placeholderText() == phrase("chat.ask_about_your_documents")
    assert scope.header.label_tag.isVisible()


def test_own_documents_come_before_the_manual_and_nobody_has_to_ask_them(put, opened, store):
    put({MANUAL: "public"}, is_builtin=True)
    put({"基準": "internal"})
    kept = store.add_question("以前の質問").conversation_id
    scope = opened()
    assert scope.asked() == ["基準"]
    assert scope.page.empty.manual_button.isHidden()  # these documents would not answer it
    assert scope.editor.placeholderText() == phrase("chat.ask_about_your_documents")
    scope.line.chips[0].findChild(IconButton).click()
    assert scope.asked() == []
    scope.session.open_new()
    assert scope.asked() == []
    scope.session.open(kept)
    assert scope.editor.placeholderText() == "続けて質問できます"


def test_without_documents_the_line_says_so(opened):
    scope = opened()
    assert (scope.asked(), scope.chips()) == ([], [])
    assert scope.line.caption.text() == "資料なしで回答します（出典は付きません）"
    assert not scope.header.label_tag.isVisible()


def test_what_was_chosen_is_asked_by_new_conversations_too_and_each_keeps_its_own(put, opened, store):
    put(LABELS)
    kept = store.add_question("以前の質問").conversation_id
    scope = opened()
    assert scope.header.label_tag.words.text() == "機密", "the strictest of both"
    scope.toggle("点検記録")  # both were asked: this leaves it out
    assert scope.header.label_tag.words.text() == "社外秘"
    assert scope.asked() == ["基準"]
    scope.session.open(kept)
    assert (scope.asked(), scope.chips()) == ([], [])
    scope.toggle("点検記録")
    scope.session.open_new()
    assert scope.asked() == scope.chips() == ["点検記録"]
    assert scope.parts.preferences.value.scope == ("点検記録",)
    scope.toggle("基準")
    scope.session.open(kept)
    assert scope.chips() == ["点検記録"]


def test_what_a_command_adds_is_there_when_the_user_comes_back_and_nothing_else_is_another(put, opened, qtbot):
    put(LABELS)
    scope = opened()
    scope.toggle("基準")
    scope.editor.setPlainText("書きかけ")
    scope.window.show_page("documents")
    page = scope.window.page("documents")
    page.show_collection(2)
    put({"規程": "internal"})
    scope.come_back()
    qtbot.waitUntil(lambda: page.collections.rowCount() == 3)
    assert page.collection.name == "点検記録"
    assert [(name, marked) for name, (_, marked) in scope.choices().items()] == [
        ("基準", False),
        ("点検記録", True),
        ("規程", False),
    ]
    assert scope.editor.toPlainText() == "書きかけ"


def test_menu_and_chips_say_what_is_not_for_everybody_and_what_is_not_read_yet(put, opened, library):
    put({**LABELS, "公報": "public"})
    scope = opened()
    texts = [text for text, _ in scope.choices().values()]
    assert texts == ["公報　1 件", "基準　社外秘　1 件", "点検記録　機密　1 件"]
    assert scope.locks() == {"基準": [], "点検記録": ["機密"], "公報": []}
    described = [chip.findChild(IconButton).accessibleDescription() for chip in scope.line.chips]
    assert described == ["", "", "機密"]
    scope.documents.pause()
    library.add_documents(1, [Path("/nowhere/a.md"), Path("/nowhere/b.md")])
    scope.documents.changed.emit()
    assert scope.choices()["基準"][0] == "基準　社外秘　3 件（2 件は読み取り前）"


def test_a_label_that_another_process_changed_is_shown_when_a_page_is_shown_or_the_window_comes_back(
    put, library, opened, qtbot
):
    put({"基準": "internal"})
    collection, scope = library.collection("基準").id, opened()
    scope.window.show_page("documents")
    scope.window.show_page("ask")
    assert scope.locks() == {"基準": []}
    library.set_label(collection, "secret")  # by another connection, as of `kotae docs add --label`
    assert scope.page.label_now() == "secret"  # the gate knows at once
    scope.window.show_page("documents")
    assert scope.locks() == {"基準": ["機密"]}
    documents = scope.window.page("documents")
    qtbot.waitUntil(lambda: documents.label_button.text().startswith("機密"))
    scope.window.show_page("ask")
    library.set_label(collection, "internal", permit_to_lower("基準"))
    scope.come_back()
    assert scope.locks() == {"基準": []}


@pytest.fixture
def with_model(store: Store, starter_model: Path) -> None:
    size = starter_model.stat().st_size
    store.put_local_model(LocalModel("trial", "お試し", str(starter_model), size, "gemma3", "Q4_K_M", 32768, 1.0))


@pytest.mark.usefixtures("with_model")
def test_a_new_conversation_has_in_the_list_the_label_that_stands_above_it(put, opened):
    put({"公開": "public", "社外秘": "internal", "機密": "secret"})
    scope = opened()
    refs = {ref.name: ref for ref in scope.session.scope}
    for word, ref in refs.items():
        scope.session.open_new()
        scope.page.scoping.choose([ref])

        def ask(word: str = word) -> None:
            assert scope.session.ask(f"{word}の本文はどうなっていますか。")
            listed = scope.window.sidebar.conversations
            scope.qtbot.waitUntil(lambda: listed.index_of(listed.open_id).isValid())
            assert scope.labels() == (word, word)

        scope.answered(ask)
        assert scope.labels() == (word, word)
    labels = sorted(one.label for one in scope.parts.conversations.all_conversations())
    assert labels == ["internal", "public", "secret"]


@pytest.mark.usefixtures("with_model")
def test_while_an_answer_is_written_its_label_stays_whatever_is_asked_next(put, opened):
    put({"点検記録": "secret", "公報": "public"})
    scope = opened()
    scope.toggle("公報")

    def ask() -> None:
        assert scope.session.ask("点検記録の本文はどうなっていますか。")
        scope.toggle("点検記録")
        scope.toggle("公報")
        assert scope.asked() == ["公報"]
        assert scope.labels() == ("機密", "機密")
        QGuiApplication.clipboard().setText("前")
        clipboard_guard.copy_text(scope.transcript, "回答の文")  # what is selected in it
        assert clipboard() == "前"
        scope.parts.secrecy.dialog.reject()

    scope.answered(ask)
    assert scope.session.label == "secret"
    assert scope.labels() == ("機密", "機密")


def test_the_list_follows_what_a_conversation_asks_and_what_its_collections_become(put, opened, store, qtbot):
    put(LABELS)
    kept = store.add_question("以前の質問").conversation_id
    scope = opened()
    scope.session.open(kept)
    assert scope.labels()[1] == ""
    for name, word in (("基準", "社外秘"), ("点検記録", "機密"), ("点検記録", "社外秘")):
        scope.toggle(name)
        assert scope.labels() == (word, word)
    for label, word in (("secret", "機密"), ("internal", "社外秘")):
        scope.session.give_label(label)
        assert scope.labels() == (word, word)
    with qtbot.waitSignal(scope.documents.changed):
        scope.documents.set_label(scope.session.scope[0].id, "secret")
    qtbot.waitUntil(lambda: scope.labels() == ("機密", "機密"))


def test_a_collection_is_found_by_its_new_name_and_shown_as_gone_when_it_was_removed(put, opened, qtbot):
    put({"基準": "internal"})
    scope = opened()
    asked = scope.session.scope
    with qtbot.waitSignal(scope.documents.changed):
        scope.documents.rename(asked[0].id, "新しい基準")
    qtbot.waitUntil(lambda: scope.chips() == ["新しい基準"])
    kept = scope.parts.store.add_question("質問").conversation_id
    scope.parts.store.set_scope(kept, scope.session.scope)
    scope.session.open(kept)
    scope.documents.remove_collection(asked[0].id)
    qtbot.waitUntil(lambda: not scope.documents.is_busy)
    assert scope.chips() == ["新しい基準（ありません）"]


def test_where_chips_do_not_fit_their_number_stands(put, opened):
    put({f"とても長い名前の資料集 その {number}": "internal" for number in range(6)})
    scope = opened(800)
    assert scope.chips() == []
    assert (scope.line.count_button.isVisible(), scope.line.count_button.text()) == (True, "6 件")
    assert "その 5" in scope.line.count_button.toolTip()


def test_the_menu_opens_by_key_at_what_is_asked_and_stays_while_entries_are_chosen(put, opened):
    put(LABELS)
    scope = opened()
    menu = scope.open_menu()
    assert menu.activeAction().data() == "基準"
    press(menu, Qt.Key.Key_Space)
    assert menu.isVisible()
    assert scope.asked() == ["点検記録"]
    menu.close()
    for chosen, left in (("点検記録", []), ("基準", ["基準"])):  # the first that is asked, else the first of all
        menu = scope.open_menu()
        assert menu.activeAction().data() == chosen
        press(menu, Qt.Key.Key_Return)
        assert scope.asked() == left


@pytest.fixture
def put_several(library: Library) -> Callable[..., list[str]]:
    """Adds one collection of several read documents and returns their paths."""

    def put(name: str, texts: dict[str, str], label: Label = "internal") -> list[str]:
        collection_id = library.add_collection(name, label)
        paths = [Path(f"/nowhere/{file}") for file in texts]
        for document_id, text in zip(library.add_documents(collection_id, paths), texts.values(), strict=True):
            library.put(library.document(document_id), [Section(("1 本文",), text)])
            library.keep(document_id)
        return [str(path) for path in paths]

    return put


RULES = {
    "就業規則.md": "休憩時間は、一時間とする。始業時刻は、午前九時とする。",
    "旅費規程.md": "宿泊料は、一泊につき一万円とする。",
    "育児規程.md": "休業は、子が一歳になるまで取得できる。",
}


def test_a_question_is_asked_of_the_ticked_documents_only_and_says_so(put_several, opened):
    _, travel, _ = put_several("規程集", RULES)
    scope = opened()
    picker = scope.page.choose_documents()
    rows = {picker.choices.index(row).data(): picker.choices.index(row) for row in range(picker.choices.rowCount())}
    assert list(rows) == ["規程集", *sorted(RULES)]
    checked = Qt.ItemDataRole.CheckStateRole
    for name in ("就業規則.md", "育児規程.md"):
        picker.choices.setData(rows[name], Qt.CheckState.Unchecked, checked)
    assert rows["規程集"].data(checked) == Qt.CheckState.PartiallyChecked
    picker.buttons["ask"].click()
    assert [ref.documents for ref in scope.session.scope] == [(travel,)]
    assert scope.chips() == ["旅費規程.md"]
    assert scope.choices()["規程集"] == ("規程集　社外秘　3 件のうち 1 件", True)
    scope.ask("宿泊料はいくらですか。")
    details = scope.session.messages()[-1].details
    assert {source.document for source in details.grounding.sources} == {"旅費規程.md"}
    scope.ask("休憩時間は何時間ですか。")
    assert scope.session.messages()[-1].details.grounding.verdict == "not_in_documents"  # of another document
    facts = dict(scope.session.answered(scope.session.messages()[-1].id).facts())
    assert facts[phrase("chat.batch_fact.scope")] == "規程集（旅費規程.md）"
    # One that is gone is named, and not replaced by its collection.
    scope.page.scoping.choose([dataclasses.replace(scope.session.scope[0], documents=("/gone/退職金規程.md",))])
    assert scope.chips() == [with_note("退職金規程.md", phrase("chat.not_found"))]
    scope.ask("休憩時間は何時間ですか。")
    assert scope.session.messages()[-1].details.grounding is None
    assert scope.session.messages()[-1].details.error_code == "collections_gone"


def test_ticked_documents_are_kept_with_their_conversation_and_begin_the_next_one(put_several, opened):
    first, second, _ = put_several("規程集", RULES)
    scope = opened()
    ref = scope.session.scope[0]
    scope.page.scoping.choose([dataclasses.replace(ref, documents=(first, second))])
    assert scope.chips() == ["規程集：2 件"]
    scope.ask("休憩時間は何時間ですか。")
    asked = scope.session.conversation.id
    scope.session.open_new()
    assert scope.session.scope[0].documents == (first, second)
    scope.toggle("規程集")
    assert scope.asked() == []
    scope.toggle("規程集")  # as a whole
    assert scope.session.scope[0].documents == ()
    scope.session.open(asked)
    assert scope.session.scope[0].documents == (first, second)
    assert scope.chips() == ["規程集：2 件"]


def test_ticked_documents_stay_ticked_when_their_collection_is_renamed_and_another_is_asked_too(
    put, put_several, opened, qtbot
):
    first, *_ = put_several("規程集", RULES)
    put(LABELS)
    scope = opened()
    ref = next(one for one in scope.session.scope if one.name == "規程集")
    scope.page.scoping.choose([dataclasses.replace(ref, documents=(first,))])
    with qtbot.waitSignal(scope.documents.changed):
        scope.documents.rename(ref.id, "社内規程")
    scope.toggle("基準")
    assert {one.name: one.documents for one in scope.session.scope} == {"社内規程": (first,), "基準": ()}


def test_a_chosen_collection_that_is_not_read_yet_stays_chosen_when_documents_are_ticked(put_several, library, opened):
    put_several("規程集", RULES)
    scope = opened()
    unread = library.add_collection("図面")
    library.add_documents(unread, [Path("/nowhere/図面.pdf")])
    scope.come_back()
    scope.toggle("図面")
    assert set(scope.asked()) == {"規程集", "図面"}
    picker = scope.page.choose_documents()
    picker.choices.setData(picker.choices.index(1), Qt.CheckState.Unchecked, Qt.ItemDataRole.CheckStateRole)
    picker.buttons["ask"].click()
    assert {ref.name: len(ref.documents) for ref in scope.session.scope} == {"規程集": 2, "図面": 0}


def test_a_ticked_document_that_was_removed_is_not_replaced_by_another_of_its_name(library, opened, qtbot):
    id = library.add_collection("基準", "internal")
    for document_id in library.add_documents(id, [Path("/nowhere/旧/記録.md"), Path("/nowhere/新/記録.md")]):
        library.put(library.document(document_id), [Section(("1",), "本文。")])
        library.keep(document_id)
    scope = opened()
    (old,) = [one for one in scope.documents.documents(id) if "旧" in one.path]
    scope.page.scoping.choose([CollectionRef(id, "基準", (old.path,))])
    scope.documents.remove([old.id])
    qtbot.waitUntil(lambda: not scope.documents.is_busy)
    assert scope.chips() == ["記録.md（ありません）"]
    with pytest.raises(AppError, match="collections_gone"):
        collection_lookup.open_scope(library, scope.session.scope)


def test_a_ticked_document_of_a_confidential_collection_makes_its_conversation_secret(put_several, opened):
    _, travel, _ = put_several("規程集", RULES, "secret")
    scope = opened()
    scope.page.scoping.choose([dataclasses.replace(scope.session.scope[0], documents=(travel,))])
    assert scope.page.label_now() == "secret"


def test_removing_a_chip_by_mouse_keeps_the_cursor_and_the_text(put, opened, qtbot):
    put(LABELS)
    scope = opened()
    scope.editor.setFocus()
    press(scope.editor, Qt.Key.Key_A)
    press(scope.editor, Qt.Key.Key_B)
    press(scope.editor, Qt.Key.Key_Left)
    for _ in LABELS:
        qtbot.mouseClick(scope.line.chips[0].findChild(IconButton), Qt.MouseButton.LeftButton)
    assert scope.asked() == []
    assert scope.editor.hasFocus()
    assert (scope.editor.toPlainText(), scope.editor.textCursor().position()) == ("ab", 1)
