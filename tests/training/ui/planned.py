"""A training that is planned up to its data, for tests of the steps that follow."""

import dataclasses
from pathlib import Path

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.base.paths import Paths
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.speed import MachineSpeed
from app.models import local_models
from app.training import drafts
from app.training.data import data_split
from app.training.data.rows import RowMessage, TrainingRow
from app.training.data.split_record import LeakageReport
from app.training.drafts import DraftData, DraftSplit
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_run import Trainer
from app.training.ui.wizard import WizardStep
from tests import model_files as models

_made: list[DraftSplit] = []  # the same for all tests: it takes a moment, and nobody changes it


class Planned:
    """`models`: a small one, another, and one that is for searching. The first is the base."""

    def __init__(self, where: Paths, folder: Path, qtbot: QtBot, trainer: Trainer | None = None) -> None:
        self.qtbot = qtbot
        where.data.mkdir(parents=True, exist_ok=True)
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(1e10, 1e11, 2, 1.0))  # measuring takes seconds
        found = local_models.describe(models.tiny_llama(folder / "小.gguf"))
        self.models: tuple[LocalModel, ...] = (
            dataclasses.replace(found, id="small", name="小さいモデル"),
            dataclasses.replace(found, id="other", name="別のモデル"),
            dataclasses.replace(found, id="search", name="検索のモデル", architecture="modern-bert"),
        )
        self.work = DraftEditor(drafts.create(where.drafts, 1.0), where, lambda: self.models, lambda: trainer)
        if not _made:
            _made.append(_frozen(folder / "分割"))
        data = DraftData("行.csv", _made[0].revision, 60)
        self.work.change(name="敬体", goal="style", base="small", data=data, frozen=_made[0])

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: not self.work.is_busy)

    def show(self, step: WizardStep, inside: QWidget | None = None, width: int = 1000, height: int = 900) -> None:
        """As the page does it. `inside`: what shows it, where that is another widget."""
        shown = inside or step
        self.qtbot.addWidget(shown)
        self.work.changed.connect(step.show_draft)
        self.work.ended.connect(step.show_draft)
        shown.resize(width, height)
        shown.show()
        step.show_draft()
        self.qtbot.waitExposed(shown)


def _frozen(folder: Path) -> DraftSplit:
    texts = ((f"{n * 7919 % 10_007:x} の点検は", f"{n * 104_729 % 99_991:x} 年ごと") for n in range(60))
    rows = [
        TrainingRow(line, (RowMessage("user", question), RowMessage("assistant", answer)))
        for line, (question, answer) in enumerate(texts, 1)
    ]
    made = data_split.split_rows(rows)
    manifest = data_split.write_split(made, folder, {"name": "行.csv"}, LeakageReport())
    counts = (len(made.train), len(made.validation), len(made.holdout))
    return DraftSplit(str(folder), 1, *counts, manifest.files["holdout"].sha256, is_sound=True)
