"""Pause a training or an evaluation for questions, and go on with it when no more are asked."""

import functools
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.chat.services.chat_session import ChatSession
from app.evaluation.services.evaluations import Evaluations
from app.training.services.training_runner import TrainingRunner
from app.uikit.page import MachinePause

IDLE_MS = 120_000  # after the last answer or keystroke, the work goes on by itself


class PauseForQuestions(MachinePause):
    """Pauses what holds the machine. The user, or `idle_ms` without a question, goes on with it."""

    failed = Signal(object)  # AppError: the work could not go on

    def __init__(
        self,
        session: ChatSession,
        trainings: TrainingRunner,
        evaluations: Evaluations,
        parent: QObject,
        idle_ms: int = IDLE_MS,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._trainings = trainings
        self._evaluations = evaluations
        self._continue: Callable[[], None] | None = None
        self._paused: TrainingRunner | Evaluations = trainings  # what was asked to pause
        self._idle = QTimer(self, singleShot=True, interval=idle_ms)
        self._idle.timeout.connect(self._on_idle)
        session.answer_finished.connect(self.note_use)
        session.answer_finished_elsewhere.connect(self.note_use)
        for runner in (trainings, evaluations):
            runner.started.connect(self._forget)
            runner.ended.connect(self._on_ended)

    @property
    def can_pause(self) -> bool:
        # A model file that is being made has no place to go on from.
        return self._evaluations.is_running or (self._trainings.is_training and not self._trainings.form)

    @property
    def has_training(self) -> bool:
        """Return whether a training is paused. Unlike a study it also goes on without a window."""
        return self.state == "paused" and self._paused is self._trainings

    def pause(self) -> None:
        """Pause the work; it may first have to save its state. `changed` follows."""
        if not self.can_pause or self.state:
            return
        self._set_state("pausing")
        if self._trainings.folder is not None:
            self._paused = self._trainings
            self._continue = functools.partial(self._trainings.go_on, self._trainings.folder)
            self._trainings.pause()
        elif self._evaluations.folder is not None:
            self._paused = self._evaluations
            self._continue = functools.partial(self._evaluations.start, self._evaluations.folder)
            self._evaluations.stop()

    def go_on(self) -> None:
        """Continue the paused work, after an answer that is being written."""
        go_on, self._continue = self._continue, None
        self._idle.stop()
        self._set_state("")
        if go_on is not None:
            try:
                go_on()
            except AppError as error:
                self.failed.emit(error)

    def note_use(self) -> None:
        """Wait longer before the work goes on, because the user is typing or reading."""
        if self.state == "paused":
            self._idle.start()

    # ------------------------------------------------------------------ private

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.changed.emit()

    def _on_ended(self) -> None:
        """Begin to wait; work that came to its end before it could be paused has nothing to go on with."""
        if self.state != "pausing":
            return
        if self._paused.outcome in ("paused", "stopped"):
            self._set_state("paused")
            self.note_use()
        else:
            self._forget()

    def _forget(self) -> None:
        """Leave work alone that the user has started, or that has ended."""
        self._continue = None
        self._idle.stop()
        self._set_state("")

    def _on_idle(self) -> None:
        if self._session.is_busy or self._trainings.refusal is not None:  # other work has the machine meanwhile
            self._idle.start()
        else:
            self.go_on()
