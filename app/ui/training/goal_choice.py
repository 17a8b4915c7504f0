"""何をしたいですか: three answers, each with what Kotae advises."""

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QButtonGroup, QRadioButton, QVBoxLayout, QWidget

from app.core.plan import GOALS
from app.ui.theme import Theme
from app.ui.widgets.labels import Label

SIDE_BY_SIDE_PX = 480  # the least width of an answer with its advice beside it
ANSWER_PX = 260
MARK_PX = 24  # of the radio button with its gap

translate = QCoreApplication.translate


class GoalChoice(QWidget):
    chosen = Signal(str)  # one of GOALS

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        self.answers = {goal: _Answer(theme, *_words(goal)) for goal in GOALS}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for goal, answer in self.answers.items():
            column.addWidget(answer)
            self._group.addButton(answer.radio)
            answer.radio.clicked.connect(lambda _=False, goal=goal: self.chosen.emit(goal))

    def show_goal(self, goal: str) -> None:
        """`goal`: "" for none yet."""
        self._group.setExclusive(False)
        for name, answer in self.answers.items():
            answer.radio.setChecked(name == goal)
        self._group.setExclusive(True)

    def focus_chosen(self) -> None:
        radio = self._group.checkedButton() or next(iter(self.answers.values())).radio
        radio.setFocus(Qt.FocusReason.OtherFocusReason)


class _Answer(QWidget):
    """A click anywhere on it chooses it. Chosen: soft ground, strong outline and the mark of its radio button."""

    def __init__(self, theme: Theme, words: str, advice: str) -> None:
        super().__init__()
        self._theme = theme
        self.radio = QRadioButton(words)
        self.radio.setAccessibleDescription(advice)
        self.advice = Label(f"→ {advice}", tone="text2", wraps=True)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.addWidget(self.radio)
        self._row.addWidget(self.advice, 1)
        self.radio.toggled.connect(self.update)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the release is for this one, too

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.radio.click()
            self.radio.setFocus(Qt.FocusReason.MouseFocusReason)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        is_chosen = self.radio.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2 if is_chosen else 1
        edge = width / 2
        painter.setPen(QPen(self._theme.color("accent" if is_chosen else "control"), width))
        painter.setBrush(self._theme.color("accent_soft" if is_chosen else "base"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(edge, edge, -edge, -edge), radius, radius)

    def _lay_out(self) -> None:
        """The advice beside the answer, in line with those of the others, or below it."""
        theme = self._theme
        is_wide = self.width() >= theme.px(SIDE_BY_SIDE_PX)
        direction = QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        self._row.setDirection(direction)
        self._row.setContentsMargins(14, 10, 14, 10)
        self._row.setSpacing(12 if is_wide else 2)
        self.radio.setMinimumWidth(theme.px(ANSWER_PX) if is_wide else 0)
        self.advice.setContentsMargins(0 if is_wide else theme.px(MARK_PX), 0, 0, 0)


def _words(goal: str) -> tuple[str, str]:
    """The answer, and the advice."""
    return {
        "facts": (
            translate("Training", "新しい事実を答えさせたい"),
            translate("Training", "資料に追加するのが確実です"),
        ),
        "style": (
            translate("Training", "文体、書式、用語をそろえたい"),
            translate("Training", "学習が向いています"),
        ),
        "both": (
            translate("Training", "両方"),
            translate("Training", "資料と学習を組み合わせます"),
        ),
    }[goal]
