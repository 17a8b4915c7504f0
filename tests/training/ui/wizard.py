"""The wizard in the real window, as a person goes through it: each step by its own buttons."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.training.runs import run_folders
from app.training.runs.run_folders import TrainingRunFolder
from app.training.ui.check_step import CheckStep
from app.training.ui.data.data_step import DataStep
from app.training.ui.goal_step import GoalStep
from app.training.ui.model_step import ModelStep
from app.training.ui.page import TrainingPage
from app.training.ui.result.result_step import ResultStep
from app.training.ui.run.run_step import RunStep
from app.training.ui.wizard import DraftWizard, RunWizard
from app.uikit.dialogs import Dialog
from app.uikit.widgets.list_rows import DescriptionRole

LEFT = Qt.MouseButton.LeftButton


class Wizard:
    def __init__(self, parts: AppContext, where: Paths, qtbot: QtBot) -> None:
        self.parts, self.where, self.qtbot = parts, where, qtbot
        parts.window._on_page_chosen("training")
        page = parts.window.page("training")
        assert isinstance(page, TrainingPage)
        self.page = page

    # --------------------------------------------------------------------- deeds

    def click(self, button: QWidget) -> None:
        assert button.isVisible()
        assert button.isEnabled()
        QTest.mouseClick(button, LEFT)

    def until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=round(seconds * 1000))

    def begin(self) -> None:
        nothing = self.page.nothing.button
        self.click(nothing if nothing.isVisible() else self.page.new_button)
        self.click(self.goal.choice.answers["style"].radio)

    def import_file(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the window of the desktop that asks for files."""
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
        self.click(self.data.empty.file_button)
        self.until(lambda: not self.planning.work.is_busy)

    def freeze(self) -> None:
        self.next("分割して固定する")
        self.until(lambda: not self.planning.work.is_busy)

    def choose_model(self, name: str, preset: str = "light") -> None:
        box = self.model.base.box
        for _ in range(box.count()):
            if box.currentText() != name:
                QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentText() == name
        self.click(self.model.cards.cards[preset].radio)

    def check(self, seconds: float = 30) -> None:
        self.next("この設定を調べる")
        self.until(lambda: not self.planning.work.is_busy, seconds)

    def plan(self, path: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """From nothing to a plan that is checked."""
        self.begin()
        self.next("次へ：データ")
        self.import_file(path, monkeypatch)
        self.freeze()
        self.next("次へ：モデルと設定")
        self.choose_model(base)
        self.next("次へ：確認")
        self.check()

    def start(self) -> None:
        """And waits until its page is there."""
        self.next("学習を始める")
        self.until(lambda: isinstance(self.page.content, RunWizard))

    def next(self, name: str) -> None:
        """By the button in the foot, which is called so."""
        content = self.page.content
        assert content is not None
        button = content.foot.next_button
        assert (button.text(), content.foot.reason.text() if not button.isEnabled() else "") == (name, "")
        self.click(button)

    def answer(self, key: str) -> str:
        """A button of the dialog that is open; gives what the dialog says."""
        dialogs = [found for found in self.parts.window.findChildren(Dialog) if found.isVisible()]
        assert len(dialogs) == 1
        button = dialogs[0].buttons[key]
        assert isinstance(button, QPushButton)
        said = dialogs[0].accessibleDescription()
        self.click(button)
        return said

    # --------------------------------------------------------------------- parts

    @property
    def planning(self) -> DraftWizard:
        assert isinstance(self.page.content, DraftWizard)
        return self.page.content

    @property
    def running(self) -> RunWizard:
        assert isinstance(self.page.content, RunWizard)
        return self.page.content

    @property
    def goal(self) -> GoalStep:
        assert isinstance(self.planning.step, GoalStep)
        return self.planning.step

    @property
    def data(self) -> DataStep:
        assert isinstance(self.planning.step, DataStep)
        return self.planning.step

    @property
    def model(self) -> ModelStep:
        assert isinstance(self.planning.step, ModelStep)
        return self.planning.step

    @property
    def checking(self) -> CheckStep:
        assert isinstance(self.planning.step, CheckStep)
        return self.planning.step

    @property
    def run_step(self) -> RunStep:
        assert isinstance(self.running.step, RunStep)
        return self.running.step

    @property
    def result(self) -> ResultStep:
        assert isinstance(self.running.step, ResultStep)
        return self.running.step

    @property
    def run(self) -> TrainingRunFolder:
        """As it stands on the disk."""
        return run_folders.read(self.running.folder)

    @property
    def listed(self) -> list[str]:
        """Headings, and entries with what is said of them."""
        entries = self.page.entries
        indexes = [entries.index(row) for row in range(entries.rowCount())]
        return [": ".join(filter(None, (index.data(), index.data(DescriptionRole)))) for index in indexes]

    @property
    def actions(self) -> list[QPushButton]:
        """Of the header, as far as they are shown."""
        shown = [action for action in self.run_step.header_actions if action.isVisible()]
        assert all(isinstance(action, QPushButton) for action in shown)
        return shown  # type: ignore[return-value]

    def press(self, name: str) -> None:
        """One of `actions`, as soon as it can be pressed."""
        self.until(lambda: any(action.text() == name and action.isEnabled() for action in self.actions))
        self.click(next(action for action in self.actions if action.text() == name))
