"""Write an answer into the store: its text every second while it streams, and its details at the end."""

import dataclasses
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.chat.records import AnswerDetails, Message
from app.chat.services.answer_run import AnswerOutcome, AnswerRun
from app.chat.store import Store

SAVED_EVERY_MS = 1000


class AnswerWriter(QObject):
    """Runs an answer and stores it. It emits `ended` exactly once, with the stored message, or, if storing failed, with
    an unstored one whose status is "failed"."""

    ended = Signal(object, object, object)  # Message, AnswerOutcome | None, AppError | None
    problem_occurred = Signal(object)  # AppError, for example when the disk is full

    def __init__(
        self,
        store: Store,
        answer: Message,
        run: AnswerRun,
        repeated: Message | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Prepare to write `answer` from `run`. `repeated` is the earlier answer that it repeats, if any."""
        super().__init__(parent)
        self.store = store
        self.answer = answer
        self.run = run
        self._repeated = repeated
        self._saved_text = ""
        self._save_timer = QTimer(self, interval=SAVED_EVERY_MS)
        self._save_timer.timeout.connect(self.save)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self._on_stopped)

    def start(self) -> None:
        self._save_timer.start()
        self.run.start()

    def abandon(self) -> None:
        """Store the text so far and end the run, before the engine is shut down."""
        self.run.abandon()
        self._on_stopped()

    def save(self) -> None:
        """Store the text so far. A full disk stops the run."""
        if self.run.text != self._saved_text:
            try:
                self.store.update_answer(self.answer.id, self.run.text)
                self._saved_text = self.run.text
            except AppError as error:
                self.run.stop()
                self.problem_occurred.emit(error)

    def _on_finished(self, outcome: AnswerOutcome) -> None:
        text, done = self.run.text.strip(), outcome.done
        is_stopped = done.stop_reason == "cancelled"
        details = self._details(stop_reason=done.stop_reason, thought_s=done.timings.thought_s, **outcome.as_fields())
        if self._repeated is not None:
            is_same = _repeats_earlier_answer(self._repeated, text, is_stopped=is_stopped)
            is_part = is_same is not None and self._repeated.status == "stopped"
            details = dataclasses.replace(details, is_same=is_same, is_part=is_part)
        self._finish_answer(text, "stopped" if is_stopped else "done", details, outcome)

    def _on_stopped(self) -> None:
        self._finish_answer(self.run.text, "stopped", self._details(stop_reason="cancelled"))

    def _on_failed(self, error: AppError) -> None:
        details = self._details(stop_reason="failed", error_code=error.code)
        self._finish_answer(self.run.text, "failed", details, error=error)

    def _details(self, **changes: Any) -> AnswerDetails:
        known = {"grounding": self.run.grounding, "thoughts": self.run.thoughts.strip()}
        return dataclasses.replace(self.answer.details or AnswerDetails(), **known | changes)

    def _finish_answer(
        self,
        text: str,
        status: str,
        details: AnswerDetails,
        outcome: AnswerOutcome | None = None,
        error: AppError | None = None,
    ) -> None:
        self._save_timer.stop()
        try:
            finished = self.store.finish_answer(self.answer.id, text, status, details)
        except AppError as full:  # the text that the timer saved last remains stored
            self.problem_occurred.emit(full)
            finished = dataclasses.replace(self.answer, text=text, status="failed", details=details)
            self._keep_trying(text, status, details)
        else:
            self.deleteLater()
        self.ended.emit(finished, outcome, error)

    def _keep_trying(self, text: str, status: str, details: AnswerDetails) -> None:
        """Try every second to store the end, without which the answer counts as streaming."""

        def finish() -> None:
            try:
                self.store.finish_answer(self.answer.id, text, status, details)
            except AppError:
                return  # the window has already shown this error
            except KeyError:
                pass  # the answer was erased meanwhile
            self._save_timer.stop()
            self.deleteLater()

        self._save_timer.timeout.disconnect(self.save)
        self._save_timer.timeout.connect(finish)
        self._save_timer.start()


def _repeats_earlier_answer(repeated: Message, text: str, *, is_stopped: bool) -> bool | None:
    """Return whether the text repeats the earlier answer, as far as that got; None when stopped."""
    if is_stopped:
        return None
    before = repeated.written_text.strip()  # an interrupted answer is stored unstripped
    return text.startswith(before) if repeated.status == "stopped" else text == before
