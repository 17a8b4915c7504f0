"""Opens the report, from wherever somebody asks for it."""

from PySide6.QtWidgets import QWidget

from app.base.paths import Paths
from app.chat import presets
from app.uikit.theme import Theme


def show_report(theme: Theme, where: Paths, parent: QWidget) -> None:
    from app.compliance.ui.report_window import ReportWindow  # most starts never need it

    ReportWindow(theme, where, {preset.id for preset in presets.built_in()}, parent).show()
