"""Undo and redo actions of any page, the last first by keys, or one by the toast that reports it for ten seconds."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Signal, SignalInstance
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QFrame, QLineEdit, QPlainTextEdit, QWidget

from app.base.wording import nest_quotes, phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import make_row
from app.uikit.widgets.labels import ElidedLabel, announce

SHOWN_MS = 10_000
TOAST_MARGIN_PX = 16
TITLE_CHARACTERS_MIN = 6
UNDO, REDO = ("common.undo", "undo-2"), ("common.redo", "redo-2")  # key of the button's name, and its icon


def undo_key(event: QKeyEvent, at: QWidget) -> str:
    """Return "undo" for Ctrl+Z, "redo" for Ctrl+Shift+Z and Ctrl+Y, and "" for other keys. `at`: who got the key."""
    if event.matches(QKeySequence.StandardKey.Undo):
        return "undo"
    if event.keyCombination() == (Qt.KeyboardModifier.ControlModifier | Qt.Key.Key_Y):
        return "" if is_typing(at) else "redo"
    return "redo" if event.matches(QKeySequence.StandardKey.Redo) else ""


def is_typing(at: QWidget) -> bool:
    """Return whether a text field of the window has the focus: on some desktops it leaves Ctrl+Y to what is around."""
    focus = at.window().focusWidget()
    return isinstance(focus, QLineEdit | QPlainTextEdit) and not focus.isReadOnly()


class Toast(QFrame):
    """A message with a button over the status line, where it covers nothing; a new one replaces it."""

    expired = Signal()  # the time is over, or the user has closed the toast

    def __init__(self, theme: Theme, parent: QWidget, page: QWidget) -> None:
        """`parent`: the toast is at its lower edge. `page`: the toast is in its horizontal middle."""
        super().__init__(parent)
        self._theme = theme
        self._room = parent
        self._page = page
        self._words, self._title = "", ""
        self._act: Callable[[], object] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._build()
        self._timer.timeout.connect(self._expire)
        parent.installEventFilter(self)
        self.hide()

    def offer(self, text: str, button: tuple[str, str], act: Callable[[], object], title: str = "") -> None:
        """Show `text` with a shortened `title`, and call `act` if its `button` (key of its name, icon) is clicked."""
        self._act = act
        name, icon = button
        self.button.setText(phrase(name))
        self.button.setAccessibleName(phrase(name))
        self.button.show_icon(icon, "")
        self._words, self._title = text, title
        text = nest_quotes(text.replace("{title}", title))
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
        self.button = Button(self._theme, phrase("common.undo"), icon="undo-2", compact=True)
        self.button.clicked.connect(self._on_clicked)
        close = IconButton(self._theme, "x", phrase("common.close"))
        close.clicked.connect(self._expire)
        make_row((self._text, 1), self.button, close, into=self, margins_px=(16, 6, 8, 6), spacing_px=12)

    def _expire(self) -> None:
        self.hide()
        self._timer.stop()
        self.expired.emit()

    def _on_clicked(self) -> None:
        self.hide()
        self._timer.stop()
        if self._act is not None:
            act, self._act = self._act, None
            act()

    def _move_to_corner(self) -> None:
        self.ensurePolished()
        page = self._page.rect()
        page.moveTopLeft(self._page.mapTo(self._room, QPoint()))
        self._text.setText(nest_quotes(self._words.replace("{title}", self._title)))
        layout = self.layout()
        assert layout is not None
        layout.activate()
        room = page.width() - 2 * TOAST_MARGIN_PX
        missing = self.sizeHint().width() - room
        if missing > 0:
            self._text.setText(nest_quotes(self._words.replace("{title}", self._shortened(missing))))
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


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class UndoableAction:
    """An action that the user has done: what is said of it, and how it is undone and done again."""

    done: str  # what the toast says of the action
    undone: str  # what it says after the undo
    undo: Callable[[], object]  # returns False if it failed
    redo: Callable[[], object]  # does the action again, which then offers its own undo
    title: str = ""  # replaces {title} in both texts
    conversation_ids: Collection[int] = ()  # the conversations that `undo` changes
    key: str = ""  # the action replaces an earlier one with the same key; "": it replaces none
    forget: Callable[[], object] | None = None
    """If not None, the action can be undone only while the toast shows it; called when the toast disappears."""


class UndoStack(QObject):
    """The actions to undo or do again, but those of erased conversations. Fields keep Ctrl+Z even when empty."""

    def __init__(
        self,
        toast: Toast,
        changed: SignalInstance,
        find_stored: Callable[[frozenset[int]], frozenset[int]],
        parent: QWidget,
    ) -> None:
        """`changed`: emitted when conversations change. `find_stored`: returns those of the given ids that exist."""
        super().__init__(parent)
        self._toast = toast
        self._find_stored = find_stored
        self._done: list[UndoableAction] = []
        self._undone: list[UndoableAction] = []
        self._shown: UndoableAction | None = None  # the action that the toast offers to undo or to redo
        self._redone = ("", "")  # text and title of the action that is being done again
        changed.connect(self._drop_erased)
        toast.expired.connect(self._on_toast_expired)

    @property
    def last(self) -> UndoableAction | None:
        """Return the action that the next undo takes back; None if there is none."""
        return self._done[-1] if self._done else None

    def push(self, action: UndoableAction) -> None:
        """Add an action without a toast, unless it was done again: the key that did it tells nothing."""
        if (action.done, action.title) == self._redone:
            self.offer(action)
        else:
            self._add(action)

    def offer(self, action: UndoableAction) -> None:
        """Add an action and show it in the toast."""
        if self._shown is not None and self._shown.key != action.key:
            self._on_toast_expired()  # with the same key, the new action replaces the one in the toast
        self._add(action)
        self._shown = action
        self._toast.offer(action.done, UNDO, lambda: self._undo(action), action.title)

    def undo(self) -> None:
        """Undo the last action, and say so."""
        if self._done:
            self._undo(self._done[-1])

    def redo(self) -> None:
        """Do the action again that was undone last."""
        if self._undone:
            self._redo(self._undone[-1])

    def _add(self, action: UndoableAction) -> None:
        if action.key:
            self._drop([one for one in self._done if one.key == action.key])
        if (action.done, action.title) != self._redone:
            self._drop(self._undone)  # a new action cannot be followed by what was undone before it
        self._redone = ("", "")
        self._done.append(action)

    def _undo(self, action: UndoableAction) -> None:
        if action not in self._done:
            return
        self._drop([action])
        if action.undo() is False:
            self._done.append(action)
            return
        if self._shown is not None:
            self._on_toast_expired()
        self._undone.append(action)
        self._shown = action
        self._toast.offer(action.undone, REDO, lambda: self._redo(action), action.title)

    def _redo(self, action: UndoableAction) -> None:
        if action in self._undone:
            self._drop([action])
            self._redone = (action.done, action.title)
            action.redo()

    def _drop(self, actions: Collection[UndoableAction]) -> None:
        dropped = list(actions)
        self._done = [one for one in self._done if one not in dropped]
        self._undone = [one for one in self._undone if one not in dropped]
        if self._shown in dropped:
            self._shown = None
            self._toast.hide()

    def _on_toast_expired(self) -> None:
        shown, self._shown = self._shown, None
        if shown is not None and shown.forget is not None:
            self._drop([shown])
            shown.forget()

    def _drop_erased(self) -> None:
        actions = self._done + self._undone
        ids = frozenset[int]().union(*(action.conversation_ids for action in actions))
        if ids:
            stored = self._find_stored(ids)
            self._drop([action for action in actions if not stored.issuperset(action.conversation_ids)])
