"""Opens the report, from wherever somebody asks for it."""

from PySide6.QtWidgets import QWidget

from app.core.paths import Paths
from app.ui.theme import Theme


def show_report(theme: Theme, where: Paths, parent: QWidget) -> None:
    from app.ui.problem_report.window import ReportWindow  # most starts never need it

    ReportWindow(theme, where, parent).show()
