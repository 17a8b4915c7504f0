"""The offer to undo: the one message that goes away by itself, after ten seconds."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.announce import announce
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.labels import ElidedLabel

SHOWN_MS = 10_000
MARGIN = 16
TITLE_CHARACTERS_MIN = 6


class Toast(QFrame):
    """Floats at the lower edge of the window, over the status line: what is read and written above stays in sight.

    A new offer replaces the one shown.
    """

    gone = Signal()  # nobody has asked for what was offered in time

    def __init__(self, theme: Theme, parent: QWidget, page: QWidget) -> None:
        """In the middle of `page`, at the lower edge of `parent`."""
        super().__init__(parent)
        self._theme = theme
        self._room = parent
        self._page = page
        self._words, self._title = "", ""
        self._undo: Callable[[], object] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._build()
        self._timer.timeout.connect(self._go)
        parent.installEventFilter(self)
        self.hide()

    def offer(self, text: str, undo: Callable[[], object], title: str = "") -> None:
        """Shows `text` and calls `undo` if the user asks for it within ten seconds.

        `title` takes the place of {title} in it, shortened so that what was done stays readable.
        """
        self._undo = undo
        self._words, self._title = text, title
        text = text.replace("{title}", title)
        self.setAccessibleName(text)
        self._place()
        self.show()
        self.raise_()
        self._timer.start()
        announce(self, text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def _build(self) -> None:
        self.setProperty("surface", "toast")
        self._text = ElidedLabel()
        self.undo_button = Button(self._theme, phrase("common.undo"), icon="undo-2", compact=True)
        self.undo_button.clicked.connect(self._on_undo)
        close = IconButton(self._theme, "x", phrase("common.close"))
        close.clicked.connect(self._go)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 8, 6)
        row.setSpacing(12)
        row.addWidget(self._text, 1)
        row.addWidget(self.undo_button)
        row.addWidget(close)

    def _go(self) -> None:
        self.hide()
        self._timer.stop()
        self.gone.emit()

    def _on_undo(self) -> None:
        self.hide()
        self._timer.stop()
        if self._undo is not None:
            undo, self._undo = self._undo, None
            undo()

    def _place(self) -> None:
        self.ensurePolished()
        page = self._page.rect()
        page.moveTopLeft(self._page.mapTo(self._room, QPoint()))
        self._text.setText(self._words.replace("{title}", self._title))
        layout = self.layout()
        assert layout is not None
        layout.activate()
        room = page.width() - 2 * MARGIN
        missing = self.sizeHint().width() - room
        if missing > 0:
            self._text.setText(self._words.replace("{title}", self._shortened(missing)))
            layout.activate()
        size = self.sizeHint()
        width = min(size.width(), room)
        left = page.left() + (page.width() - width) // 2
        self.setGeometry(left, self._room.height() - size.height() - 2, width, size.height())

    def _shortened(self, missing_px: int) -> str:
        metrics = QFontMetrics(self._text.font())
        least = metrics.horizontalAdvance("あ" * TITLE_CHARACTERS_MIN)
        room = max(least, metrics.horizontalAdvance(self._title) - missing_px)
        return metrics.elidedText(self._title, Qt.TextElideMode.ElideRight, room)
