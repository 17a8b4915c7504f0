"""A new model's first words: loaded once as any other, a few tokens written. Then it may be called finished."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from app.base import wording
from app.base.errors import AppError
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerRequest, AnswerRun, Outcome, in_force
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.inference.prompt import Turn
from app.inference.services.engine import EngineClient

TOKENS = 16
_SETTINGS = dataclasses.replace(Settings(), context_tokens=512, repack="off")
_CHOICES = Choices(system_prompt="", temperature=0, max_tokens=TOKENS, seed=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """`text` is None where the memory does not suffice to load the model now: it was not tried."""

    text: str | None
    tokens_per_s: float = 0.0


class TrialAnswer(QObject):
    """Calls exactly one of `done` and `failed`, unless it is stopped. The engine is its own and ends with it."""

    def __init__(
        self,
        engine: list[str],
        log: Path,
        model: LocalModel,
        done: Callable[[Trial], None],
        failed: Callable[[AppError], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._done, self._failed = done, failed
        self._text = ""
        self._is_over = False
        self._engine = EngineClient(engine, log, self)
        request = AnswerRequest(model, (Turn(wording.phrase("trial_question")),), _SETTINGS, in_force(model, _CHOICES))
        self._run = AnswerRun(self._engine, child_commands.template(), request, self)
        self._run.text_received.connect(self._on_text)
        self._run.finished.connect(self._on_finished)
        self._run.failed.connect(self._on_failed)
        self._run.start()

    def stop(self) -> None:
        """Blocks for a moment."""
        self._is_over = True
        self._run.abandon()
        self._engine.shut_down()

    def _on_text(self, text: str) -> None:
        self._text += text

    def _on_finished(self, outcome: Outcome) -> None:
        self.stop()
        timings, usage = outcome.done.timings, outcome.done.usage
        speed = usage.answer_tokens / timings.answer_s if timings.answer_s > 0 else 0.0
        self._done(Trial(self._text.strip(), round(speed, 2)))

    def _on_failed(self, error: AppError) -> None:
        if self._is_over:
            return
        self.stop()
        if error.code == "memory_short":
            self._done(Trial(None))
        else:
            self._failed(AppError("build_trial_failed", reason=str(error), cause=error.code))
