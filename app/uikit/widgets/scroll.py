"""A page part that scrolls from top to bottom on the ground of what is around it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


def scrolled(content: QWidget, parent: QWidget | None = None) -> QScrollArea:
    """The area itself takes no focus: the keyboard goes to what it holds. `parent`: where it will stand; Qt works out
    the style of all that `content` holds only once, then."""
    area = QScrollArea(parent)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    # Qt fills both with the colour of the window otherwise.
    area.viewport().setAutoFillBackground(False)
    content.setAutoFillBackground(False)
    return area
