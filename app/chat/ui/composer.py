"""The frame at the foot of the page: the editor, what its keys do, and one button. Also edits an earlier question."""

import sys

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.chat.records import Draft
from app.chat.ui.edit_line import EditLine
from app.chat.ui.editor import TEXT_MAX, QuestionEditor
from app.chat.ui.remote_mark import RemoteMark
from app.uikit.input_method import guard_of
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, KeyHint, make_icon_button
from app.uikit.widgets.labels import ElidedLabel, Label, plain_tooltip


class Composer(QWidget):
    """The text stays until `end_edit` says that the question was taken."""

    submitted = Signal(str)  # the question, or with `edited_id` what is to be asked instead of it
    stop_requested = Signal()
    typed = Signal()
    draft_changed = Signal()  # by typing, or by the beginning or end of an edit
    last_question_wanted = Signal()  # ↑ in an empty field

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_busy = False
        self._is_filling = False  # what is shown comes from a draft, not from somebody who types
        self._coming: Draft | None = None  # what is shown when the conversion has ended
        self._set_aside = ""  # what had been typed when the edit began
        self.edited_id: int | None = None  # the question that is being changed
        self._build()
        self._connect()
        self.set_send_key("enter")
        self.set_busy(False)
        self.set_has_history(False)
        self._show_sendable()

    def _build(self) -> None:
        self.editor = QuestionEditor(self._theme, self)
        self.editor.setAccessibleName(phrase("common.batch_column.question"))
        self.edit_line = EditLine(self._theme)
        self.edit_line.hide()
        self.remote_mark = RemoteMark(self._theme, self)
        self.notice = Label(role="caption", tone="warning", wraps=True)
        self.notice.hide()
        self.hint = KeyHint(self._theme)
        self.waiting = ElidedLabel(role="caption", tone="text2")
        self.send_button = Button(self._theme, phrase("chat.send"), "primary")
        self.stop_button = make_icon_button(self._theme, phrase("chat.stop_esc"), "square")
        self.stop_button.setAccessibleName(phrase("common.stop"))
        row = QHBoxLayout()
        row.setContentsMargins(4, 0, 0, 0)
        row.addWidget(self.hint, 1)
        row.addWidget(self.waiting, 1)
        row.addWidget(self.send_button)
        row.addWidget(self.stop_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 9, 9)
        column.setSpacing(6)
        column.addWidget(self.remote_mark)
        column.addWidget(self.edit_line)
        column.addWidget(self.editor)
        column.addWidget(self.notice)
        column.addLayout(row)
        self.setFocusProxy(self.editor)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        for button in (self.send_button, self.stop_button, self.edit_line):
            button.setCursor(Qt.CursorShape.ArrowCursor)

    def _connect(self) -> None:
        self.editor.send_requested.connect(self._submit)
        self.editor.stop_requested.connect(self._on_stop)
        self.editor.text_refused.connect(self._on_text_refused)
        self.editor.textChanged.connect(self._on_text_changed)
        self.edit_line.cancel_button.clicked.connect(self.end_edit)
        self.send_button.clicked.connect(self._submit)
        self.stop_button.clicked.connect(self._on_stop)
        self.editor.installEventFilter(self)

    # ------------------------------------------------------------------- state

    def text(self) -> str:
        return self.editor.text()

    def set_text(self, text: str) -> None:
        self.editor.set_text(text)
        self.editor.setFocus()

    def put_over(self, text: str) -> None:
        """Takes the place of what was typed, which Ctrl+Z brings back."""
        guard_of(self.editor).when_free(lambda: self._put_over(text))
        self.editor.setFocus()

    def draft(self) -> Draft:
        """As it is shown, or is about to be: the text of one conversation never counts as that of another."""
        return self._coming or Draft(self.text(), self.edited_id, self._set_aside)

    def show_draft(self, draft: Draft) -> None:
        """Takes text and edit as they were left; during a conversion, when it has ended."""
        self._coming = draft
        guard_of(self.editor).when_free(self._fill)

    def begin_edit(self, question_id: int, text: str) -> None:
        """Shows an earlier question for changing. What was typed is set aside, and comes back afterwards."""
        before = self.draft()
        set_aside = before.text if before.edited_id is None else before.set_aside
        self.show_draft(Draft(text, question_id, set_aside))
        self.editor.setFocus()
        self.draft_changed.emit()

    def end_edit(self) -> None:
        """The question was taken, or the edit is given up. What an edit had set aside is back."""
        self.show_draft(Draft(self.draft().set_aside))
        self.editor.setFocus()
        self.draft_changed.emit()

    def set_busy(self, is_busy: bool, *, is_elsewhere: bool = False) -> None:
        """`is_elsewhere`: the answer that is being written belongs to another conversation."""
        self._is_busy = is_busy
        self.hint.setVisible(not is_busy)
        self.waiting.setVisible(is_busy)
        words = phrase("chat.another_conversation_is_being_answered")
        self.waiting.setText(words if is_elsewhere else phrase("chat.you_can_send_when_the"))
        had_focus = self.send_button.hasFocus() or self.stop_button.hasFocus()
        self.send_button.setVisible(not is_busy)
        self.stop_button.setVisible(is_busy)
        if had_focus:
            self.editor.setFocus()

    def set_send_key(self, send_key: str) -> None:
        """`send_key`: enter | ctrl_enter."""
        self.editor.send_key = send_key
        control = "⌘" if sys.platform == "darwin" else "Ctrl"
        send, new_line = (phrase("chat.send"), False), (phrase("chat.new_line"), False)
        gap, plus = (phrase("chat.symbol_2"), False), ("+", False)
        if send_key == "enter":
            self.hint.show_parts(("Enter", True), send, gap, ("Shift", True), plus, ("Enter", True), new_line)
        else:
            self.hint.show_parts((control, True), plus, ("Enter", True), send, gap, ("Enter", True), new_line)

    def set_has_history(self, has_history: bool, *, is_temporary: bool = False, asks_documents: bool = False) -> None:
        if is_temporary:
            words = phrase("chat.type_a_question_not_saved")
        else:
            first = phrase("chat.ask_about_your_documents") if asks_documents else phrase("chat.type_a_question")
            words = phrase("chat.ask_a_follow_up") if has_history else first
        self.editor.set_placeholder(words)

    # ------------------------------------------------------------------ events

    def _submit(self) -> None:
        if not self.editor.finish_composition():
            self.editor.setFocus()
        elif self._coming is None and not self._is_busy and self.text().strip():
            self.submitted.emit(self.text())

    def _on_stop(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        elif self.edited_id is not None:
            self.end_edit()

    def _fill(self) -> None:
        draft, self._coming = self._coming, None
        if draft is None:
            return  # asked for twice during one conversion
        self._is_filling = True
        self.edited_id, self._set_aside = draft.edited_id, draft.set_aside
        self.edit_line.setVisible(self.edited_id is not None)
        if self.text() != draft.text:
            self.editor.set_text(draft.text)
        self._is_filling = False

    def _put_over(self, text: str) -> None:
        cursor = self.editor.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.editor.setTextCursor(cursor)

    def _on_text_changed(self) -> None:
        self.notice.hide()
        self._show_sendable()
        if not self._is_filling:
            self.typed.emit()
            self.draft_changed.emit()

    def _show_sendable(self) -> None:
        """An empty question cannot be sent. What is being converted counts: a click on 送信 takes it as it is."""
        is_sendable = bool(self.text().strip()) or guard_of(self.editor).is_active
        if not is_sendable and self.send_button.hasFocus():
            self.editor.setFocus()
        self.send_button.setEnabled(is_sendable)
        self.send_button.setToolTip("" if is_sendable else plain_tooltip(phrase("chat.type_a_question_to_send")))

    def _on_text_refused(self, length: int) -> None:
        text = phrase("chat.too_long_to_paste_n")
        self.notice.setText(text.format(n=f"{length:,}", max=f"{TEXT_MAX:,}"))
        self.notice.show()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and self._recalls(event):
            self.last_question_wanted.emit()
            return True
        return False

    def _recalls(self, event: QKeyEvent) -> bool:
        """↑ in an empty field that holds no conversion: the keys of one never come here."""
        is_plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        return event.key() == Qt.Key.Key_Up and is_plain and not self.text() and not guard_of(self.editor).is_active

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
