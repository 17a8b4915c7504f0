"""A question with a few answers, each on a card with a sentence; what cannot be chosen says why."""

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QButtonGroup, QRadioButton, QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

SIDE_BY_SIDE_PX = 480  # the least width of an answer with its sentence beside it
SPACING_PX = 8
MARK_PX = 24  # of the radio button with its gap


class AnswerChoice(QWidget):
    chosen = Signal(str)  # a key

    def __init__(self, theme: Theme, answers: Mapping[str, tuple[str, str]], name_px: int) -> None:
        """`answers`: by their keys, the name and the sentence. `name_px`: room of a name beside its sentence."""
        super().__init__()
        self._group = QButtonGroup(self)
        self.answers = {key: AnswerCard(theme, *words, name_px) for key, words in answers.items()}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING_PX)
        for key, answer in self.answers.items():
            column.addWidget(answer)
            self._group.addButton(answer.radio)
            answer.radio.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))

    @property
    def key(self) -> str:
        """ "": none yet."""
        return next((key for key, answer in self.answers.items() if answer.radio.isChecked()), "")

    def show_key(self, key: str) -> None:
        """`key`: "" for none."""
        self._group.setExclusive(False)
        for name, answer in self.answers.items():
            answer.radio.setChecked(name == key)
        self._group.setExclusive(True)

    def focus_chosen(self) -> None:
        radio = self._group.checkedButton() or next(iter(self.answers.values())).radio
        radio.setFocus(Qt.FocusReason.OtherFocusReason)


class AnswerCard(QWidget):
    """A click anywhere on it chooses it. Chosen: soft ground, strong outline and the mark of its radio button."""

    def __init__(self, theme: Theme, name: str, sentence: str, name_px: int) -> None:
        super().__init__()
        self._theme = theme
        self._name_px = name_px
        self._sentence = sentence
        self.radio = QRadioButton(name)
        self.radio.setAccessibleDescription(sentence)
        self.about = Label(sentence, tone="text2", wraps=True)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.addWidget(self.radio)
        self._row.addWidget(self.about, 1)
        self.radio.toggled.connect(self.update)
        theme.changed.connect(self._lay_out)
        theme.changed.connect(self._tint)
        self._lay_out()
        self._tint()

    @property
    def can_be_chosen(self) -> bool:
        return self.radio.isEnabled()

    def show_obstacle(self, reason: str) -> None:
        self.radio.setEnabled(not reason)
        self.about.setText(reason or self._sentence)
        self.radio.setAccessibleDescription(self.about.text())
        self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the release is for this one, too

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        is_here = event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint())
        if is_here and self.can_be_chosen:
            self.radio.click()
            self.radio.setFocus(Qt.FocusReason.MouseFocusReason)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        is_chosen = self.radio.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2 if is_chosen else 1
        edge = width / 2
        line = "accent" if is_chosen else "control" if self.can_be_chosen else "line"
        painter.setPen(QPen(self._theme.color(line), width))
        painter.setBrush(self._theme.color("accent_soft" if is_chosen else "base"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(edge, edge, -edge, -edge), radius, radius)

    def _tint(self) -> None:
        """What cannot be chosen stands back behind its reason."""
        muted = self._theme.color("muted").name()
        self.radio.setStyleSheet(f"QRadioButton:disabled {{ color: {muted}; }}")

    def _lay_out(self) -> None:
        """The sentence beside the name, in line with those of the others, or below it."""
        theme = self._theme
        is_wide = self.width() >= theme.px(SIDE_BY_SIDE_PX)
        direction = QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        self._row.setDirection(direction)
        self._row.setContentsMargins(14, 8, 14, 8)
        self._row.setSpacing(12 if is_wide else 2)
        self.radio.setMinimumWidth(theme.px(self._name_px) if is_wide else 0)
        self.about.setContentsMargins(0 if is_wide else theme.px(MARK_PX), 0, 0, 0)
