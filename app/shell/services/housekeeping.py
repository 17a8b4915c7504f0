"""Work some time after the start: daily backups, checks of databases, empty bins, and Python's garbage."""

import functools
import gc
import logging
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from app.base import database
from app.base.errors import AppError
from app.base.files import work_folder
from app.base.files.day_record import DayRecord
from app.base.paths import Paths
from app.base.services import background
from app.chat.organizer import BIN_DAYS

COLLECT_EVERY_MS = 1000


class GarbageCollector(QObject):
    """A timer that collects garbage, as Python would destroy widgets in any thread in the middle of Qt's work."""

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
BACKUP_EVERY_MS = 60 * 60 * 1000  # ms; each time today's backup is made if it is missing

log = logging.getLogger("kotae")


def back_up_daily(where: Paths, parent: QObject) -> None:
    """Make a backup each day while `parent` exists. A failure, for example on a full disk, is only logged."""

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


CHECK_AFTER_MS = 20_000  # after the daily backup, which checks the conversations as well


def check_databases(where: Paths, parent: QObject, on_error: Callable[[AppError], None], *, is_due: bool) -> None:
    """Check the databases each day while `parent` exists. `on_error` is called with damage that is found.

    `is_due`: check them even if they were checked in the last day, because the last end was not a proper one.
    """

    def check(*, is_due: bool = False) -> None:
        for path in (where.database, where.documents):
            code = "conversations_damage_found" if path == where.database else "documents_damage_found"
            if is_due or database.is_check_due(path, time.time()):
                # Outside the pool: the program may end during the seconds that this takes.
                background.run_detached(functools.partial(_find_damage, path, code), tell)

    def tell(found: AppError | None) -> None:
        if found is not None:
            on_error(found)

    QTimer.singleShot(CHECK_AFTER_MS, parent, functools.partial(check, is_due=is_due))
    every_day = QTimer(parent, interval=round(1000 * database.CHECK_EVERY_S))
    every_day.timeout.connect(check)
    every_day.start()


def _find_damage(path: Path, code: str) -> AppError | None:
    """Check a database; return the error with this code if it is damaged. A check that is impossible is only logged."""
    try:
        if path.is_file():
            database.check_database(path)
    except AppError as error:
        log.warning("check of %s: %s", path.name, error)
        return AppError(code, path=str(path)) if error.code == "database_damaged" else None
    return None


def empty_bins(where: Paths, parent: QObject) -> None:
    """Delete, AFTER_MS from now, trainings, evaluations and sets that were binned BIN_DAYS ago."""

    def empty() -> None:
        background.run(
            lambda: empty_bins_now(where, time.time()),
            lambda gone: log.info("deleted from the bins: %d", gone),
            lambda error: log.warning("bins: %s", error),
        )

    QTimer.singleShot(AFTER_MS, parent, empty)


def empty_bins_now(where: Paths, now: float) -> int:
    """Delete what was binned BIN_DAYS ago (`now`: seconds since 1970), gigabytes of it slowly; return its number."""
    from app.training.runs import training_list  # imported here, because short starts never need it

    record = DayRecord(where.data)
    others = (work_folder.empty_bin(folder, record, now, BIN_DAYS) for folder in (where.evaluations, where.questions))
    return training_list.empty_bin(where, now) + sum(map(len, others))
