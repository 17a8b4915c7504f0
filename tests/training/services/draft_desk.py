"""A draft of a training with the fake trainer, and what a test does with it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import paths
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.speed import MachineSpeed
from app.training import drafts
from app.training.drafts import TrainingDraft
from app.training.services import training_run
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_run import Trainer


class Desk:
    def __init__(self, where: Paths, qtbot: QtBot) -> None:
        self.where = where
        where.data.mkdir(parents=True, exist_ok=True)
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(1e10, 1e11, 2, 1.0))  # measuring takes seconds
        self.models: Callable[[], Sequence[LocalModel]] = tuple
        self.trainer: Callable[[], Trainer | None] = lambda: training_run.locate_trainer(where.data)
        self.draft = self.opened(drafts.create(where.drafts, 1.0))
        self.errors: list[AppError] = []
        self.draft.failed.connect(self.errors.append)
        self._qtbot = qtbot

    def reopened(self) -> DraftEditor:
        return self.opened(drafts.read(self.where.drafts, self.draft.draft.id))

    def opened(self, draft: TrainingDraft) -> DraftEditor:
        return DraftEditor(draft, self.where, self.models, self.trainer)

    def wait(self, draft: DraftEditor | None = None) -> TrainingDraft:
        one = draft or self.draft
        self._qtbot.waitUntil(lambda: not one.is_busy)
        return one.draft

    def file(self, count: int) -> Path:
        path = self.where.data / "行.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = (
            f"{n * 7919 % 10_007:x} の点検は何年ごとか,{n * 104_729 % 99_991:x} 年ごとに行う。\n" for n in range(count)
        )
        path.write_text("質問,回答\n" + "".join(rows) + 'JSON の残り,"{""answer"": ""あ。""}"\n,空の質問\n', "utf-8")
        return path


@pytest.fixture
def desk(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(training_run.VARIABLE, "fake:good")
    yield Desk(paths.locate(str(tmp_path / "データ")), qtbot)
    background.shut_down()
