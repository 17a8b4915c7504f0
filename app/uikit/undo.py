"""What was done and can be taken back, wherever it was done: by Ctrl+Z the last first, or by the toast that told it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, SignalInstance
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from app.uikit.input_method import guard_of
from app.uikit.widgets.toast import Toast

Undo = Callable[[], object]


@dataclass(eq=False, slots=True)
class Deed:
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
        self._deeds: list[Deed] = []
        self._told: Deed | None = None  # by the toast
        changed.connect(self._drop_erased)
        toast.gone.connect(self._on_toast_gone)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def push(self, undo: Undo, conversation_ids: Collection[int] = (), key: str = "") -> Deed:
        """What need not be told, because it is seen."""
        if key:
            self._drop([deed for deed in self._deeds if deed.key == key])
        deed = Deed(undo, frozenset(conversation_ids), key)
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
        """Tells it too, with a button that takes it back. `title` as in `Toast.offer`, `forget` as in `Deed`."""
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

    def _take_back(self, deed: Deed) -> None:
        if deed in self._deeds:
            self._drop([deed])
            deed.undo()

    def _drop(self, deeds: Collection[Deed]) -> None:
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
