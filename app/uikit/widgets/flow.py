"""A row of buttons that goes on in a second line where the room ends."""

from PySide6.QtCore import QEvent, QObject, QRect, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

SPACING_PX = 8

_REASONS = (QEvent.Type.ShowToParent, QEvent.Type.HideToParent, QEvent.Type.FontChange, QEvent.Type.LayoutRequest)


class Flow(QWidget):
    """A widget that places its children, not a QLayout: the items of a layout written in Python have two owners."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self._widgets = widgets
        for widget in widgets:
            widget.setParent(self)
            widget.installEventFilter(self)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        """One line."""
        sizes = [widget.sizeHint() for widget in self._shown()]
        width = sum(size.width() for size in sizes) + SPACING_PX * max(0, len(sizes) - 1)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def minimumSizeHint(self) -> QSize:
        width = max((widget.sizeHint().width() for widget in self._shown()), default=0)
        return QSize(width, self.sizeHint().height())

    def heightForWidth(self, width: int) -> int:
        return max((place.bottom() + 1 for place in self._places(width)), default=0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def event(self, event: QEvent) -> bool:
        """One of the widgets needs more room, or less, than before."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
            self._place()
        return super().event(event)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in _REASONS:
            self.updateGeometry()
            self._place()
        return False

    def _place(self) -> None:
        for widget, place in zip(self._shown(), self._places(self.width()), strict=True):
            widget.setGeometry(place)

    def _shown(self) -> list[QWidget]:
        return [widget for widget in self._widgets if not widget.isHidden()]

    def _places(self, width: int) -> list[QRect]:
        """Left to right, then down."""
        places: list[QRect] = []
        left = top = line = 0
        for widget in self._shown():
            size = widget.sizeHint()
            if left > 0 and left + size.width() > width:
                left, top, line = 0, top + line + SPACING_PX, 0
            places.append(QRect(left, top, size.width(), size.height()))
            left, line = left + size.width() + SPACING_PX, max(line, size.height())
        return places
