"""What is new in this version, in a window beside the work."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from app import __version__
from app.base import confidentiality, diagnostics
from app.base.wording import phrase
from app.uikit.text.rich_text import RichText
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable
from app.uikit.widgets.labels import Label, set_surface

SIZE_PX = (560, 420)
MARGIN_PX = 24
EDGE_PX = 20


class NewsWindow(QDialog):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(phrase("shell.what_is_new"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._theme = theme
        self.text = RichText(theme)
        self.text.setAccessibleName(self.windowTitle())
        page = QWidget()
        set_surface(page, "base")
        inside = QVBoxLayout(page)
        inside.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        inside.setSpacing(12)
        heading = phrase("shell.what_is_new_in_kotae", version=__version__)
        inside.addWidget(Label(heading, "heading2", wraps=True))
        inside.addWidget(self.text)
        inside.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(make_scrollable(page))
        room = parent.window().size()
        self._width_px = min(theme.px(SIZE_PX[0]), room.width() - 2 * EDGE_PX)
        self.resize(self._width_px, min(theme.px(SIZE_PX[1]), room.height() - 2 * EDGE_PX))
        self._show_text()
        theme.changed.connect(self._show_text)

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # the program's own

    def _show_text(self) -> None:
        self.text.show_markdown(diagnostics.release_notes() or phrase("shell.there_is_no_description_of"))
        self.text.fit(
            self._width_px - 2 * MARGIN_PX - self.style().pixelMetric(self.style().PixelMetric.PM_ScrollBarExtent)
        )
