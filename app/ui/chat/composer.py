"""The frame at the foot of the page: the editor, what its keys do, and one button."""

import sys

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.chat.editor import TEXT_MAX, QuestionEditor
from app.ui.chat.key_hint import KeyHint
from app.ui.chat.words import icon_button
from app.ui.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.labels import Label


class Composer(QWidget):
    """The text stays until `clear` says that the question was taken."""

    submitted = Signal(str)
    stop_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_busy = False
        self._build()
        self._connect()
        self.set_send_key("enter")
        self.set_busy(False)
        self.set_has_history(False)

    def _build(self) -> None:
        self.editor = QuestionEditor(self._theme, self)
        self.editor.setAccessibleName(self.tr("質問"))
        self.notice = Label(role="caption", tone="warning", wraps=True)
        self.notice.hide()
        self.hint = KeyHint(self._theme)
        self.send_button = Button(self._theme, self.tr("送信"), "primary")
        self.stop_button = icon_button(self._theme, self.tr("停止　Esc"), "square")
        self.stop_button.setAccessibleName(self.tr("停止"))
        row = QHBoxLayout()
        row.setContentsMargins(4, 0, 0, 0)
        row.addWidget(self.hint, 1)
        row.addWidget(self.send_button)
        row.addWidget(self.stop_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 9, 9)
        column.setSpacing(6)
        column.addWidget(self.editor)
        column.addWidget(self.notice)
        column.addLayout(row)
        self.setFocusProxy(self.editor)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        for button in (self.send_button, self.stop_button):
            button.setCursor(Qt.CursorShape.ArrowCursor)

    def _connect(self) -> None:
        self.editor.send_requested.connect(self._submit)
        self.editor.stop_requested.connect(self._on_stop)
        self.editor.text_refused.connect(self._on_text_refused)
        self.editor.textChanged.connect(self.notice.hide)
        self.send_button.clicked.connect(self._submit)
        self.stop_button.clicked.connect(self._on_stop)
        self.editor.installEventFilter(self)

    # ------------------------------------------------------------------- state

    def text(self) -> str:
        return self.editor.text()

    def set_text(self, text: str) -> None:
        self.editor.set_text(text)
        self.editor.setFocus()

    def clear(self) -> None:
        self.editor.set_text("")

    def set_busy(self, is_busy: bool) -> None:
        self._is_busy = is_busy
        had_focus = self.send_button.hasFocus() or self.stop_button.hasFocus()
        self.send_button.setVisible(not is_busy)
        self.stop_button.setVisible(is_busy)
        if had_focus:
            self.editor.setFocus()

    def set_send_key(self, send_key: str) -> None:
        """`send_key`: enter | ctrl_enter."""
        self.editor.send_key = send_key
        control = "⌘" if sys.platform == "darwin" else "Ctrl"
        send, new_line = (self.tr("送信"), False), (self.tr("改行"), False)
        gap, plus = (self.tr("　"), False), ("+", False)
        if send_key == "enter":
            self.hint.show_parts(("Enter", True), send, gap, ("Shift", True), plus, ("Enter", True), new_line)
        else:
            self.hint.show_parts((control, True), plus, ("Enter", True), send, gap, ("Enter", True), new_line)

    def set_has_history(self, has_history: bool) -> None:
        self.editor.set_placeholder(self.tr("続けて質問できます") if has_history else self.tr("質問を入力してください"))

    # ------------------------------------------------------------------ events

    def _submit(self) -> None:
        if not self.editor.finish_composition():
            self.editor.setFocus()
        elif not self._is_busy and self.text().strip():
            self.submitted.emit(self.text())

    def _on_stop(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()

    def _on_text_refused(self, length: int) -> None:
        text = self.tr("長すぎるため貼り付けませんでした（{n} 文字）。質問は {max} 文字までです。")
        self.notice.setText(text.format(n=f"{length:,}", max=f"{TEXT_MAX:,}"))
        self.notice.show()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return False

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.editor.setFocus(Qt.FocusReason.MouseFocusReason)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        has_focus = self.editor.hasFocus()
        width = self._theme.metric("focus_ring") if has_focus else 1
        painter.setPen(QPen(self._theme.color("accent" if has_focus else "control"), width))
        painter.setBrush(self._theme.color("base"))
        inset = width / 2
        radius = self._theme.metric("radius_control")
        painter.drawRoundedRect(self.rect().toRectF().adjusted(inset, inset, -inset, -inset), radius, radius)
