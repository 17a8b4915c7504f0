"""Show a question: a raised block with time, other versions, and actions."""

from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from app.base.wording import phrase
from app.chat.records import Message
from app.chat.ui.transcript.message_view import MessageRequests, MessageView, Pager, clock_time
from app.uikit import clipboard_guard, untrusted_text
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton, make_icon_button, make_menu
from app.uikit.widgets.labels import Label, plain_tooltip

HEAD_PX = 26  # height of the buttons in px, reserved while they are hidden too
SIDE_PX = 16


class QuestionView(MessageView):
    """A question. Its buttons appear while it has the pointer or the focus. Its menu, which is always visible, has the
    same actions.

    The question of an action, which the user has not written, is only a line with the action's name.
    """

    def __init__(
        self, message: Message, theme: Theme, requests: MessageRequests, parent: QWidget | None = None
    ) -> None:
        super().__init__(message, theme, requests, parent)
        px = theme.px
        self._is_focused = False
        self._has_room = True
        self._buttons: list[Button] = []
        self._pager: Pager | None = None
        side = 0 if message.is_action else SIDE_PX
        self._column.setContentsMargins(px(side), px(6), px(side), px(0 if message.is_action else 12))
        self._column.setSpacing(px(2))
        caption = question_caption(message)
        self._column.addLayout(self._head(caption))
        self._column.addWidget(self.text)
        self._show_text(as_markdown=False)
        self._name(caption)

    @property
    def pager(self) -> Pager | None:
        return self._pager

    def fit(self, width: int) -> int:
        """Lay out as `MessageView.fit` does; hide the buttons if the header row would be wider than `width`."""
        if self._buttons:
            head = self._head_row.sizeHint().width()
            hidden_px = sum(button.sizeHint().width() for button in self._buttons if button.isHidden())
            self._has_room = head + hidden_px + self._theme.px(SIDE_PX * 2) <= width
            self._show_buttons()
        return super().fit(width)

    def set_focused(self, is_focused: bool) -> None:
        """Set whether a widget of the question has the focus."""
        if is_focused != self._is_focused:
            self._is_focused = is_focused
            self._show_buttons()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_buttons()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_buttons()

    def menu(self) -> QMenu:
        menu = make_menu(self)
        menu.addAction(phrase("chat.edit_and_ask_again"), self._edit)
        menu.addAction(phrase("common.copy"), self._copy)
        return menu

    # ------------------------------------------------------------------ private

    def _head(self, caption: str) -> QHBoxLayout:
        px = self._theme.px
        self._head_row = row = QHBoxLayout()
        row.setSpacing(px(2))
        row.addWidget(Label(caption, role="caption", tone="text2", parent=self))
        if self.message.branches > 1:
            self._pager = Pager(
                self._theme, self.message, phrase("chat.previous_version"), phrase("chat.next_version"), self
            )
            branch = self._requests.branch_requested
            self._pager.step_requested.connect(lambda step: branch.emit(self.message.id, step))
            row.addSpacing(px(8))
            row.addWidget(self._pager)
        row.addStretch(1)
        row.addStrut(px(HEAD_PX))
        if self.message.is_action:
            return row
        self._more_button = IconButton(
            self._theme, "ellipsis", phrase("chat.more_actions_for_this_question"), parent=self
        )
        self._more_button.clicked.connect(self._show_menu)
        row.addWidget(self._more_button)
        return row

    def _show_buttons(self) -> None:
        is_shown = self._is_focused or self.underMouse()
        if is_shown and not self._buttons and not self.message.is_action:
            self._add_buttons()
        for button in self._buttons:
            button.setVisible(is_shown and self._has_room)

    def _add_buttons(self) -> None:
        """Build the buttons on first use, because most questions never need them."""
        edit = make_icon_button(self._theme, phrase("common.edit"), "pencil", "quiet", compact=True)
        edit.setAccessibleName(phrase("chat.edit_and_ask_again"))
        edit.setToolTip(plain_tooltip(phrase("chat.edit_and_ask_again")))
        edit.clicked.connect(self._edit)
        copy = make_icon_button(self._theme, phrase("common.copy"), "copy", "quiet", compact=True)
        copy.clicked.connect(self._copy)
        self._buttons = [edit, copy]
        before: QWidget = self.text
        for button in self._buttons:
            button.hide()
            self._head_row.insertWidget(self._head_row.indexOf(self._more_button), button)
            QWidget.setTabOrder(before, button)
            before = button
        QWidget.setTabOrder(before, self._more_button)
        self.fit(self.width())

    def _edit(self) -> None:
        self._requests.edit_requested.emit(self.message.id)

    def _copy(self) -> None:
        clipboard_guard.copy_text(self, self.message.text)

    def _show_menu(self) -> None:
        self.menu().popup(self._more_button.mapToGlobal(QPoint(0, self._more_button.height())))

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self.message.is_action:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.setBrush(self._theme.color("raised"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def question_caption(message: Message) -> str:
    """Return the caption of a question, with the name of an action, which is untrusted text of a file or the user."""
    time = clock_time(message.created_at)
    if message.is_action:
        return phrase("chat.action_time", name=untrusted_text.make_harmless(message.text), time=time)
    return phrase("chat.question_time", time=time)
