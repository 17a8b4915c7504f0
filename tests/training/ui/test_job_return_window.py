"""A job's folder that has come back, taken in from the page 学習: asked for, refused in words, shown in the list."""

import shutil
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.base import paths
from app.base.files import input_file
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase
from app.training import remote_job_import
from app.training.data.rows import PARTS
from app.training.runs import run_folders
from app.training.ui.job_dialogs import ImportJobDialog
from app.training.ui.wizard import RunWizard
from app.uikit.desktop import Pickers
from app.uikit.theme import Theme
from tests import model_files as models
from tests.training.driver import write_parts
from tests.training.test_jobs import Away, send
from tests.training.ui.driver import words
from tests.training.ui.test_training_page import OVER, PageDriver
from tests.waiting import LIMIT_S
from trainer.spec import RunSpec

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for sh")


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return paths.locate(str(tmp_path / "データ"))


@pytest.fixture
def asked(tmp_path: Path, where: Paths) -> RunSpec:
    base = models.tiny_llama(tmp_path / "小さなモデル.gguf")
    data = write_parts(tmp_path)
    places = {part: str(data / f"{part}.jsonl") for part in PARTS}
    sha256 = input_file.sha256_of(base)
    asked = RunSpec(str(where.runs / "点検"), str(base), name="点検", base_sha256=sha256, **places)  # type: ignore[arg-type]
    run_folders.create(asked)
    return asked


@pytest.fixture
def away(asked: RunSpec, tmp_path: Path) -> Away:
    return send(asked, tmp_path)


@pytest.fixture
def driver(where: Paths, theme: Theme, qtbot: QtBot) -> PageDriver:
    return PageDriver(where, theme, qtbot)


def choose(driver: PageDriver, dialog: ImportJobDialog, folder: Path) -> None:
    dialog._pickers = Pickers(folder=lambda *_: str(folder))
    driver.click(dialog.path_row.choose_button)


def refused(driver: PageDriver, dialog: ImportJobDialog, reason: str) -> None:
    driver.click(dialog.buttons["take"])
    driver.until(lambda: reason in words(dialog.banner))


def test_what_was_trained_elsewhere_is_taken_in_and_shown(
    driver: PageDriver,
    asked: RunSpec,
    away: Away,
) -> None:
    run = Path(asked.folder)
    run_folders.record_export(run, away.job)
    page = driver.open()
    driver.choose("点検")
    driver.menu(phrase("training.take_in_the_result_of"))
    dialog = driver.dialog(ImportJobDialog)
    refused(driver, dialog, "まだ終わっていません")  # where it was put is where it is looked for
    assert away.done()[0] == 0
    driver.click(dialog.buttons["take"])
    driver.until(lambda: run_folders.read(run).state == "finished")
    driver.until(lambda: isinstance(page.content, RunWizard) and page.content.key == "result")
    assert driver.running.folder == run
    assert driver.listed() == [OVER, "点検"]
    again = page.entry_actions.take_back()
    assert not again.buttons["take"].isEnabled()
    choose(driver, again, away.job)
    refused(driver, again, "取り込み済み")
    again.reject()


@pytest.mark.parametrize("how", ["cancel", "escape"])
def test_a_drive_that_hangs_does_not_hold_the_window_and_nothing_is_taken_in(
    driver: PageDriver,
    asked: RunSpec,
    away: Away,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    awake = threading.Event()

    def read(path: Path, _most_bytes: int) -> bytes:
        assert awake.wait(LIMIT_S)  # as on a drive that has gone to sleep
        raise OSError(5, "gone", str(path))

    monkeypatch.setattr(remote_job_import, "read_plain", read)
    page = driver.open()
    dialog = page.entry_actions.take_back()
    choose(driver, dialog, away.job)
    driver.click(dialog.buttons["take"])
    assert dialog.progress.isVisible()
    if how == "cancel":
        driver.click(dialog.buttons["cancel"])
    else:
        driver.press(dialog, Qt.Key.Key_Escape)
    driver.until(lambda: page.findChildren(ImportJobDialog) == [])
    awake.set()
    background.shut_down()
    assert run_folders.read(Path(asked.folder)).state == "waiting"


def test_a_folder_of_a_run_that_is_not_known_here_is_taken_in_from_the_empty_page(
    driver: PageDriver,
    asked: RunSpec,
    away: Away,
    tmp_path: Path,
) -> None:
    assert away.done()[0] == 0
    shutil.rmtree(asked.folder)
    driver.click(driver.open().return_button)
    dialog = driver.dialog(ImportJobDialog)
    choose(driver, dialog, tmp_path)
    refused(driver, dialog, "job.json")
    choose(driver, dialog, away.job)
    assert not dialog.banner.isVisible()
    driver.click(dialog.buttons["take"])
    driver.until(lambda: driver.listed() == [OVER, "点検"])
