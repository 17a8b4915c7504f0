"""Follow a run's progress for a page that shows it: read it a few times a second in the background."""

import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.services import background
from app.models.artifact_steps import StepProgress
from app.training.runs.run_journal import JOURNAL_FILE
from app.training.runs.run_progress import ProgressReader, RunProgress
from app.training.services.training_runner import TrainingRunner

FIRST_MS = 50
SHORT_BYTES = 150_000  # of a journal of 500 steps, which is read in 20 ms
LIVE_MS = 250  # as often as the eye can notice
IDLE_MS = 1000  # slower: the run may yet be started in a terminal
REST = 4  # pause after a read, in multiples of its duration, so that a long journal does not occupy a core


class RunFollower(QObject):
    """Reads a run's progress between `start` and `stop`, whichever process trains the run, and emits `changed`."""

    changed = Signal(object)  # RunProgress

    def __init__(self, folder: Path, trainings: TrainingRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._trainings = trainings
        self._follower = ProgressReader(folder)
        self.course: RunProgress | None = None  # the last progress; None: not read yet
        self._is_reading = self._is_started = False
        self._began_at = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.look)
        trainings.judging.connect(self._on_judging)
        trainings.started.connect(self._on_news)
        trainings.ended.connect(self._on_news)

    @property
    def is_ours(self) -> bool:
        """Return whether this program trains or judges the run now."""
        return self._trainings.folder == self._folder and not self._trainings.is_waiting

    def start(self) -> None:
        """Start following. The first read is done before the page is drawn, if the journal is short."""
        self._is_started = True
        if self.course is None and not self._is_reading and self._is_short():
            self._began_at = time.monotonic()
            self._on_read(self._follower.look(is_ours=self.is_ours))
        else:
            self._timer.start(FIRST_MS if self.course is None else 0)

    def stop(self) -> None:
        self._is_started = False
        self._timer.stop()

    def look(self) -> None:
        if self._is_started and not self._is_reading:
            self._is_reading, self._began_at = True, time.monotonic()
            is_ours = self.is_ours
            background.run(lambda: self._follower.look(is_ours=is_ours), self._on_read, self._on_failed)

    # ------------------------------------------------------------- private methods

    def _is_short(self) -> bool:
        try:
            return (self._folder / JOURNAL_FILE).stat().st_size <= SHORT_BYTES
        except OSError:  # nothing was written yet
            return True

    def _on_judging(self, progress: StepProgress) -> None:
        if self.course is not None and self.is_ours:
            self.course.clock.take_judging(time.time(), progress)

    def _on_news(self, *_arguments: object) -> None:
        self._timer.stop()
        self.look()

    def _on_read(self, course: RunProgress) -> None:
        self._is_reading = False
        took_ms = int(1000 * (time.monotonic() - self._began_at))
        if self._is_started:
            self._timer.start(max(LIVE_MS if course.is_live else IDLE_MS, REST * took_ms))
        if course is not self.course:
            self.course = course
            if self.is_ours:
                for at, progress in self._trainings.judged:
                    course.clock.take_judging(at, progress)
            self.changed.emit(course)

    def _on_failed(self, error: AppError) -> None:
        raise error  # unexpected: reading handles its errors, so this is a bug
