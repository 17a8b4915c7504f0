"""Pictures of what a start has to say, of Kotae について and of the report, for `tests.screenshots`."""

import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path

from app import __version__
from app.application import AppContext
from app.base import diagnostics
from app.base.diagnostics import STARTING, UP, BuildFacts, StartRecord
from app.compliance import problem_report
from app.compliance.ui.report_window import ReportWindow
from app.shell.ui.help_windows import NewsWindow
from app.shell.ui.settings.about import update_file_dialog
from app.shell.ui.start_notice import safe_mode_dialog, show_notices
from app.shell.update_file import UpdateFile
from app.uikit.dialogs import BugReporter

BUNDLE = BuildFacts(__version__, date(2024, 11, 26), "6a82b43c0d1e", "https://kotae.example/download")
NEWER = Path("/media/usb/kotae-9.1.0-linux-x86_64.tar.zst")
SUM = "5f3a" * 16


def _said(parts: AppContext, last: StartRecord, *, is_safe: bool = False) -> None:
    parts.session.open(parts.conversations.all_conversations()[0].id)
    where = parts.paths
    show_notices(parts.window, where, last, is_safe, lambda: None)


def start_safe(parts: AppContext) -> None:
    _said(parts, StartRecord(STARTING, 1, __version__), is_safe=True)


def start_safe_more(parts: AppContext) -> None:
    start_safe(parts)
    safe_mode_dialog(parts.theme, parts.paths, parts.window).open()


def start_cut_off(parts: AppContext) -> None:
    _said(parts, StartRecord(UP, 0, __version__))


def start_updated(parts: AppContext) -> None:
    _said(parts, StartRecord(diagnostics.CLOSED, 0, "0.0.9"))


def start_older(parts: AppContext) -> None:
    _said(parts, StartRecord(diagnostics.CLOSED, 0, "99.0.0"))


def settings_about(parts: AppContext) -> None:
    """As in a bundle that is two years old and knows where it came from."""
    read = diagnostics.read_build_facts
    diagnostics.read_build_facts = lambda: BUNDLE
    try:
        parts.window.show_settings("about")
    finally:
        diagnostics.read_build_facts = read


def news(parts: AppContext) -> None:
    NewsWindow(parts.theme, parts.window).show()


def update_file_same(parts: AppContext) -> None:
    parts.window.show_settings("about")
    update_file_dialog(parts.theme, UpdateFile(NEWER, SUM, SUM), parts.window).open()


def update_file_unknown(parts: AppContext) -> None:
    parts.window.show_settings("about")
    update_file_dialog(parts.theme, UpdateFile(NEWER, SUM), parts.window).open()


def update_file_other(parts: AppContext) -> None:
    parts.window.show_settings("about")
    found = dataclasses.replace(UpdateFile(NEWER, SUM), listed_sha256="0" * 64)
    update_file_dialog(parts.theme, found, parts.window).open()


def update_file_pack(parts: AppContext) -> None:
    parts.window.show_settings("about")
    pack = UpdateFile(NEWER.with_name("kotae-vulkan-0.3.36-linux-x86_64.zip"), SUM, SUM, "engine_pack")
    update_file_dialog(parts.theme, pack, parts.window).open()


def report(parts: AppContext) -> None:
    """Of facts that are the same everywhere."""
    parts.session.open(parts.conversations.all_conversations()[0].id)
    window = ReportWindow(parts.theme, parts.paths, {"standard"}, parts.window)
    window._on_composed(problem_report.compose(parts.paths, 1_795_000_000, {"Qt": "6.11.3"}, {"standard"}))
    window.show()


def bug(parts: AppContext) -> None:
    reporter = BugReporter(parts.theme, parts.window, lambda: None, lambda: None)
    try:
        raise RuntimeError("list index out of range")
    except RuntimeError as error:
        reporter.report(type(error), error, error.__traceback__)


START_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        start_safe, start_safe_more, start_cut_off, start_updated, start_older, settings_about, news, update_file_same,
        update_file_unknown, update_file_other, update_file_pack, report, bug,
    )
}  # fmt: skip
