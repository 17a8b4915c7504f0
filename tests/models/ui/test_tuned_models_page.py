"""A tuned model in the window: the page モデル and the menu of 質問."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMenu

from app.models import local_models, model_registry
from app.training import published_model
from tests import model_files as models
from tests.training_runs import finished_run


@pytest.fixture
def page(open_window, store, where):
    base = local_models.add(store, local_models.describe(models.tiny_llama(where.models / "base.gguf")))
    run = finished_run(where.runs / "r1", Path(base.path), name="敬語の応答")
    tuned = published_model.publish(run, store, where.models, strength=0.8)
    parts = open_window()
    parts.window.show_page("models")
    page = parts.window.page("models")
    page.parts, page.base, page.tuned = parts, base, tuned
    page.show_model(tuned.id)
    return page


def shown(page) -> str:
    return "\n".join(label.text() for label in page.detail.findChildren(QLabel) if label.isVisibleTo(page))


def click(qtbot, button) -> None:
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_it_stands_in_the_list_and_says_what_it_was_trained_on(page):
    titles = [page.models.index(row).data() for row in range(page.models.rowCount())]
    assert titles[:3] == ["この PC のモデル", "Tiny F32", "敬語の応答 ×0.8"]
    assert "元のモデル：Tiny F32　強さ 0.8" in shown(page)
    assert Path(page.tuned.adapter).name in shown(page)
    assert not page.detail.verify_button.isVisible()
    assert not page.detail.files.isVisible()
    assert page._entry.matches("tiny 敬語")


def test_it_is_used_and_taken_back_with_one_click_each(page, qtbot):
    preferences = page.parts.preferences
    assert not page.detail.rollback_button.isVisible()
    with qtbot.waitSignal(page.parts.navigation.page_requested):
        click(qtbot, page.detail.use_button)
    assert preferences.value.model_id == page.tuned.id
    page.parts.window.show_page("models")
    click(qtbot, page.detail.rollback_button)
    assert preferences.value.model_id == page.base.id
    assert page.detail.use_button.isVisible()
    page.parts.window.undo_stack.undo()
    assert preferences.value.model_id == page.tuned.id


def test_without_its_base_the_way_back_is_explained(page, qtbot):
    page.parts.preferences.change(model_id=page.tuned.id)
    page.parts.library.remove(page.base.id)
    click(qtbot, page.detail.rollback_button)
    assert "モデルの一覧にありません" in page.banner.accessibleName()
    assert page.parts.preferences.value.model_id == page.tuned.id


def test_removed_it_can_be_brought_back_and_meanwhile_the_base_answers(page, qtbot):
    page.parts.preferences.change(model_id=page.tuned.id)
    click(qtbot, page.detail.remove_button)
    assert page.list.hasFocus()  # and not the button, which would remove the next model
    assert page.parts.library.listed() == page.parts.library.models()
    assert page.parts.session.model_id == page.base.id
    page.parts.window.undo_stack.undo()
    assert page.parts.session.model == page.tuned
    model_registry.require_unchanged(page.tuned)


def test_the_menu_of_questions_tells_it_from_its_base(page):
    header, menu = page.parts.window.page("ask").header, QMenu()
    header._fill_models(menu)
    assert [action.text() for action in menu.actions()][1] == "敬語の応答 ×0.8　学習済み（元のモデル：Tiny F32）"


def test_the_result_of_its_run_offers_the_way_back_as_long_as_it_answers(page, where, qtbot):
    window = page.parts.window
    window.show_page("training")
    window.page("training").show_run(where.runs / "r1", "result")
    result = window.page("training").content.step
    qtbot.waitUntil(lambda: result.view is not None)
    assert not result.rollback_button.isVisible()
    page.parts.session.use_model(page.tuned.id)
    qtbot.waitUntil(result.rollback_button.isVisible)
    click(qtbot, result.rollback_button)
    qtbot.waitUntil(lambda: not result.rollback_button.isVisible())
    assert page.parts.preferences.value.model_id == page.base.id
