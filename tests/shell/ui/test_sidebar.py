"""The list of the real window: keys, mouse, menus, folders, and what Ctrl+Z takes back."""

import json

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QDropEvent, QFocusEvent, QFontMetrics, QShortcut
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu

from app.base.settings import Settings
from app.chat.organizer import ConversationOrganizer
from app.chat.records import Conversation, UnsentDraft
from app.shell.ui import sidebar
from app.shell.ui.sidebar import NavigationButton, Sidebar
from app.uikit.undo import UNDO
from tests.uikit.ui.conversion import convert
from tests.window_fixtures import settle

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


def texts(model) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def questions(store, *titles: str) -> list[int]:
    return [store.add_question(title).conversation_id for title in titles]


def shelved(store, *ids: int) -> int:
    """A folder with these conversations."""
    shelf = ConversationOrganizer(store.database)
    folder_id = shelf.add_folder("橋梁")
    shelf.move(ids, folder_id)
    return folder_id


class Hand:
    """The list of a window, with the mouse and the keyboard at it."""

    def __init__(self, parts, qtbot) -> None:
        self.window = parts.window
        self.view = parts.window.sidebar.list
        self.model = parts.window.sidebar.conversations
        self._qtbot = qtbot

    def click(self, conversation_id: int, keys=Qt.KeyboardModifier.NoModifier) -> None:
        self._click(self.model.index_of(conversation_id), keys)

    def click_folder(self, folder_id: int) -> None:
        self._click(self.model.index_of_folder(folder_id))

    def _click(self, index, keys=Qt.KeyboardModifier.NoModifier) -> None:
        self._qtbot.mouseClick(self.view.viewport(), LEFT, keys, self.view.visualRect(index).center())

    def press(self, key, keys=Qt.KeyboardModifier.NoModifier) -> None:
        self._qtbot.keyClick(self.view, key, keys)

    def at(self, conversation_id: int) -> "Hand":
        self.view.setFocus()
        self.view.setCurrentIndex(self.model.index_of(conversation_id))
        return self

    def at_folder(self, folder_id: int) -> "Hand":
        self.view.setFocus()
        self.view.setCurrentIndex(self.model.index_of_folder(folder_id))
        return self

    @property
    def current(self) -> str:
        return self.view.currentIndex().data()

    def editor(self) -> QLineEdit:
        """Of the current row; the field of an earlier one is still there until a turn after it was closed."""
        return self.view.indexWidget(self.view.currentIndex())

    def enter(self, text: str) -> None:
        """Into the field that is open."""
        editor = self.editor()
        editor.setText(text)
        self._qtbot.keyClick(editor, Qt.Key.Key_Return)
        self._qtbot.waitUntil(lambda: not self.view.is_editing)

    def choose(self, text: str) -> None:
        """In the menu, or in its folders."""
        menu = self.view.menu()
        actions = [*menu.actions(), *(entry for inner in menu.findChildren(QMenu) for entry in inner.actions())]
        [action] = [action for action in actions if action.text() == text]
        action.trigger()
        menu.close()

    def undo(self) -> None:
        """Ctrl+Z, without a window manager that would deliver the key."""
        [shortcut] = [one for one in self.window.findChildren(QShortcut) if one.key().toString() == "Ctrl+Z"]
        shortcut.activated.emit()


@pytest.fixture
def hand(open_window, qtbot):
    return lambda *size: Hand(open_window(*size), qtbot)


def words(menu) -> list[str]:
    return [action.text() for action in menu.actions() if not action.isSeparator()]


# ------------------------------------------------------------------------------ choosing


def test_ctrl_and_shift_choose_several_without_opening_them(open_window, store, qtbot):
    ids = questions(store, "一", "二", "三", "四")
    parts = open_window()
    hand = Hand(parts, qtbot)
    hand.click(ids[3])
    hand.click(ids[1], CTRL)
    assert hand.view.chosen_ids() == [ids[3], ids[1]]
    hand.click(ids[0], SHIFT)
    assert hand.view.chosen_ids() == [ids[3], ids[1], ids[0]]
    assert parts.session.conversation.id == ids[3]
    hand.press(Qt.Key.Key_A, CTRL)
    assert hand.view.chosen_ids() == ids[::-1]
    hand.press(Qt.Key.Key_Escape)
    assert hand.view.chosen_ids() == [ids[3]]


def test_shift_and_arrows_choose_across_headings(hand, store):
    inside, outside = questions(store, "中", "外")
    shelved(store, inside)
    at = hand().at(inside)
    at.press(Qt.Key.Key_Down, SHIFT)
    assert at.view.chosen_ids() == [inside, outside]


def test_what_is_chosen_stays_chosen_when_the_list_is_filled_anew(open_window, store, qtbot):
    ids = questions(store, "一", "二", "三")
    parts = open_window()
    hand = Hand(parts, qtbot)
    hand.click(ids[2])
    hand.click(ids[0], CTRL)
    questions(store, "四")
    parts.conversations.note_change()
    assert "四" in texts(hand.model)
    assert hand.view.chosen_ids() == [ids[2], ids[0]]


# ------------------------------------------------------------------------ bin and undo


def test_delete_moves_to_the_bin_and_the_offer_brings_it_back(hand, store, qtbot):
    [kept] = questions(store, "消さない質問")
    at = hand().at(kept)
    at.press(Qt.Key.Key_Delete)
    assert texts(at.model) == []
    assert at.window.toast.isVisible()
    assert at.window.toast.accessibleName() == "「消さない質問」をごみ箱に移しました。30 日間戻せます。"
    qtbot.mouseClick(at.window.toast.button, LEFT)
    assert texts(at.model)[1] == "消さない質問"
    assert at.window.toast.accessibleName() == "「消さない質問」をごみ箱から戻しました。"
    at.at(kept).press(Qt.Key.Key_Delete)
    assert texts(at.model) == []
    at.undo()
    assert texts(at.model)[1] == "消さない質問"
    assert at.window.toast.accessibleName() == "「消さない質問」をごみ箱から戻しました。"


def test_delete_is_about_the_conversation_that_was_clicked_though_its_field_has_the_focus(hand, store, qtbot):
    ids = questions(store, "一", "二")
    at = hand()
    editor = at.window.page("ask").composer.editor
    at.window.activateWindow()
    qtbot.waitUntil(at.window.isActiveWindow)

    def press(*keys: Qt.Key) -> None:
        for key in keys:
            qtbot.keyClick(at.window.focusWidget(), key)

    at.click(ids[0])
    assert at.window.focusWidget() is editor
    press(Qt.Key.Key_A, Qt.Key.Key_Backspace, Qt.Key.Key_Delete)  # something was typed
    at.click(ids[1])
    editor.setFocus()
    at.window.sidebar.new_button.setFocus()
    editor.setFocus()  # one was elsewhere
    press(Qt.Key.Key_Delete)
    assert texts(at.model)[1:] == ["二", "一"]
    at.click(ids[1])
    press(Qt.Key.Key_Delete)
    assert texts(at.model)[1:] == ["一"]
    assert at.window.toast.accessibleName() == "「二」をごみ箱に移しました。30 日間戻せます。"
    press(Qt.Key.Key_Delete)
    assert texts(at.model)[1:] == ["一"]
    at.click(ids[0])
    convert(editor, "かきかけ")
    convert(editor, "")
    press(Qt.Key.Key_Delete)  # something was typed, and not kept
    assert texts(at.model)[1:] == ["一"]
    at.click(ids[0])
    at.window._on_new_requested()  # Ctrl+N, which leaves the focus where it is
    press(Qt.Key.Key_Delete)
    assert texts(at.model)[1:] == ["一"]


def test_delete_leaves_a_clicked_conversation_alone_when_anything_was_done_since(hand, store, qtbot):
    [id] = questions(store, "一")
    at = hand()
    page = at.window.page("ask")
    editor = page.composer.editor
    at.window.activateWindow()
    qtbot.waitUntil(at.window.isActiveWindow)

    def convert_and_give_up() -> None:
        convert(editor, "か")
        convert(editor, "")

    def type_and_cut_in_a_menu() -> None:
        qtbot.keyClick(editor, Qt.Key.Key_A)
        QApplication.sendEvent(editor, QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.PopupFocusReason))
        editor.clear()

    for done in (at.window._on_new_requested, convert_and_give_up, type_and_cut_in_a_menu):
        at.click(id)
        done()
        assert at.window.focusWidget() is editor
        qtbot.keyClick(editor, Qt.Key.Key_Delete)
        assert texts(at.model)[1:] == ["一"], done
    at.window._navigation.conversation_requested.emit(id)  # found by the search
    qtbot.keyClick(editor, Qt.Key.Key_Delete)
    assert texts(at.model)[1:] == ["一"]


def test_ctrl_z_takes_back_one_thing_after_the_other(hand, store):
    ids = questions(store, "一", "二")
    folder_id = shelved(store)
    at = hand()
    at.at(ids[0]).choose("橋梁")
    at.at(ids[1]).press(Qt.Key.Key_Delete)
    at.at_folder(folder_id).choose("フォルダを削除（会話は残ります）")
    assert texts(at.model) == ["今日", "一"]
    at.undo()
    assert texts(at.model) == ["橋梁", "一"]
    at.undo()
    assert texts(at.model) == ["橋梁", "一", "今日", "二"]
    at.undo()
    assert texts(at.model) == ["橋梁", "今日", "二", "一"]
    at.undo()
    assert texts(at.model) == ["橋梁", "今日", "二", "一"]


def test_ctrl_z_takes_back_pins_and_names_before_what_was_done_earlier(hand, store):
    ids = questions(store, "一", "二")
    at = hand()
    at.at(ids[0]).press(Qt.Key.Key_Delete)
    at.at(ids[1]).choose("ピン留めする")
    at.at(ids[1]).press(Qt.Key.Key_F2)
    at.enter("改めた名前")
    assert texts(at.model) == ["ピン留め", "改めた名前"]
    at.undo()
    assert texts(at.model) == ["ピン留め", "二"]
    assert at.window.toast.accessibleName() == "名前を「二」に戻しました。"
    at.window.toast.button.click()
    assert "改めた名前" in texts(at.model)
    at.undo()
    at.undo()
    assert texts(at.model) == ["今日", "二"]
    assert at.window.toast.accessibleName() == "「二」のピン留めを外しました。"
    at.undo()
    assert texts(at.model) == ["今日", "二", "一"]


def test_what_the_toast_has_taken_back_is_not_taken_back_again(hand, store, qtbot):
    ids = questions(store, "一", "二")
    at = hand()
    at.at(ids[0]).press(Qt.Key.Key_Delete)
    at.at(ids[1]).press(Qt.Key.Key_Delete)
    qtbot.mouseClick(at.window.toast.button, LEFT)
    assert texts(at.model)[1:] == ["二"]
    at.undo()
    assert texts(at.model)[1:] == ["二", "一"]


def test_what_could_not_be_done_is_not_told_as_done(hand, store, monkeypatch):
    from app.base.errors import AppError

    [kept] = questions(store, "一")
    at = hand().at(kept)

    def full(*_arguments: object) -> None:
        raise AppError("disk_full", path="/", free_bytes=0)

    monkeypatch.setattr(ConversationOrganizer, "bin", full)
    at.press(Qt.Key.Key_Delete)
    assert texts(at.model)[1:] == ["一"]
    assert not at.window.toast.isVisible()


@pytest.mark.parametrize("size", [(1440, 900), (800, 600)])
def test_the_toast_covers_neither_the_field_nor_the_answer(open_window, store, qtbot, size):
    [number] = questions(store, "とても長い題名の会話で、終わりまで書くと窓の幅に収まらないもの")
    parts = open_window(*size)
    window = parts.window
    window.list_actions.bin([number])
    toast, page = window.toast, window.page("ask")
    place = toast.geometry()
    for part in (page.composer, page.stack, page.trial_notice):
        if part.isVisible():
            corner = part.mapTo(toast.parentWidget(), QPoint())
            assert not part.rect().translated(corner).intersects(place), type(part).__name__
    assert toast.parentWidget().rect().contains(place)
    assert "ごみ箱に移しました" in toast._text.text()


def test_the_title_in_the_toast_gives_way_to_what_was_done(open_window, qtbot, theme):
    window = open_window(800, 600).window
    title = "河川の堤防の除草と点検の記録を、年度ごとにまとめた表の作り方について教えてください"
    window.toast.offer("「{title}」をごみ箱に移しました。30 日間戻せます。", UNDO, lambda: None, title)
    shown = window.toast._text.text()
    assert shown.startswith("「河川の堤防")
    assert shown.endswith("…」をごみ箱に移しました。30 日間戻せます。")
    assert title in window.toast.accessibleName()


# ------------------------------------------------------------------------------ folders


def test_a_click_or_a_key_folds_a_folder(hand, store):
    folder_id = shelved(store, *questions(store, "中"))
    at = hand()
    at.click_folder(folder_id)
    assert texts(at.model) == ["橋梁"]
    for key, shown in (
        (Qt.Key.Key_Return, ["橋梁", "中"]),
        (Qt.Key.Key_Left, ["橋梁"]),
        (Qt.Key.Key_Left, ["橋梁"]),
        (Qt.Key.Key_Right, ["橋梁", "中"]),
        (Qt.Key.Key_Space, ["橋梁"]),
    ):
        at.at_folder(folder_id).press(key)
        assert texts(at.model) == shown
        assert at.current == "橋梁"


def test_the_keyboard_goes_through_folders_and_left_leads_to_the_heading(hand, store):
    inside, _ = questions(store, "中", "外")
    shelved(store, inside)
    at = hand().at(inside)
    at.press(Qt.Key.Key_Up)
    assert at.current == "橋梁"
    assert at.view.chosen_ids() == []
    at.press(Qt.Key.Key_Down)
    at.press(Qt.Key.Key_Left)
    assert at.current == "橋梁"
    at.press(Qt.Key.Key_Down)
    at.press(Qt.Key.Key_Down)
    assert at.current == "外"


def test_folded_folders_are_folded_after_the_next_start(open_window, store, qtbot, where):
    folder_id = shelved(store, *questions(store, "中"))
    first = open_window()
    Hand(first, qtbot).click_folder(folder_id)
    first.window.close()
    assert json.loads((where.data / "window.json").read_text("ascii"))["folded"] == [folder_id]
    assert texts(open_window().window.sidebar.conversations) == ["橋梁"]


def test_a_new_folder_is_named_where_it_stands(hand, store):
    questions(store, "質問")
    at = hand()
    at.window.sidebar.filter.setText("質問")
    [action] = [one for one in at.window.sidebar.menu().actions() if one.text() == "新しいフォルダ"]
    action.trigger()
    assert at.editor().text() == "新しいフォルダ"
    assert at.editor().selectedText() == "新しいフォルダ"
    at.enter("河川")
    assert texts(at.model) == ["河川", "今日", "質問"]
    assert [folder.name for folder in ConversationOrganizer(store.database).folders()] == ["河川"]


def test_new_folders_get_names_that_differ(hand, store):
    at = hand()
    for _ in range(3):
        at.window.list_actions.add_folder()
        at.press(Qt.Key.Key_Escape)
    assert [folder.name for folder in ConversationOrganizer(store.database).folders()] == [
        "新しいフォルダ", "新しいフォルダ（2）", "新しいフォルダ（3）",
    ]  # fmt: skip


def test_a_folder_that_is_given_the_name_of_another_gets_a_number(hand, store):
    shelf = ConversationOrganizer(store.database)
    shelf.add_folder("橋梁")
    number = shelf.add_folder("河川")
    assert hand().window.list_actions.rename_folder(number, "橋梁")
    assert [folder.name for folder in shelf.folders()] == ["橋梁", "橋梁（2）"]


def test_several_go_into_a_new_folder_and_back(hand, store):
    ids = questions(store, "一", "二", "三")
    shelf = ConversationOrganizer(store.database)
    shelf.move(ids[:1], shelf.add_folder("前から"))
    at = hand().at(ids[0])
    at.view.choose(ids[:2], at.model.index_of(ids[0]))
    at.choose("新しいフォルダ…")
    at.enter("新しく")
    assert texts(at.model) == ["前から", "新しく", "二", "一", "今日", "三"]
    at.undo()
    assert texts(at.model) == ["前から", "一", "今日", "三", "二"]


def test_a_question_in_a_folder_is_stored_in_it(open_window, store, qtbot):
    folder_id = shelved(store)
    parts = open_window()
    Hand(parts, qtbot).at_folder(folder_id).choose("このフォルダで新しい質問")
    assert parts.window.current_page == "ask"
    parts.session.ask("橋梁の点検")
    assert parts.session.conversation.folder_id == folder_id


def test_conversations_leave_their_folder_by_the_menu(hand, store):
    ids = questions(store, "一", "二")
    shelved(store, *ids)
    at = hand().at(ids[0])
    at.press(Qt.Key.Key_A, CTRL)
    at.choose("フォルダから出す")
    assert texts(at.model) == ["橋梁", "今日", "二", "一"]
    assert at.window.toast.accessibleName() == "2 件の会話をフォルダから出しました。"


def test_a_folder_whose_name_has_braces_is_moved_to(hand, store):
    [number] = questions(store, "{n} と {title}")
    ConversationOrganizer(store.database).add_folder("{x} & {title}")
    at = hand().at(number)
    at.choose("{x} && {title}")
    assert texts(at.model) == ["{x} & {title}", "{n} と {title}"]
    assert at.window.toast.isVisible()


# -------------------------------------------------------------------- names, pins, menu


def test_f2_renames_a_conversation_and_a_folder_where_they_stand(hand, store):
    [renamed] = questions(store, "前の名前")
    folder_id = shelved(store)
    at = hand().at(renamed)
    at.press(Qt.Key.Key_F2)
    at.enter("後の名前")
    assert store.conversation(renamed).title == "後の名前"
    at.at_folder(folder_id).press(Qt.Key.Key_F2)
    assert at.editor().accessibleName() == "フォルダの名前"
    at.enter("河川")
    assert texts(at.model) == ["河川", "今日", "後の名前"]


def test_the_name_of_a_folder_is_taken_back_and_given_again_also_after_the_folder_was_removed(hand, store):
    folder_id = shelved(store)
    at = hand()
    actions, undo_stack = at.window.list_actions, at.window.undo_stack

    def names():
        return [folder.name for folder in at.window._conversations.folders()]

    before = names()
    at.at_folder(folder_id).press(Qt.Key.Key_F2)
    at.enter("河川")
    actions.remove_folder(folder_id)
    for wanted in (["河川"], before):
        undo_stack.undo()
        assert names() == wanted
    undo_stack.redo()
    assert names() == ["河川"]
    undo_stack.undo()
    assert names() == before


def test_an_answer_that_ends_does_not_take_the_name_from_who_types_it(open_window, store, qtbot):
    [renamed] = questions(store, "前の名前")
    parts = open_window()
    at = Hand(parts, qtbot).at(renamed)
    at.press(Qt.Key.Key_F2)
    at.editor().setText("書きかけの")
    questions(store, "別の質問")
    parts.conversations.note_change()
    assert at.view.is_editing
    assert at.editor().text() == "書きかけの"
    at.enter("書きかけの名前")
    assert texts(at.model)[1:] == ["別の質問", "書きかけの名前"]


def test_a_row_that_looks_different_leaves_the_name_that_is_being_converted(hand, store):
    """Change what the rows say below their titles, as documents and drafts do at any time."""
    [renamed] = questions(store, "前の名前")
    at = hand().at(renamed)
    at.press(Qt.Key.Key_F2)
    assert (at.editor().text(), at.editor().selectedText()) == ("前の名前", "前の名前")
    convert(at.editor(), "にほn")
    at.model.set_collections([])
    convert(at.editor(), "", "日本")
    at.model.set_drafts([renamed])
    assert at.editor().text() == "日本"


def test_the_menu_names_what_it_does_with_its_keys(hand, store):
    [number] = questions(store, "質問")
    menu = hand().at(number).view.menu()
    assert words(menu) == ["名前を変更", "ピン留めする", "フォルダに移す", "書き出す…", "ごみ箱に移す"]
    keys = {action.text(): action.shortcut().toString() for action in menu.actions()}
    assert (keys["名前を変更"], keys["ごみ箱に移す"]) == ("F2", "Del")


def test_the_menu_of_several_acts_on_all(hand, store):
    ids = questions(store, "一", "二", "三")
    at = hand().at(ids[2])
    at.view.choose(ids[1:], at.model.index_of(ids[1]))
    assert words(at.view.menu()) == ["ピン留めする", "フォルダに移す", "書き出す…", "ごみ箱に移す"]
    at.choose("ピン留めする")
    assert texts(at.model) == ["ピン留め", "三", "二", "今日", "一"]
    at.choose("ピン留めを外す")
    assert texts(at.model) == ["今日", "三", "二", "一"]


@pytest.mark.parametrize("way", ["Shift+F10", "Menu"])
def test_the_keyboard_opens_the_menu_at_its_row(hand, store, way):
    [number] = questions(store, "質問")
    at = hand().at(number)
    if way == "Menu":
        event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), at.view.mapToGlobal(QPoint()))
        QApplication.sendEvent(at.view, event)
    else:
        at.press(Qt.Key.Key_F10, SHIFT)
    menu = QApplication.activePopupWidget()
    assert words(menu)[0] == "名前を変更"
    row = at.view.visualRect(at.view.currentIndex())
    assert row.contains(at.view.viewport().mapFromGlobal(menu.pos()))
    menu.close()


def test_a_right_click_takes_the_row_under_it_unless_that_is_chosen(hand, store):
    ids = questions(store, "一", "二", "三")
    at = hand().at(ids[0])
    at.view.choose(ids[:2], at.model.index_of(ids[0]))
    for number, chosen in ((ids[1], [ids[1], ids[0]]), (ids[2], [ids[2]])):
        place = at.view.visualRect(at.model.index_of(number)).center()
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, at.view.viewport().mapToGlobal(place))
        QApplication.sendEvent(at.view.viewport(), event)
        QApplication.activePopupWidget().close()
        assert at.view.chosen_ids() == chosen


def test_the_menu_beside_new_question_has_what_concerns_all(open_window):
    parts = open_window()
    menu = parts.window.sidebar.menu()
    assert words(menu) == [
        "新しい質問", "一時的な会話", "新しいフォルダ", "会話を書き出す…", "会話を取り込む…", "ごみ箱",
    ]  # fmt: skip
    menu.actions()[-1].trigger()
    settle()
    assert parts.window.current_page == "bin"
    menu.actions()[1].trigger()
    assert parts.session.is_temporary
    menu.close()


def test_a_right_click_on_a_selected_conversation_is_about_conversations_even_if_a_folder_is_current(hand, store):
    first, second = questions(store, "一", "二")
    folder_id = shelved(store)
    at = hand()
    at.view.choose([first, second], at.model.index_of_folder(folder_id))
    place = at.view.visualRect(at.model.index_of(first)).center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, at.view.viewport().mapToGlobal(place))
    QApplication.sendEvent(at.view.viewport(), event)
    menu = next(menu for menu in at.view.findChildren(QMenu) if menu.isVisible())
    assert "ごみ箱に移す" in " ".join(words(menu))
    assert set(at.view.chosen_ids()) == {first, second}
    menu.close()


def test_exporting_and_importing_are_asked_for(theme, qtbot):
    sidebar = Sidebar(theme, (("ask", "box", "質問"),), tuple)
    qtbot.addWidget(sidebar)
    sidebar.show_conversations([Conversation(7, "質問", 1.0, 1.0, None)], [], set(), 0)
    sidebar.list.setCurrentIndex(sidebar.conversations.index_of(7))
    heard: list[object] = []
    sidebar.export_all_requested.connect(lambda: heard.append("all"))
    sidebar.import_requested.connect(lambda: heard.append("import"))
    sidebar.list.export_requested.connect(heard.append)
    for menu in (sidebar.menu(), sidebar.list.menu()):
        for action in menu.actions():
            if action.text() in ("会話を書き出す…", "会話を取り込む…", "書き出す…"):
                action.trigger()
        menu.close()
    assert heard == ["all", "import", [7]]


def test_a_draft_shows_when_its_conversation_was_left(open_window, store, qtbot):
    left, other = questions(store, "書きかけ", "別")
    parts = open_window()
    parts.session.open(left)
    ConversationOrganizer(store.database).keep_draft(left, UnsentDraft("続きは"))
    parts.session.open(other)
    model = parts.window.sidebar.conversations
    assert model.draft_mark(model.row(model.index_of(left).row())) == "下書き"


# ------------------------------------------------------------------------------ dragging


def dragged(hand, ids: list[int], index) -> object:
    """Where the list says that something dropped on this row goes."""
    hand.view.choose(ids, hand.model.index_of(ids[0]))
    hand.view.doItemsLayout()
    return hand.view._folder_at(hand.view.visualRect(index).center())


def test_conversations_can_be_dropped_where_they_are_not_yet(hand, store):
    ids = questions(store, "一", "二")
    folder_id = shelved(store, ids[0])
    at = hand()
    heading = at.model.index_of_folder(folder_id)
    assert dragged(at, [ids[1]], heading) == folder_id
    assert dragged(at, [ids[0]], heading) is None
    assert dragged(at, ids, heading) == folder_id
    assert dragged(at, [ids[0]], at.model.index_of(ids[1])) == 0  # out of its folder
    assert dragged(at, [ids[1]], at.model.index_of(ids[1])) is None


class Drop(QDropEvent):
    """What Qt sends at the end of a drag that began in `source`; the offscreen platform knows no drags."""

    def __init__(self, source, mime, place) -> None:
        move, none = Qt.DropAction.MoveAction, Qt.KeyboardModifier.NoModifier
        super().__init__(QPointF(place), move, mime, LEFT, none)
        self._source = source

    def source(self):
        return self._source


@pytest.mark.parametrize("is_own", [True, False])
def test_only_what_was_dragged_in_the_list_moves_when_dropped(hand, store, qtbot, is_own):
    ids = questions(store, "一", "二", "三")
    folder_id = shelved(store)
    at = hand()
    at.view.choose(ids[:2], at.model.index_of(ids[0]))
    at.view.doItemsLayout()
    place = at.view.visualRect(at.model.index_of_folder(folder_id)).center()
    mime = at.model.mimeData(at.view.selectedIndexes())
    drop = Drop(at.view if is_own else at.window, mime, place)
    at.view.dropEvent(drop)
    assert drop.isAccepted() == is_own
    if is_own:
        qtbot.waitUntil(lambda: texts(at.model) == ["橋梁", "二", "一", "今日", "三"])
        at.undo()
    QApplication.processEvents()
    assert texts(at.model) == ["橋梁", "今日", "三", "二", "一"]


# ------------------------------------------------------------------- frame and emptiness


def test_an_empty_list_says_what_will_stand_there_and_enter_searches_for_more(hand, qtbot):
    sidebar = hand().window.sidebar
    assert sidebar._empty.text() == "会話は、ここに並びます。"
    sidebar.filter.setText("橋")
    assert sidebar._empty.text() == "「橋」は見つかりません。"
    with qtbot.waitSignal(sidebar.search_requested) as signal:
        qtbot.keyClick(sidebar.filter, Qt.Key.Key_Return)
    assert signal.args == ["橋"]


def test_the_bin_stands_at_the_foot_with_its_count_when_there_is_something_in_it(hand, store):
    [number] = questions(store, "消す")
    at = hand()
    button = at.window.sidebar.bin_button
    assert not button.isVisible()
    at.at(number).press(Qt.Key.Key_Delete)
    assert button.isVisible()
    assert (button.note, button.accessibleName()) == ("1", "ごみ箱　1")
    button.click()
    settle()
    assert at.window.current_page == "bin"
    assert button.isChecked()
    assert at.window.sidebar.nav._group.checkedButton() is None
    at.window.show_page("ask")
    assert not button.isChecked()


def test_the_drawer_lies_over_the_page_and_goes_by_esc_or_a_click_beside_it(hand, store, qtbot):
    questions(store, "質問")
    window = hand(800, 600).window
    width = window.stack.width()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for close in (
        lambda: qtbot.keyClick(window.sidebar.list, Qt.Key.Key_Escape),
        lambda: qtbot.mouseClick(window.frame._scrim, LEFT),
        lambda: window.page("ask").focus_first(),
    ):
        window.toggle_sidebar()
        assert window.sidebar.isVisible()
        assert window.stack.width() == width
        assert window.sidebar.list.hasFocus()
        close()
        assert not window.sidebar.isVisible()
    window.resize(1200, 700)
    assert window.stack.x() == window.sidebar.width() + 1
    assert not window.frame._scrim.isVisible()


def test_a_drawer_of_large_text_leaves_the_page_its_width(open_window, store, qtbot):
    parts = open_window(800, 600)
    parts.preferences.change(text_scale_percent=150)
    parts.window.toggle_sidebar()
    assert parts.window.stack.width() == 800
    assert parts.window.sidebar.width() == 348
    assert parts.window.sidebar.list.height() >= 100


def test_another_language_or_size_of_text_keeps_the_rows_apart(open_window, store):
    questions(store, "一", "二")
    parts = open_window()
    view, model = parts.window.sidebar.list, parts.window.sidebar.conversations
    parts.preferences.change(text_scale_percent=200)
    QApplication.sendPostedEvents(None, QEvent.Type.MetaCall.value)
    view.doItemsLayout()
    first, second = (view.visualRect(model.index(row)) for row in (1, 2))
    assert second.top() > first.bottom()
    assert first.height() == 92


def test_the_names_of_pages_are_whole_also_where_they_stand_in_two_columns(hand, store):
    window = hand().window
    buttons = window.sidebar.nav.findChildren(NavigationButton)
    for button in buttons:
        button.setText("Fine-tuning of models")
    window.theme.apply(QApplication.instance(), Settings(text_scale_percent=130))
    window.resize(1400, 520)
    QApplication.processEvents()
    assert len({button.x() for button in buttons}) == 2
    names = QFontMetrics(window.theme.font("ui", 600))
    assert all(names.horizontalAdvance(one.text()) <= one.words_area().width() for one in buttons)
    page_left = window.page("ask").mapTo(window, QPoint()).x()
    assert page_left == window.sidebar.width() + 1


def test_many_conversations_are_listed_in_a_turn_after_the_change_and_before_a_new_folder_is_named(
    hand, store, qtbot, monkeypatch
):
    monkeypatch.setattr(sidebar, "MANY", 2)
    first, second = questions(store, "一", "二")
    at = hand()
    at.window.list_actions.rename(first, "改めた題名")
    assert "一" in texts(at.model)
    qtbot.waitUntil(lambda: "改めた題名" in texts(at.model))
    at.window.list_actions.rename(second, "次の題名")
    at.window.list_actions.add_folder()
    assert at.view.is_editing
    assert "次の題名" in texts(at.model)


def test_what_is_deleted_again_before_the_list_of_many_follows_stays_one_deletion(hand, store, qtbot, monkeypatch):
    monkeypatch.setattr(sidebar, "MANY", 0)
    _, second = questions(store, "一", "二")
    at = hand().at(second)
    for _ in range(2):
        at.press(Qt.Key.Key_Delete)
    assert at.window.toast.accessibleName() == "「二」をごみ箱に移しました。30 日間戻せます。"
    qtbot.waitUntil(lambda: texts(at.model)[1:] == ["一"])
    at.undo()
    assert at.view.chosen_ids() == []  # the opened one is not listed yet
    qtbot.waitUntil(lambda: at.view.chosen_ids() == [second])
    assert at.window.undo_stack.last is None


def test_a_conversation_that_was_begun_in_a_folder_is_the_only_thing_that_looks_selected(open_window, store, qtbot):
    folder_id = shelved(store)
    parts = open_window()
    at = Hand(parts, qtbot).at_folder(folder_id)
    at.choose("このフォルダで新しい質問")
    with qtbot.waitSignal(parts.session.answer_finished):
        parts.session.ask("何年ですか")
    qtbot.waitUntil(lambda: at.view.chosen_ids() == [parts.session.conversation.id])
    assert not at.window.sidebar.nav._buttons["ask"].is_marked


def test_a_draft_that_is_kept_before_the_list_of_many_follows_is_marked(open_window, store, qtbot, monkeypatch):
    monkeypatch.setattr(sidebar, "MANY", 0)
    left, opened = questions(store, "書きかけ", "次")
    parts = open_window()
    parts.session.open(left)
    parts.window.list_actions.rename(opened, "改めた題名")
    parts.window.page("ask").composer.set_text("続きは")
    parts.session.open(opened)
    model = parts.window.sidebar.conversations
    qtbot.waitUntil(lambda: "改めた題名" in texts(model))
    assert model.draft_mark(model.row(model.index_of(left).row())) == "下書き"
