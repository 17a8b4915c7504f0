"""Show the manual (F1) with pictures of the pages, and the release notes of this version, in windows of their own."""

import re
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImageReader, QPainter, QPaintEvent, QPixmap, QPixmapCache
from PySide6.QtWidgets import QDialog, QScrollArea, QSizePolicy, QWidget

from app import __version__
from app.base import confidentiality, diagnostics
from app.base.paths import resources
from app.base.wording import current_language, phrase
from app.uikit.text.rich_text import RichText
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column, make_scrollable
from app.uikit.widgets.labels import Label, plain_tooltip, set_surface

HEIGHT_PX = 620
MARGIN_PX = 24
SPACING_PX = 12
# A picture on a line of its own. RichText, which shows the text, never loads pictures.
_PICTURE = re.compile(r"^!\[([^\]\n]*)\]\((pictures/[\w-]+\.png)\)$", re.MULTILINE)


class ManualWindow(QDialog):
    """The window of the manual. The user can work while it is open; Esc closes it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(phrase("shell.how_to_use_kotae"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._theme = theme
        self._parts = list(self._make_parts())
        self._build()
        self._show_text()
        theme.changed.connect(self._show_text)

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # it shows only the program's own text

    def plain_text(self) -> str:
        return "\n".join(shown.plain_text() for shown, _text in self._texts)

    def _make_parts(self) -> Iterator[QWidget]:
        folder = resources() / "manual"
        self._texts: list[tuple[RichText, str]] = []
        pieces = _PICTURE.split((folder / f"manual.{current_language()}.md").read_text("utf-8"))
        for text, about, file in zip(pieces[::3], [*pieces[1::3], ""], [*pieces[2::3], ""], strict=True):
            shown = RichText(self._theme)
            shown.setAccessibleName(self.windowTitle())
            self._texts.append((shown, text))
            yield shown
            if file:
                yield ManualPicture(folder / file, about, self._theme)

    def _build(self) -> None:
        page = QWidget()
        page.setProperty("surface", "base")
        inside = make_column(into=page, margins_px=(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX), spacing_px=SPACING_PX)
        for part in self._parts:
            inside.addWidget(part)
        inside.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(page)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        make_column(scroll, into=self)
        bar = scroll.verticalScrollBar().sizeHint().width()
        self.resize(self._theme.metric("column_width") + 2 * MARGIN_PX + bar, HEIGHT_PX)

    def _show_text(self) -> None:
        for shown, text in self._texts:
            shown.show_markdown(text)
            shown.fit(self._theme.metric("column_width"))


class ManualPicture(QWidget):
    """A picture as wide as the available space, but never wider than its own width. It is read when it is painted, as
    all pictures of the manual take 38 MB."""

    def __init__(self, file: Path, about: str, theme: Theme) -> None:
        super().__init__()
        self._file = str(file)
        self._size = QImageReader(self._file).size()
        self._theme = theme
        self.setAccessibleName(about)
        self.setToolTip(plain_tooltip(about))
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        return self._size

    def heightForWidth(self, width: int) -> int:
        return round(self._size.height() * self._shown_width(width) / max(1, self._size.width()))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        width = self._shown_width(self.width())
        area = QRectF(0, 0, width, self.heightForWidth(width))
        pixmap = QPixmap()
        if not QPixmapCache.find(self._file, pixmap):
            pixmap.load(self._file)
            QPixmapCache.insert(self._file, pixmap)
        painter.drawPixmap(area, pixmap, QRectF(pixmap.rect()))
        painter.setPen(self._theme.color("line"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))

    def _shown_width(self, width: int) -> int:
        return min(width, self._size.width())


NEWS_SIZE_PX = (560, 420)
NEWS_EDGE_PX = 20


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
        inside = make_column(into=page, margins_px=(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX), spacing_px=12)
        heading = phrase("shell.what_is_new_in_kotae", version=__version__)
        inside.addWidget(Label(heading, "heading2", wraps=True))
        inside.addWidget(self.text)
        inside.addStretch(1)
        make_column(make_scrollable(page), into=self)
        room = parent.window().size()
        self._width_px = min(theme.px(NEWS_SIZE_PX[0]), room.width() - 2 * NEWS_EDGE_PX)
        self.resize(self._width_px, min(theme.px(NEWS_SIZE_PX[1]), room.height() - 2 * NEWS_EDGE_PX))
        self._show_text()
        theme.changed.connect(self._show_text)

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # it shows only the program's own text

    def _show_text(self) -> None:
        self.text.show_markdown(diagnostics.release_notes() or phrase("shell.there_is_no_description_of"))
        self.text.fit(
            self._width_px - 2 * MARGIN_PX - self.style().pixelMetric(self.style().PixelMetric.PM_ScrollBarExtent)
        )
