"""Finds text that has less room than it needs: the one check for every page, language, size and scale."""

from collections.abc import Iterator

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QCheckBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLayout,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QRadioButton,
    QScrollArea,
    QStackedLayout,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStyleOptionFrame,
    QTabBar,
    QTextEdit,
    QToolButton,
    QWidget,
)

from app.shell.ui.sidebar import NavigationButton
from app.uikit.widgets.labels import ElidedLabel

SLACK_PX = 1  # widths are rounded in different places
ITEM_MARGIN_PX = 12  # what delegates keep free at each side, at the least
LINE_EDIT_MARGIN_PX = 2  # Qt keeps it at each side of the text


Beside = dict[QWidget, dict[QWidget, QRect]]  # parent -> what its layout holds and shows, and where


def clipped(window: QWidget) -> list[str]:
    """One line for each visible text of `window` that is cut off, with what it needs and what it has."""
    beside: Beside = {}
    return [
        f"{type(widget).__name__} {text!r}: {problem}"
        for widget in (window, *window.findChildren(QWidget))
        if widget.isVisible()
        for text, problem in _problems(widget, beside)
    ]


def _problems(widget: QWidget, beside: Beside) -> Iterator[tuple[str, str]]:
    found = False
    for text, needed, room in _measured(widget):
        found = True
        if needed.width() > room.width() + SLACK_PX or needed.height() > room.height() + SLACK_PX:
            yield text, f"needs {_words(needed)}, has {_words(room)}"
    if found and (hidden := _hidden_part(widget) or _covered_part(widget, beside)):
        yield _text_of(widget), hidden


def _measured(widget: QWidget) -> Iterator[tuple[str, QSize, QSize]]:
    """Each text that `widget` shows: the text, the size it needs, the size there is."""
    metrics = QFontMetrics(widget.font())
    match widget:
        case ElidedLabel():
            # It ends in … on purpose and tells the whole in its tooltip; only its height can be too small.
            yield widget.text(), QSize(0, metrics.height()), widget.contentsRect().size()
        case QLabel() if widget.text():
            yield widget.text(), _label_size(widget, metrics), widget.contentsRect().size()
        case NavigationButton():
            yield widget.text(), _line(metrics, widget.text()), widget.words_area().size()
        case QAbstractButton() if widget.text() and not _is_icon_only(widget):
            yield widget.text(), _button_size(widget, metrics), widget.size()
        case QComboBox():
            room = _combo_room(widget)
            for place in range(widget.count()):
                yield widget.itemText(place), _line(metrics, widget.itemText(place)), room
        case QLineEdit():
            text = widget.placeholderText() if not widget.text() else _own_text(widget)
            if text:
                yield text, _line(metrics, text), _line_edit_room(widget)
        case QPlainTextEdit() | QTextEdit() if widget.placeholderText() and not widget.toPlainText():
            room = widget.viewport().size() - QSize(2 * round(widget.document().documentMargin()), 0)
            yield widget.placeholderText(), _wrapped(metrics, widget.placeholderText(), room.width()), room
        case QListView() if not widget.parentWidget().inherits("QComboBoxPrivateContainer"):
            for place in range(widget.model().rowCount()):
                index = widget.model().index(place, 0)
                # What has a tooltip may end in …: one can read the whole there.
                if index.data() and not index.data(Qt.ItemDataRole.ToolTipRole):
                    size = widget.visualRect(index).size()
                    yield index.data(), _line(metrics, index.data()), size - QSize(2 * ITEM_MARGIN_PX, 0)
        case QTabBar():
            for place in range(widget.count()):
                yield widget.tabText(place), _line(metrics, widget.tabText(place)), widget.tabRect(place).size()
        case QHeaderView() if widget.orientation() == Qt.Orientation.Horizontal and widget.model() is not None:
            for place in range(widget.count()):
                text = str(widget.model().headerData(place, Qt.Orientation.Horizontal) or "")
                if text and not widget.isSectionHidden(place):
                    yield text, _line(metrics, text), QSize(widget.sectionSize(place), widget.height())


def _own_text(field: QLineEdit) -> str:
    """What the program wrote: the text of spin boxes and read-only fields. What people type may be longer."""
    return field.text() if field.isReadOnly() or field.parentWidget().inherits("QAbstractSpinBox") else ""


def _text_of(widget: QWidget) -> str:
    for name in ("text", "currentText", "placeholderText"):
        if hasattr(widget, name):
            return str(getattr(widget, name)())
    return widget.accessibleName()


def _label_size(label: QLabel, metrics: QFontMetrics) -> QSize:
    if label.wordWrap():
        return _wrapped(metrics, label.text(), label.contentsRect().width())
    return metrics.size(0, label.text())


def _wrapped(metrics: QFontMetrics, text: str, width: int) -> QSize:
    """Wider than `width` when a word alone is, as with a path without spaces."""
    return metrics.boundingRect(QRect(0, 0, width, 1 << 20), Qt.TextFlag.TextWordWrap, text).size()


def _line(metrics: QFontMetrics, text: str) -> QSize:
    return QSize(metrics.horizontalAdvance(text), metrics.height())


def _is_icon_only(button: QAbstractButton) -> bool:
    return isinstance(button, QToolButton) and button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly


def _button_size(button: QAbstractButton, metrics: QFontMetrics) -> QSize:
    """Text and icon without the padding, which may shrink; a check box needs its box too."""
    words = metrics.size(Qt.TextFlag.TextShowMnemonic, button.text())
    icon = 0 if button.icon().isNull() else button.iconSize().width()
    if isinstance(button, QCheckBox | QRadioButton):
        option = QStyleOptionButton()
        option.initFrom(button)
        content = button.style().subElementRect(QStyle.SubElement.SE_CheckBoxContents, option, button)
        icon += button.width() - content.width()
    return QSize(words.width() + icon, words.height())


def _combo_room(box: QComboBox) -> QSize:
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    style, part = box.style(), QStyle.SubControl.SC_ComboBoxEditField
    return style.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, box).size()


def _line_edit_room(field: QLineEdit) -> QSize:
    option = QStyleOptionFrame()
    field.initStyleOption(option)
    inside = field.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, field)
    margins = field.textMargins()
    width = inside.width() - margins.left() - margins.right() - 2 * LINE_EDIT_MARGIN_PX
    return QSize(width, inside.height() - margins.top() - margins.bottom())


def _hidden_part(widget: QWidget) -> str:
    """Whether an ancestor cuts the widget off. What can be scrolled to is not cut off."""
    area = QRect(QPoint(), widget.size())
    child, parent = widget, widget.parentWidget()
    while parent is not None and not child.isWindow():
        area.translate(child.pos())
        room = parent.rect()
        if _scrolls(parent, Qt.Orientation.Vertical):
            room.setTop(min(room.top(), area.top()))
            room.setBottom(max(room.bottom(), area.bottom()))
        if _scrolls(parent, Qt.Orientation.Horizontal):
            room.setLeft(min(room.left(), area.left()))
            room.setRight(max(room.right(), area.right()))
        if not room.adjusted(-SLACK_PX, -SLACK_PX, SLACK_PX, SLACK_PX).contains(area):
            return f"at {area.getRect()} reaches out of {type(parent).__name__} {room.getRect()}"
        if room != parent.rect():
            area = parent.rect()  # scrolled to, it lies inside
        child, parent = parent, parent.parentWidget()
    return ""


def _covered_part(widget: QWidget, beside: Beside) -> str:
    """Whether something in the same layout lies over the widget, as when a layout has too little room."""
    area = QRect(QPoint(), widget.size())
    child, parent = widget, widget.parentWidget()
    while parent is not None and not child.isWindow():
        area.translate(child.pos())
        if _scrolls(parent, Qt.Orientation.Vertical):
            area &= parent.rect()
        if parent not in beside:
            beside[parent] = {other: other.geometry() for other in _laid_out(parent.layout()) if other.isVisible()}
        for other, place in beside[parent].items() if child in beside[parent] else ():  # what floats has no layout
            shared = place & area
            if other is not child and min(shared.width(), shared.height()) > SLACK_PX:
                return f"{area.getRect()} lies under or over {type(other).__name__} {place.getRect()}"
        child, parent = parent, parent.parentWidget()
    return ""


def _laid_out(layout: QLayout | None) -> Iterator[QWidget]:
    """The widgets of a layout that share its area. Those of a stack take turns."""
    if layout is None or isinstance(layout, QStackedLayout):
        return
    for place in range(layout.count()):
        item = layout.itemAt(place)
        if item.widget() is not None:
            yield item.widget()
        yield from _laid_out(item.layout())


def _scrolls(viewport: QWidget, direction: Qt.Orientation) -> bool:
    """Whether `viewport` shows a part of something larger that one can scroll through in this direction."""
    area = viewport.parentWidget()
    if not isinstance(area, QAbstractScrollArea) or area.viewport() is not viewport:
        return False
    if direction == Qt.Orientation.Vertical:
        return area.verticalScrollBarPolicy() != Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    return isinstance(area, QScrollArea) and area.horizontalScrollBarPolicy() != Qt.ScrollBarPolicy.ScrollBarAlwaysOff


def _words(size: QSize) -> str:
    return f"{size.width()} x {size.height()}"
