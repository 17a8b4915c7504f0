"""The presets to choose from: three cards with what each takes, and a quiet row for the one of the paper."""

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QRadioButton, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training import problems
from app.training.planning import Plan
from app.training.services.training_preview import Outlook
from app.training.ui.model import words
from app.uikit import localization
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

SIDE_BY_SIDE_PX = 200  # the least width of a card, three in a row
UNKNOWN = "—"


class PresetCards(QWidget):
    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._group = QButtonGroup(self)
        self.cards: dict[str, PresetCard] = {name: PresetCard(theme, name) for name in words.CARDS}
        self.paper = PresetCard(theme, words.PAPER, is_quiet=True)
        self._all = {**self.cards, words.PAPER: self.paper}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        for name, card in self._all.items():
            self._group.addButton(card.radio)
            card.radio.clicked.connect(lambda _=False, name=name: self.chosen.emit(name))
        self._columns = 0
        self._lay_out()
        theme.changed.connect(self._lay_out)

    def show_presets(self, chosen: str, outlooks: Mapping[str, Outlook], *, is_working: bool) -> None:
        """Without an outlook a card says that it is computed (`is_working`), or nothing."""
        for name, card in self._all.items():
            card.radio.setChecked(name == chosen)
            outlook = outlooks.get(name)
            card.show_plan(outlook.plan if outlook else None, is_working=is_working)
            card.update()

    def focus_chosen(self) -> None:
        checked = self._group.checkedButton() or self.cards[problems.RECOMMENDED_PRESET].radio
        checked.setFocus(Qt.FocusReason.OtherFocusReason)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        """Cards side by side, or one below the other."""
        columns = 3 if self.width() >= 3 * self._theme.px(SIDE_BY_SIDE_PX) else 1
        if columns == self._columns:
            return
        self._columns = columns
        for card in self._all.values():
            self._grid.removeWidget(card)
        for place, card in enumerate(self.cards.values()):
            self._grid.addWidget(card, place // columns, place % columns)
        self._grid.addWidget(self.paper, 3, 0, 1, columns)
        for column in range(3):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)


class PresetCard(QWidget):
    """A click anywhere on it chooses it. Chosen: soft ground, strong outline and the mark of its radio button."""

    def __init__(self, theme: Theme, name: str, *, is_quiet: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self.radio = QRadioButton(problems.preset_name(name))
        self._sentence = Label(words.preset_sentence(name), "caption", "text2", wraps=True)
        self._names = [Label("", "caption", "muted") for _ in range(3)]
        self.values = [Label(UNKNOWN, "ui", strong=True) for _ in range(3)]
        self.line = Label(role="caption", tone="text2", wraps=True)  # all three, of a quiet card
        self.note = Label(role="caption", tone="warning", wraps=True)
        self.note.hide()
        self._is_quiet = is_quiet
        self._build(is_recommended=name == problems.RECOMMENDED_PRESET)
        self.radio.toggled.connect(self.update)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_plan(self, plan: Plan | None, *, is_working: bool) -> None:
        device = plan.device.kind if plan else ""
        names = (phrase("training.time"), words.memory_name(device), phrase("training.disk"))
        if plan is not None:
            shown = [localization.format_about_time(plan.time.total_s)]
            shown += [localization.format_gigabytes(size) for size in (plan.memory.total, plan.disk.training)]
        else:
            shown = [phrase("training.computing") if is_working else UNKNOWN] * 3
        for label, name in zip(self._names, names, strict=True):
            label.setText(name)
        for label, value in zip(self.values, shown, strict=True):
            label.setText(value)
        facts = join_facts(*(f"{name} {value}" for name, value in zip(names, shown, strict=True)))
        self.line.setText(facts if plan is not None else shown[0])
        self._show_note(plan)
        self.radio.setAccessibleDescription(join_facts(self._sentence.text(), facts, self.note.text()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.radio.click()
            self.radio.setFocus(Qt.FocusReason.MouseFocusReason)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        is_chosen = self.radio.isChecked()
        if self._is_quiet and not is_chosen:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2 if is_chosen else 1
        edge = width / 2
        painter.setPen(QPen(self._theme.color("accent" if is_chosen else "control"), width))
        painter.setBrush(self._theme.color("accent_soft" if is_chosen else "base"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(edge, edge, -edge, -edge), radius, radius)

    # ------------------------------------------------------------------- private

    def _build(self, *, is_recommended: bool) -> None:
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.radio)
        head.addStretch(1)
        if is_recommended:
            head.addWidget(Label(phrase("training.recommended"), "caption", "accent", strong=True))
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self._sentence)
        if self._is_quiet:
            column.addWidget(self.line)
        else:
            column.addStretch(1)
            column.addLayout(self._facts())
        column.addWidget(self.note)

    def _restyle(self) -> None:
        self.radio.setFont(self._theme.font("ui", 400 if self._is_quiet else 600))
        self.update()

    def _facts(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        for row, (name, value) in enumerate(zip(self._names, self.values, strict=True)):
            grid.addWidget(name, row, 0)
            grid.addWidget(value, row, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        grid.setColumnStretch(1, 1)
        return grid

    def _show_note(self, plan: Plan | None) -> None:
        """What is never there, whatever else runs now; what is free at the moment is the check's."""
        text = ""
        if plan is not None and plan.memory.total > plan.device.memory_bytes:
            all_of_it = localization.format_gigabytes(plan.device.memory_bytes)
            text = phrase("training.more_than_the_memory_of", size=all_of_it)
            if plan.device.kind == "cuda":
                text = phrase("training.more_than_the_memory_of_this_gpu", size=all_of_it)
        self.note.setText(text)
        self.note.setVisible(bool(text))
