"""Two answers side by side, or one below the other where there is little room. What is long scrolls inside."""

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.text.rich_text import RichText
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

WIDE_PX = 620
LEAST_PX = 52  # of a text
MOST_PX, MOST_STACKED_PX = 380, 220  # that a text asks for; where there is more room it takes it
SIDE_PX = 12


class AnswersView(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.a, self.b = AnswerBox(theme, "A"), AnswerBox(theme, "B")
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(12)
        self._row.addWidget(self.a, 1)
        self._row.addWidget(self.b, 1)
        theme.changed.connect(self._fit)

    def show_answers(self, a: str, b: str) -> None:
        self.a.show_answer(a)
        self.b.show_answer(b)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Both have the height of the longer one where they stand side by side."""
        theme = self._theme
        is_row = self.width() >= theme.px(WIDE_PX)
        self._row.setDirection(QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom)
        width = (self.width() - self._row.spacing()) // 2 if is_row else self.width()
        heights = [box.fit(width) for box in (self.a, self.b)]
        if is_row:
            heights = [max(heights)] * 2
        least, most = theme.px(LEAST_PX), theme.px(MOST_PX if is_row else MOST_STACKED_PX)
        for box, height in zip((self.a, self.b), heights, strict=True):
            box.area.setMinimumHeight(min(most, max(least, height)))
            box.area.setMaximumHeight(max(most, height))


class AnswerBox(QFrame):
    """Plain text as it was written: it can be selected and copied, and links in it lead nowhere."""

    def __init__(self, theme: Theme, letter: str) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "raised")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.title = Label(letter, "heading3")
        self.text = RichText(theme)
        self.text.setAccessibleName(phrase("evaluation.answer_letter", letter=letter))
        self.text.setTabChangesFocus(True)
        self.text.setAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled, False)  # digits are commands here
        self.text.installEventFilter(self)
        self.area = QScrollArea()
        self.area.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # `AnswersView` sets its height
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self.text)
        self.area.viewport().setAutoFillBackground(False)
        self.text.setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(SIDE_PX, 8, SIDE_PX, SIDE_PX)
        column.setSpacing(4)
        column.addWidget(self.title)
        column.addWidget(self.area, 1)
        column.addStretch(0)  # else a low text would stand in the middle of a high box
        theme.changed.connect(self._show)
        self._answer = ""

    def show_answer(self, answer: str) -> None:
        self._answer = answer
        self._show()
        self.area.verticalScrollBar().setValue(0)

    def fit(self, width: int) -> int:
        """The height of the text in a box of that width. Room for the scroll bar is kept in any case."""
        bar = self.area.verticalScrollBar().sizeHint().width()
        return self.text.fit(max(self._theme.px(60), width - 2 * SIDE_PX - bar - 2))

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.text.hasFocus():
            draw_ring(self, self._theme)

    def _show(self) -> None:
        self.text.setFont(self._theme.font("reading"))
        self.text.show_plain(self._answer or phrase("evaluation.no_answer"))


def draw_ring(widget: QWidget, theme: Theme) -> None:
    """Around a whole widget that has the keyboard."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    width, radius = theme.metric("focus_ring"), theme.metric("radius_card")
    painter.setPen(QPen(theme.color("accent"), width))
    inset = width / 2
    painter.drawRoundedRect(QRectF(widget.rect()).adjusted(inset, inset, -inset, -inset), radius, radius)
