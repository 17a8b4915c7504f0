"""What was done and can be taken back, wherever it was done: by Ctrl+Z the last first, or by the toast that told it.

The offer to undo: the one message that goes away by itself, after ten seconds.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal, SignalInstance
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from app.base.wording import phrase
from app.uikit.input_method import guard_of
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.labels import ElidedLabel, announce

SHOWN_MS = 10_000
TOAST_MARGIN_PX = 16
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
        room = page.width() - 2 * TOAST_MARGIN_PX
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


Undo = Callable[[], object]


@dataclass(eq=False, slots=True)
class UndoEntry:
    """`conversation_ids`: those that `undo` names. `key`: of what only the last can be taken back.

    `forget`: not None where it can be taken back only as long as the toast tells it; called when that ends.
    """

    undo: Undo
    conversation_ids: frozenset[int]
    key: str
    forget: Undo | None = None


class UndoStack(QObject):
    """What names an erased conversation cannot be taken back any more."""

    def __init__(
        self, toast: Toast, changed: SignalInstance, stored: Callable[[frozenset[int]], frozenset[int]], parent: QWidget
    ) -> None:
        """`changed`: conversations have; `stored`: those of the given ones that are still there."""
        super().__init__(parent)
        self._toast = toast
        self._stored = stored
        self._deeds: list[UndoEntry] = []
        self._told: UndoEntry | None = None  # by the toast
        changed.connect(self._drop_erased)
        toast.gone.connect(self._on_toast_gone)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def push(self, undo: Undo, conversation_ids: Collection[int] = (), key: str = "") -> UndoEntry:
        """What need not be told, because it is seen."""
        if key:
            self._drop([deed for deed in self._deeds if deed.key == key])
        deed = UndoEntry(undo, frozenset(conversation_ids), key)
        self._deeds.append(deed)
        return deed

    def offer(
        self,
        text: str,
        undo: Undo,
        title: str = "",
        conversation_ids: Collection[int] = (),
        key: str = "",
        forget: Undo | None = None,
    ) -> None:
        """Tells it too, with a button that takes it back. `title` as in `Toast.offer`, `forget` as in `UndoEntry`."""
        if self._told is not None and self._told.key != key:
            self._on_toast_gone()  # what takes its place under the same key has forgotten it already
        deed = self._told = self.push(undo, conversation_ids, key)
        deed.forget = forget
        self._toast.offer(text, lambda: self._take_back(deed), title)

    def undo(self) -> None:
        """Takes back the last thing that was done and not taken back yet."""
        if self._deeds:
            self._take_back(self._deeds[-1])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A text field keeps Ctrl+Z for itself, also where nothing was typed that it could take back."""
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        is_ours = event.matches(QKeySequence.StandardKey.Undo) and isinstance(watched, QWidget) and _is_fresh(watched)
        if is_ours:
            event.ignore()
        return is_ours

    def _on_focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        if isinstance(old, _FIELDS):
            old.removeEventFilter(self)
        if isinstance(new, _FIELDS) and new.window() is self.parent():
            new.installEventFilter(self)

    def _take_back(self, deed: UndoEntry) -> None:
        if deed in self._deeds:
            self._drop([deed])
            deed.undo()

    def _drop(self, deeds: Collection[UndoEntry]) -> None:
        self._deeds = [deed for deed in self._deeds if deed not in deeds]
        if self._told in deeds:
            self._told = None
            self._toast.hide()

    def _on_toast_gone(self) -> None:
        told, self._told = self._told, None
        if told is not None and told.forget is not None:
            self._drop([told])
            told.forget()

    def _drop_erased(self) -> None:
        named = frozenset[int]().union(*(deed.conversation_ids for deed in self._deeds))
        if named:
            stored = self._stored(named)
            self._drop([deed for deed in self._deeds if not deed.conversation_ids <= stored])


_FIELDS = (QLineEdit, QPlainTextEdit, QTextEdit)


def _is_fresh(field: QWidget) -> bool:
    """Whether there is nothing in the field's own history, and no conversion open."""
    if isinstance(field, QLineEdit):
        has_history = field.isUndoAvailable() or field.isRedoAvailable()
    elif isinstance(field, QPlainTextEdit | QTextEdit):
        has_history = field.document().isUndoAvailable() or field.document().isRedoAvailable()
    else:
        return False
    return not has_history and not guard_of(field).is_active
