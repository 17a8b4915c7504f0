"""Text that is shown as it is: never read as HTML, whoever wrote it."""

import html

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget


class Label(QLabel):
    """Plain text in a role and tone of the style sheet. `wraps` lets it take several lines."""

    def __init__(
        self,
        text: str = "",
        role: str = "ui",
        tone: str = "text",
        *,
        wraps: bool = False,
        strong: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("type", role)
        self.setProperty("tone", tone)
        self.setProperty("strong", strong)
        self.setWordWrap(wraps)
        self.setText(text)

    def set_tone(self, tone: str) -> None:
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            repolish(self)


class ElidedLabel(Label):
    """One line that ends in … where the room ends; the whole text is its tooltip then."""

    def __init__(self, text: str = "", role: str = "ui", tone: str = "text", *, strong: bool = False) -> None:
        super().__init__(text, role, tone, strong=strong)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), self.fontMetrics().horizontalAdvance("あ…")), hint.height())

    def setText(self, text: str) -> None:
        super().setText(text)
        self._name_whole()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._name_whole()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), int(self.alignment()), self._shown())

    def _name_whole(self) -> None:
        self.setToolTip(tip(self.text()) if self._shown() != self.text() else "")

    def _shown(self) -> str:
        metrics = QFontMetrics(self.font())
        return metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())


class Rule(QFrame):
    """A line that separates; one device-independent pixel, horizontal or vertical."""

    def __init__(self, direction: str = "horizontal") -> None:
        super().__init__()
        self.setProperty("line", direction)


def tip(text: str) -> str:
    """A tooltip that shows `text` literally: Qt would take one that looks like HTML for HTML."""
    return f"<qt>{html.escape(text)}</qt>" if text else ""


def repolish(widget: QWidget) -> None:
    """Applies the style sheet anew after a dynamic property changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


def set_surface(widget: QWidget, surface: str) -> None:
    """Gives a widget one of the grounds of the style sheet, which plain QWidgets do not draw by themselves."""
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    widget.setProperty("surface", surface)
