"""The page モデル: what is here, what could be here, and how it gets here."""

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.wording import format_size
from app.inference import memory_estimate, speed
from app.inference.local_model import LocalModel
from app.inference.speed import MachineSpeed
from app.models import catalogue, local_models
from app.models.ui import model_actions, model_text
from app.training.runs import run_folders
from tests import hf_models
from tests import model_files as models
from tests.embedding_model import tiny_bert, tiny_reranker
from tests.models.downloads.hub import COMMIT
from tests.models.ui.driver import ModelsDriver, words
from tests.screenshots import facts
from trainer.spec import RunSpec

OWN = LocalModel("own", "社内 3B", "/m/own.gguf", 2_310_000_000, "qwen2", "Q5_K_M", 32768, 1.0)


@pytest.fixture
def driver(open_window, store, qtbot) -> ModelsDriver:
    store.put_local_model(OWN)
    return ModelsDriver(open_window(), qtbot)


def test_local_models_come_before_cards(driver):
    assert driver.titles()[:3] == ["この PC のモデル", "社内 3B", "追加できるモデル"]
    assert len(driver.titles()) == 3 + sum(card.kind == "chat" for card in catalogue.load().cards)
    driver.library.update(dataclasses.replace(OWN, id="twin", path="/m/twin.gguf"))
    assert {"社内 3B (own.gguf)", "社内 3B (twin.gguf)"} <= set(driver.titles())


def test_the_details_are_laid_out_once_when_the_list_is_filled_again(driver, monkeypatch):
    driver.library.update(dataclasses.replace(OWN, id="twin", path="/m/twin.gguf"))
    driver.choose("model:twin")
    shown = []
    monkeypatch.setattr(driver.detail, "show_entry", lambda entry, _context: shown.append(entry.key))
    driver.library.remove("own")
    assert shown == ["model:twin"]


def test_fetched_weights_are_listed_and_deleted_after_what_needs_them_is_said(driver, where):
    base = where.models / "bases" / "models--kotae--tiny" / "snapshots" / COMMIT
    hf_models.model(base)
    run = where.runs / "20261201-0900"
    run.mkdir(parents=True)
    run_folders.write_spec(run, RunSpec(str(run), str(base), "t.jsonl", "v.jsonl", name="点検の学習"))
    driver.window.show_page("ask")
    driver.window.show_page("models")
    driver.click(driver.page.tabs.buttons["local"])
    driver.choose(f"base:{base}")
    assert driver.detail._title.text() == f"kotae/tiny@{COMMIT[:8]}"
    assert "学習の元（配布元の重み）" in driver.shown()
    with work_folder.acquire_lock(run / run_folders.LOCK):
        driver.click(driver.detail.remove_button)
    assert driver.page.banner.isVisible()
    driver.click(driver.detail.remove_button)
    dialog = driver.dialog()
    assert "点検の学習" in words(dialog)
    dialog._choose("delete")
    driver.wait(lambda: "kotae/tiny" not in "".join(driver.titles()))
    assert not base.exists()
    assert driver.window.focusWidget() is driver.list  # and not the button, which would remove the next model


def test_a_card_says_how_it_is_added_and_what_its_licence_asks(driver):
    driver.choose("card:tanuki-8b-dpo-v1.0")  # without a file
    assert "GGUF ファイルか持ち運びキットを取り込むと追加できます。" in driver.shown()
    for button in (driver.detail.download_button, driver.detail.use_button, driver.detail.starter_button):
        assert not button.isVisible()
    driver.choose("card:llama-3-elyza-jp-8b")
    assert "Meta Llama 3 Community License" in driver.shown()
    assert "Built with Meta Llama 3" in driver.shown()
    assert driver.detail.licence_button.isVisible()


def test_the_model_in_use_is_marked_and_another_can_be_put_to_use(driver, tiny_model):
    driver.choose("model:own")
    assert "✓ 質問で使っています" in driver.shown()
    assert not driver.detail.use_button.isVisible()
    driver.preferences.change(model_id="own")
    other = dataclasses.replace(OWN, id="other", name="別の 3B", path=str(tiny_model), form_id="llama3")
    driver.library.update(other)
    driver.choose("model:other")
    driver.until_clicked(driver.parts.navigation.page_requested, driver.detail.use_button)
    assert driver.preferences.value.model_id == "other"
    assert driver.window.current_page == "ask"


@pytest.mark.parametrize(("answer", "is_allowed"), [("plain", False), ("allow", True)])
def test_a_foreign_template_runs_only_where_it_was_allowed_and_the_model_is_used_either_way(driver, answer, is_allowed):
    driver.page.using.model = OWN
    dialog = driver.page.using.consent_dialog()
    assert set(dialog.buttons) == {"plain", "allow"}
    dialog._choose(answer)
    assert driver.library.model("own").template_allowed == is_allowed
    assert driver.preferences.value.model_id == "own"


def test_a_wrong_image_part_leads_to_no_import_and_stops_none(driver, tmp_path, monkeypatch):
    monkeypatch.setattr(model_actions, "choose_gguf_file", lambda _parent: str(tmp_path / "mmproj-gone.gguf"))
    driver.choose("model:own")
    driver.page.importing._start_progress("取り込み中")  # another model is being added meanwhile
    with driver.until(driver.page.using.failed):
        driver.click(driver.detail.projector_button)
    banner = driver.page.banner
    assert banner.isVisible()
    assert not [button for button in banner.findChildren(QPushButton) if button.isVisible()]
    assert driver.page.importing._progress.isVisible()


def loaded(driver, path: str, *context_tokens: int) -> None:
    """The engine tells that it has loaded this file."""
    engine = driver.parts.engine
    engine.status = dataclasses.replace(engine.status, state="ready", facts=facts(path, *context_tokens))
    engine.status_changed.emit(engine.status)


def test_effective_values_stand_under_the_loaded_model_beside_what_was_predicted(driver, tiny_model):
    driver.choose("model:own")
    assert "読み込み後の実際の値" in driver.shown()
    loaded(driver, OWN.path)
    assert "8,192 トークン" in driver.shown()
    assert "GPU の部品が入っていません" in driver.shown()
    with driver.until(driver.page._fits.changed):
        driver.library.update(dataclasses.replace(OWN, id="tiny", path=str(tiny_model)))
    driver.choose("model:tiny")
    assert "8,192 トークン" not in driver.shown()
    predicted = driver.page._entry.usual.fit
    loaded(driver, str(tiny_model), predicted.context_tokens)
    assert f"6.40 GB（予測 {format_size(predicted.memory_estimate.total_bytes)}）" in driver.shown()
    assert f"0.41 GB（予測 {format_size(predicted.memory_estimate.compute_bytes)}）" in driver.shown()


def test_taking_a_model_off_the_list_keeps_its_file_and_the_keyboard_in_the_list(driver, tmp_path, qtbot):
    file = tmp_path / "keep.gguf"
    file.write_bytes(b"GGUF")
    for width in (1440, 700):
        driver.window.resize(width, 800)
        driver.library.update(dataclasses.replace(OWN, path=str(file)))
        driver.choose("model:own")
        driver.page._on_entry_clicked(driver.list.currentIndex())
        driver.detail.remove_button.setFocus()
        qtbot.keyClick(driver.detail.remove_button, Qt.Key.Key_Space)
        dialog = driver.dialog()
        assert dialog.buttons["cancel"].isDefault()
        qtbot.keyClick(dialog.buttons["remove"], Qt.Key.Key_Space)
        driver.wait(lambda: driver.window.focusWidget() is driver.list)
        assert driver.list.isVisible()
        assert driver.library.models() == []
    assert file.exists()


def test_files_are_imported_by_dropping_them_and_what_is_no_model_is_explained(driver, tmp_path):
    file = models.tiny_llama(Path(tmp_path) / "落とした 模型.gguf")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    how = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    drag, drop = QDragEnterEvent(QPoint(10, 10), *how), QDropEvent(QPointF(10, 10), *how)
    with driver.until(driver.library.imported):
        QApplication.sendEvent(driver.page, drag)
        QApplication.sendEvent(driver.page, drop)
    assert not driver.page.progress.isVisible()
    assert str(file) in [model.path for model in driver.library.models()]
    assert str(file) in driver.shown()
    page = tmp_path / "page.gguf"
    page.write_text("<!DOCTYPE html><html></html>", "utf-8")
    with driver.until(driver.library.failed):
        driver.page.import_path(str(page))
    assert driver.page.banner.isVisible()
    assert driver.page.banner.accessibleName()
    assert not driver.page.progress.isVisible()


def test_adding_the_trial_model_shows_progress_and_can_be_cancelled(driver, monkeypatch):
    library = driver.library
    brought = [card for card in catalogue.load().cards if card.package]
    monkeypatch.setattr(type(library), "starter_cards", lambda self: brought)
    asked = []
    monkeypatch.setattr(type(library), "add_starter", lambda self, wanted: asked.append([one.id for one in wanted]))
    cancelled = []
    monkeypatch.setattr(type(library), "cancel", lambda self: cancelled.append(True))
    driver.page._refill()
    driver.click(driver.page.tabs.buttons["search"])
    driver.choose("card:multilingual-e5-small")
    driver.click(driver.detail.starter_button)
    driver.click(driver.page.tabs.buttons["chat"])
    driver.choose("card:gemma-3-270m")
    assert "使用条件を読んでから追加してください。" in driver.shown()
    driver.click(driver.detail.starter_button)
    assert asked == [["multilingual-e5-small"], []]  # the trial model brings the other along
    progress = driver.page.progress
    assert progress.isVisible()
    library.progressed.emit(126_000_000, 252_000_000)
    assert "0.13／0.25 GB（50 %）" in progress.words
    progress.cancelled.disconnect()
    progress.cancelled.connect(lambda: library.cancel())
    driver.click(progress.cancel_button)
    assert cancelled
    library.failed.emit(AppError("cancelled"))
    assert not progress.isVisible()
    assert not driver.page.banner.isVisible()


def test_a_narrow_page_shows_the_list_or_the_model(driver, qtbot):
    driver.window.resize(700, 600)
    assert (driver.list.isVisible(), driver.detail.isVisible()) == (True, False)
    place = driver.list.visualRect(driver.page.models.index_of("model:own")).center()
    qtbot.mouseClick(driver.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert (driver.list.isVisible(), driver.detail.isVisible()) == (False, True)
    driver.click(driver.detail.back_button)
    assert driver.list.isVisible()


QWEN = "card:qwen2.5-7b-instruct"


def judge(driver, monkeypatch, free_gb, where=None, measured=None):
    """Judges the models as on a machine with so much free memory, and of this speed; None: not measured."""
    monkeypatch.setattr(memory_estimate, "available_memory_bytes", lambda: free_gb * 10**9)
    if measured:
        speed.save(where.data / speed.FILE_NAME, measured)
    driver.page._fits.judge(driver.library.models(), again=True)
    rows = driver.page.models
    driver.wait(
        lambda: (usual := rows.entry(rows.index_of(QWEN)).usual) is not None and (usual.predicted or not measured)
    )


def test_before_the_speed_is_measured_and_where_it_is_slow_nothing_is_called_comfortable(driver, monkeypatch, where):
    judge(driver, monkeypatch, 64)

    def words():
        return {model_text.fit_word(one.usual) for one in driver.page.models._entries if one.usual is not None}

    driver.wait(lambda: words() == {"メモリは足ります・速さは未測定"})  # no longer with the memory that is really free
    judge(driver, monkeypatch, 64, where, MachineSpeed(2.12e9, 6.2e12, 2e12, 4, 1.0))
    driver.choose(QWEN)
    assert "▲ 動くが遅い" in driver.shown()
    assert "資料への質問で約" in driver.shown()
    assert "✓ 快適" not in driver.shown()


def test_the_catalogue_leads_with_what_is_comfortable_here_and_is_filtered_by_that_word(driver, monkeypatch, where):
    judge(driver, monkeypatch, 6, where, MachineSpeed(1.48e10, 4.34e11, 1.4e11, 2, 1.0))

    def words():
        cards = [one for one in driver.page.models._entries if one.card is not None and one.model is None]
        return [one.usual.word if one.usual is not None else "" for one in cards]

    order = [word for word, before in zip(words(), ["-", *words()], strict=False) if word != before]
    assert order[:2] == ["comfortable", "slow"]
    assert len(order) == len(set(order)), "each verdict is in one piece"
    driver.page.tabs.filter.setText("快適")
    assert set(words()) == {"comfortable"}


@pytest.mark.parametrize("width", [1440, 1280])
def test_the_tabs_stand_in_one_row_and_the_filter_beside_or_below_them(driver, qtbot, width):
    driver.window.resize(width, 900)
    tabs = driver.page.tabs
    buttons, field = list(tabs.buttons.values()), tabs.filter
    qtbot.waitUntil(lambda: len({button.y() for button in buttons}) == 1)
    is_beside = field.x() > buttons[-1].geometry().right()
    assert is_beside or field.y() > buttons[-1].mapTo(tabs, QPoint()).y()
    assert all(button.width() >= button.sizeHint().width() for button in buttons)


def test_where_every_model_is_slow_the_quickest_lead_and_giants_come_last(driver, monkeypatch, where):
    judge(driver, monkeypatch, 64, where, MachineSpeed(2.2e9, 1.6e10, 1.4e10, 2, 1.0))
    cards = [one for one in driver.page.models._entries if one.usual is not None and one.usual.word == "slow"]
    waits = [one.usual.speed.answer_s for one in cards]
    assert waits[0] < 2 * min(waits)
    assert all(later > wait / 2 for place, wait in enumerate(waits) for later in waits[place:])
    assert cards[-1].card.size_label == "9B"


def test_another_power_source_is_said_and_not_measured_by_itself(driver, monkeypatch, where):
    speed.save(where.data / speed.FILE_NAME, MachineSpeed(1.48e10, 4.34e11, 1.4e11, 2, 1.0, is_plugged_in=True))
    driver.page._fits.judge(driver.library.models(), again=True)
    for is_plugged_in in (True, False):
        monkeypatch.setattr(speed, "is_plugged_in", lambda now=is_plugged_in: now)
        driver.page.hide()
        driver.page.show()
        driver.wait(lambda now=is_plugged_in: driver.page._fits.findings.speed and power_note(driver) != now)
        assert not driver.page._fits.is_measuring
    assert "速さを測り直す" in driver.page.machine.measure_button.text()


def power_note(driver):
    """Whether it is said that the power source is another one."""
    shown = [label.text() for label in driver.page.machine.findChildren(QLabel) if label.isVisible()]
    return "速さを測ったときと電源が違います" in shown


def test_a_reranker_has_its_switch_with_what_it_costs_and_one_that_cannot_score_has_no_use(driver, tmp_path):
    model = driver.library.add(local_models.describe(tiny_reranker(tmp_path / "並べ替え.gguf")))
    driver.page.tabs.show_tab("search")
    driver.page._refill()
    driver.choose(f"model:{model.id}")
    switch = driver.detail.rerank_switch
    assert (switch.isVisible(), switch.is_checked, driver.detail.use_button.isVisible()) == (True, True, False)
    assert "最初の質問で測ります" in switch.box.accessibleDescription()
    driver.library.note_rerank_s(model.id, 8.0)
    driver.library.note_rerank_s(model.id, 4.0)
    assert "約 6.0 秒" in switch.box.accessibleDescription()
    switch.box.click()
    assert (driver.preferences.value.reranks, switch.is_checked) == (False, False)
    driver.choose("card:bge-m3")
    assert not switch.isVisible()
    driver.choose(f"model:{model.id}")
    switch.box.click()
    assert driver.preferences.value.reranks
    model = driver.library.add(local_models.describe(tiny_bert(tmp_path / "頭なし.gguf", name="Qwen3-Reranker-0.6B")))
    driver.page._refill()
    driver.choose(f"model:{model.id}")
    assert (switch.isVisible(), switch.box.isEnabled(), switch.is_checked) == (True, False, False)
    assert "点を付ける層がない" in switch.box.accessibleDescription()
    assert driver.preferences.value.reranks
