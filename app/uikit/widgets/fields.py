"""A text that is corrected: as high as it needs, with keys to keep the change and to give it up."""

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QResizeEvent, QTextCursor, QTextOption
from PySide6.QtWidgets import QPlainTextEdit

from app.uikit.input_method import guard_of
from app.uikit.theme import Theme

FRAME_PX = 12  # border and padding of the style sheet, above and below


class CorrectedField(QPlainTextEdit):
    submitted = Signal()  # Ctrl+Enter
    cancelled = Signal()  # Esc
    entered = Signal()  # it has the keyboard
    left = Signal()

    def __init__(self, theme: Theme, name: str, least: int, most: int) -> None:
        """`least`, `most`: lines; a longer text scrolls."""
        super().__init__()
        self._theme = theme
        self._least, self._most = least, most
        self.setProperty("field", True)
        self.setAccessibleName(name)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        theme.changed.connect(self._restyle)
        self._restyle()

    def finish_conversion(self) -> bool:
        """Takes what is being converted as it is. False: the input method keeps it."""
        return guard_of(self).finish()

    def to_end(self) -> None:
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.moveCursor(QTextCursor.MoveOperation.End)

    # -------------------------------------------------------------------- events

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_return = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_return and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if not event.isAutoRepeat():
                self.submitted.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif event.matches(QKeySequence.StandardKey.Undo) and not self.document().isUndoAvailable():
            event.ignore()  # nothing was typed: it is meant for the last decision
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.entered.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """A file that is dropped is no text."""
        return source.hasText() and not any(url.isLocalFile() for url in source.urls())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    # ---------------------------------------------------------------------- size

    def _restyle(self) -> None:
        self.setFont(self._theme.font("reading"))
        self._fit()

    def _fit(self) -> None:
        needed = round(self.document().size().height())
        lines = max(self._least, min(self._most, needed))
        margin = 2 * round(self.document().documentMargin())
        wanted = lines * self.fontMetrics().lineSpacing() + margin + self._theme.px(FRAME_PX)
        is_full = needed > self._most
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if is_full else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        if self.minimumHeight() != wanted or self.maximumHeight() != wanted:
            self.setFixedHeight(wanted)
