"""Show the composer at the foot of the page: the field for the question, lines above it, hints and one button.

The lines above the field inform the user that an earlier question is being edited, or that a remote model is selected
and the text leaves this machine. `ComposerDrafts` stores unsent text with its conversation, so that it is still there
after the user opens another conversation, and after a crash.
"""

import sys

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QTextCursor, QTextOption
from PySide6.QtWidgets import QCheckBox, QFrame, QPlainTextEdit, QWidget

from app.base.wording import phrase
from app.chat.records import UnsentDraft
from app.chat.services.chat_session import ChatSession
from app.chat.ui.chat_notices import AskingNotice, RemoteMark
from app.uikit.desktop import dropped_paths
from app.uikit.input_method import conversion_guard_of
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton, KeyHint, make_icon_button
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, plain_tooltip

TEXT_MAX = 50_000  # characters; no local model reads more in one question, and longer lines make typing slow
LINES_MAX = 8
LINES_MAX_LOW = 4  # in a window of at most LOW_PX height
LOW_PX = 640
THINKING_KEY = "Ctrl+T"


class QuestionEditor(QPlainTextEdit):
    """The field for a question, 1 to 8 lines of plain text.

    While the input method converts Japanese text, it receives all keys and the program does not change the text.
    """

    send_requested = Signal()
    stop_requested = Signal()
    files_given = Signal(object)  # list[Path], dropped or pasted
    picture_pasted = Signal(object)  # QImage
    long_text_pasted = Signal(str)  # a text that would make the question too long

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lines_max = LINES_MAX
        self.send_key = "enter"
        self.is_untouched = True  # since it has the focus
        self._input_method = conversion_guard_of(self)
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
        """Replace the text and put the cursor at its end, once the input method has no conversion in progress."""
        self._input_method.run_after_conversion(lambda: self._replace(text))

    def _replace(self, text: str) -> None:
        self.setPlainText(text)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def set_placeholder(self, words: str) -> None:
        self._input_method.run_after_conversion(lambda: self.setPlaceholderText(words))
        self.viewport().update()  # Qt does not repaint when the placeholder changes

    def finish_composition(self) -> bool:
        """Commit the text that the input method is converting, before a click on 送信 sends the question.

        Return False if the input method did not commit it.
        """
        return self._input_method.finish()

    # -------------------------------------------------------------------- keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
            self._on_return(event)
        elif event.key() == Qt.Key.Key_Escape:
            event.accept()
            self.stop_requested.emit()
        elif event.key() == Qt.Key.Key_Delete and self.is_untouched and self.document().isEmpty():
            event.ignore()  # there is nothing to delete here, but the window may know what was clicked
        else:
            self.is_untouched = False
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:  # after a menu it has the focus again, not newly
            self.is_untouched = True

    def _on_return(self, event: QKeyEvent) -> None:
        """Break the line with Shift, send with Ctrl, else do what the settings say. A key held down never sends."""
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
        return source.hasText() or source.hasImage() or bool(dropped_paths(source))

    def insertFromMimeData(self, source: QMimeData) -> None:
        if self._input_method.is_converting:
            return
        text = source.text()
        length = self.document().characterCount() - len(self.textCursor().selectedText()) + len(text)
        if paths := dropped_paths(source):
            self.files_given.emit(paths)
        elif source.hasImage() and not source.hasText():
            self.picture_pasted.emit(source.imageData())
        elif length > TEXT_MAX:
            self.long_text_pasted.emit(text)
        else:
            self.textCursor().insertText(text)
            self.ensureCursorVisible()

    # -------------------------------------------------------------------- size

    def _restyle(self) -> None:
        self.setFont(self._theme.font("reading"))
        self.document().setDocumentMargin(self._theme.px(2))
        self.viewport().setFont(self.font())  # Qt paints the placeholder with the viewport's font
        self._fit()

    def fit_window(self, window_height: int) -> None:
        """Allow fewer lines in a low window, to leave more room for the conversation. `window_height` is in px."""
        self._lines_max = LINES_MAX_LOW if window_height <= LOW_PX else LINES_MAX
        self._fit()

    def _fit(self) -> None:
        lines = max(1, min(self._lines_max, round(self.document().size().height())))
        is_full = self.document().size().height() > self._lines_max
        height_px = lines * self.fontMetrics().lineSpacing() + 2 * round(self.document().documentMargin()) + 2
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if is_full else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        if self.height() != height_px or self.maximumHeight() != height_px:
            self.setFixedHeight(height_px)


class Composer(QWidget):
    """The field with its button and lines. The text remains until the page has stored it and calls `end_edit`."""

    submitted = Signal(str)  # the question, or the new text of the question `edited_id`
    stop_requested = Signal()
    typed = Signal()
    draft_changed = Signal()  # the user typed, or an edit began or ended
    last_question_requested = Signal()  # ↑ was pressed in an empty field
    thinking_chosen = Signal(bool)  # whether the model shall think before it answers

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._is_busy = False
        self._is_lit = False  # whether files are dragged over the page
        self._is_filling = False  # True while a draft is being shown, so that the change does not count as typing
        self._pending_draft: UnsentDraft | None = None  # draft to show once the conversion has ended
        self._refused_because = ""  # why no question can be sent now; "": it can
        self._set_aside = ""  # the draft that the edit replaced
        self.edited_id: int | None = None  # id of the question that is being edited; None: no edit
        self._build()
        self.editor.send_requested.connect(self._submit)
        self.editor.stop_requested.connect(self._on_stop)
        self.editor.textChanged.connect(self._on_text_changed)
        self.cancel_button.clicked.connect(self.end_edit)
        self.send_button.clicked.connect(self._submit)
        self.stop_button.clicked.connect(self._on_stop)
        self.at_once.clicked.connect(lambda is_checked: self.thinking_chosen.emit(not is_checked))
        self.editor.installEventFilter(self)
        self.set_send_key("enter")
        self.set_busy(False)
        self.show_thinking(None)
        self.update_placeholder(False)
        self._show_sendable()

    def _build(self) -> None:
        self.editor = QuestionEditor(self._theme, self)
        self.editor.setAccessibleName(phrase("common.batch_column.question"))
        self.cancel_button = make_icon_button(self._theme, phrase("chat.cancel_esc"), "x", "quiet", compact=True)
        self.cancel_button.setAccessibleName(phrase("chat.stop_editing"))
        icon = IconLabel(self._theme, "pencil", "accent")
        words = Label(phrase("chat.editing_the_question"), role="caption", tone="accent", strong=True)
        self.edit_line = QWidget()
        make_row(icon, (words, 1), self.cancel_button, into=self.edit_line, margins_px=(4, 0, 0, 2), spacing_px=8)
        self.edit_line.hide()
        self.remote_mark = RemoteMark(self._theme, self)
        self.asking_notice = AskingNotice(self._theme, self)
        self.notice = Label(role="caption", tone="warning", wraps=True)
        self.notice.hide()
        self.at_once = QCheckBox(phrase("chat.answer_without_thinking"))
        self.at_once.setToolTip(plain_tooltip(with_note(phrase("chat.thinking_takes_longer"), THINKING_KEY)))
        self.at_once.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves a conversion in the field alone
        self.hint = KeyHint(self._theme)
        self.waiting = ElidedLabel(role="caption", tone="text2")
        self.send_button = Button(self._theme, phrase("chat.send"), "primary")
        self.stop_button = make_icon_button(self._theme, phrase("chat.stop_esc"), "square")
        self.stop_button.setAccessibleName(phrase("common.stop"))
        self.attach_button = IconButton(self._theme, "paperclip", phrase("chat.attach_files"), "Ctrl+O")
        controls = (self.at_once, self.send_button, self.stop_button)
        row = make_row(self.attach_button, (self.hint, 1), (self.waiting, 1), *controls, margins_px=(0, 0, 0, 0))
        parts = (self.asking_notice, self.remote_mark, self.edit_line, self.editor, self.notice, row)
        make_column(*parts, into=self, margins_px=(12, 10, 9, 9), spacing_px=6)
        self.setTabOrder(self.stop_button, self.attach_button)  # the key after the question sends it
        self.setFocusProxy(self.editor)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        for button in (*controls, self.attach_button, self.edit_line, self.asking_notice):
            button.setCursor(Qt.CursorShape.ArrowCursor)

    # ------------------------------------------------------------------- state

    def text(self) -> str:
        return self.editor.text()

    def set_text(self, text: str) -> None:
        self.editor.set_text(text)
        self.editor.setFocus()

    def replace_text(self, text: str) -> None:
        """Replace the typed text, so that Ctrl+Z restores it."""
        conversion_guard_of(self.editor).run_after_conversion(lambda: self._replace_text(text))
        self.editor.setFocus()

    def draft(self) -> UnsentDraft:
        """Return the draft that is or will be shown, so that none is stored with another conversation."""
        return self._pending_draft or UnsentDraft(self.text(), self.edited_id, self._set_aside)

    def show_draft(self, draft: UnsentDraft) -> None:
        """Show a draft and the edit it belongs to, once the input method has no conversion in progress."""
        self._pending_draft = draft
        conversion_guard_of(self.editor).run_after_conversion(self._fill)

    def begin_edit(self, question_id: int, text: str) -> None:
        """Show an earlier question for editing. The current draft is kept and restored afterwards."""
        before = self.draft()
        set_aside = before.text if before.edited_id is None else before.set_aside
        self.show_draft(UnsentDraft(text, question_id, set_aside))
        self.editor.setFocus()
        self.draft_changed.emit()

    def end_edit(self) -> None:
        """End an edit or clear the sent question, and restore the draft that was kept during an edit."""
        self.show_draft(UnsentDraft(self.draft().set_aside))
        self.editor.setFocus()
        self.draft_changed.emit()

    def refuse(self, reason: str) -> None:
        """Send nothing while there is a reason, such as no model; the text stays. `reason` "": send again."""
        self._refused_because = reason
        self._show_sendable()

    def show_thinking(self, thinks: bool | None) -> None:
        """Show whether the model thinks before the next answer; None: it cannot, and there is nothing to choose."""
        if thinks is None and self.at_once.hasFocus():
            self.editor.setFocus()
        self.at_once.setVisible(thinks is not None)
        self.at_once.setEnabled(thinks is not None)  # otherwise its key would change what nobody sees
        self.at_once.setChecked(thinks is False)

    def set_busy(self, is_busy: bool, *, is_elsewhere: bool = False) -> None:
        """Show whether an answer is being written. `is_elsewhere` is True if it belongs to another conversation."""
        self._is_busy = is_busy
        self.hint.setVisible(not is_busy)
        self.waiting.setVisible(is_busy)
        key = "chat.another_conversation_is_being_answered" if is_elsewhere else "chat.you_can_send_when_the"
        self.waiting.setText(phrase(key))
        had_focus = self.send_button.hasFocus() or self.stop_button.hasFocus()
        self.send_button.setVisible(not is_busy)
        self.stop_button.setVisible(is_busy)
        if had_focus:
            self.editor.setFocus()

    def set_lit(self, *, is_lit: bool) -> None:
        """Show that files which are dragged over the page would be attached."""
        self._is_lit = is_lit
        self.update()

    def set_send_key(self, send_key: str) -> None:
        """Set the key that sends the question: "enter" or "ctrl_enter"."""
        self.editor.send_key = send_key
        control = "⌘" if sys.platform == "darwin" else "Ctrl"
        send, new_line = (phrase("chat.send"), False), (phrase("chat.new_line"), False)
        gap, plus = (phrase("chat.symbol_2"), False), ("+", False)
        if send_key == "enter":
            self.hint.show_parts(("Enter", True), send, gap, ("Shift", True), plus, ("Enter", True), new_line)
        else:
            self.hint.show_parts((control, True), plus, ("Enter", True), send, gap, ("Enter", True), new_line)

    def update_placeholder(
        self, has_history: bool, *, is_temporary: bool = False, asks_documents: bool = False
    ) -> None:
        """Set the placeholder: of a temporary conversation, else of a follow-up question, else of a first one."""
        key = "chat.ask_about_your_documents" if asks_documents else "chat.type_a_question"
        if is_temporary:
            key = "chat.type_a_question_not_saved"
        elif has_history:
            key = "chat.ask_a_follow_up"
        self.editor.set_placeholder(phrase(key))

    # ------------------------------------------------------------------ events

    def _submit(self) -> None:
        if not self.editor.finish_composition():
            self.editor.setFocus()
        elif self._refused_because and self.text().strip():
            self.asking_notice.button.setFocus(Qt.FocusReason.ShortcutFocusReason)
        elif self._pending_draft is None and not self._is_busy and self.text().strip():
            self.submitted.emit(self.text())

    def _on_stop(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        elif self.edited_id is not None:
            self.end_edit()

    def _fill(self) -> None:
        draft, self._pending_draft = self._pending_draft, None
        if draft is None:
            return  # called twice after one conversion
        self._is_filling = True
        self.edited_id, self._set_aside = draft.edited_id, draft.set_aside
        self.edit_line.setVisible(self.edited_id is not None)
        if self.text() != draft.text:
            self.editor.set_text(draft.text)
        self._is_filling = False

    def _replace_text(self, text: str) -> None:
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
        """Enable the button unless the question is empty; text under conversion counts, as a click commits it."""
        has_text = bool(self.text().strip()) or conversion_guard_of(self.editor).is_converting
        is_sendable = has_text and not self._refused_because
        if not is_sendable and self.send_button.hasFocus():
            self.editor.setFocus()
        self.send_button.setEnabled(is_sendable)
        reason = self._refused_because or phrase("chat.type_a_question_to_send")
        self.send_button.setToolTip("" if is_sendable else plain_tooltip(reason))

    def tell(self, words: str) -> None:
        """Show a sentence until the user types."""
        self.notice.setText(words)
        self.notice.show()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        elif event.type() == QEvent.Type.InputMethod:
            self.editor.is_untouched &= not conversion_guard_of(self.editor).is_converting
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and self._is_recall_key(event):
            self.last_question_requested.emit()
            return True
        return False

    def _is_recall_key(self, event: QKeyEvent) -> bool:
        """Return whether the key is ↑ in an empty field. Keys that the input method uses never arrive here."""
        is_plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        return (
            event.key() == Qt.Key.Key_Up
            and is_plain
            and not self.text()
            and not conversion_guard_of(self.editor).is_converting
        )

    def mousePressEvent(self, _event: QMouseEvent) -> None:
        self.editor.setFocus(Qt.FocusReason.MouseFocusReason)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        has_focus = self.editor.hasFocus() or self._is_lit
        width = self._theme.metric("focus_ring") if has_focus else 1
        painter.setPen(QPen(self._theme.color("accent" if has_focus else "control"), width))
        painter.setBrush(self._theme.color("accent_soft" if self._is_lit else "base"))
        inset = width / 2
        radius = self._theme.metric("radius_control")
        painter.drawRoundedRect(self.rect().toRectF().adjusted(inset, inset, -inset, -inset), radius, radius)


KEPT_AFTER_MS = 500  # ms after the first change, even while the user continues to type


class ComposerDrafts(QObject):
    """Stores the composer's draft with the open conversation. The page calls `restore` for another conversation."""

    def __init__(self, session: ChatSession, composer: Composer, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._composer = composer
        self._stored_draft: UnsentDraft | None = UnsentDraft()  # the draft in the database; None: unknown
        self._timer = QTimer(self, singleShot=True, interval=KEPT_AFTER_MS)
        self._timer.timeout.connect(self.keep)
        composer.draft_changed.connect(self._on_draft_changed)
        session.about_to_leave.connect(self.keep)

    def keep(self) -> None:
        """Store the draft unless it is stored already. After a failure the next change tries again."""
        self._timer.stop()
        draft = self._composer.draft()
        if draft != self._stored_draft and self._session.keep_draft(draft):
            self._stored_draft = draft

    def save_again(self) -> None:
        """Store the unchanged draft, as the conversation was stored for the first time or in another store."""
        self._stored_draft = None
        self.keep()

    def _on_draft_changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def restore(self) -> None:
        """Show the draft of the open conversation."""
        self._timer.stop()
        self._stored_draft = self._session.draft()
        self._composer.show_draft(self._stored_draft)
