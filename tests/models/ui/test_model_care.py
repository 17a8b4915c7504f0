"""Care of the models on their page: found in other programs, verified, carried in kits. Real files, real work."""

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel

from app.models import local_models
from app.models.ui.maintenance_dialogs import KitExportDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from tests import model_files as models
from tests.models.test_verify import flip

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def page(open_window, store, where):
    for name in ("一つめ", "二つめ"):
        path = models.tiny_llama(where.models / f"{name}.gguf")
        local_models.add(store, dataclasses.replace(local_models.describe(path), id=name, name=name))
    parts = open_window()
    parts.window.show_page("models")
    page = parts.window.page("models")
    page.parts = parts
    return page


def words(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def dialogs() -> list[Dialog]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, Dialog) and widget.isVisible()]


def choose(page, key: str) -> None:
    page.list.setCurrentIndex(page.models.index_of(key))


def found(page, qtbot):
    with qtbot.waitSignal(page.parts.maintenance.found):
        return page.maintenance_strip.search_other_programs()


@pytest.fixture
def others(tmp_path, monkeypatch) -> Path:
    """A home with a model of LM Studio, and a file there that is none."""
    home = tmp_path / "home"
    folder = home / ".lmstudio" / "models" / "author" / "model"
    folder.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: home)
    for name in ("HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    models.tiny_llama(folder / "new.gguf")
    (folder / "page.gguf").write_text("<!DOCTYPE html><html></html>", "utf-8")
    return folder


def test_a_model_of_another_program_is_added_where_it_lies(page, qtbot, others):
    dialog = found(page, qtbot)
    assert "1 個のモデルを追加できます。" in words(dialog)
    assert "LM Studio" in words(dialog)
    assert not dialog.buttons["add"].isEnabled()
    row = dialog.list.rows[str(others / "new.gguf")]
    qtbot.mouseClick(row, LEFT)
    assert dialog.buttons["add"].text() == "1 個を追加"
    with qtbot.waitSignal(page.parts.library.imported):
        qtbot.mouseClick(dialog.buttons["add"], LEFT)
    assert str(others / "new.gguf") in [model.path for model in page.parts.library.models()]


def test_what_is_in_the_list_or_cannot_be_used_is_said(page, qtbot, others, where):
    dialog = found(page, qtbot)
    listed = dialog.list.rows[str(where.models / "一つめ.gguf")]
    assert (listed.is_checked, listed.box.isEnabled()) == (True, False)
    assert "✓ 追加済み" in words(listed)
    assert "使えないもの（1）" in words(dialog)
    assert "Web ページ" in words(dialog)
    dialog.reject()


def test_a_search_that_is_left_ends(page, qtbot, others):
    dialog = page.maintenance_strip.search_other_programs()
    dialog.reject()
    qtbot.waitUntil(lambda: not page.parts.maintenance.is_working)
    assert len(page.parts.library.models()) == 2


def test_several_files_are_added_one_after_the_other_and_the_bad_one_is_named(page, qtbot, others):
    page.importing.add_files([str(others / "page.gguf"), str(others / "new.gguf")])
    qtbot.waitUntil(page.banner.isVisible)
    assert "2 個のうち 1 個を追加できませんでした。" in words(page.banner)
    assert "page.gguf" in words(page.banner)
    assert len(page.parts.library.models()) == 3


def test_a_verified_model_says_so_for_good(page, qtbot):
    choose(page, "model:一つめ")
    with qtbot.waitSignal(page.parts.maintenance.verified):
        qtbot.mouseClick(page.detail.verify_button, LEFT)
    assert "一つめ は無傷です。" in words(page.maintenance_strip.banner)
    assert "最後の検証：✓ 無傷" in words(page.detail)
    choose(page, "model:二つめ")
    assert "最後の検証" not in words(page.detail)


def fail_to_use(page, qtbot, where, name: str) -> None:
    """Its file is elsewhere in the meantime."""
    path, away = where.models / f"{name}.gguf", where.models / "よそ.gguf"
    path.rename(away)
    choose(page, f"model:{name}")
    qtbot.mouseClick(page.detail.use_button, LEFT)
    qtbot.waitUntil(page.banner.isVisible)
    away.rename(path)


def test_what_was_wrong_with_a_file_is_not_said_beside_its_being_whole(page, qtbot, where):
    fail_to_use(page, qtbot, where, "一つめ")
    with qtbot.waitSignal(page.parts.maintenance.verified):
        qtbot.mouseClick(page.detail.verify_button, LEFT)
    assert "一つめ は無傷です。" in words(page.maintenance_strip.banner)
    assert not page.banner.isVisible()


def test_a_model_that_could_not_be_used_is_explained_until_it_is_tried_again(page, qtbot, where):
    fail_to_use(page, qtbot, where, "二つめ")
    with qtbot.waitSignal(page.parts.navigation.page_requested):
        qtbot.mouseClick(page.detail.use_button, LEFT)
    page.parts.window.show_page("models")
    assert not page.banner.isVisible()


def test_a_damaged_model_is_found_among_all_and_can_be_looked_at(page, qtbot, where):
    for _ in range(2):
        with qtbot.waitSignal(page.parts.maintenance.verified):
            page.maintenance_strip.verify()
        flip(where.models / "二つめ.gguf", 300_000)
    assert "2 個のうち 1 個に問題があります。" in words(page.maintenance_strip.banner)
    page.maintenance_strip.banner.action_requested.emit("look")
    assert "最後の検証：× 壊れています" in words(page.detail)
    assert "控えから戻してください" in words(page.detail)


def test_a_second_piece_of_work_waits_for_the_first(page, qtbot):
    page.parts.maintenance.verify()
    page.maintenance_strip.verify()
    assert "終わってから、もう一度選んでください。" in words(page.maintenance_strip.banner)
    qtbot.waitUntil(lambda: not page.parts.maintenance.is_working)
    assert not page.maintenance_strip.progress.isVisible()


def carry(page, qtbot, folder: Path) -> None:
    """Writes a kit with all models into the folder."""
    page.maintenance_strip._pickers = Pickers(folder=lambda *_: str(folder))
    dialog = page.maintenance_strip.choose_export()
    with qtbot.waitSignal(page.parts.maintenance.kit_written):
        qtbot.mouseClick(dialog.buttons["export"], LEFT)


def test_a_kit_is_written_with_what_was_marked(page, qtbot, tmp_path):
    page.maintenance_strip._pickers = Pickers(folder=lambda *_: str(tmp_path / "stick"))
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "写真.jpg").write_bytes(b"x")
    dialog = page.maintenance_strip.choose_export()
    assert isinstance(dialog, KitExportDialog)
    assert "2 個で 0.9 MB" in dialog.sum.text()
    dialog.list.rows["二つめ"].box.setChecked(False)
    with qtbot.waitSignal(page.parts.maintenance.kit_written):
        qtbot.mouseClick(dialog.buttons["export"], LEFT)
    kit = tmp_path / "stick" / "kotae-models"  # beside what was there
    assert (kit / "manifest.json").exists()
    (shown,) = dialogs()
    assert str(kit) in words(shown)
    assert "「キットを取り込む…」を選びます" in words(shown)


def test_a_folder_with_another_programs_manifest_is_not_taken_for_a_kit(page, qtbot, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "manifest.json").write_text('{"name": "my web app"}')
    carry(page, qtbot, tmp_path / "site")
    assert (tmp_path / "site" / "manifest.json").read_text() == '{"name": "my web app"}'
    assert (tmp_path / "site" / "kotae-models" / "manifest.json").exists()


def test_nothing_marked_is_nothing_to_carry(page):
    dialog = page.maintenance_strip.choose_export()
    for row in dialog.list.rows.values():
        row.box.setChecked(False)
    assert not dialog.buttons["export"].isEnabled()
    assert "印を付けてください" in dialog.sum.text()


def test_a_kit_is_read_and_its_model_is_shown(page, qtbot, tmp_path):
    carry(page, qtbot, tmp_path / "kit")
    for dialog in dialogs():
        dialog.reject()
    for model in page.parts.library.models():
        page.parts.library.remove(model.id)
        Path(model.path).unlink()
    with qtbot.waitSignal(page.parts.maintenance.kit_read):
        page.maintenance_strip.choose_import()
    assert "キットから 2 個のモデルを取り込みました。" in words(page.maintenance_strip.banner)
    assert len(page.parts.library.models()) == 2
    assert page.detail.isVisible()
    with qtbot.waitSignal(page.parts.maintenance.kit_read):
        page.maintenance_strip.choose_import()
    assert "キットのモデルは、すでにあります。" in words(page.maintenance_strip.banner)
    assert "キットの部品は調べていません。" in words(page.maintenance_strip.banner)


def test_a_damaged_part_is_named_and_the_rest_is_taken(page, qtbot, tmp_path):
    carry(page, qtbot, tmp_path / "kit")
    for dialog in dialogs():
        dialog.reject()
    for model in page.parts.library.models():
        page.parts.library.remove(model.id)
        Path(model.path).unlink()
    whole = (tmp_path / "kit" / "002-0001.kotae-part").read_bytes()
    flip(tmp_path / "kit" / "002-0001.kotae-part", 300_000)
    with qtbot.waitSignal(page.parts.maintenance.kit_read):
        page.maintenance_strip.choose_import()
    (shown,) = dialogs()
    assert "002-0001.kotae-part" in words(shown)
    assert "この部品だけを写し直し" in words(shown)
    assert len(page.parts.library.models()) == 1
    (tmp_path / "kit" / "002-0001.kotae-part").write_bytes(whole)
    with qtbot.waitSignal(page.parts.maintenance.kit_read):
        qtbot.mouseClick(shown.buttons["again"], LEFT)
    assert len(page.parts.library.models()) == 2


def test_a_folder_without_a_kit_is_refused_in_words(page, qtbot, tmp_path):
    with qtbot.waitSignal(page.parts.maintenance.failed):
        page.maintenance_strip.import_kit(tmp_path)
    assert "持ち運びキットが見つかりません" in words(page.maintenance_strip.banner)
    assert "manifest.json が入っているフォルダ" in words(page.maintenance_strip.banner)
    assert "丸ごとコピーし直す" in words(page.maintenance_strip.banner)  # a kit that was handed out has no other PC
    assert not page.maintenance_strip.progress.isVisible()


def test_the_menus_offer_what_the_header_has_no_room_for(page):
    named = [action.text() for action in page.menu().actions() if action.text()]
    assert named[:2] == ["すべて検証", "ほかのアプリのモデルを探す"]
    assert {action.text() for action in page.kit_menu().actions()} <= set(named)
    page.parts.window.resize(560, 600)
    assert not page.kit_button.isVisible()
    assert page.menu_button.isVisible()
