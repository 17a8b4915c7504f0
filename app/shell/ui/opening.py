"""The database when the window opens, and what is asked of the user where it is damaged."""

import logging

from PySide6.QtCore import QCoreApplication

from app.base import backups
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat.store import Store
from app.uikit import dialogs
from app.uikit.theme import Theme

log = logging.getLogger("kotae")


def open_store(where: Paths, theme: Theme) -> Store | None:
    """The database; a damaged one is replaced by its newest backup if the user says so. None: the user quits."""
    try:
        return Store.open(where.database, where.backups)
    except AppError as error:
        log.warning("database: %s", error)
        restore = dialogs.Choice("restore", QCoreApplication.translate("Dialog", "バックアップから戻す"), "primary")
        quit_choice = dialogs.Choice("cancel", QCoreApplication.translate("Dialog", "終了"), is_default=True)
        choices = (restore, quit_choice) if error.code == "database_damaged" else (quit_choice,)
        dialog = dialogs.problem(theme, error, choices=choices)
        if not dialog.exec():
            return None
    if backups.restore_newest(where.database, where.backups) is None:
        dialogs.problem(theme, AppError("no_backup", path=str(where.data))).exec()
    return Store.open(where.database, where.backups)
