"""目的 as a user meets it: what is advised, what this machine can do, and what is made from here."""

import dataclasses
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.inference import machine
from app.inference.local_model import LocalModel
from app.inference.machine import Gpu
from app.models import local_models, starter, training_environment
from app.training import capability, drafts
from app.training.environment import shipped_tools
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.draft_editor import DraftEditor
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_run import Trainer
from app.training.ui.goal_step import GoalStep
from app.training.ui.install_environment_flow import InstallEnvironmentDialog
from app.training.ui.job_dialogs import ExportJobDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests import model_files as models
from tests.models.test_training_environment import REPORT, answering
from tests.training.ui.driver import Driver, Planned, words

GB = 10**9
CARD = Gpu("NVIDIA GeForce RTX 4060 Ti", 17 * GB, 16 * GB, "580.95.05", (8, 9))
OLD_CARD = Gpu("Tesla K80", 11 * GB, 11 * GB, "470.1", (3, 7))
CPU_TORCH: dict[str, Any] = {"cuda": None, "devices": [], "products": {"cpu": [0.09, ""]}, "least_capability": [0, 0]}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for the environment are shell scripts")


class GoalDriver(Driver):
    def __init__(self, where: Paths, folder: Path, qtbot: QtBot, theme: Theme) -> None:
        super().__init__(qtbot, theme)
        self.where, self.folder = where, folder
        where.data.mkdir(parents=True, exist_ok=True)
        self.models: tuple[LocalModel, ...] = ()
        self.is_used = False
        self.place = folder / "別の PC"
        self.navigation = NavigationSignals()
        self.setup = EnvironmentSetup(Preferences(where.settings), ["false"], where.data, where.logs, str)

    def trainer(self) -> Trainer | None:
        try:
            return training_run.locate_trainer(self.where.data)
        except AppError:
            return None

    def open(self, work: DraftEditor | None = None, *, waits: bool = True, width: int = 1000) -> GoalStep:
        """`waits`: for what is measured."""
        new = DraftEditor(drafts.create(self.where.drafts, 1.0), self.where, lambda: self.models, self.trainer)
        self.work = work or new
        step = GoalStep(
            self.theme, self.navigation, self.work, self.where.data, lambda: self.models, self.setup,
            lambda: self.is_used, Pickers(folder=lambda *_: str(self.place)),
        )  # fmt: skip
        self.work.changed.connect(step.show_draft)
        step.show_draft()
        self.show(step, width, 1000)
        if waits:
            self.wait()
        return step

    def wait(self) -> None:
        self.until(lambda: self.step.machine.ability is not None and self.step._report is not None)

    def make_environment(self, **said: Any) -> None:
        answering(self.where.data / training_environment.FOLDER, REPORT | said)

    def add_starter(self) -> None:
        found = local_models.describe(models.tiny_llama(self.folder / "小.gguf"))
        self.models = (dataclasses.replace(found, id="trial", card_id=starter.card().id),)


@pytest.fixture
def cards() -> list[Gpu]:
    """Of this machine, whatever it has."""
    return []


@pytest.fixture
def driver(
    where: Paths, tmp_path: Path, qtbot: QtBot, theme: Theme, cards: list[Gpu], monkeypatch: pytest.MonkeyPatch
) -> Iterator[GoalDriver]:
    monkeypatch.delenv(training_environment.VARIABLE, raising=False)
    monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")
    monkeypatch.setattr(machine, "list_gpus", lambda: tuple(cards))
    yield GoalDriver(where, tmp_path, qtbot, theme)
    background.shut_down()


def test_a_wish_is_stored_and_facts_are_sent_to_the_documents_but_not_kept_back(driver: GoalDriver) -> None:
    step = driver.open(waits=False)
    answers, asked = step.choice.answers, []
    driver.navigation.page_requested.connect(asked.append)
    driver.click(answers["style"].radio)
    assert (driver.work.draft.goal, step.documents_button.isVisible()) == ("style", False)
    driver.click(answers["facts"].about)
    assert (driver.work.draft.goal, driver.work.draft.is_complete("goal")) == ("facts", True)
    driver.click(step.documents_button)
    assert asked == ["documents"]
    step.focus_first()
    driver.press(answers["facts"].radio, Qt.Key.Key_Down)
    assert driver.work.draft.goal == "style"
    driver.work.change(goal="both")
    assert answers["both"].radio.isChecked()
    assert step.documents_button.isVisible()


def test_the_verdict_is_measured_beside_the_window_and_can_be_measured_again(
    driver: GoalDriver, cards: list[Gpu], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, asked = threading.Event(), []

    def slow() -> tuple[Gpu, ...]:
        asked.append(threading.get_ident())
        go_on.wait()
        return tuple(cards)

    monkeypatch.setattr(machine, "list_gpus", slow)
    cards.append(CARD)
    driver.make_environment()
    panel = driver.open(waits=False).machine
    assert panel.verdict.text() == phrase("training.looking")
    assert not panel.practice_button.isVisible()
    go_on.set()
    driver.wait()
    assert threading.get_ident() not in asked
    assert panel.verdict.text() == phrase("training.ability.card", size="14B", free_gb="16.0").replace(
        " GB", "\u00a0GB"
    )
    assert all(f"✓ {fact}" in words(panel) for fact in (CARD.name, "580.95.05", "8.9", "空き 16.0 GB／17.0 GB"))
    assert not panel.job_button.isVisible()
    cards.clear()
    driver.click(panel.measure_button)
    driver.wait()
    assert panel.verdict.text() == phrase("training.ability.no_cuda")


def test_without_an_environment_it_is_offered_with_what_it_takes(driver: GoalDriver) -> None:
    box = driver.open().environment
    assert box.state.text() == phrase("training.there_is_none_yet_it")
    driver.until(lambda: "GB 使います" in box.about.text())
    driver.is_used = True
    driver.click(box.make_button)
    assert phrase("training.the_training_environment_is_in") in words(box.making)
    driver.is_used = False
    driver.click(box.make_button)
    driver.dialog(InstallEnvironmentDialog).reject()


def test_an_environment_that_was_made_or_deleted_is_seen_at_once(driver: GoalDriver, cards: list[Gpu]) -> None:
    cards.append(CARD)
    box = driver.open().environment
    assert not driver.work.draft.has_environment
    driver.make_environment()
    driver.setup.finished.emit()
    assert driver.work.draft.has_environment
    driver.wait()
    assert (box.state.text(), box.make_button.isVisible()) == (phrase("training.it_works_computing_in_4"), False)
    (driver.where.data / training_environment.FOLDER).rename(driver.folder / "away")
    driver.setup.removed.emit()
    assert not driver.work.draft.has_environment
    driver.wait()
    assert box.make_button.isVisible()


def test_a_torch_for_processors_beside_a_card_is_said_and_can_be_made_anew(
    driver: GoalDriver, cards: list[Gpu]
) -> None:
    cards.append(CARD)
    driver.make_environment(**CPU_TORCH)
    step = driver.open()
    assert step.machine.verdict.text() == phrase("training.ability.cpu_torch", card=CARD.name)
    assert f"▲ {CARD.name}" in words(step.machine)
    assert step.environment.state.text() == phrase("training.it_works_but_its_torch")
    assert step.environment.make_button.text() == phrase("training.make_it_anew_for_the_gpu")
    assert step.environment.make_button.isVisible()
    assert step.machine.practice_button.isVisible()
    driver.click(step.environment.make_button)
    dialog = driver.dialog(InstallEnvironmentDialog)
    assert (dialog.variant, dialog.kind.currentText()) == ("cuda", phrase("common.for_gpus_cuda"))
    dialog.reject()
    driver.enlarge(200)
    driver.area.resize(760, 600)
    driver.work.change(goal="facts")
    driver.assert_whole()


def test_wrong_products_in_four_bits_are_said(driver: GoalDriver, cards: list[Gpu]) -> None:
    cards.append(CARD)
    driver.make_environment(products={"cpu": [0.09, ""], "cuda": [None, "no kernel image"]})
    said = driver.open().environment.state.text()
    assert "4 ビットの計算が正しくありません" in said
    assert "no kernel image" in said


def test_to_practise_the_trial_model_is_asked_for_or_becomes_the_base(driver: GoalDriver) -> None:
    panel, asked = driver.open().machine, []
    driver.navigation.starter_requested.connect(lambda: asked.append(True))
    assert panel.practice_button.text() == phrase("training.add_the_trial_model")
    driver.click(panel.practice_button)
    driver.add_starter()
    driver.step.show_draft()
    driver.click(panel.practice_button)
    assert (asked, driver.work.draft.base, driver.work.draft.settings) == ([True], "trial", {})
    assert phrase("training.the_trial_model_is_now") in panel.reason.text()
    assert not panel.practice_button.isEnabled()


def test_beside_a_card_that_cannot_be_used_one_practises_on_the_processor(driver: GoalDriver, cards: list[Gpu]) -> None:
    cards.append(OLD_CARD)
    driver.add_starter()
    driver.click(driver.open().machine.practice_button)
    assert (driver.work.draft.base, driver.work.draft.settings) == ("trial", {"device": "cpu"})


def test_where_nothing_can_be_trained_here_the_reason_stands_beside_the_button(
    driver: GoalDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability, "measure", lambda _data: capability.MachineMeasurements((), 4 * GB, GB, 100 * GB))
    panel = driver.open().machine
    assert not panel.practice_button.isEnabled()
    assert "お試し用モデルの練習もできません" in words(panel)


def test_a_folder_for_another_machine_is_made_once_there_are_data_and_a_base(
    driver: GoalDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    panel = driver.open().machine
    assert not panel.job_button.isEnabled()
    assert panel.reason.text() == phrase("training.the_job_folder_needs_data")
    shipped = tmp_path / "converter"
    shipped.mkdir()
    monkeypatch.setattr(shipped_tools, "find_converter", lambda: (shipped, "1"))
    planned = Planned(driver.where, tmp_path, driver.qtbot, driver.theme)
    panel = driver.open(planned.work).machine
    assert not panel.reason.isVisible()
    driver.click(panel.job_button)
    dialog = driver.dialog(ExportJobDialog)
    assert not dialog.buttons["make"].isEnabled()
    driver.place.mkdir()
    (driver.place / "taken").touch()
    driver.click(dialog.path_row.choose_button)
    driver.click(dialog.buttons["make"])
    planned.wait()
    assert dialog.banner.isVisible()
    (driver.place / "taken").unlink()
    driver.click(dialog.buttons["make"])
    planned.wait()
    assert json.loads((driver.place / "job.json").read_text("utf-8"))["run"] == Path(planned.work.draft.run).name
    assert ((driver.place / "run.sh").is_file(), (driver.place / "converter").is_dir()) == (True, True)
    assert run_folders.exported_to(Path(planned.work.draft.run)) == str(driver.place)
    told = driver.dialog(Dialog)
    assert "別の PC" in words(told)
    assert "README.md" in words(told)
    assert "元のモデルは入っていません" not in words(told)
    told.reject()
