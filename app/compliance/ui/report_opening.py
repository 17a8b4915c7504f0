"""Opens the report, from wherever somebody asks for it."""

from PySide6.QtWidgets import QWidget

from app.base.paths import Paths
from app.uikit.theme import Theme


def show_report(theme: Theme, where: Paths, parent: QWidget) -> None:
    from app.compliance.ui.report_window import ReportWindow  # most starts never need it

    ReportWindow(theme, where, parent).show()
