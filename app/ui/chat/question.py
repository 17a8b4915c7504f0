"""A question: a raised block with its time."""

from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.core.records import Message
from app.ui.chat.message_view import MessageView, clock_time
from app.ui.theme import Theme
from app.ui.widgets.labels import Label


class QuestionView(MessageView):
    def __init__(self, message: Message, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(message, theme, parent)
        px = theme.px
        self._column.setContentsMargins(px(16), px(10), px(16), px(12))
        self._column.setSpacing(px(2))
        caption = self.tr("質問　{time}").format(time=clock_time(message.created_at))
        self._column.addWidget(Label(caption, role="caption", tone="text2", parent=self))
        self._column.addWidget(self.text)
        self._show_text(as_markdown=False)
        self._name(caption)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.setBrush(self._theme.color("raised"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
