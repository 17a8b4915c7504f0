"""A model built from a publisher's folder in the window: looked through, planned, made by real children, or refused."""

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QThreadPool

from app.models import hf_folders
from app.models.services.build_runner import BuildRunner
from app.uikit.desktop import Pickers
from tests import hf_models
from tests import model_files as models
from tests.models.services.test_builds import ECHO, SHAPE, ScriptedEnvironment
from tests.models.ui.driver import ModelsDriver, words


class BuildDriver(ModelsDriver):
    def __init__(self, parts, qtbot) -> None:
        super().__init__(parts, qtbot)
        self.controller, self.strip = parts.build_controller, self.page.building

    def asked(self, source: Path):
        """The dialog, with the folder looked through."""
        dialog = self.page.ask_to_build()
        dialog._pickers = Pickers(folder=lambda *_: str(source))
        self.click(dialog.source.choose_button)
        self.wait(lambda: dialog.source.note.text()[:1] in "✓▲")
        return dialog

    def build(self, dialog) -> None:
        self.until_clicked(self.controller.finished, dialog.buttons["build"])


@pytest.fixture
def environment(tmp_path) -> ScriptedEnvironment:
    (tmp_path / "script").mkdir()
    models.tiny_llama(tmp_path / "script" / "model.gguf", shape=SHAPE)
    return ScriptedEnvironment(tmp_path / "script")


@pytest.fixture
def driver(open_window, environment, where, qtbot):
    driver = BuildDriver(open_window(), qtbot)
    driver.controller._make_builds = lambda: BuildRunner(
        environment, ECHO, where.logs, driver.library.add, lambda *_: None
    )
    yield driver
    driver.controller.cancel()


@pytest.fixture
def source(tmp_path) -> Path:
    return hf_models.model(tmp_path / "Swallow-tiny")


def test_a_folder_becomes_models_in_the_list_and_the_steps_are_shown_as_they_go(driver, source):
    seen = []
    driver.controller.progressed.connect(lambda _: seen.append(driver.strip.progress._label.text()))
    dialog = driver.asked(source)
    assert "Swallow-tiny" in words(dialog.source)
    dialog.list.rows["Q8_0"].box.setChecked(True)
    assert dialog.room.text().startswith("作っている間に最大")  # without the mark of too little room
    assert "変換" in dialog.phases.text()
    dialog.name.setText("砂防の助手")
    driver.build(dialog)
    assert list(dict.fromkeys(seen)) == [
        "（1/3）GGUF に変換しています",
        "（2/3）Q4_K_M に量子化しています",
        "（2/3）Q4_K_M を試しています",
        "（3/3）Q8_0 に量子化しています",
        "（3/3）Q8_0 を試しています",
    ]
    assert {model.name for model in driver.library.models()} == {"砂防の助手 Q4_K_M", "砂防の助手 Q8_0"}
    assert "2 個のモデルを作りました。" in words(driver.strip.banner)
    assert driver.page._entry.model.name == "砂防の助手 Q4_K_M"
    assert not driver.strip.progress.isVisible()


def test_an_adapter_and_a_text_are_planned_and_without_a_mark_or_a_fit_folder_nothing(driver, source, tmp_path):
    text = tmp_path / "文章.txt"
    text.write_text("橋脚のかぶりを確かめる。\n" * 100, "utf-8")
    dialog = driver.asked(source)
    lora = hf_models.adapter(tmp_path / "lora")
    dialog._pickers = Pickers(folder=lambda *_: str(lora), open=lambda *_: str(text))
    driver.click(dialog.adapter.choose_button)
    driver.wait(lambda: dialog._adapter is not None)
    driver.click(dialog.text.choose_button)
    assert [step.kind for step in dialog.plan.steps] == ["convert", "adapter", "merge", "imatrix", "quantize"]
    dialog.list.rows["Q4_K_M"].box.setChecked(False)
    assert not dialog.buttons["build"].isEnabled()
    dialog.reject()
    (source / "pytorch_model.bin").write_bytes(b"\x80\x04")
    dialog = driver.asked(source)
    assert "pytorch_model.bin" in dialog.source.note.text()
    assert dialog.source.note.text().startswith("▲")
    assert not dialog.buttons["build"].isEnabled()
    assert not dialog.list.rows["Q4_K_M"].isEnabled()
    dialog.reject()


def test_the_folder_chosen_last_is_built_though_an_earlier_one_is_read_later(driver, source, tmp_path, monkeypatch):
    other, read, is_free = hf_models.model(tmp_path / "Other-tiny"), hf_folders.read_hf_model, threading.Event()
    seen = []

    def slowly(folder):
        if folder == source:
            is_free.wait(30)
            seen.append(folder)
        return read(folder)

    monkeypatch.setattr(hf_folders, "read_hf_model", slowly)
    dialog = driver.page.ask_to_build()
    dialog.read_source(source)
    dialog.read_source(other)
    driver.wait(lambda: dialog._model is not None)
    is_free.set()
    driver.wait(lambda: bool(seen))
    QThreadPool.globalInstance().waitForDone()
    QCoreApplication.processEvents()
    assert dialog._model.name == "Other-tiny"
    dialog.reject()


def test_a_build_can_be_stopped_and_a_failure_is_explained_and_can_be_tried_again(driver, source, environment):
    driver.click(driver.asked(source).buttons["build"])
    assert driver.strip.progress.isVisible()
    driver.until_clicked(driver.controller.cancelled, driver.strip.progress.cancel_button)
    assert not driver.strip.progress.isVisible()
    assert driver.library.models() == []
    environment.behaviour = "fail:no_memory"
    driver.until_clicked(driver.controller.failed, driver.asked(source).buttons["build"])
    assert driver.strip.banner.isVisible()
    assert not driver.strip.progress.isVisible()
    environment.behaviour = "ok"
    with driver.until(driver.controller.finished):
        driver.strip.banner.action_requested.emit("again")
    assert len(driver.library.models()) == 1


def test_without_the_training_environment_the_dialog_says_what_to_do(open_window, monkeypatch, tmp_path, qtbot):
    monkeypatch.setenv("KOTAE_TRAINER_PYTHON", str(tmp_path / "no python"))
    dialog = ModelsDriver(open_window(), qtbot).page.ask_to_build()
    assert "学習環境" in words(dialog.banner)
    assert not dialog.buttons["build"].isEnabled()
    dialog.reject()
