"""What the dialog 評価を実行 chooses from: real sets, models, a collection and a frozen split, in a data folder."""

import dataclasses
import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.documents.library import Library
from app.documents.records import DocumentCollection, Section
from app.evaluation import question_sets
from app.evaluation.records import Question
from app.evaluation.study.request import StudyRequest
from app.evaluation.ui.study_dialog import StudyDialog
from app.evaluation.ui.study_dialog_choices import StudyDialogModel
from app.inference import speed
from app.inference.local_model import TuningRecord
from app.inference.speed import MachineSpeed
from app.models import local_models
from app.models.training_environment import TrainingEnvironment
from app.training import drafts
from app.training.data import data_split
from app.training.data.rows import RowMessage, TrainingRow
from app.training.data.split_record import LeakageReport
from app.training.drafts import DraftSplit
from app.training.services.training_run import Trainer
from app.uikit.theme import Theme
from tests import fake_trainer
from tests import model_files as models
from tests.evaluation.ui.driver import Driver
from tests.training.generation.collection import library_of

SHA = "a" * 64


class StartDesk(Driver):
    """`models`: two bases, and one that is the first with an adapter. Take away what a test is to do without."""

    def __init__(self, where: Paths, folder: Path, theme: Theme, qtbot: QtBot) -> None:
        window = QWidget()
        window.resize(1200, 900)
        super().__init__(window, qtbot)
        self.where, self.theme = where, theme
        where.data.mkdir(parents=True, exist_ok=True)
        speed.save(where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))  # measuring takes seconds
        first = local_models.describe(models.tiny_llama(folder / "一.gguf"))
        second = local_models.describe(models.tiny_llama(folder / "二.gguf", seed=3))
        base = dataclasses.replace(first, id="one", name="一つ目", quantization="Q4_K_M")
        told = TuningRecord("r", "言い回し", "Q4_K_M", "一つ目", SHA, SHA)
        self.models = [
            base,
            dataclasses.replace(second, id="two", name="二つ目", form_id="qwen3"),
            dataclasses.replace(base, id="tuned", name="言い回し", tuned=told, adapter=str(folder / "a.lora")),
        ]
        models.tiny_adapter(folder / "a.lora")
        asked = [Question(f"q{n}", f"{n} 番目の質問", reference="答え") for n in range(1, 4)]
        question_sets.store(where.questions, "現場の質問", asked)
        library_of(where.documents, {"規準.md": [Section(("第1章",), "本文")]}).close()
        self.has_trainer = True
        self.trainer = Trainer(TrainingEnvironment(Path(sys.executable), None), fake_trainer.FAKE)
        self.wishes: list[StudyRequest] = []

    def freeze(self, rows: int = 100) -> Path:
        """A split of a draft that is called 敬体."""
        draft = dataclasses.replace(drafts.create(self.where.drafts, 1.0), name="敬体")
        folder = drafts.free_folder(self.where.drafts, draft.id, drafts.SPLIT)
        texts = ((f"{n * 7919 % 10_007:x} の点検は", f"{n * 104_729 % 99_991:x} 年ごと") for n in range(rows))
        made = data_split.split_rows(
            [
                TrainingRow(n, (RowMessage("user", one), RowMessage("assistant", other)))
                for n, (one, other) in enumerate(texts, 1)
            ]
        )
        manifest = data_split.write_split(made, folder, {"name": "行.csv"}, LeakageReport())
        counts = (len(made.train), len(made.validation), len(made.holdout))
        frozen = DraftSplit(str(folder), 1, *counts, manifest.files["holdout"].sha256, is_sound=True)
        drafts.save(self.where.drafts, dataclasses.replace(draft, frozen=frozen), 2.0)
        return folder

    def locate(self) -> Trainer:
        if not self.has_trainer:
            raise AppError("no_training_environment", path="")
        return self.trainer

    def collections(self) -> list[DocumentCollection]:
        if not self.where.documents.exists():
            return []
        library = Library.open(self.where.documents)
        try:
            return library.collections()
        finally:
            library.close()

    def ask(self, kind: str = "", question_set: str = "", width: int = 1200, height: int = 900) -> StudyDialog:
        """The dialog after it has looked around. `kind`: the comparison that is then chosen."""
        self.open(width, height)
        model = StudyDialogModel(
            self.where,
            models=lambda: self.models,
            collections=self.collections,
            context_tokens=lambda: 2048,
            current_model_id=lambda: "one",
            locate=self.locate,
        )
        dialog = StudyDialog(self.theme, model, model.offer(model.look()), self.window, question_set)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
        self.qtbot.addWidget(dialog)
        dialog.request_made.connect(self.wishes.append)
        dialog.choose_first()
        dialog.show()
        if kind:
            self.click(dialog.kinds.answers[kind].radio)
        return dialog

    def mark(self, dialog: StudyDialog, *models: str) -> None:
        for id in models:
            dialog.part("models").models.rows[id].box.click()

    def reckoned(self, dialog: StudyDialog) -> str:
        """What is said of what it takes, or why not."""
        told = dialog.forecasting
        self.until(lambda: told.forecast is not None or told.error is not None)
        return dialog.forecast.text() or dialog.reason.text()

    def begin(self, dialog: StudyDialog) -> StudyRequest:
        """It is made at once."""
        self.until(lambda: dialog.forecasting.forecast is not None)
        self.click(dialog.start_button)
        (wish,) = self.wishes
        dialog.accept()
        return wish
