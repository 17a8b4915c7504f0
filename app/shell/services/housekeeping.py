"""Done in the background some time after the start, and again: a backup a day, and old things out of the bins.

Python's collector of reference cycles, kept on the thread of the window and out of Qt's work.
"""

import gc
import logging
import time

from PySide6.QtCore import QObject, QTimer

from app.base import database
from app.base.files.day_record import DayRecord
from app.base.paths import Paths
from app.base.services import background

COLLECT_EVERY_MS = 1000


class GarbageCollector(QObject):
    """Collects from a timer, as generations fill up. While one is there, Python does not collect by itself.

    Left to itself, Python collects in whichever thread allocates, in the middle of whatever Qt is doing. A widget in
    a cycle would then be destroyed by a thread of the pool, or while an event is delivered to it, and Qt would crash.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        timer = QTimer(self, interval=COLLECT_EVERY_MS)
        timer.timeout.connect(self._collect)
        timer.start()
        self.destroyed.connect(gc.enable)

    def _collect(self) -> None:
        full = [
            generation
            for generation, (count, most) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True))
            if count > most
        ]
        if full:
            gc.collect(max(full))


AFTER_MS = 10_000
BACKUP_EVERY_MS = 60 * 60 * 1000  # looks whether today's is there

log = logging.getLogger("kotae")


def back_up_daily(where: Paths, parent: QObject) -> None:
    """As long as `parent` lives. A full disk is told in the log, not in the user's way."""

    def back_up() -> None:
        background.run(
            lambda: database.make_daily_backup(where.database, where.backups, time.time()),
            lambda made: log.info("backup: %s", made) if made else None,
            lambda error: log.warning("no backup: %s", error),
        )

    QTimer.singleShot(AFTER_MS, parent, back_up)
    every_hour = QTimer(parent, interval=BACKUP_EVERY_MS)
    every_hour.timeout.connect(back_up)
    every_hour.start()


def empty_bins(where: Paths, parent: QObject) -> None:
    """Trainings, evaluations and question sets that were removed long ago go for good."""

    def empty() -> None:
        background.run(
            lambda: empty_bins_now(where, time.time()),
            lambda gone: log.info("deleted from the bins: %d", gone),
            lambda error: log.warning("bins: %s", error),
        )

    QTimer.singleShot(AFTER_MS, parent, empty)


def empty_bins_now(where: Paths, now: float) -> int:
    """Gives how many are gone. Takes its time: folders of gigabytes may be deleted."""
    record = DayRecord(where.data)
    from app.evaluation import question_sets
    from app.evaluation.study import studies
    from app.training.runs import training_list  # most starts end before

    trainings = training_list.empty_bin(where, now)
    return (
        trainings
        + studies.empty_bin(where.evaluations, record, now)
        + question_sets.empty_bin(where.questions, record, now)
    )
