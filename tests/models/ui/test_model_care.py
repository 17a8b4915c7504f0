"""Care of the models on their page: found in other programs, verified, carried in kits. Real files, real work."""

import dataclasses
from pathlib import Path

import pytest

from app.models import local_models
from app.models.ui.maintenance_dialogs import KitExportDialog
from app.uikit.desktop import Pickers
from tests import model_files as models
from tests.models.test_verify import flip
from tests.models.ui.driver import ModelsDriver, words


class CareDriver(ModelsDriver):
    """The page with two models, and the maintenance that it starts."""

    def __init__(self, parts, qtbot) -> None:
        super().__init__(parts, qtbot)
        self.care = parts.maintenance

    def said(self) -> str:
        return words(self.strip.banner)

    def found(self):
        with self.until(self.care.found):
            return self.strip.search_other_programs()

    def verify(self) -> None:
        """The chosen model."""
        self.until_clicked(self.care.verified, self.detail.verify_button)

    def verify_all(self) -> None:
        with self.until(self.care.verified):
            self.strip.verify()

    def asked_to_carry(self, folder: Path) -> KitExportDialog:
        folder.mkdir(exist_ok=True)
        self.strip._pickers = Pickers(folder=lambda *_: str(folder))
        return self.strip.choose_export()

    def carry(self, folder: Path) -> None:
        """Writes a kit with the marked models into the folder."""
        self.until_clicked(self.care.kit_written, self.asked_to_carry(folder).buttons["export"])

    def lose_models(self) -> None:
        self.dialog().reject()
        for model in self.library.models():
            self.library.remove(model.id)
            Path(model.path).unlink()

    def bring_in(self) -> None:
        with self.until(self.care.kit_read):
            self.strip.choose_import()

    def fail_to_use(self, name: str, folder: Path) -> None:
        """Its file is elsewhere in the meantime."""
        path, away = folder / f"{name}.gguf", folder / "よそ.gguf"
        path.rename(away)
        self.choose(f"model:{name}")
        self.click(self.detail.use_button)
        self.wait(self.page.banner.isVisible)
        away.rename(path)


@pytest.fixture
def driver(open_window, store, where, qtbot) -> CareDriver:
    for name in ("一つめ", "二つめ"):
        path = models.tiny_llama(where.models / f"{name}.gguf")
        local_models.add(store, dataclasses.replace(local_models.describe(path), id=name, name=name))
    return CareDriver(open_window(), qtbot)


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


def test_models_of_other_programs_are_added_where_they_lie_and_the_rest_is_explained(driver, others, where, qtbot):
    driver.strip.search_other_programs().reject()
    driver.wait(lambda: not driver.care.is_working)
    assert len(driver.library.models()) == 2
    dialog = driver.found()
    for said in ("1 個のモデルを追加できます。", "LM Studio", "使えないもの（1）", "Web ページ"):
        assert said in words(dialog)
    listed = dialog.list.rows[str(where.models / "一つめ.gguf")]
    assert (listed.is_checked, listed.box.isEnabled()) == (True, False)
    assert "✓ 追加済み" in words(listed)
    assert not dialog.buttons["add"].isEnabled()
    driver.click(dialog.list.rows[str(others / "new.gguf")])
    assert dialog.buttons["add"].text() == "1 個を追加"
    driver.until_clicked(driver.library.imported, dialog.buttons["add"])
    (found,) = [model for model in driver.library.models() if model.path == str(others / "new.gguf")]
    driver.library.remove(found.id)
    driver.page.importing.add_files([str(others / "page.gguf"), str(others / "new.gguf")])  # one after the other
    driver.wait(driver.page.banner.isVisible)
    assert "2 個のうち 1 個を追加できませんでした。" in words(driver.page.banner)
    assert "page.gguf" in words(driver.page.banner)
    assert len(driver.library.models()) == 3


def test_how_a_model_was_verified_stands_there_for_good_and_no_older_failure_beside_it(driver, where):
    driver.fail_to_use("二つめ", where.models)
    driver.verify()
    assert "二つめ は正常です。" in driver.said()
    assert not driver.page.banner.isVisible()
    assert "最後の検証：✓ 正常" in driver.shown()
    driver.choose("model:一つめ")
    assert "最後の検証" not in driver.shown()
    driver.verify_all()
    flip(where.models / "二つめ.gguf", 300_000)
    driver.verify_all()
    assert "2 個のうち 1 個に問題があります。" in driver.said()
    driver.strip.banner.action_requested.emit("look")
    assert "最後の検証：× 壊れています" in driver.shown()
    assert "バックアップから戻してください" in driver.shown()
    driver.care.verify()
    driver.strip.verify()
    assert "終わってから、もう一度選んでください。" in driver.said()
    driver.wait(lambda: not driver.care.is_working)
    assert not driver.strip.progress.isVisible()


def test_a_kit_is_written_with_what_was_marked_beside_what_was_there(driver, tmp_path):
    dialog = driver.asked_to_carry(tmp_path / "stick")
    (tmp_path / "stick" / "manifest.json").write_text('{"name": "my web app"}')  # which is no kit's
    assert "2 個で 0.9 MB" in dialog.sum.text()
    dialog.list.rows["一つめ"].box.setChecked(False)
    dialog.list.rows["二つめ"].box.setChecked(False)
    assert not dialog.buttons["export"].isEnabled()
    assert "選んでください" in dialog.sum.text()
    dialog.list.rows["一つめ"].box.setChecked(True)
    driver.until_clicked(driver.care.kit_written, dialog.buttons["export"])
    kit = tmp_path / "stick" / "kotae-models"
    assert (kit / "manifest.json").exists()
    assert (tmp_path / "stick" / "manifest.json").read_text() == '{"name": "my web app"}'
    assert str(kit) in words(driver.dialog())
    assert "「キットを取り込む…」を選びます" in words(driver.dialog())


def test_a_kit_is_read_a_damaged_part_named_and_its_models_shown(driver, tmp_path):
    with driver.until(driver.care.failed):
        driver.strip.import_kit(tmp_path)
    assert "持ち運びキットが見つかりません" in driver.said()
    assert "manifest.json が入っているフォルダ" in driver.said()
    assert "丸ごとコピーし直す" in driver.said()  # a kit that was handed out has no other PC
    assert not driver.strip.progress.isVisible()
    driver.carry(tmp_path / "kit")
    driver.lose_models()
    part = tmp_path / "kit" / "002-0001.kotae-part"
    whole = part.read_bytes()
    flip(part, 300_000)
    driver.bring_in()
    assert part.name in words(driver.dialog())
    assert "この部品だけをコピーし直し" in words(driver.dialog())
    assert len(driver.library.models()) == 1
    part.write_bytes(whole)
    driver.until_clicked(driver.care.kit_read, driver.dialog().buttons["again"])
    assert len(driver.library.models()) == 2
    assert driver.detail.isVisible()
    driver.bring_in()
    assert "キットのモデルは、すべて追加済みです。" in driver.said()
    assert "キットの部品は検証していません。" in driver.said()


def test_a_model_that_could_not_be_used_is_explained_until_it_is_tried_again(driver, where):
    driver.fail_to_use("二つめ", where.models)
    driver.until_clicked(driver.parts.navigation.page_requested, driver.detail.use_button)
    driver.window.show_page("models")
    assert not driver.page.banner.isVisible()
    named = [action.text() for action in driver.page.menu().actions() if action.text()]
    assert named[:2] == ["すべて検証", "ほかのアプリのモデルを探す"]
    assert {action.text() for action in driver.page.kit_menu().actions()} <= set(named)
    driver.window.resize(560, 600)  # the menus offer what the header has no room for
    assert not driver.page.kit_button.isVisible()
    assert driver.page.menu_button.isVisible()
