"""What can be read of a window."""

import re
from collections.abc import Iterator

from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import QAction, QPen, QTextFormat
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

JAPANESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")  # with its punctuation and wide spaces
LANGUAGE_ROW = ("Language / 言語", "日本語")


def shown(window: QWidget) -> Iterator[str]:
    """Everything that is read on the screen, in tooltips or by a screen reader."""
    for widget in (window, *window.findChildren(QWidget)):
        if widget.isVisible():
            yield from (text for text in texts_of(widget) if text)


def texts_of(widget: QWidget) -> Iterator[str]:
    yield from (widget.toolTip(), widget.accessibleName(), widget.accessibleDescription(), widget.windowTitle())
    yield from (action.text() for action in widget.actions() if isinstance(action, QAction))
    match widget:
        case QLabel() | QAbstractButton():
            yield widget.text()
        case QLineEdit():
            yield from (widget.text(), widget.placeholderText())
        case QPlainTextEdit() | QTextEdit():
            yield from (widget.toPlainText(), widget.placeholderText())
        case QComboBox():
            yield from (widget.itemText(place) for place in range(widget.count()))
        case QAbstractItemView() if widget.model() is not None:
            yield from texts_in(widget.model())


def texts_in(model: QAbstractItemModel) -> Iterator[str]:
    roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
    for row in range(model.rowCount()):
        column = -1
        while model.hasIndex(row, column := column + 1):
            yield from (str(model.index(row, column).data(role) or "") for role in roles)


def marked(text: QTextEdit) -> list[tuple[str, bool]]:
    """The marked words of a text as it is shown, and whether they have the outline."""
    found = []
    for selection in text.extraSelections():
        pen = selection.format.property(QTextFormat.Property.OutlinePen.value)
        found.append((selection.cursor.selectedText(), isinstance(pen, QPen)))
    return found
