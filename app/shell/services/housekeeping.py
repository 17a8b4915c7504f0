"""Done in the background some time after the start, and again: a backup a day, and old things out of the bins."""

import logging
import time

from PySide6.QtCore import QObject, QTimer

from app.base import database
from app.base.files.day_record import DayRecord
from app.base.paths import Paths
from app.base.services import background

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
            lambda: empty_now(where, time.time()),
            lambda gone: log.info("deleted from the bins: %d", gone),
            lambda error: log.warning("bins: %s", error),
        )

    QTimer.singleShot(AFTER_MS, parent, empty)


def empty_now(where: Paths, now: float) -> int:
    """Gives how many are gone. Takes its time: folders of gigabytes may be deleted."""
    record = DayRecord(where.data)
    from app.evaluation import question_sets
    from app.evaluation.study import study
    from app.training.runs import overview  # most starts end before

    trainings = overview.empty_bin(where, now)
    return (
        trainings
        + study.empty_bin(where.evaluations, record, now)
        + question_sets.empty_bin(where.questions, record, now)
    )
