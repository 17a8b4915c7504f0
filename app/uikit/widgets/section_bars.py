"""Show the parts of a page as tabs with counts, and the steps of a procedure in a row."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QSizePolicy, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import PaintedButton
from app.uikit.widgets.containers import FlowBox, make_row
from app.uikit.widgets.labels import ElidedLabel, Separator

TAB_HEIGHT_PX, TAB_SIDE_PX, TAB_LINE_PX = 36, 10, 2


class TabBar(QWidget):
    """A row of tabs, each with a count, which wraps into further lines. `names`: the text of each tab by its key."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, names: Mapping[str, str]) -> None:
        super().__init__()
        self.buttons = {key: TabButton(theme, name) for key, name in names.items()}
        self.names = names
        group = QButtonGroup(self)
        for button in self.buttons.values():
            group.addButton(button)
        group.buttonClicked.connect(lambda _button: self.chosen.emit(self.key))
        make_row((FlowBox(*self.buttons.values()), 1), into=self)
        next(iter(self.buttons.values())).setChecked(True)

    @property
    def key(self) -> str:
        """Return the key of the selected tab."""
        return next(key for key, button in self.buttons.items() if button.isChecked())

    def show_tab(self, key: str) -> None:
        """Select a tab. If another tab has the keyboard focus, the focus moves too."""
        has_keyboard = any(button.hasFocus() for button in self.buttons.values())
        self.buttons[key].setChecked(True)
        if has_keyboard:
            self.buttons[key].setFocus()

    def show_count(self, key: str, count: int) -> None:
        """Show a count in a tab; no number for 0."""
        name = self.names[key]
        self.buttons[key].show_words(f"{name} {count:,}" if count else name)


class TabButton(PaintedButton):
    """A tab; the selected one is underlined and bold."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__(theme)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)
        self.show_words(name)

    def show_words(self, words: str) -> None:
        if words != self.text():
            self.setText(words)
            self.setAccessibleName(words)
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Return the size with a bold name, so that selecting a tab moves nothing."""
        width = QFontMetrics(self._theme.font("ui", 600)).horizontalAdvance(self.text())
        return QSize(width + 2 * self._theme.px(TAB_SIDE_PX), self._theme.px(TAB_HEIGHT_PX))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter, theme = QPainter(self), self._theme
        is_shown = self.isChecked()
        painter.setFont(theme.font("ui", 600 if is_shown else 400))
        painter.setPen(theme.color("text" if is_shown or self.underMouse() else "text2"))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.text())
        if is_shown:
            line = theme.px(TAB_LINE_PX)
            painter.fillRect(0, self.height() - line, self.width(), line, theme.color("accent"))
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.color("accent"), theme.metric("focus_ring")))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(1, 3, -1, -5), 6, 6)
        painter.end()


CIRCLE_PX = 22
GAP_PX = 8
STEP_LINE_PX = 20  # the least length of the line between two steps

DONE, NOW, LATER = "done", "now", "later"


class StepRail(QWidget):
    """A row of steps, back to a done one of which one can go; without room, only the current one's number and name."""

    step_chosen = Signal(int)  # index of a done step, from 0

    def __init__(self, theme: Theme, names: Sequence[str]) -> None:
        super().__init__()
        self._theme = theme
        self._now = 0
        self.steps = [RailStep(theme, number, name) for number, name in enumerate(names, 1)]
        self._lines: list[Separator] = []
        self._build()
        for place, step in enumerate(self.steps):
            step.clicked.connect(lambda _=False, place=place: self.step_chosen.emit(place))
        self._theme.changed.connect(self._on_theme_changed)
        self.show_step(0)

    def show_step(self, now: int, first: int = 0) -> None:
        """Set the current step, an index from 0. `first`: the first step to which the user can go back."""
        self._now = now
        for place, step in enumerate(self.steps):
            step.show_state(DONE if place < now else NOW if place == now else LATER, can_go_back=place >= first)
        self._short_label.setText(phrase("uikit.i_n_step", i=now + 1, n=len(self.steps), step=self.steps[now].text()))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._short_label.minimumSizeHint().width(), self.steps[0].sizeHint().height())

    @property
    def full_width(self) -> int:
        """Return the width in px from which all names are shown."""
        return sum(step.sizeHint().width() for step in self.steps) + len(self._lines) * (STEP_LINE_PX + 2 * GAP_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _build(self) -> None:
        # The row never widens its parent, because it can shorten itself.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._short_label = ElidedLabel(strong=True)
        row = make_row(into=self, spacing_px=GAP_PX)
        for place, step in enumerate(self.steps):
            if place:
                line = Separator()
                self._lines.append(line)
                row.addWidget(line, 1)
            row.addWidget(step)
        row.addWidget(self._short_label, 1)

    def _on_theme_changed(self) -> None:
        for step in self.steps:
            step.updateGeometry()
        self._lay_out()

    def _lay_out(self) -> None:
        is_short = self.width() < self.full_width
        for widget in (*self.steps, *self._lines):
            widget.setVisible(not is_short)
        self._short_label.setVisible(is_short)


class RailStep(PaintedButton):
    """A step of a `StepRail`: ✓ in a ring (done), a filled circle and bold name (current), a grey ring (to come)."""

    def __init__(self, theme: Theme, number: int, name: str) -> None:
        super().__init__(theme, name)
        self._number = number
        self._state = LATER
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    @property
    def state(self) -> str:
        return self._state

    def show_state(self, state: str, *, can_go_back: bool = True) -> None:
        self._state = state
        is_done = state == DONE and can_go_back
        self.setEnabled(is_done)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if is_done else Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor if is_done else Qt.CursorShape.ArrowCursor)
        words = {DONE: phrase("uikit.done"), NOW: phrase("uikit.current_step"), LATER: phrase("uikit.to_come")}[state]
        self.setAccessibleName(f"{self._number} {self.text()}")
        self.setAccessibleDescription(words)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size with a bold name, so that changing the current step moves nothing."""
        name = QFontMetrics(self._theme.font("ui", 600)).horizontalAdvance(self.text())
        circle = self._theme.px(CIRCLE_PX)
        return QSize(circle + self._theme.px(GAP_PX) + name + 10, circle + 8)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        circle = QRect(4, 4, self._theme.px(CIRCLE_PX), self._theme.px(CIRCLE_PX))
        is_now = self._state == NOW
        painter.setPen(QPen(self._theme.color("control" if self._state == LATER else "accent"), 1.5))
        painter.setBrush(self._theme.color("accent") if is_now else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(circle)
        painter.setFont(self._theme.font("caption", 600))
        painter.setPen(self._theme.color({DONE: "accent", NOW: "on_accent", LATER: "muted"}[self._state]))
        painter.drawText(circle, int(Qt.AlignmentFlag.AlignCenter), "✓" if self._state == DONE else str(self._number))
        weight, tone = {DONE: (400, "accent"), NOW: (600, "text"), LATER: (400, "muted")}[self._state]
        painter.setFont(self._theme.font("ui", weight))
        painter.setPen(self._theme.color(tone))
        name = self.rect().adjusted(circle.right() + self._theme.px(GAP_PX), 0, 0, 0)
        painter.drawText(name, int(Qt.AlignmentFlag.AlignVCenter), self.text())
        if self.hasFocus():
            painter.setPen(QPen(self._theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 6, 6)
        painter.end()
