"""Provide rows of forms: settings, choosers, check boxes, files and folders, and cards of which one is chosen."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QComboBox, QFrame, QRadioButton, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column, make_row, make_scrollable, set_direction
from app.uikit.widgets.labels import ElidedLabel, Label, Separator

LABEL_WIDTH_PX = 168
CONTROL_WIDTH_PX = 220


class SettingRow(QWidget):
    """A label, its control, and a sentence that explains it, also as accessible name and description."""

    def __init__(
        self, theme: Theme, label: str, control: QWidget, sentence: str = "", *, is_wide: bool = False
    ) -> None:
        """`is_wide`: the control takes the full width beside the label."""
        super().__init__()
        self._theme = theme
        self._is_wide = is_wide
        self.control = control
        control.setAccessibleName(label)
        control.setAccessibleDescription(sentence)
        self._label = Label(label)
        self._label.setBuddy(control)
        self._build(sentence)
        theme.changed.connect(self._resize)

    def set_stacked(self, is_stacked: bool) -> None:
        """Put the label above the control (`is_stacked`) or beside it."""
        set_direction(self._row, is_row=not is_stacked)
        self._row.setSpacing(4 if is_stacked else 16)

    def show_note(self, words: str) -> None:
        """Show a line on the state below the control; "": none. ✓ or ▲ as its first character sets the colour."""
        self._note.set_tone({"✓": "success", "▲": "warning"}.get(words[:1], "accent"))
        self._note.setText(words)
        self._note.setVisible(bool(words))

    def _build(self, sentence: str) -> None:
        self._note = Label("", "caption", "accent", wraps=True, strong=True, shrinks=True)
        self._note.hide()
        explained = make_column(spacing_px=4)
        if self._is_wide:
            explained.addWidget(self.control)
        else:
            explained.addWidget(self.control, 0, Qt.AlignmentFlag.AlignLeft)
        explained.addWidget(self._note)
        if sentence:
            explained.addWidget(Label(sentence, "caption", "muted", wraps=True, shrinks=True))
        self._row = make_row((self._label, 0, Qt.AlignmentFlag.AlignTop), (explained, 1), into=self, spacing_px=16)
        self._resize()

    def _resize(self) -> None:
        # Not a minimum: Qt keeps the earlier one in the label's size hint.
        self._label.setFixedSize(self._theme.px(LABEL_WIDTH_PX), self._theme.metric("button_height"))
        if not self._is_wide:
            self.control.setMinimumWidth(self._theme.px(CONTROL_WIDTH_PX))


class Chooser(QComboBox):
    """A combo box for a setting. It calls `on_chosen` with a value only if the user picks it."""

    def __init__(self, choices: Sequence[tuple[str, Any]], on_chosen: Callable[[Any], None]) -> None:
        """`choices`: the text and value of each choice."""
        super().__init__()
        self.set_choices(choices)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(lambda place: on_chosen(self._values[place]))

    def set_choices(self, choices: Sequence[tuple[str, Any]]) -> None:
        self._values = [value for _, value in choices]
        self.clear()
        self.addItems([words for words, _ in choices])

    @property
    def value(self) -> Any:
        return self._values[self.currentIndex()]

    def show_value(self, value: Any) -> None:
        """Select a value. One that is not among the choices, as a file edited by hand may have, is added to them."""
        if value not in self._values:
            self._values.append(value)
            self.addItem(f"{value:,}" if isinstance(value, int) else str(value))
        self.setCurrentIndex(self._values.index(value))

    def wheelEvent(self, event: Any) -> None:
        """Ignore the wheel: scrolling the page must not change a setting under the mouse."""
        event.ignore()


class CheckRow(QWidget):
    """A check box with a title and facts, each on one elided line, which a click toggles, too."""

    toggled = Signal(bool)

    def __init__(self, title: str, facts: str, *, is_checked: bool = False, is_fixed: bool = False) -> None:
        """`is_fixed`: the user cannot change the state."""
        super().__init__()
        self.box = QCheckBox()
        self.box.setAccessibleName(title)
        self.box.setAccessibleDescription(facts)
        self.box.setChecked(is_checked)
        self.box.setEnabled(not is_fixed)
        self.box.toggled.connect(self.toggled)
        self._facts = ElidedLabel(facts, "caption", "text2")
        words = make_column(ElidedLabel(title, strong=True), self._facts, spacing_px=0)
        make_row(
            (self.box, 0, Qt.AlignmentFlag.AlignTop), (words, 1), into=self, margins_px=(12, 6, 12, 6), spacing_px=10
        )

    def show_facts(self, facts: str) -> None:
        self._facts.setText(facts)
        self.box.setAccessibleDescription(facts)

    @property
    def is_checked(self) -> bool:
        return self.box.isChecked()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.box.isEnabled() and event.button() == Qt.MouseButton.LeftButton:
            self.box.toggle()
            self.box.setFocus(Qt.FocusReason.MouseFocusReason)
        super().mouseReleaseEvent(event)


class PathRow(QWidget):
    """A row for a file or folder: a title, a sentence, the path, and buttons to choose and to remove it."""

    choose_requested = Signal()
    cleared = Signal()

    def __init__(self, theme: Theme, title: str, sentence: str, *, can_clear: bool = True) -> None:
        super().__init__()
        self._can_clear = can_clear
        self.choose_button = Button(theme, phrase("uikit.choose"), icon="folder-open", compact=True)
        self.choose_button.setAccessibleName(f"{title} {self.choose_button.text()}")
        self.clear_button = Button(theme, phrase("common.remove"), compact=True)
        self.clear_button.setAccessibleName(f"{title} {self.clear_button.text()}")
        self.path = ElidedLabel(tone="text2")
        self.note = Label(sentence, "caption", "muted", wraps=True)
        self.note.setVisible(bool(sentence))
        row = make_row((self.path, 1), self.clear_button, self.choose_button, spacing_px=8)
        make_column(Label(title, strong=True), row, self.note, into=self, margins_px=(12, 8, 12, 8), spacing_px=2)
        self.choose_button.clicked.connect(self.choose_requested)
        self.clear_button.clicked.connect(self.cleared)
        self.show_path("")

    def show_path(self, path: str) -> None:
        """Show the path; "" for none."""
        self.path.setText(path or phrase("uikit.not_chosen"))
        self.clear_button.setVisible(self._can_clear and bool(path))

    def show_note(self, words: str, tone: str) -> None:
        self.note.setText(words)
        self.note.set_tone(tone)
        self.note.setVisible(bool(words))


class ChoiceCard(QWidget):
    """A card of a `CardChoice`, chosen by a click anywhere: then tinted, with a strong outline and its button."""

    def __init__(self, theme: Theme, name: str, *, is_quiet: bool = False) -> None:
        """`is_quiet`: a card that is not chosen has no background and outline."""
        super().__init__()
        self._theme = theme
        self._is_quiet = is_quiet
        self.radio = QRadioButton(name)
        self.radio.toggled.connect(self.update)

    @property
    def can_be_chosen(self) -> bool:
        return self.radio.isEnabled()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # so that this card receives the release too

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        is_here = event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint())
        if is_here and self.can_be_chosen:
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
        line = "accent" if is_chosen else "control" if self.can_be_chosen else "line"
        painter.setPen(QPen(self._theme.color(line), width))
        painter.setBrush(self._theme.color("accent_soft" if is_chosen else "base"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(edge, edge, -edge, -edge), radius, radius)


class CardChoice(QWidget):
    """A choice of one among several cards."""

    chosen = Signal(str)  # the key of the card that the user has chosen

    def __init__(self, cards: Mapping[str, ChoiceCard]) -> None:
        super().__init__()
        self._cards = cards
        self._group = QButtonGroup(self)
        for card in cards.values():
            self._group.addButton(card.radio)
        self._group.buttonClicked.connect(lambda _button: self.chosen.emit(self.key))

    @property
    def key(self) -> str:
        """Return the key of the chosen card; "" if none is chosen."""
        return next((key for key, card in self._cards.items() if card.radio.isChecked()), "")

    def show_key(self, key: str) -> None:
        """Choose the card with this key; "" for none."""
        self._group.setExclusive(False)
        for name, card in self._cards.items():
            card.radio.setChecked(name == key)
        self._group.setExclusive(True)

    def focus_chosen(self) -> None:
        radio = self._group.checkedButton() or next(iter(self._cards.values())).radio
        radio.setFocus(Qt.FocusReason.OtherFocusReason)


class DescribedChoice(CardChoice):
    """A choice among a few answers, each with a sentence."""

    def __init__(self, theme: Theme, answers: Mapping[str, tuple[str, str]]) -> None:
        """`answers`: the name and sentence for each key."""
        names: list[QRadioButton] = []
        self.answers = {key: DescribedChoiceCard(theme, *words, names) for key, words in answers.items()}
        super().__init__(self.answers)
        make_column(*self.answers.values(), into=self, spacing_px=SPACING_PX)


SIDE_BY_SIDE_PX = 480  # the least width of a card with its sentence beside the name
SPACING_PX = 8
MARK_PX = 24  # width of the radio button with its gap


class DescribedChoiceCard(ChoiceCard):
    """A card with an answer and a sentence. `show_obstacle` disables it and shows the reason instead."""

    def __init__(self, theme: Theme, name: str, sentence: str, names: list[QRadioButton]) -> None:
        """`names`: those of all cards, to which its own is added; the sentences stand beside the widest."""
        super().__init__(theme, name)
        self._names = names
        names.append(self.radio)
        self._sentence = sentence
        self.radio.setAccessibleDescription(sentence)
        self.radio.setProperty("described", True)
        self.about = Label(sentence, tone="text2", wraps=True)
        self._row = make_row(self.radio, (self.about, 1), into=self)
        theme.changed.connect(self._lay_out)

    def show_obstacle(self, reason: str) -> None:
        """Disable the card and show why; "" enables it again."""
        self.radio.setEnabled(not reason)
        self.about.setText(reason or self._sentence)
        self.radio.setAccessibleDescription(self.about.text())
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        """Put the sentence beside the name, aligned with those of other cards, or on a narrow card below it."""
        theme = self._theme
        is_wide = self.width() >= theme.px(SIDE_BY_SIDE_PX)
        set_direction(self._row, is_row=is_wide)
        self._row.setContentsMargins(14, 8, 14, 8)
        self._row.setSpacing(12 if is_wide else 2)
        self.radio.setMinimumWidth(max(name.sizeHint().width() for name in self._names) if is_wide else 0)
        self.about.setContentsMargins(0 if is_wide else theme.px(MARK_PX), 0, 0, 0)


LIST_PX = 300
LEAST_PX = 92
OTHERS_PX = 230  # height of the rest of the dialog
SIDES_PX = 80  # total width of the left and right margins of the dialog and of a row


class CheckableList(QFrame):
    """Shows rows in a framed, scrolling list."""

    changed = Signal()  # a row was checked or unchecked

    def __init__(self, theme: Theme, name: str, window: QWidget) -> None:
        """Build the list. `name`: for screen readers. `window`: the dialog's parent, which limits the list's height."""
        super().__init__()
        self.setProperty("surface", "card")
        self.setAccessibleName(name)
        self.rows: dict[str, CheckRow] = {}
        content = QWidget()
        self._rows = make_column(Stretch(), into=content, margins_px=(0, 4, 0, 4), spacing_px=0)
        self.area = make_scrollable(content)
        make_column(self.area, into=self, margins_px=(1, 1, 1, 1))
        self._content = content
        self._sides = theme.px(SIDES_PX)
        available = window.height() - theme.px(OTHERS_PX)
        self._least, self._most = theme.px(LEAST_PX), max(theme.px(LEAST_PX), min(theme.px(LIST_PX), available))
        self.setFixedHeight(self._most)

    def fit(self, dialog_width: int) -> None:
        """Fit the list's height to its content in a dialog of `dialog_width` pixels, within the limits."""
        width, layout = dialog_width - self._sides, self._content.layout()
        assert layout is not None
        needed = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.totalSizeHint().height()
        self.setFixedHeight(max(self._least // 2, min(self._most, needed + 14)))

    def add_row(self, key: str, row: CheckRow) -> None:
        self.rows[key] = row
        row.toggled.connect(self.changed)
        self.add(row)

    def add(self, widget: QWidget) -> None:
        if self._rows.count() > 1:
            self._rows.insertWidget(self._rows.count() - 1, Separator())
        self._rows.insertWidget(self._rows.count() - 1, widget)
        widget.show()

    def marked(self) -> list[str]:
        """Return the keys of the checked rows that can be changed."""
        return [key for key, row in self._free() if row.is_checked]

    def first_box(self) -> QWidget | None:
        return next((row.box for _key, row in self._free()), None)

    def _free(self) -> Iterable[tuple[str, CheckRow]]:
        return ((key, row) for key, row in self.rows.items() if row.box.isEnabled())
