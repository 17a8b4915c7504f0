"""Open the database or offer its backup at the start, log and show bugs, and show one notice at the foot.

The notice tells of safe mode, which is applied to the window, a crash before, or damage.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QWidget

from app.base import database
from app.base.diagnostics import StartRecord
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import format_time, phrase
from app.chat.services.chat_session import ModelPreloader
from app.chat.store import Store
from app.models.ui.work_progress import StartOffers
from app.shell.ui.help_windows import show_report
from app.shell.ui.main_window import DEFAULT_SIZE, MainWindow
from app.uikit import dialogs
from app.uikit.desktop import open_folder
from app.uikit.dialogs import BugReporter, Dialog, make_text_view, scrolled_height
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import FootStrip

WIDTH_PX = 680
TEXT_PX = 400  # height of the visible text in px


class StartNotice(FootStrip):
    """Tells at the foot of the window what was special about this start, and damage found later, until closed."""

    def __init__(self, theme: Theme, actions: Mapping[str, Callable[[], object]]) -> None:
        """Build the notice. `actions`: by the keys of its buttons."""
        self.banner = Banner(theme)
        super().__init__(self.banner)
        self.banner.action_requested.connect(lambda key: actions[key]())

    def tell(self, last_start: StartRecord, *, is_safe: bool) -> None:
        """Show the notice for the start after `last_start`, once the widget is in its window, as it may show itself."""
        report = ("report", phrase("common.make_a_report"))
        if is_safe:
            why = phrase("shell.some_functions_are_off_and")
            if last_start.is_safe_mode_due:
                why = phrase("shell.n_starts_in_a_row", n=last_start.failed_by_now)
            actions = (("more", phrase("shell.details")), ("restart", phrase("shell.restart_as_usual")), report)
            self.banner.show_message("warning", phrase("shell.kotae_is_in_safe_mode"), why, actions)
        elif last_start.was_cut_off:
            what = phrase("shell.kotae_did_not_end_properly")
            self.banner.show_message("warning", what, phrase("shell.your_conversations_are_saved"), (report,))

    def tell_damage(self, error: AppError) -> None:
        """Show that a database is damaged, in place of another notice, and offer a restart, which repairs it."""
        self.banner.show_error(error, (("restart", phrase("shell.restart")),))

    def tell_replaced(self, error: AppError) -> None:
        """Show why the documents' database could not be opened, or that a new one replaces a damaged one."""
        self.banner.show_error(error, level="warning")


def show_notices(
    window: MainWindow, where: Paths, last_start: StartRecord, is_safe: bool, restart: Callable[[], None]
) -> StartNotice:
    """Add the notice to the window. `restart` restarts the program without safe mode."""
    notice = StartNotice(
        window.theme,
        {
            "restart": restart,
            "report": lambda: show_report(window.theme, where, window),
            "more": lambda: safe_mode_dialog(window.theme, where, window).open(),
        },
    )
    window.show_at_foot(notice)
    notice.tell(last_start, is_safe=is_safe)
    return notice


def safe_mode_dialog(theme: Theme, where: Paths, parent: QWidget) -> Dialog:
    """Return a dialog on what safe mode disables and what to try, with paths as text to copy."""
    height_px = scrolled_height(theme, parent, theme.px(TEXT_PX))
    return Dialog(
        theme,
        phrase("shell.about_safe_mode"),
        phrase("shell.asking_searching_conversations_and_exporting"),
        parent=parent,
        icon=("info", "text2"),
        content=make_text_view(_what_to_try(where), phrase("shell.what_is_off_and_what"), height_px),
        width_px=WIDTH_PX,
    )


def _what_to_try(where: Paths) -> str:
    off = (
        phrase("shell.theme_text_size_place_of"),
        phrase("shell.drawing_by_software_without_the"),
        phrase("shell.loading_models_ahead_and_repacking"),
        phrase("shell.gpu_parts_not_used"),
        phrase("shell.reading_documents_and_looking_for"),
        phrase("shell.offers_to_go_on_with"),
    )
    hints = (
        phrase("shell.first_press_restart_as_usual"),
        phrase("shell.if_you_have_added_a", path=where.models),
        phrase("shell.if_the_window_is_garbled"),
        phrase("shell.if_conversations_cannot_be_opened", database=where.database, backups=where.backups),
        phrase("shell.if_it_goes_on_make"),
    )
    heading = phrase("shell.what_is_off"), phrase("shell.what_you_can_try")
    parts = zip(heading, (off, hints), strict=True)
    return "\n\n".join("\n".join([name, *(phrase("shell.text", text=line) for line in lines)]) for name, lines in parts)


def apply_safe_mode(window: MainWindow, preload: ModelPreloader, offers: StartOffers) -> None:
    """Disable preloading and offers to resume, and give the window its default geometry; the stored one stays."""
    preload.is_on = False
    window.keeps_place = False
    for banner in (offers.downloads, offers.moving):
        banner.hide()
    window.setWindowState(Qt.WindowState.WindowNoState)
    window.resize(*DEFAULT_SIZE)
    # Without this attribute `window_layout.fit_to_screen` centres the window.
    window.setAttribute(Qt.WidgetAttribute.WA_Moved, False)


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
