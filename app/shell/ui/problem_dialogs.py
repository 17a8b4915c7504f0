"""Open the database or offer its backup, show the problem report, and log and show each bug once."""

import logging
import sys
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.base import database
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import format_time, phrase
from app.chat import presets
from app.chat.store import Store
from app.uikit import dialogs
from app.uikit.desktop import open_folder
from app.uikit.dialogs import BugReporter
from app.uikit.theme import Theme


def show_report(theme: Theme, where: Paths, parent: QWidget) -> None:
    from app.compliance.ui.report_window import ReportWindow  # most starts do not need it

    ReportWindow(theme, where, {preset.id for preset in presets.built_in_presets()}, parent).show()


log = logging.getLogger("kotae")


def report_bugs(theme: Theme, window: QWidget, where: Paths) -> None:
    """From now on log uncaught exceptions and show them to the user, in place of Python's own output."""
    reporter = BugReporter(theme, window, lambda: open_folder(where.logs), lambda: show_report(theme, where, window))

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QCoreApplication.quit()  # also ends a training without a window
            return
        log.error("bug", exc_info=(kind, error, trace))
        reporter.report(kind, error, trace)

    sys.excepthook = report


def open_store(where: Paths, theme: Theme) -> Store | None:
    """Open the database, replacing a damaged one with a backup on consent; None if the user quits."""
    try:
        store = Store.open(where.database, where.backups)
        try:
            store.conversations()  # damage of what the window lists is met here, where the backup can be offered
        except AppError:
            store.close()
            raise
        return store
    except AppError as error:
        log.warning("database: %s", error)
        restore = dialogs.DialogButton("restore", phrase("shell.restore_the_backup"), "primary")
        quit_choice = dialogs.DialogButton("cancel", phrase("shell.quit"), is_default=True)
        choices = (restore, quit_choice) if error.code == "database_damaged" else (quit_choice,)
        dialog = dialogs.problem_dialog(theme, error, choices=choices)
        if not dialog.exec():
            return None
    used = database.restore_newest_backup(where.database, where.backups)
    dialogs.problem_dialog(theme, restore_outcome(where, used)).exec()
    return Store.open(where.database, where.backups)


def restore_outcome(where: Paths, backup: Path | None) -> AppError:
    """Return the message about the backup that was restored and its contents. `backup` None: there was no backup."""
    held = database.backup_content(backup) if backup is not None else None
    if backup is None or held is None:
        return AppError("no_backup", path=str(where.data))
    log.warning("restored from %s: %s", backup.name, held)
    if not held.conversations and not held.changed_at:  # the bin of the backup is empty too
        return AppError("restored_empty", name=backup.name, path=str(where.data))
    last = format_time(min(max(0.0, held.changed_at), 2.0**33))
    return AppError(
        "restored", name=backup.name, conversations=f"{held.conversations:,}", at=last, path=str(where.data)
    )
