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
from app.inference.services.engine import EngineClient
from app.inference.speed import MachineSpeed
from app.training import drafts
from app.training.drafts import DraftData, DraftSplit, TrainingDraft
from app.training.services import training_run
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_run import Trainer
from tests import fake_trainer
from tests import model_files as models


class Desk:
    def __init__(self, where: Paths, qtbot: QtBot) -> None:
        self.where = where
        where.data.mkdir(parents=True, exist_ok=True)
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))  # measuring takes seconds
        self.models: Callable[[], Sequence[LocalModel]] = tuple
        self.trainer: Callable[[], Trainer | None] = lambda: training_run.locate_trainer(where.data)
        self.engine: EngineClient | None = None
        self.errors: list[AppError] = []
        self._qtbot = qtbot
        self.draft = self.opened(drafts.create(where.drafts, 1.0))

    def reopened(self) -> DraftEditor:
        return self.opened(drafts.read(self.where.drafts, self.draft.draft.id))

    def opened(self, draft: TrainingDraft) -> DraftEditor:
        made = DraftEditor(draft, self.where, self.models, self.trainer, self.engine)
        made.failed.connect(self.errors.append)
        return made

    def wait(self, draft: DraftEditor | None = None) -> TrainingDraft:
        one = draft or self.draft
        self._qtbot.waitUntil(lambda: not one.is_busy)
        return one.draft

    def imported(self, rows: int | Path, draft: DraftEditor | None = None) -> DraftData:
        """Take rows in, of a file or so many, and return what they are."""
        one = draft or self.draft
        one.import_file(rows if isinstance(rows, Path) else self.file(rows))
        return self.wait(one).data

    def frozen(self, rows: int | Path = 0, draft: DraftEditor | None = None) -> DraftSplit:
        """Split the rows, after taking some in where there are any."""
        one = draft or self.draft
        if rows:
            self.imported(rows, one)
        one.freeze()
        return self.wait(one).frozen

    def ready(self, draft: DraftEditor | None = None, rows: int | Path = 60) -> None:
        """Give a draft all that a run needs."""
        one = draft or self.draft
        self.frozen(rows, one)
        one.change(goal="style", base=str(models.tiny_llama(self.where.data.parent / "小.gguf")))

    def begun(self, draft: DraftEditor | None = None) -> Path:
        """Begin a run and return its folder."""
        one, folders = draft or self.draft, list[Path]()
        one.begun.connect(folders.append)
        one.begin()
        self.wait(one)
        assert self.errors == []
        return folders[-1]

    def checked(self, draft: DraftEditor | None = None) -> list[str]:
        """Check a draft and return the codes of its problems."""
        one = draft or self.draft
        one.check()
        return [problem.code for problem in self.wait(one).problems("check")]

    @property
    def folders(self) -> list[str]:
        """What lies in the draft's folder."""
        return sorted(path.name for path in (self.where.drafts / self.draft.draft.id).iterdir())

    @property
    def codes(self) -> list[str]:
        return [error.code for error in self.errors]

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
    fake_trainer.use(monkeypatch, "good")
    yield Desk(paths.locate(str(tmp_path / "データ")), qtbot)
    background.shut_down()
