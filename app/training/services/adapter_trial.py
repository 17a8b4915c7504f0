"""Answer the user's own question with a run's base alone and with its adapter at a chosen strength, without merging.

The chat's engine is used, so that only one model is in memory; the adapter is applied only for its answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun, choices_in_force
from app.inference import scoring_files
from app.inference.engine.messages import CUT_OFF, AdapterUse
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.services.engine import EngineClient
from app.models import base_models, local_models
from app.training.runs import run_folders

Side = Literal["base", "tuned"]
TOKENS = 256  # limit of an answer, which a base that does not end its answers reaches
MOST_STRENGTH = 1.5
_CUT = (*CUT_OFF, "cancelled")
_CHOICES = Choices(system_prompt="", temperature=0, max_tokens=TOKENS, seed=1)


@dataclass(frozen=True, slots=True)
class TrialAnswers:
    text: str
    seconds: float
    was_cut: bool  # cut at TOKENS, or because it looped


@dataclass(frozen=True, slots=True)
class _Ready:
    model: LocalModel  # has the prompt form of training
    adapter: str


class AdapterTrial(QObject):
    """Answers one question at a time. `start` ends with exactly one of `finished`, `failed` and `stopped`.

    The base's answer is reused for the same question, since only the adapter's strength can have changed.
    """

    began = Signal(str)  # Side ("base" | "tuned") whose model is being loaded to answer
    text_received = Signal(str, str)  # Side, text
    answered = Signal(str, object)  # Side, TrialAnswers
    finished = Signal()
    failed = Signal(object)  # AppError
    stopped = Signal()

    def __init__(
        self,
        folder: Path,
        engine: EngineClient,
        models: Callable[[], Sequence[LocalModel]],
        settings: Callable[[], Settings],
        parent: QObject | None = None,
    ) -> None:
        """Create a trial for the run in `folder`, which needs an adapter.

        `models`: returns the model list. `settings`: returns the chat's settings, so that a loaded model stays loaded.
        """
        super().__init__(parent)
        self._folder = folder
        self._engine = engine
        self._models = models
        self._settings = settings
        self._ready: _Ready | None = None
        self._run: AnswerRun | None = None
        self._request_token: object = None  # identifies the current `start`; None: none is running
        self._text = ""
        self._is_looping = False
        self._last_question: tuple[str, TrialAnswers] | None = None  # the last question with the base's answer

    @property
    def is_running(self) -> bool:
        return self._request_token is not None

    def start(self, question: str, strength: float) -> None:
        """Answer the question with both sides. `strength`: 0 (only the base) to MOST_STRENGTH; 1 is as trained.

        The error of `failed` is trial_engine_busy, run_no_adapter, run_damaged, or one of `base_models` and
        `AnswerRun`.
        """
        assert not self.is_running
        assert 0 <= strength <= MOST_STRENGTH
        asked = self._request_token = object()
        if self._ready is not None:
            self._begin(self._ready, question, strength)
            return
        folder, models = self._folder, tuple(self._models())
        background.run(
            lambda: _prepared(folder, models),
            lambda ready: self._begin(ready, question, strength) if self._request_token is asked else None,
            lambda error: self._fail(error) if self._request_token is asked else None,
        )

    def stop(self) -> None:
        """Stop answering; the text received so far is kept."""
        if self.is_running:
            self._request_token = None
            run, self._run = self._run, None
            if run is not None:
                run.stop()  # the engine stops writing
                run.abandon()
                run.deleteLater()
            self.stopped.emit()

    # ------------------------------------------------------------- private methods

    def _begin(self, ready: _Ready, question: str, strength: float) -> None:
        self._ready = ready
        if self._engine.is_computing:
            self._fail(AppError("trial_engine_busy"))
            return
        tuned = (AdapterUse(ready.adapter, strength),)
        if self._last_question is not None and self._last_question[0] == question:
            self.answered.emit("base", self._last_question[1])
            self._answer("tuned", question, tuned, self._finish)
            return
        # The tuned model answers first: it ends its answers, while a base may write to the limit.
        self._answer("tuned", question, tuned, lambda: self._answer("base", question, (), self._finish))

    def _answer(self, side: Side, question: str, adapters: tuple[AdapterUse, ...], go_on: Callable[[], None]) -> None:
        assert self._ready is not None
        model = self._ready.model
        # The model card's choices are for chatting; here both sides use the same fixed ones.
        choices = choices_in_force(model, _CHOICES)
        request = AnswerRequest(model, (Turn(question),), self._settings(), choices, adapters)
        run = self._run = AnswerRun(self._engine, request, self)
        self._text, self._is_looping = "", False
        run.text_received.connect(lambda text: self._on_text(side, text))
        run.finished.connect(lambda outcome: self._on_answered(side, question, outcome, go_on))
        run.failed.connect(self._fail)
        asked = self._request_token
        self.began.emit(side)
        if self._request_token is asked:  # a slot of the signal may have stopped the trial
            run.start()

    def _on_text(self, side: Side, text: str) -> None:
        self._text += text
        self.text_received.emit(side, text)
        if self._run is not None and not self._is_looping and scoring_files.is_looping(self._text):
            self._is_looping = True
            self._run.stop()

    def _on_answered(self, side: Side, question: str, outcome: AnswerOutcome, go_on: Callable[[], None]) -> None:
        self._let_go()
        found = TrialAnswers(self._text.strip(), outcome.total_s, outcome.done.stop_reason in _CUT)
        if side == "base":
            self._last_question = question, found
        asked = self._request_token
        self.answered.emit(side, found)
        if self._request_token is asked:
            go_on()

    def _finish(self) -> None:
        self._request_token = None
        self.finished.emit()

    def _fail(self, error: AppError) -> None:
        self._let_go()
        self._request_token = None
        self.failed.emit(error)

    def _let_go(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.deleteLater()


def _prepared(folder: Path, models: Sequence[LocalModel]) -> _Ready:
    """Return the model and adapter of a run.

    The base is hashed if its hash is unknown, because the adapter would only make another model worse.
    """
    run = run_folders.read(folder)
    adapter, asked = run.require_adapter(), run.require_spec()
    made = folder / "base.gguf"  # the gate makes it if the base is a folder
    is_made = Path(asked.base).is_dir() and made.is_file()
    model = local_models.describe(made) if is_made else base_models.model_of_run(asked, models)
    base_models.require_same_base(asked, model)
    return _Ready(base_models.with_trained_form(run_folders.effective_spec(folder) or asked, model), str(adapter))
