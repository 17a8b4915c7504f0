"""Show plain text that Qt never parses as HTML, icons, and names with values; announce texts by screen readers."""

import html
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QWidget

from app.uikit.theme import Theme


class Label(QLabel):
    """A plain text. `role`, `tone`: as in `app.uikit.theme`. `shrinks`: it does not widen its parent."""

    def __init__(
        self,
        text: str = "",
        role: str = "ui",
        tone: str = "text",
        *,
        wraps: bool = False,
        strong: bool = False,
        selectable: bool = False,
        shrinks: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("type", role)
        self.setProperty("tone", tone)
        self.setProperty("strong", strong)
        self.setWordWrap(wraps)
        if selectable:
            self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if shrinks:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def set_tone(self, tone: str) -> None:
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            repolish(self)


class ElidedLabel(Label):
    """A line of text that is shortened with … to fit the width. The full text is then its tooltip."""

    def __init__(self, text: str = "", role: str = "ui", tone: str = "text", *, strong: bool = False) -> None:
        super().__init__(text, role, tone, strong=strong)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), self.fontMetrics().horizontalAdvance("あ…")), hint.height())

    def setText(self, text: str) -> None:
        super().setText(text)
        self._update_tooltip()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_tooltip()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.contentsRect(), int(self.alignment()), self._elided_text())

    def _update_tooltip(self) -> None:
        self.setToolTip(plain_tooltip(self.text()) if self._elided_text() != self.text() else "")

    def _elided_text(self) -> str:
        metrics = QFontMetrics(self.font())
        return metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())


class Separator(QFrame):
    """A separating line of one device-independent pixel, horizontal or vertical."""

    def __init__(self, direction: str = "horizontal") -> None:
        super().__init__()
        self.setProperty("line", direction)


def plain_tooltip(text: str) -> str:
    """Return a tooltip that shows `text` literally, also if it looks like HTML, which Qt would parse."""
    return f"<qt>{html.escape(text)}</qt>" if text else ""


def repolish(widget: QWidget) -> None:
    """Apply the style sheet again after a dynamic property has changed; Qt applies it to a new widget anyway."""
    if not widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
        return
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


def set_surface(widget: QWidget, surface: str) -> None:
    """Set the background of a widget. `surface`: a value in `app.uikit.theme`, such as base or side."""
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    widget.setProperty("surface", surface)


class IconLabel(QLabel):
    """An icon beside a text. It has no accessible name, because it is decoration. `token`: its colour."""

    def __init__(self, theme: Theme, name: str, token: str = "text2", size: int = 16) -> None:  # noqa: S107 (a colour)
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._theme = theme
        self._name, self._token, self._size = name, token, size
        theme.changed.connect(self._draw)
        self._draw()

    def show_icon(self, name: str, token: str) -> None:
        self._name, self._token = name, token
        self._draw()

    def _draw(self) -> None:
        size = self._theme.px(self._size)
        icon = self._theme.icon(self._name, self._token, self._size)
        self.setPixmap(icon.pixmap(size, size))
        self.setFixedWidth(size)


def announce(widget: QWidget, words: str) -> None:
    """Make a screen reader speak the words after its current sentence. `widget`: the one that shows them."""
    event = QAccessibleAnnouncementEvent(widget, words)
    event.setPoliteness(QAccessible.AnnouncementPoliteness.Polite)
    QAccessible.updateAccessibility(event)


FACT_NAME_WIDTH_PX = 104


class FactList(QWidget):
    """A list of names and values in two columns. Values wrap and can be selected."""

    def __init__(self, theme: Theme, *, is_compact: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self._role = "caption" if is_compact else "ui"
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._rows: list[tuple[Label, Label]] = []

    def set_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show (name, value) pairs; those with an empty value are left out."""
        shown = [fact for fact in facts if fact[1]]
        self._grid.setColumnMinimumWidth(0, self._theme.px(FACT_NAME_WIDTH_PX))
        while len(self._rows) > len(shown):
            for label in self._rows.pop():
                self._grid.removeWidget(label)
                label.hide()
                label.deleteLater()
        while len(self._rows) < len(shown):
            name_label = Label("", self._role, "muted")
            value_label = Label("", self._role, wraps=True, selectable=True, shrinks=True)
            self._grid.addWidget(name_label, len(self._rows), 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(value_label, len(self._rows), 1)
            self._rows.append((name_label, value_label))
        for labels, texts in zip(self._rows, shown, strict=True):
            for label, text in zip(labels, texts, strict=True):
                label.setText(text)
                label.show()  # Qt would show a widget in a visible layout a moment later, which flickers
