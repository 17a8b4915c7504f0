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
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.inference import machine
from app.inference.local_model import LocalModel
from app.inference.machine import Gpu
from app.models import local_models, starter, training_environment
from app.training import capability, drafts
from app.training.environment import shipped_tools
from app.training.services import training_run
from app.training.services.draft_editor import DraftEditor
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_run import Trainer
from app.training.ui.goal_step import GoalStep
from app.training.ui.install_environment_flow import InstallEnvironmentDialog
from app.training.ui.job_dialogs import ExportJobDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable
from tests import model_files as models
from tests.models.test_training_environment import REPORT, answering
from tests.training.ui.planned import Planned
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped
from tests.window_fixtures import delete_what_is_put_off

GB = 10**9
CARD = Gpu("NVIDIA GeForce RTX 4060 Ti", 17 * GB, 16 * GB, "580.95.05", (8, 9))
LEFT = Qt.MouseButton.LeftButton

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for the environment are shell scripts")


class Desk:
    def __init__(self, where: Paths, folder: Path, qtbot: QtBot, theme: Theme) -> None:
        self.where, self.folder, self.qtbot, self.theme = where, folder, qtbot, theme
        where.data.mkdir(parents=True, exist_ok=True)
        self.models: tuple[LocalModel, ...] = ()
        self.is_used = False
        self.place = folder / "別の PC"
        self.navigation = Navigation()
        self.setup = EnvironmentSetup(Preferences(where.settings), ["false"], where.data, where.logs, str)

    def trainer(self) -> Trainer | None:
        try:
            return training_run.locate_trainer(self.where.data)
        except AppError:
            return None

    def open(self, work: DraftEditor | None = None, width: int = 1000, height: int = 1000) -> GoalStep:
        """In `area`, as the page shows it."""
        new = DraftEditor(drafts.create(self.where.drafts, 1.0), self.where, lambda: self.models, self.trainer)
        self.work = work or new
        pickers = Pickers(folder=lambda _parent, _title, _start: str(self.place))
        self.step = GoalStep(
            self.theme, self.navigation, self.work, self.where.data, lambda: self.models, self.setup,
            lambda: self.is_used, pickers,
        )  # fmt: skip
        self.work.changed.connect(self.step.show_draft)
        self.area = make_scrollable(self.step)
        self.qtbot.addWidget(self.area)
        self.area.resize(width, height)
        self.step.show_draft()
        self.area.show()
        self.area.activateWindow()
        QTest.qWaitForWindowActive(self.area)
        return self.step

    def looked(self, work: DraftEditor | None = None, width: int = 1000, height: int = 1000) -> GoalStep:
        step = self.open(work, width, height)
        self.wait()
        return step

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: self.step.machine.ability is not None and self.step._report is not None)

    def make_environment(self, **said: Any) -> None:
        answering(self.where.data / training_environment.FOLDER, REPORT | said)

    def click(self, button: QWidget) -> None:
        assert button.isVisible()
        QTest.mouseClick(button, LEFT)

    def words(self, widget: QWidget) -> str:
        return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


@pytest.fixture
def desk(where: Paths, tmp_path: Path, qtbot: QtBot, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Neither the developer's environment nor whatever card this machine has."""
    monkeypatch.delenv(training_environment.VARIABLE, raising=False)
    monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")
    monkeypatch.setattr(machine, "list_gpus", lambda: ())
    yield Desk(where, tmp_path, qtbot, theme)
    background.shut_down()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    monkeypatch.setattr(machine, "list_gpus", lambda: (CARD,))
    return CARD


def add_starter(desk: Desk) -> None:
    found = local_models.describe(models.tiny_llama(desk.folder / "小.gguf"))
    desk.models = (dataclasses.replace(found, id="trial", card_id=starter.card().id),)


def test_a_wish_is_stored_and_facts_are_sent_to_the_documents_but_not_kept_back(desk: Desk) -> None:
    step = desk.open()
    assert not step.documents_button.isVisible()
    desk.click(step.choice.answers["style"].radio)
    assert desk.work.draft.goal == "style"
    assert not step.documents_button.isVisible()
    desk.click(step.choice.answers["facts"].about)
    assert str(desk.work.draft.goal) == "facts"
    assert desk.work.draft.is_complete("goal")
    asked: list[str] = []
    desk.navigation.page_requested.connect(asked.append)
    desk.click(step.documents_button)
    assert asked == ["documents"]
    step.focus_first()
    QTest.keyClick(step.choice.answers["facts"].radio, Qt.Key.Key_Down)
    assert desk.work.draft.goal == "style"
    desk.work.change(goal="both")
    assert step.choice.answers["both"].radio.isChecked()
    assert step.documents_button.isVisible()


def test_the_verdict_is_measured_beside_the_window_and_can_be_measured_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    go_on = threading.Event()

    def slow() -> tuple[Gpu, ...]:
        asked.append(threading.get_ident())
        go_on.wait()
        return (CARD,)

    monkeypatch.setattr(machine, "list_gpus", slow)
    step = desk.open()
    assert step.machine.verdict.text() == "調べています…"
    assert not step.machine.practice_button.isVisible()
    go_on.set()
    desk.wait()
    assert threading.get_ident() not in asked
    assert step.machine.verdict.text().startswith("この PC では、14B までのモデルを QLoRA で学習できます")
    shown = desk.words(step.machine)
    assert all(f"✓ {fact}" in shown for fact in (CARD.name, "580.95.05", "8.9", "空き 16.0 GB／17.0 GB"))
    assert not step.machine.job_button.isVisible()
    monkeypatch.setattr(machine, "list_gpus", lambda: ())
    desk.click(step.machine.measure_button)
    desk.wait()
    assert step.machine.verdict.text().startswith("この PC では小さなモデルで練習するか")


def test_without_an_environment_it_is_offered_with_what_it_takes(desk: Desk) -> None:
    step = desk.looked()
    box = step.environment
    assert box.state.text().startswith("まだありません。")
    desk.qtbot.waitUntil(lambda: "GB 使います" in box.about.text())
    desk.is_used = True
    desk.click(box.make_button)
    assert "学習環境を使っています" in desk.words(box.making)
    desk.is_used = False
    desk.click(box.make_button)
    (dialog,) = [
        one for one in QApplication.topLevelWidgets() if isinstance(one, InstallEnvironmentDialog) and one.isVisible()
    ]
    dialog.reject()


def test_an_environment_that_was_made_or_deleted_is_seen_at_once(desk: Desk, card: Gpu) -> None:
    step = desk.looked()
    assert not desk.work.draft.has_environment
    desk.make_environment()
    desk.setup.finished.emit()
    assert desk.work.draft.has_environment
    desk.wait()
    assert step.environment.state.text().startswith("✓ 使えます。")
    assert not step.environment.make_button.isVisible()
    (desk.where.data / training_environment.FOLDER).rename(desk.folder / "away")
    desk.setup.removed.emit()
    assert not desk.work.draft.has_environment
    desk.wait()
    assert step.environment.make_button.isVisible()


def test_a_torch_for_processors_beside_a_card_is_said_and_can_be_made_anew(desk: Desk, card: Gpu) -> None:
    desk.make_environment(cuda=None, devices=[], products={"cpu": [0.09, ""]}, least_capability=[0, 0])
    step = desk.looked()
    assert "torch が CPU 用" in step.machine.verdict.text()
    assert f"▲ {card.name}" in desk.words(step.machine)
    assert "torch が CPU 用" in step.environment.state.text()
    assert step.environment.make_button.text() == "作り直す"
    assert step.environment.make_button.isVisible()
    assert step.machine.practice_button.isVisible()


def test_wrong_products_in_four_bits_are_said(desk: Desk, card: Gpu) -> None:
    desk.make_environment(products={"cpu": [0.09, ""], "cuda": [None, "no kernel image"]})
    step = desk.looked()
    assert "4 ビットの計算が正しくありません" in step.environment.state.text()
    assert "no kernel image" in step.environment.state.text()


def test_to_practise_the_trial_model_is_asked_for_or_becomes_the_base(desk: Desk) -> None:
    step = desk.looked()
    asked: list[bool] = []
    desk.navigation.starter_requested.connect(lambda: asked.append(True))
    assert step.machine.practice_button.text() == "お試し用モデルを追加する"
    desk.click(step.machine.practice_button)
    assert asked == [True]
    add_starter(desk)
    step.show_draft()
    desk.click(step.machine.practice_button)
    assert (asked, desk.work.draft.base, desk.work.draft.settings) == ([True], "trial", {})
    assert "お試し用モデルを選びました" in step.machine.reason.text()
    assert not step.machine.practice_button.isEnabled()


def test_beside_a_card_that_cannot_be_used_one_practises_on_the_processor(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "list_gpus", lambda: (Gpu("Tesla K80", 11 * GB, 11 * GB, "470.1", (3, 7)),))
    add_starter(desk)
    step = desk.looked()
    desk.click(step.machine.practice_button)
    assert (desk.work.draft.base, desk.work.draft.settings) == ("trial", {"device": "cpu"})


def test_where_nothing_can_be_trained_here_the_reason_stands_beside_the_button(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability, "measure", lambda _data: capability.MachineMeasurements((), 4 * GB, GB, 100 * GB))
    step = desk.looked()
    assert not step.machine.practice_button.isEnabled()
    assert "お試し用モデルの練習もできません" in desk.words(step.machine)


def test_a_folder_for_another_machine_is_made_once_there_are_data_and_a_base(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot: QtBot
) -> None:
    empty = desk.looked()
    assert not empty.machine.job_button.isEnabled()
    assert "データと土台のモデルを決めてから" in empty.machine.reason.text()
    shipped = tmp_path / "converter"
    shipped.mkdir()
    monkeypatch.setattr(shipped_tools, "find_converter", lambda: (shipped, "1"))
    planned = Planned(desk.where, tmp_path, qtbot)
    step = desk.looked(planned.work)
    assert not step.machine.reason.isVisible()
    desk.click(step.machine.job_button)
    (dialog,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, ExportJobDialog)]
    assert not dialog.buttons["make"].isEnabled()
    desk.place.mkdir()
    (desk.place / "taken").touch()
    desk.click(dialog.place.choose_button)
    desk.click(dialog.buttons["make"])
    planned.wait()
    assert "job_folder_taken" not in desk.words(dialog)
    assert dialog.banner.isVisible()
    (desk.place / "taken").unlink()
    desk.click(dialog.buttons["make"])
    planned.wait()
    assert json.loads((desk.place / "job.json").read_text("utf-8"))["run"] == Path(planned.work.draft.run).name
    (told,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, Dialog) and one.isVisible()]
    assert "別の PC" in desk.words(told)
    assert "README.md" in desk.words(told)
    assert "土台のモデルは入っていません" not in desk.words(told)
    told.reject()


@pytest.mark.parametrize(("width", "scale"), [(560, 100), (760, 200)])
def test_nothing_is_clipped_and_all_has_a_name(
    desk: Desk, card: Gpu, qapp: QApplication, width: int, scale: int
) -> None:
    desk.theme.apply(qapp, Settings(theme="light", text_scale_percent=scale))
    desk.make_environment(cuda=None, devices=[], products={"cpu": [0.09, ""]}, least_capability=[0, 0])
    step = desk.looked(None, width, 600)
    desk.work.change(goal="facts")
    for _ in range(6):
        QApplication.sendPostedEvents()
        QApplication.processEvents()
    delete_what_is_put_off()
    assert clipped(desk.area) == []
    assert step.width() <= width
    assert [node for node in accessible.walk(desk.area) if node.is_interactive and not node.name] == []
