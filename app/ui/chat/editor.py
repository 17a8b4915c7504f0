"""Where a question is typed: 1 to 8 lines, plain text only, safe for Japanese conversion."""

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QGuiApplication,
    QInputMethodEvent,
    QKeyEvent,
    QTextCursor,
    QTextOption,
)
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from app.ui.chat.composition import Composition
from app.ui.theme import Theme

TEXT_MAX = 50_000  # characters; no local model reads more in one question, and longer lines would make typing slow
LINES_MAX = 8
LINES_MAX_LOW = 4  # in a window of at most LOW_PX
LOW_PX = 640


class QuestionEditor(QPlainTextEdit):
    """While a conversion is open, every key belongs to the input method and the text is not touched."""

    send_requested = Signal()
    stop_requested = Signal()
    text_refused = Signal(int)  # characters of a paste that would make the question too long

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._waiting: str | None = None  # a text to set when the conversion has ended
        self._placeholder = ""
        self._lines_max = LINES_MAX
        self.send_key = "enter"
        self.composition = Composition()
        self._build()
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        theme.changed.connect(self._restyle)
        self._restyle()

    def _build(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)

    def text(self) -> str:
        return self.toPlainText()

    def set_text(self, text: str) -> None:
        """Replaces the text and puts the cursor at its end; during a conversion, only after it has ended."""
        if self.composition.is_active:
            self._waiting = text
            return
        self.setPlainText(text)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def set_placeholder(self, words: str) -> None:
        self._placeholder = words
        self._show_placeholder()

    def _show_placeholder(self) -> None:
        """Qt paints it through the letters that are being converted."""
        words = "" if self.composition.is_active else self._placeholder
        if words != self.placeholderText():
            self.setPlaceholderText(words)

    def finish_composition(self) -> bool:
        """Takes what is being converted as it is (a click on 送信 says so). False: the input method keeps it."""
        if self.composition.is_active:
            QGuiApplication.inputMethod().commit()
        return not self.composition.is_active

    # -------------------------------------------------------------------- keys

    def event(self, event: QEvent) -> bool:
        """Before `keyPressEvent`: shortcuts of the window come here first, and Qt moves the focus on Tab."""
        is_key = event.type() in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
        if is_key and self.composition.owns(event):  # type: ignore[arg-type]
            event.accept()
            return True
        return super().event(event)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        self.composition.note(event)
        super().inputMethodEvent(event)
        self._show_placeholder()
        if self._waiting is not None and not self.composition.is_active:
            text, self._waiting = self._waiting, None
            self.set_text(text)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if not self.textCursor().block().layout().preeditAreaText():
            self.composition.end()
            self._show_placeholder()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
            self._on_return(event)
        elif event.key() == Qt.Key.Key_Escape:
            event.accept()
            self.stop_requested.emit()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        self.composition.note_release(event)
        super().keyReleaseEvent(event)

    def _on_return(self, event: QKeyEvent) -> None:
        """Shift makes a new line, Ctrl sends; alone it does what the settings say. A key held down never sends."""
        modifiers = event.modifiers()
        is_sending = bool(modifiers & Qt.KeyboardModifier.ControlModifier) or (
            self.send_key == "enter" and not modifiers & Qt.KeyboardModifier.ShiftModifier
        )
        if not is_sending:
            self.textCursor().insertBlock()
            self.ensureCursorVisible()
        elif not event.isAutoRepeat():
            self.send_requested.emit()

    # ------------------------------------------------------------------- paste

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasText()

    def insertFromMimeData(self, source: QMimeData) -> None:
        if self.composition.is_active:
            return
        text = source.text()
        length = self.document().characterCount() - len(self.textCursor().selectedText()) + len(text)
        if length > TEXT_MAX:
            self.text_refused.emit(len(text))
        else:
            self.textCursor().insertText(text)
            self.ensureCursorVisible()

    # -------------------------------------------------------------------- size

    def _restyle(self) -> None:
        self.setFont(self._theme.font("reading"))
        self.document().setDocumentMargin(self._theme.px(2))
        self.viewport().setFont(self.font())  # Qt paints the placeholder with it, and it does not follow by itself
        self._fit()

    def fit_window(self, window_height: int) -> None:
        """Low windows leave the room to the conversation."""
        self._lines_max = LINES_MAX_LOW if window_height <= LOW_PX else LINES_MAX
        self._fit()

    def _fit(self) -> None:
        lines = max(1, min(self._lines_max, round(self.document().size().height())))
        is_full = self.document().size().height() > self._lines_max
        wanted = lines * self.fontMetrics().lineSpacing() + 2 * round(self.document().documentMargin()) + 2
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if is_full else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        if self.height() != wanted or self.maximumHeight() != wanted:
            self.setFixedHeight(wanted)
