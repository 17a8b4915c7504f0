"""Which collections a question asks: chips above the editor, their menu, and what new conversations begin with."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.application import AppContext, _on_state_changed
from app.chat.store import Store
from app.chat.ui.collection_picker import StayOpenMenu
from app.chat.ui.conversations.conversation_list import TimeRole
from app.documents.library import Library
from app.documents.records import Document, DocumentSection
from app.inference.local_model import LocalModel
from app.uikit import clipboard_guard
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.labels import IconLabel
from tests.permits import permit_to_lower

TIMEOUT_MS = 60_000
LABELS = {"基準": "internal", "点検記録": "secret"}
MANUAL = "Kotae の使い方"


def put(library: Library, name: str, label: str, *, is_builtin: bool = False) -> None:
    collection_id = library.add_collection(name, label, is_builtin=is_builtin)  # type: ignore[arg-type]
    (document_id,) = library.add_documents(collection_id, [Path(f"/nowhere/{name}.md")])
    document = library.document(document_id)
    assert isinstance(document, Document)
    library.put(Document(**{**_fields(document), "state": "done"}), [DocumentSection(("1",), f"{name}の本文。")])


def _fields(document: Document) -> dict[str, object]:
    return {name: getattr(document, name) for name in document.__slots__}


@pytest.fixture
def opened(open_window: Callable[..., AppContext], qtbot) -> Callable[..., AppContext]:
    def open_(width: int = 1440) -> AppContext:
        parts = open_window(width)
        with qtbot.waitSignal(parts.documents.opened, timeout=TIMEOUT_MS):
            parts.documents.open()
        return parts

    return open_


def asked(parts: AppContext) -> list[str]:
    return [ref.name for ref in parts.session.scope]


def chips(parts: AppContext) -> list[str]:
    line = parts.window.page("ask").scope_line
    return [chip.label.text() for chip in line.chips if chip.isVisible()]


def names(menu: StayOpenMenu) -> dict[str, bool]:
    return {action.data(): action.isChecked() for action in menu.actions() if action.isCheckable()}


def choose(parts: AppContext, name: str) -> None:
    menu = parts.window.page("ask").scope_line.menu()
    next(action for action in menu.actions() if action.data() == name).toggle()
    menu.deleteLater()


def test_at_first_the_manual_is_asked_where_there_is_nothing_else(library: Library, opened) -> None:
    put(library, MANUAL, "public", is_builtin=True)
    parts = opened()
    assert asked(parts) == chips(parts) == [MANUAL]
    page = parts.window.page("ask")
    assert not page.empty.manual_button.isHidden()
    assert all(button.isHidden() for button in page.empty.example_buttons)
    assert page.composer.editor.placeholderText() == "資料について質問してください"
    assert page.header.label_tag.isVisible()


def test_own_documents_come_before_the_manual(library: Library, opened) -> None:
    put(library, MANUAL, "public", is_builtin=True)
    put(library, "基準", "internal")
    parts = opened()
    assert asked(parts) == ["基準"]
    assert parts.window.page("ask").empty.manual_button.isHidden()  # these documents would not answer it


def test_without_documents_the_line_says_so(opened) -> None:
    parts = opened()
    line = parts.window.page("ask").scope_line
    assert (asked(parts), chips(parts)) == ([], [])
    assert line.caption.text() == "資料なしで回答します（出典は付きません）"
    assert not parts.window.page("ask").header.label_tag.isVisible()


def test_what_was_chosen_is_asked_by_new_conversations_too(library: Library, opened) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    parts = opened()
    choose(parts, "基準")  # all were asked: this leaves it out
    assert asked(parts) == ["点検記録"]
    parts.session.new()
    assert asked(parts) == chips(parts) == ["点検記録"]
    assert parts.preferences.value.scope == ("点検記録",)


def test_what_a_command_adds_is_there_when_the_user_comes_back_and_nothing_else_is_another(
    library: Library, opened, qtbot
) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    parts = opened()
    choose(parts, "基準")
    editor = parts.window.page("ask").composer.editor
    editor.setPlainText("書きかけ")
    parts.window.show_page("documents")
    page = parts.window.page("documents")
    page.show_collection(2)
    put(library, "規程", "internal")
    _on_state_changed(Qt.ApplicationState.ApplicationActive, parts)
    qtbot.waitUntil(lambda: page.collections.rowCount() == 3)
    assert page.collection.name == "点検記録"
    menu = parts.window.page("ask").scope_line.menu()
    assert names(menu) == {"基準": False, "点検記録": True, "規程": False}
    assert editor.toPlainText() == "書きかけ"


def test_nobody_has_to_ask_documents(library: Library, opened) -> None:
    put(library, "基準", "internal")
    parts = opened()
    parts.window.page("ask").scope_line.chips[0].findChild(IconButton).click()
    assert asked(parts) == []
    parts.session.new()
    assert asked(parts) == []


def test_the_menu_says_what_is_not_read_yet(library: Library, opened) -> None:
    put(library, "基準", "internal")
    parts = opened()
    parts.documents.pause()
    library.add_documents(1, [Path("/nowhere/a.md"), Path("/nowhere/b.md")])
    parts.documents.changed.emit()
    menu = parts.window.page("ask").scope_line.menu()
    assert menu.actions()[0].text() == "基準　社外秘　3 件（2 件は読み取り前）"
    menu.deleteLater()


def test_a_chip_has_a_lock_where_its_documents_are_secret(library: Library, opened) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    chips = {chip.label.text(): chip for chip in opened().window.page("ask").scope_line.chips}
    locks = {name: [icon.accessibleName() for icon in chip.findChildren(IconLabel)] for name, chip in chips.items()}
    assert locks == {"基準": [], "点検記録": ["機密"]}
    told = {name: chip.findChild(IconButton).accessibleDescription() for name, chip in chips.items()}
    assert told == {"基準": "", "点検記録": "機密"}


def test_a_label_that_another_process_changed_is_shown_when_a_page_is_shown_or_the_window_comes_back(
    library: Library, opened, qtbot
) -> None:
    put(library, "基準", "internal")
    collection, parts = library.collection("基準").id, opened()
    window, page = parts.window, parts.window.page("ask")

    def locks() -> list[str]:
        return [icon.accessibleName() for icon in page.scope_line.chips[0].findChildren(IconLabel)]

    window.show_page("documents")
    window.show_page("ask")
    assert locks() == []
    library.set_label(collection, "secret")  # by another connection, as of `kotae docs add --label`
    assert page.label_now() == "secret"  # the gate knows at once
    window.show_page("documents")
    assert locks() == ["機密"]
    documents = window.page("documents")
    qtbot.waitUntil(lambda: documents.label_button.text().startswith("機密"), timeout=TIMEOUT_MS)
    window.show_page("ask")
    library.set_label(collection, "internal", permit_to_lower("基準"))
    _on_state_changed(Qt.ApplicationState.ApplicationActive, parts)
    assert locks() == []


def test_the_menu_says_what_is_not_for_everybody(library: Library, opened) -> None:
    for name, label in {**LABELS, "公報": "public"}.items():
        put(library, name, label)
    menu = opened().window.page("ask").scope_line.menu()
    said = {action.data(): action.text() for action in menu.actions() if action.isCheckable()}
    assert said == {"基準": "基準　社外秘　1 件", "点検記録": "点検記録　機密　1 件", "公報": "公報　1 件"}
    menu.deleteLater()


def test_each_conversation_keeps_its_own(library: Library, opened, store) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    kept = store.add_question("以前の質問").conversation_id
    parts = opened()
    assert len(asked(parts)) == 2
    parts.session.open(kept)
    assert (asked(parts), chips(parts)) == ([], [])
    choose(parts, "点検記録")
    parts.session.new()
    choose(parts, "基準")
    parts.session.open(kept)
    assert chips(parts) == ["点検記録"]


def test_in_a_conversation_one_asks_on(library: Library, opened, store) -> None:
    put(library, "基準", "internal")
    kept = store.add_question("以前の質問").conversation_id
    parts = opened()
    editor = parts.window.page("ask").composer.editor
    assert editor.placeholderText() == "資料について質問してください"
    parts.session.open(kept)
    assert editor.placeholderText() == "続けて質問できます"


def test_the_strictest_label_stands_beside_the_title(library: Library, opened) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    parts = opened()
    tag = parts.window.page("ask").header.label_tag
    assert tag._words.text() == "機密"
    choose(parts, "点検記録")
    assert tag._words.text() == "社外秘"


def told(parts: AppContext) -> tuple[str, str]:
    """The label of the open conversation, above it and in the list."""
    shown = parts.window.sidebar.conversations
    time = shown.index_of(shown.open_id).data(TimeRole)
    return parts.window.page("ask").header.label_tag._words.text(), time.partition("　")[2]


@pytest.mark.parametrize(("label", "word"), [("public", "公開"), ("internal", "社外秘"), ("secret", "機密")])
def test_a_new_conversation_has_in_the_list_the_label_that_stands_above_it(
    library: Library, opened, store: Store, starter_model: Path, qtbot, label: str, word: str
) -> None:
    size = starter_model.stat().st_size
    store.put_local_model(LocalModel("trial", "お試し", str(starter_model), size, "gemma3", "Q4_K_M", 32768, 1.0))
    put(library, "基準", label)
    parts = opened()
    with qtbot.waitSignal(parts.session.answer_finished, timeout=TIMEOUT_MS):
        assert parts.session.ask("基準の本文はどうなっていますか。")
        assert told(parts) == (word, word)
    assert parts.session.label == label
    assert told(parts) == (word, word)


def test_while_an_answer_is_written_its_label_stays_whatever_is_asked_next(
    library: Library, opened, store: Store, starter_model: Path, qtbot
) -> None:
    size = starter_model.stat().st_size
    store.put_local_model(LocalModel("trial", "お試し", str(starter_model), size, "gemma3", "Q4_K_M", 32768, 1.0))
    put(library, "点検記録", "secret")
    put(library, "公報", "public")
    parts = opened()
    choose(parts, "公報")
    with qtbot.waitSignal(parts.session.answer_finished, timeout=TIMEOUT_MS):
        assert parts.session.ask("点検記録の本文はどうなっていますか。")
        choose(parts, "点検記録")
        choose(parts, "公報")
        assert asked(parts) == ["公報"]
        assert told(parts) == ("機密", "機密")
        QGuiApplication.clipboard().setText("前")
        clipboard_guard.copy_text(parts.window.page("ask").transcript, "回答の文")  # what is selected in it
        assert QGuiApplication.clipboard().text() == "前"
        parts.secrecy.dialog.reject()
    assert parts.session.label == "secret"
    assert told(parts) == ("機密", "機密")


def test_the_list_follows_what_a_conversation_asks_and_what_its_collections_become(
    library: Library, opened, store: Store, qtbot
) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    kept = store.add_question("以前の質問").conversation_id
    parts = opened()
    parts.session.open(kept)
    assert told(parts)[1] == ""
    choose(parts, "基準")
    assert told(parts) == ("社外秘", "社外秘")
    choose(parts, "点検記録")
    assert told(parts) == ("機密", "機密")
    choose(parts, "点検記録")
    assert told(parts) == ("社外秘", "社外秘")
    for label, word in (("secret", "機密"), ("internal", "社外秘")):
        parts.window.page("ask").header.label_chosen.emit(label)
        assert told(parts) == (word, word)
    with qtbot.waitSignal(parts.documents.changed, timeout=TIMEOUT_MS):
        parts.documents.set_label(parts.session.scope[0].id, "secret")
    qtbot.waitUntil(lambda: told(parts) == ("機密", "機密"), timeout=TIMEOUT_MS)


def test_a_collection_that_was_removed_is_shown_as_gone(library: Library, opened, qtbot) -> None:
    put(library, "基準", "internal")
    put(library, "点検記録", "internal")
    parts = opened()
    choose(parts, "点検記録")
    question = parts.store.add_question("質問", None, None)
    parts.store.set_scope(question.conversation_id, parts.session.scope)
    parts.session.open(question.conversation_id)
    parts.documents.remove_collection(parts.session.scope[0].id)
    qtbot.waitUntil(lambda: not parts.documents.is_busy, timeout=TIMEOUT_MS)
    assert chips(parts) == ["基準（ありません）"]


def test_a_collection_is_found_by_its_new_name(library: Library, opened, qtbot) -> None:
    put(library, "基準", "internal")
    parts = opened()
    with qtbot.waitSignal(parts.documents.changed, timeout=TIMEOUT_MS):
        parts.documents.rename(parts.session.scope[0].id, "新しい基準")
    qtbot.waitUntil(lambda: chips(parts) == ["新しい基準"], timeout=TIMEOUT_MS)


def test_where_chips_do_not_fit_their_number_stands(library: Library, opened) -> None:
    for number in range(6):
        put(library, f"とても長い名前の資料集 その {number}", "internal")
    parts = opened(800)
    line = parts.window.page("ask").scope_line
    assert chips(parts) == []
    assert (line.count_button.isVisible(), line.count_button.text()) == (True, "6 件")
    assert "その 5" in line.count_button.toolTip()


def test_the_menu_opens_by_key_and_stays_while_entries_are_chosen(library: Library, opened, qtbot) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    parts = opened()
    page = parts.window.page("ask")
    QTest.keyClick(page.composer.editor, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, StayOpenMenu)
    assert names(menu) == {"基準": True, "点検記録": True}
    QTest.keyClick(menu, Qt.Key.Key_Down)
    QTest.keyClick(menu, Qt.Key.Key_Space)
    assert menu.isVisible()
    assert asked(parts) == ["基準"]
    menu.close()


@pytest.mark.parametrize(("left_out", "first"), [([], "基準"), (["基準"], "点検記録"), (["基準", "点検記録"], "基準")])
def test_the_menu_opens_at_what_is_asked(library: Library, opened, left_out: list[str], first: str) -> None:
    for name, label in LABELS.items():
        put(library, name, label)
    parts = opened()
    for name in left_out:
        choose(parts, name)
    parts.window.page("ask").scope_line.open_menu()
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, StayOpenMenu)
    assert menu.activeAction().data() == first
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert (first in asked(parts)) == (first in left_out)
