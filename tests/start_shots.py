"""Pictures of what a start has to say, of Kotae について and of the report, for `tests.screenshots`."""

from collections.abc import Callable
from datetime import date

from app import __version__
from app.application import AppContext
from app.base import diagnostics
from app.base.diagnostics import STARTING, UP, BuildFacts, StartRecord
from app.compliance import problem_report
from app.compliance.ui.report_window import ReportWindow
from app.shell.ui.start_notice import safe_mode_dialog, show_notices
from app.uikit.dialogs import BugReporter

BUNDLE = BuildFacts(__version__, date(2024, 11, 26), "6a82b43c0d1e")


def _said(parts: AppContext, last: StartRecord, *, is_safe: bool = False) -> None:
    parts.session.open(parts.conversations.all_conversations()[0].id)
    where = parts.paths
    show_notices(parts.window, where, last, is_safe, lambda: None)


def start_safe(parts: AppContext) -> None:
    _said(parts, StartRecord(STARTING, 1), is_safe=True)


def start_safe_more(parts: AppContext) -> None:
    start_safe(parts)
    safe_mode_dialog(parts.theme, parts.paths, parts.window).open()


def start_cut_off(parts: AppContext) -> None:
    _said(parts, StartRecord(UP))


def settings_about(parts: AppContext) -> None:
    """As in a bundle."""
    read = diagnostics.read_build_facts
    diagnostics.read_build_facts = lambda: BUNDLE
    try:
        parts.window.show_settings("about")
    finally:
        diagnostics.read_build_facts = read


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
        start_safe, start_safe_more, start_cut_off, settings_about, report, bug,
    )
}  # fmt: skip
