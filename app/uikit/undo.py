"""Undo actions of any page, the last first by Ctrl+Z, or one by the toast, a message that reports the action.

The toast is the only message that disappears by itself, after ten seconds.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal, SignalInstance
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QFrame, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from app.base.wording import phrase
from app.uikit.input_method import conversion_guard_of
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import make_row
from app.uikit.widgets.labels import ElidedLabel, announce

SHOWN_MS = 10_000
TOAST_MARGIN_PX = 16
TITLE_CHARACTERS_MIN = 6


class Toast(QFrame):
    """A message with an undo button, at the lower edge of the window over the status line, where it covers no content.

    A new message replaces the one shown.
    """

    expired = Signal()  # the time is over, or the user has closed the toast

    def __init__(self, theme: Theme, parent: QWidget, page: QWidget) -> None:
        """`parent`: the toast is at its lower edge. `page`: the toast is in its horizontal middle."""
        super().__init__(parent)
        self._theme = theme
        self._room = parent
        self._page = page
        self._words, self._title = "", ""
        self._undo: Callable[[], object] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._build()
        self._timer.timeout.connect(self._expire)
        parent.installEventFilter(self)
        self.hide()

    def offer(self, text: str, undo: Callable[[], object], title: str = "") -> None:
        """Show `text`, and call `undo` if the user clicks the undo button within ten seconds.

        `title` replaces {title} in the text, shortened if the text is too long.
        """
        self._undo = undo
        self._words, self._title = text, title
        text = text.replace("{title}", title)
        self.setAccessibleName(text)
        self._move_to_corner()
        self.show()
        self.raise_()
        self._timer.start()
        announce(self, text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._move_to_corner()
        return super().eventFilter(watched, event)

    def _build(self) -> None:
        self.setProperty("surface", "toast")
        self._text = ElidedLabel()
        self.undo_button = Button(self._theme, phrase("common.undo"), icon="undo-2", compact=True)
        self.undo_button.clicked.connect(self._on_undo)
        close = IconButton(self._theme, "x", phrase("common.close"))
        close.clicked.connect(self._expire)
        make_row((self._text, 1), self.undo_button, close, into=self, margins_px=(16, 6, 8, 6), spacing_px=12)

    def _expire(self) -> None:
        self.hide()
        self._timer.stop()
        self.expired.emit()

    def _on_undo(self) -> None:
        self.hide()
        self._timer.stop()
        if self._undo is not None:
            undo, self._undo = self._undo, None
            undo()

    def _move_to_corner(self) -> None:
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
    """An action that can be undone by `undo`. `conversation_ids`: the conversations that `undo` changes.

    `key`: the entry replaces an earlier one with the same key; "": it replaces none. `forget`: if not None, the action
    can be undone only while the toast shows it, and `forget` is called when the toast disappears.
    """

    undo: Undo
    conversation_ids: frozenset[int]
    key: str
    forget: Undo | None = None


class UndoStack(QObject):
    """The actions that can be undone. If a conversation is erased, the entries that would change it are removed."""

    def __init__(
        self,
        toast: Toast,
        changed: SignalInstance,
        find_stored: Callable[[frozenset[int]], frozenset[int]],
        parent: QWidget,
    ) -> None:
        """`changed`: emitted when conversations change.

        `find_stored`: returns those of the given ids that still exist.
        """
        super().__init__(parent)
        self._toast = toast
        self._find_stored = find_stored
        self._entries: list[UndoEntry] = []
        self._shown_entry: UndoEntry | None = None  # the entry that the toast shows
        changed.connect(self._drop_erased)
        toast.expired.connect(self._on_toast_expired)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def push(self, undo: Undo, conversation_ids: Collection[int] = (), key: str = "") -> UndoEntry:
        """Add an action without a toast. Parameters are as for `UndoEntry`."""
        if key:
            self._drop([entry for entry in self._entries if entry.key == key])
        entry = UndoEntry(undo, frozenset(conversation_ids), key)
        self._entries.append(entry)
        return entry

    def offer(
        self,
        text: str,
        undo: Undo,
        title: str = "",
        conversation_ids: Collection[int] = (),
        key: str = "",
        forget: Undo | None = None,
    ) -> None:
        """Add an action and show it in the toast. `text`, `title`: as for `Toast.offer`; others: as for `UndoEntry`."""
        if self._shown_entry is not None and self._shown_entry.key != key:
            self._on_toast_expired()  # with the same key, the new entry replaces the one in the toast
        entry = self._shown_entry = self.push(undo, conversation_ids, key)
        entry.forget = forget
        self._toast.offer(text, lambda: self._undo_entry(entry), title)

    def undo(self) -> None:
        """Undo the last action that has not been undone."""
        if self._entries:
            self._undo_entry(self._entries[-1])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let Ctrl+Z reach the window from a text field that has nothing to undo.

        Qt's fields would consume the key.
        """
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

    def _undo_entry(self, entry: UndoEntry) -> None:
        if entry in self._entries:
            self._drop([entry])
            entry.undo()

    def _drop(self, entries: Collection[UndoEntry]) -> None:
        self._entries = [entry for entry in self._entries if entry not in entries]
        if self._shown_entry in entries:
            self._shown_entry = None
            self._toast.hide()

    def _on_toast_expired(self) -> None:
        offered, self._shown_entry = self._shown_entry, None
        if offered is not None and offered.forget is not None:
            self._drop([offered])
            offered.forget()

    def _drop_erased(self) -> None:
        ids = frozenset[int]().union(*(entry.conversation_ids for entry in self._entries))
        if ids:
            stored = self._find_stored(ids)
            self._drop([entry for entry in self._entries if not entry.conversation_ids <= stored])


_FIELDS = (QLineEdit, QPlainTextEdit, QTextEdit)


def _is_fresh(field: QWidget) -> bool:
    """Return whether a text field has nothing to undo or redo and no open conversion of the input method."""
    if isinstance(field, QLineEdit):
        has_history = field.isUndoAvailable() or field.isRedoAvailable()
    elif isinstance(field, QPlainTextEdit | QTextEdit):
        has_history = field.document().isUndoAvailable() or field.document().isRedoAvailable()
    else:
        return False
    return not has_history and not conversion_guard_of(field).is_converting
