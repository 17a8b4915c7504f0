"""The wizard in the real window, as a person goes through it: each step by its own buttons."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.base.wording import phrase
from app.training.runs import run_folders
from app.training.runs.run_folders import TrainingRunFolder
from app.training.ui import training_texts
from app.training.ui.page import TrainingPage
from app.training.ui.wizard import DraftWizard, RunWizard
from app.uikit.widgets.list_rows import DescriptionRole
from tests.training.ui.driver import CHECK, SPLIT, START, Driver


class WizardDriver(Driver):
    def __init__(self, parts: AppContext, where: Paths, qtbot: QtBot) -> None:
        super().__init__(qtbot, parts.theme)
        self.parts, self.where = parts, where
        parts.window._on_page_chosen("training")
        page = parts.window.page("training")
        assert isinstance(page, TrainingPage)
        self.page = page

    # ----------------------------------------------------------------------- acts

    def begin(self) -> None:
        nothing = self.page.nothing.button
        self.click(nothing if nothing.isVisible() else self.page.new_button)
        self.click(self.shown.choice.answers["style"].radio)

    def import_file(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the window of the desktop that asks for files."""
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
        self.click(self.shown.empty.file_button)
        self.wait()

    def freeze(self) -> None:
        """The next step follows by itself."""
        self.next(SPLIT)
        self.until(lambda: self.content.key == "model" and not self.content.work.is_busy)

    def choose_model(self, name: str, preset: str = "light") -> None:
        box = self.shown.base.box
        for _ in range(box.count()):
            if box.currentText() != name:
                QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentText() == name
        self.click(self.shown.cards.cards[preset].radio)

    def check(self, seconds: float = 30) -> None:
        self.next(CHECK)
        self.wait(seconds)

    def plan(self, path: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """From nothing to a plan that is checked."""
        self.begin()
        self.go_on("data")
        self.import_file(path, monkeypatch)
        self.freeze()
        self.choose_model(base)
        self.go_on("check")  # where the check begins by itself
        self.wait()

    def start(self) -> None:
        """And wait until its page is there."""
        self.next(START)
        self.until(lambda: isinstance(self.page.content, RunWizard))

    def next(self, name: str) -> None:
        """By the button in the foot, which is called so."""
        foot = self.content.foot
        button = foot.next_button
        assert (button.text(), foot.reason.text() if not button.isEnabled() else "") == (name, "")
        self.click(button)

    def go_on(self, step: str) -> None:
        self.next(phrase("common.next_step", step=training_texts.step_name(step)))

    def wait(self, seconds: float = 30) -> None:
        self.until(lambda: not self.content.work.is_busy, seconds)

    def press_button(self, name: str) -> None:
        """One of the header, as soon as it can be pressed."""
        self.until(lambda: any(action.text() == name and action.isEnabled() for action in self.actions))
        self.click(next(action for action in self.actions if action.text() == name))

    # ---------------------------------------------------------------------- shown

    @property
    def content(self) -> Any:
        """A DraftWizard or a RunWizard."""
        assert isinstance(self.page.content, DraftWizard | RunWizard)
        return self.page.content

    @property
    def shown(self) -> Any:
        """The step."""
        return self.content.step

    @property
    def run(self) -> TrainingRunFolder:
        """As it stands on the disk."""
        return run_folders.read(self.content.folder)

    @property
    def listed(self) -> list[str]:
        """Headings, and entries with what is said of them."""
        entries = self.page.entries
        indexes = [entries.index(row) for row in range(entries.rowCount())]
        return [": ".join(filter(None, (index.data(), index.data(DescriptionRole)))) for index in indexes]

    @property
    def actions(self) -> list[QPushButton]:
        """Of the header, as far as they are shown."""
        return [action for action in self.shown.header_actions if action.isVisible()]
