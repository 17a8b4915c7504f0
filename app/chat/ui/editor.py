"""Where a question is typed: 1 to 8 lines, plain text only, safe for Japanese conversion."""

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor, QTextOption
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from app.uikit.input_method import guard_of
from app.uikit.theme import Theme

TEXT_MAX = 50_000  # characters; no local model reads more in one question, and longer lines would make typing slow
LINES_MAX = 8
LINES_MAX_LOW = 4  # in a window of at most LOW_PX
LOW_PX = 640


class QuestionEditor(QPlainTextEdit):
    """While a conversion is open, its keys belong to the input method and the text is not touched."""

    send_requested = Signal()
    stop_requested = Signal()
    text_refused = Signal(int)  # characters of a paste that would make the question too long

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lines_max = LINES_MAX
        self.send_key = "enter"
        self._input_method = guard_of(self)
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
        self._input_method.when_free(lambda: self._replace(text))

    def _replace(self, text: str) -> None:
        self.setPlainText(text)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def set_placeholder(self, words: str) -> None:
        self._input_method.when_free(lambda: self.setPlaceholderText(words))
        self.viewport().update()  # Qt paints another placeholder only when there was none before

    def finish_composition(self) -> bool:
        """Takes what is being converted as it is (a click on 送信 says so). False: the input method keeps it."""
        return self._input_method.finish()

    # -------------------------------------------------------------------- keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
            self._on_return(event)
        elif event.key() == Qt.Key.Key_Escape:
            event.accept()
            self.stop_requested.emit()
        else:
            super().keyPressEvent(event)

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
        """A file that is dropped is no text; the window may take it."""
        return source.hasText() and not any(url.isLocalFile() for url in source.urls())

    def insertFromMimeData(self, source: QMimeData) -> None:
        if self._input_method.is_active:
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
