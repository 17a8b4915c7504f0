"""A tuned model in the window: the page モデル and the menu of 質問."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QMenu

from app.models import local_models, model_registry
from app.training import published_model
from app.uikit.dialogs import Dialog
from tests import hf_models
from tests import model_files as models
from tests.models.downloads.hub import COMMIT
from tests.models.ui.driver import ModelsDriver
from tests.training_runs import finished_run


@pytest.fixture
def driver(open_window, store, where, qtbot) -> ModelsDriver:
    base = local_models.add(store, local_models.describe(models.tiny_llama(where.models / "base.gguf")))
    run = finished_run(where.runs / "r1", Path(base.path), name="敬語の応答")
    tuned = published_model.publish(run, store, where.models, strength=0.8)
    driver = ModelsDriver(open_window(), qtbot)
    driver.base, driver.tuned = base, tuned
    driver.page.show_model(tuned.id)
    return driver


def test_it_stands_in_the_list_and_in_the_menu_of_questions_and_says_what_it_was_trained_on(driver):
    assert driver.titles()[:3] == ["この PC のモデル", "Tiny F32", "敬語の応答 ×0.8"]
    assert "元のモデル：Tiny F32　強さ 0.8" in driver.shown()
    assert Path(driver.tuned.adapter).name in driver.shown()
    assert not driver.detail.verify_button.isVisible()
    assert not driver.detail.files.isVisible()
    assert driver.page._entry.matches("tiny 敬語")
    menu = QMenu()
    driver.window.page("ask").header._fill_models(menu)
    assert [action.text() for action in menu.actions()][1] == "敬語の応答 ×0.8　学習済み（元のモデル：Tiny F32）"


def test_it_is_used_and_taken_back_with_one_click_each_unless_its_base_is_gone(driver):
    assert not driver.detail.rollback_button.isVisible()
    driver.until_clicked(driver.parts.navigation.page_requested, driver.detail.use_button)
    assert driver.preferences.value.model_id == driver.tuned.id
    driver.window.show_page("models")
    driver.click(driver.detail.rollback_button)
    assert driver.preferences.value.model_id == driver.base.id
    assert driver.detail.use_button.isVisible()
    driver.window.undo_stack.undo()
    assert driver.preferences.value.model_id == driver.tuned.id
    driver.library.remove(driver.base.id)
    driver.click(driver.detail.rollback_button)
    assert "モデルの一覧にありません" in driver.page.banner.accessibleName()
    assert driver.preferences.value.model_id == driver.tuned.id


def test_removed_it_can_be_brought_back_and_meanwhile_the_base_answers(driver):
    driver.preferences.change(model_id=driver.tuned.id)
    driver.click(driver.detail.remove_button)
    assert driver.list.hasFocus()  # and not the button, which would remove the next model
    assert driver.library.listed() == driver.library.models()
    assert driver.parts.session.model_id == driver.base.id
    driver.window.undo_stack.undo()
    assert driver.parts.session.model == driver.tuned
    model_registry.require_unchanged(driver.tuned)


def test_removing_the_last_one_asks_nothing_about_the_fetched_weights_below_it(driver, where):
    hf_models.model(where.models / "bases" / "models--kotae--tiny" / "snapshots" / COMMIT)
    driver.library.remove(driver.base.id)
    driver.page._find_bases()
    driver.choose(f"model:{driver.tuned.id}")
    driver.click(driver.detail.remove_button)
    assert driver.page._entry.base is not None
    assert not [one for one in QApplication.topLevelWidgets() if isinstance(one, Dialog) and one.isVisible()]


def test_the_result_of_its_run_offers_the_way_back_as_long_as_it_answers(driver, where):
    driver.window.show_page("training")
    driver.window.page("training").show_run(where.runs / "r1", "result")
    result = driver.window.page("training").content.step
    driver.wait(lambda: result.view is not None)
    assert not result.rollback_button.isVisible()
    driver.parts.session.use_model(driver.tuned.id)
    driver.wait(result.rollback_button.isVisible)
    driver.click(result.rollback_button)
    driver.wait(lambda: not result.rollback_button.isVisible())
    assert driver.preferences.value.model_id == driver.base.id
