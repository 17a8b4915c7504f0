"""A job's folder that has come back, taken in from the page 学習: asked for, refused in words, shown in the list."""

import shutil
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.base import paths
from app.base.files import input_file
from app.base.paths import Paths
from app.base.services import background
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
from tests.training.ui.test_training_page import Scene
from tests.waiting import LIMIT_S
from trainer.spec import RunSpec

LEFT = Qt.MouseButton.LeftButton

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
def scene(where: Paths, theme: Theme, qtbot: QtBot) -> Scene:
    return Scene(where, theme, qtbot)


def words(dialog: ImportJobDialog) -> str:
    return "\n".join(label.text() for label in dialog.banner.findChildren(QLabel) if label.isVisible())


def choose(dialog: ImportJobDialog, folder: Path) -> None:
    dialog._pickers = Pickers(folder=lambda *_: str(folder))
    QTest.mouseClick(dialog.place.choose_button, LEFT)


def test_what_was_trained_elsewhere_is_taken_in_and_shown(
    scene: Scene,
    asked: RunSpec,
    away: Away,
    tmp_path: Path,
) -> None:
    run = Path(asked.folder)
    run_folders.record_export(run, away.job)
    scene.show()
    scene.choose("点検")
    entry = scene.page.list.entry
    assert entry is not None
    menu = scene.page.entry_actions.menu(entry, scene.page.rect().center())
    next(action for action in menu.actions() if action.text() == "作業フォルダの結果を取り込む…").trigger()
    (dialog,) = scene.page.findChildren(ImportJobDialog)
    assert dialog.buttons["take"].isEnabled()  # where it was put is where it is looked for
    QTest.mouseClick(dialog.buttons["take"], LEFT)
    scene.qtbot.waitUntil(lambda: "まだ終わっていません" in words(dialog))
    assert away.done()[0] == 0
    QTest.mouseClick(dialog.buttons["take"], LEFT)
    scene.qtbot.waitUntil(lambda: run_folders.read(run).state == "finished")
    scene.qtbot.waitUntil(lambda: isinstance(scene.page.content, RunWizard) and scene.page.content.key == "result")
    assert isinstance(scene.page.content, RunWizard)
    assert scene.page.content.folder == run
    assert scene.listed() == ["履歴", "点検"]
    again = scene.page.entry_actions.take_back()
    assert not again.buttons["take"].isEnabled()
    choose(again, away.job)
    QTest.mouseClick(again.buttons["take"], LEFT)
    scene.qtbot.waitUntil(lambda: "取り込み済み" in words(again))
    again.reject()


@pytest.mark.parametrize("how", ["cancel", "escape"])
def test_a_drive_that_hangs_does_not_hold_the_window_and_nothing_is_taken_in(
    scene: Scene,
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
    scene.show()
    dialog = scene.page.entry_actions.take_back()
    choose(dialog, away.job)
    QTest.mouseClick(dialog.buttons["take"], LEFT)
    assert dialog.progress.isVisible()
    assert dialog.buttons["cancel"].isEnabled()
    if how == "cancel":
        QTest.mouseClick(dialog.buttons["cancel"], LEFT)
    else:
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
    scene.qtbot.waitUntil(lambda: scene.page.findChildren(ImportJobDialog) == [])
    awake.set()
    background.shut_down()
    assert run_folders.read(Path(asked.folder)).state == "waiting"


def test_a_folder_of_a_run_that_is_not_known_here_is_taken_in_from_the_empty_page(
    scene: Scene,
    asked: RunSpec,
    away: Away,
    tmp_path: Path,
) -> None:
    assert away.done()[0] == 0
    shutil.rmtree(asked.folder)
    scene.show()
    QTest.mouseClick(scene.page.return_button, LEFT)
    (dialog,) = scene.page.findChildren(ImportJobDialog)
    choose(dialog, tmp_path)
    QTest.mouseClick(dialog.buttons["take"], LEFT)
    scene.qtbot.waitUntil(lambda: "job.json" in words(dialog))
    choose(dialog, away.job)
    assert not dialog.banner.isVisible()
    QTest.mouseClick(dialog.buttons["take"], LEFT)
    scene.qtbot.waitUntil(lambda: scene.listed() == ["履歴", "点検"])
