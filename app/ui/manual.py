"""The manual in a window of its own: F1."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QScrollArea, QVBoxLayout, QWidget

from app.core.paths import resources
from app.core.wording import current_language
from app.ui.chat.rich_text import RichText
from app.ui.theme import Theme

HEIGHT_PX = 620
MARGIN_PX = 24


class ManualWindow(QDialog):
    """Stays open beside the work; Esc closes it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Kotae の使い方"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._theme = theme
        self._text = RichText(theme)
        self._text.setAccessibleName(self.windowTitle())
        self._build()
        self._show_text()
        theme.changed.connect(self._show_text)

    def _build(self) -> None:
        page = QWidget()
        page.setProperty("surface", "base")
        inside = QVBoxLayout(page)
        inside.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        inside.addWidget(self._text)
        scroll = QScrollArea()
        scroll.setWidget(page)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll)
        bar = scroll.verticalScrollBar().sizeHint().width()
        self.resize(self._theme.metric("column_width") + 2 * MARGIN_PX + bar, HEIGHT_PX)

    def _show_text(self) -> None:
        self._text.show_markdown((resources() / "manual" / f"manual.{current_language()}.md").read_text("utf-8"))
        self._text.fit(self._theme.metric("column_width"))
