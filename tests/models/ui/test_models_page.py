"""The page モデル: what is here, what could be here, and how it gets here."""

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel

from app.base.errors import AppError
from app.base.wording import format_size
from app.inference import memory_estimate, speed
from app.inference.local_model import LocalModel
from app.inference.speed import MachineSpeed
from app.models import catalogue
from app.uikit.dialogs import Dialog
from tests import model_files as models
from tests.screenshots import facts

OWN = LocalModel("own", "社内 3B", "/m/own.gguf", 2_310_000_000, "qwen2", "Q5_K_M", 32768, 1.0)
TRIAL = "card:gemma-3-270m"


def titles(page) -> list[str]:
    return [page.models.index(row).data() for row in range(page.models.rowCount())]


def shown(page) -> str:
    return "\n".join(label.text() for label in page.detail.findChildren(QLabel) if label.isVisibleTo(page))


@pytest.fixture
def page(open_window, store):
    store.put_local_model(OWN)
    parts = open_window()
    parts.window.show_page("models")
    page = parts.window.page("models")
    page.parts = parts
    return page


def choose(page, key: str) -> None:
    page.list.setCurrentIndex(page.models.index_of(key))


def test_local_models_come_before_those_of_the_catalogue(page):
    assert titles(page)[:3] == ["この PC のモデル", "社内 3B", "追加できるモデル"]
    assert len(titles(page)) == 3 + sum(card.kind == "chat" for card in catalogue.load().cards)


def test_a_card_without_a_file_says_how_it_is_added(page):
    choose(page, "card:tanuki-8b-dpo-v1.0")
    assert "GGUF ファイルか持ち運びキットの取り込みで追加できます。" in shown(page)
    assert not page.detail.download_button.isVisible()
    assert not page.detail.use_button.isVisible()
    assert not page.detail.starter_button.isVisible()


def test_a_licence_and_its_notice_are_shown(page):
    choose(page, "card:llama-3-elyza-jp-8b")
    assert "Meta Llama 3 Community License" in shown(page)
    assert "Built with Meta Llama 3" in shown(page)
    assert page.detail.licence_button.isVisible()


def test_the_model_in_use_is_marked(page):
    choose(page, "model:own")
    assert "✓ 質問で使っています" in shown(page)
    assert not page.detail.use_button.isVisible()


def test_a_model_is_put_to_use(page, store, qtbot, tiny_model):
    other = dataclasses.replace(OWN, id="other", name="別の 3B", path=str(tiny_model), form_id="llama3")
    page.parts.library.update(other)
    choose(page, "model:other")
    with qtbot.waitSignal(page.parts.navigation.page_requested):
        qtbot.mouseClick(page.detail.use_button, Qt.MouseButton.LeftButton)
    assert page.parts.preferences.value.model_id == "other"
    assert page.parts.window.current_page == "ask"


def test_a_foreign_template_asks_before_it_runs(page):
    page.using.model = OWN
    dialog = page.using.consent_dialog()
    assert set(dialog.buttons) == {"plain", "allow"}
    dialog._choose("allow")
    assert page.parts.library.model("own").template_allowed
    assert page.parts.preferences.value.model_id == "own"


def test_refusing_a_foreign_template_still_uses_the_model(page):
    page.using.model = OWN
    page.using.consent_dialog()._choose("plain")
    assert not page.parts.library.model("own").template_allowed
    assert page.parts.preferences.value.model_id == "own"


def test_effective_values_stand_under_the_loaded_model_only(page):
    choose(page, "model:own")
    assert "読み込んだあとの実際の値" in shown(page)
    status = dataclasses.replace(page.parts.engine.status, state="ready", facts=facts(OWN.path))
    page.parts.engine.status = status
    page.parts.engine.status_changed.emit(status)
    assert "8,192 トークン" in shown(page)
    assert "この版は GPU に対応していません" in shown(page)


def test_what_was_predicted_stands_beside_what_was_measured(page, qtbot, tiny_model):
    with qtbot.waitSignal(page._fits.changed):
        page.parts.library.update(dataclasses.replace(OWN, id="tiny", path=str(tiny_model)))
    choose(page, "model:tiny")
    predicted = page._entry.usual.fit
    status = dataclasses.replace(
        page.parts.engine.status, state="ready", facts=facts(str(tiny_model), predicted.context_tokens)
    )
    page.parts.engine.status = status
    page.parts.engine.status_changed.emit(status)
    assert f"6.40 GB（予測 {format_size(predicted.needed.total_bytes)}）" in shown(page)
    assert f"0.41 GB（予測 {format_size(predicted.needed.compute_bytes)}）" in shown(page)


def test_taking_a_model_off_the_list_keeps_its_file(page, tmp_path):
    file = tmp_path / "keep.gguf"
    file.write_bytes(b"GGUF")
    page.parts.library.update(dataclasses.replace(OWN, path=str(file)))
    dialog = page.removal_dialog(page.parts.library.model("own"))
    assert dialog.buttons["cancel"].isDefault()
    dialog._choose("remove")
    assert page.parts.library.models() == []
    assert file.exists()


@pytest.mark.parametrize("width", [1440, 700])
def test_after_a_model_was_taken_off_the_keyboard_is_in_the_list(page, qtbot, width):
    page.parts.window.resize(width, 800)
    choose(page, "model:own")
    page._on_clicked(page.list.currentIndex())
    page.detail.remove_button.setFocus()
    qtbot.keyClick(page.detail.remove_button, Qt.Key.Key_Space)
    dialog = next(widget for widget in page.findChildren(Dialog) if widget.isVisible())
    qtbot.keyClick(dialog.buttons["remove"], Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: page.window().focusWidget() is page.list)
    assert page.list.isVisible()


def test_a_file_is_imported_by_dropping_it(page, qtbot, tmp_path):
    file = models.tiny_llama(Path(tmp_path) / "落とした 模型.gguf")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    drop = QDropEvent(
        QPointF(10, 10), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with qtbot.waitSignal(page.parts.library.imported):
        page.dropEvent(drop)
    assert not page.progress.isVisible()
    assert str(file) in [model.path for model in page.parts.library.models()]
    assert str(file) in shown(page)


def test_a_file_that_is_no_model_is_explained_on_the_page(page, qtbot, tmp_path):
    file = Path(tmp_path) / "page.gguf"
    file.write_text("<!DOCTYPE html><html></html>", "utf-8")
    with qtbot.waitSignal(page.parts.library.failed):
        page.import_path(str(file))
    assert page.banner.isVisible()
    assert not page.progress.isVisible()
    assert page.banner.accessibleName()


def test_adding_the_trial_model_shows_progress_and_can_be_cancelled(page, qtbot, monkeypatch):
    library = page.parts.library
    monkeypatch.setattr(type(library), "is_starter_available", lambda self: True)
    monkeypatch.setattr(type(library), "add_starter", lambda self: None)
    cancelled = []
    monkeypatch.setattr(type(library), "cancel", lambda self: cancelled.append(True))
    page._refill()
    choose(page, TRIAL)
    assert "使用条件を読んでから追加してください。" in shown(page)
    qtbot.mouseClick(page.detail.starter_button, Qt.MouseButton.LeftButton)
    assert page.progress.isVisible()
    library.progressed.emit(126_000_000, 252_000_000)
    assert "0.13／0.25 GB（50 %）" in page.progress.words
    page.progress.cancelled.disconnect()
    page.progress.cancelled.connect(lambda: library.cancel())
    qtbot.mouseClick(page.progress.cancel_button, Qt.MouseButton.LeftButton)
    assert cancelled
    library.failed.emit(AppError("cancelled"))
    assert not page.progress.isVisible()
    assert not page.banner.isVisible()


def test_a_narrow_page_shows_the_list_or_the_model(page, qtbot):
    page.parts.window.resize(700, 600)
    assert page.list.isVisible()
    assert not page.detail.isVisible()
    index = page.models.index_of("model:own")
    qtbot.mouseClick(page.list.viewport(), Qt.MouseButton.LeftButton, pos=page.list.visualRect(index).center())
    assert page.detail.isVisible()
    assert not page.list.isVisible()
    qtbot.mouseClick(page.detail.back_button, Qt.MouseButton.LeftButton)
    assert page.list.isVisible()


def test_two_models_of_one_name_are_told_apart(page):
    page.parts.library.update(dataclasses.replace(OWN, id="twin", path="/m/twin.gguf"))
    assert {"社内 3B (own.gguf)", "社内 3B (twin.gguf)"} <= set(titles(page))


def test_a_model_that_would_answer_slowly_is_not_called_comfortable(page, qtbot, monkeypatch, where):
    monkeypatch.setattr(memory_estimate, "available_memory_bytes", lambda: 64 * 10**9)
    speed.save(where.data / speed.FILE_NAME, MachineSpeed(4e9, 2e12, 4, 1.0))
    page._fits.judge(page.parts.library.models(), again=True)
    card = "card:qwen2.5-7b-instruct"
    qtbot.waitUntil(lambda: page.models.entry(page.models.index_of(card)).usual is not None)
    qtbot.waitUntil(lambda: page.models.entry(page.models.index_of(card)).usual.predicted is not None)
    choose(page, card)
    assert "▲ 動くが遅い" in shown(page)
    assert "待たされます" in shown(page)
    assert "✓ 快適" not in shown(page)
