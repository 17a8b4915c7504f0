"""The list below the buttons of the pages: it is the shown page's own, and one item of the sidebar looks selected."""

import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QApplication

from app.application import AppContext
from app.base.paths import Paths
from app.chat.store import Store
from app.evaluation import question_sets
from app.evaluation.ui.page import EvaluationPage
from app.shell.ui.main_window import MainWindow
from app.shell.ui.sidebar import NavigationButton
from app.training import drafts
from app.training.ui.page import TrainingPage
from app.uikit.localization import set_language
from tests.evaluation.driver import question_set

CTRL = Qt.KeyboardModifier.ControlModifier
PAGES = ("ask", "documents", "models", "training", "evaluation", "settings", "bin", "search", "batch")


def shown_lists(window: MainWindow) -> list[QAbstractItemView]:
    return [view for view in window.sidebar.findChildren(QAbstractItemView) if view.isVisible()]


def marked_items(window: MainWindow) -> list[object]:
    """What looks selected in the sidebar: buttons, and lists with a selection."""
    buttons = [one for one in window.sidebar.findChildren(NavigationButton) if one.isVisible()]
    marked: list[object] = [one.text() for one in buttons if one.isChecked() and one.is_marked]
    return marked + [view for view in shown_lists(window) if view.selectedIndexes()]


@pytest.fixture
def parts(open_window, store: Store, where: Paths, qtbot) -> AppContext:
    """With something in each list."""
    for title in ("昨日の会話", "今日の会話"):
        store.add_question(title)
    drafts.create(where.drafts, time.time())
    question_sets.store(where.questions, "窓口", question_set("17 時までですか。").questions)
    parts = open_window(1280, 720)
    parts.documents.add_collection("基準")
    parts.documents.open()
    qtbot.waitUntil(lambda: parts.documents.is_open)
    return parts


def test_below_the_buttons_stands_the_list_of_the_shown_page(parts, qtbot):
    window = parts.window
    for key in PAGES:
        window.show_page(key)
        own = {"documents", "training", "evaluation", "settings"}
        expected = [window.page(key).list] if key in own else [window.sidebar.list] if key != "models" else []
        assert shown_lists(window) == expected, key
        assert not any(window.page(key).isAncestorOf(view) for view in expected), key


def test_one_item_of_the_sidebar_looks_selected_on_every_page(parts, qtbot):
    window = parts.window
    conversation = parts.conversations.all_conversations()[0].id
    window.show_page("evaluation")
    evaluation = window.page("evaluation")
    assert isinstance(evaluation, EvaluationPage)
    qtbot.waitUntil(lambda: bool(evaluation.list.selectedIndexes()))
    for key in (*PAGES, *reversed(PAGES)):
        window._on_page_chosen(key)
        assert len(marked_items(window)) == 1, key
    parts.session.open(conversation)
    assert marked_items(window) == [window.sidebar.list]
    window.show_page("bin")
    assert marked_items(window) == ["ごみ箱"]
    parts.conversations.note_change()  # fills the list again
    assert marked_items(window) == ["ごみ箱"]
    window.show_page("search")
    assert marked_items(window) == ["質問"]
    window.show_page("ask")
    assert marked_items(window) == [window.sidebar.list]
    window._on_new_requested()
    assert marked_items(window) == ["質問"]


def test_the_page_looks_selected_when_the_last_entry_of_its_list_is_gone(parts, qtbot):
    window = parts.window
    window.show_page("training")
    page = window.page("training")
    assert isinstance(page, TrainingPage)
    page.open(("draft", drafts.list_ids(parts.paths.drafts)[0]))
    assert marked_items(window) == [page.list]
    page.list.setFocus()
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    assert marked_items(window) == ["学習"]


@pytest.mark.parametrize("key", ["documents", "training", "evaluation"])
def test_delete_takes_the_entry_that_was_clicked_and_undo_says_its_name(parts, qtbot, key):
    window, view = parts.window, None
    parts.documents.add_collection("別の基準")
    question_sets.store(parts.paths.questions, "夜間", question_set("17 時までですか。").questions)
    drafts.save(parts.paths.drafts, replace(drafts.create(parts.paths.drafts, 1.0), name="別の学習"), 1.0)
    window._on_page_chosen(key)
    view = window.page(key).list
    name = {"documents": "別の基準", "training": "別の学習", "evaluation": "夜間"}[key]

    def names() -> list[str]:
        return [view.model().index(row, 0).data() for row in range(view.model().rowCount())]

    qtbot.waitUntil(lambda: name in names())
    before = names()
    place = view.visualRect(view.model().index(before.index(name), 0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert window.focusWidget() is view
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: names() == [one for one in before if one != name])
    qtbot.keyClick(view, Qt.Key.Key_Z, CTRL)
    qtbot.waitUntil(lambda: name in names())
    assert name in window.toast.accessibleName()
    assert "元に戻しました" in window.toast.accessibleName()
    window.toast.button.click()
    qtbot.waitUntil(lambda: name not in names())
    assert window.toast.button.text() == "元に戻す"


def test_delete_takes_nothing_when_nothing_is_selected(parts, qtbot):
    parts.window._on_page_chosen("training")
    page = parts.window.page("training")
    page.open(("draft", drafts.list_ids(parts.paths.drafts)[0]))
    place = page.list.visualRect(page.list.currentIndex()).center()
    qtbot.mouseClick(page.list.viewport(), Qt.MouseButton.LeftButton, CTRL, place)
    assert not page.list.selectedIndexes()
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    assert len(drafts.list_ids(parts.paths.drafts)) == 1


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_six_steps_of_a_training_are_in_view_at_1280_px_and_larger_text(language, open_window, where, qtbot):
    app = QApplication.instance()
    set_language(app, language)
    drafts.create(where.drafts, time.time())
    parts = open_window(1280, 720)
    try:
        parts.preferences.change(text_scale_percent=110)
        window = parts.window
        window.show_page("training")
        page = window.page("training")
        page.open(("draft", drafts.list_ids(where.drafts)[0]))
        qtbot.waitUntil(page.rail.isVisible)
        assert all(step.isVisible() for step in page.rail.steps)
        window.resize(620, 720)
        qtbot.waitUntil(lambda: not page.rail.steps[0].isVisible())  # where they cannot be, the rail shortens itself
    finally:
        parts.preferences.change(text_scale_percent=100)
        set_language(app, "ja")
