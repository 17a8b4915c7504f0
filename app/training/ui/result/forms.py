"""使う形: what the tuned model can be given out as, with what each was measured to take; one is chosen."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QRadioButton

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.result_view import FormChoice
from app.training.services.gate import GateProgress
from app.training.ui.result import words
from app.training.ui.result.badge import Badge
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, CardGrid, FlowBox
from app.uikit.widgets.labels import Label
from app.uikit.widgets.progress_row import ProgressRow

WIDE_PX = 520
COLUMNS = 5


class FormsCard(Card):
    """Hidden until a run is judged."""

    chosen = Signal(str)  # form
    make_requested = Signal(str)  # form

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self.title.setText(phrase("training.form_to_use"))
        self._theme = theme
        self._choices: tuple[FormChoice, ...] = ()
        self._is_wide = True
        self._why_not = ""
        self.form = ""  # the chosen one
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QRadioButton] = {}
        self.grid = CardGrid()
        self.note = Label(role="caption", tone="text2", wraps=True)
        self.make_button = Button(theme, phrase("training.make_this_form"))
        self.measure_button = Button(theme, phrase("training.measure_2"))
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        self._group.buttonClicked.connect(lambda button: self._choose(button.property("form")))
        self.make_button.clicked.connect(lambda: self.make_requested.emit(self.form))
        for widget in (
            self.grid,
            self.note,
            FlowBox(self.make_button, self.measure_button),
            self.progress,
            self.banner,
        ):
            self.column.addWidget(widget)
        self.hide()

    def show_choices(self, choices: Sequence[FormChoice]) -> None:
        """What was chosen stays chosen; the proposed one is at first, or else the first that is there."""
        if self._choices == tuple(choices):
            return
        self._choices = tuple(choices)
        self.setVisible(bool(choices))
        if not choices:
            self.form = ""
            return
        known = {one.form for one in choices}
        ranked = sorted(choices, key=lambda one: (not one.is_proposed, not one.is_made))
        self.form = self.form if self.form in known else ranked[0].form
        self._fill()
        self._settle()

    @property
    def choice(self) -> FormChoice | None:
        return next((one for one in self._choices if one.form == self.form), None)

    def show_obstacle(self, why_not: str) -> None:
        """Why nothing can be made or measured now; "": it can."""
        self._why_not = why_not
        self._settle()

    def show_making(self, progress: GateProgress) -> None:
        if self.progress.isHidden():
            self.begin()
        what = phrase(f"training.run_gating.{progress.phase}", form=words.form(progress.form))
        told = phrase("training.making_a_b_what")
        self.progress.say(told.format(a=progress.number, b=progress.steps, what=what))
        self.progress.set_progress(progress.done, progress.total, is_bytes=progress.phase != "score")

    def begin(self) -> None:
        self.banner.hide()
        self.progress.start(phrase("training.getting_ready"))
        self._settle()

    def finish(self, error: AppError | None) -> None:
        self.progress.finish()
        if error is not None:
            told = describe_error(error)
            self.banner.show_message("danger", told.message, told.next)
        self._settle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(WIDE_PX)
        if is_wide != self._is_wide:
            self._is_wide = is_wide
            self._fill()

    # ------------------------------------------------------------------- private

    def _choose(self, form: str) -> None:
        self.form = form
        self._settle()
        self.chosen.emit(form)

    def _fill(self) -> None:
        focused = next((form for form, button in self.buttons.items() if button.hasFocus()), "")
        for button in self.buttons.values():
            self._group.removeButton(button)
        self.buttons = {}
        self.grid.clear()
        if self._is_wide:
            names = (phrase("training.form"), phrase("common.size"), "tok/s", phrase("training.loss_added"), "")
            for column, name in enumerate(names):
                self.grid.put(Label(name, "caption", "muted"), column, is_number=0 < column < COLUMNS - 1)
            self.grid.rule(COLUMNS)
        self.grid.grid.setColumnStretch(0, 1)
        for one in self._choices:
            self._add(one)
        if focused in self.buttons:
            self.buttons[focused].setFocus()

    def _add(self, one: FormChoice) -> None:
        button = self.buttons[one.form] = QRadioButton(words.form(one.form))
        button.setProperty("form", one.form)
        button.setChecked(one.form == self.form)
        self._group.addButton(button)
        cells, badge = self._cells(one), self._badge(one)
        button.setAccessibleDescription(join_facts(*cells, badge.words.text() if badge else ""))
        self.grid.put(button, 0)
        if self._is_wide:
            for column, cell in enumerate(cells, 1):
                self.grid.put(Label(cell, "caption"), column, is_number=True)
            if badge:
                self.grid.put(badge, COLUMNS - 1)
        else:
            if badge:
                self.grid.put(badge, 1)
            self.grid.next_row()
            names = ("{v}", "{v} tok/s", phrase("training.loss_v"))
            told = join_facts(*(name.format(v=cell) for name, cell in zip(names, cells, strict=False)))
            self.grid.put(Label(told if one.row else cells[0], "caption", "text2", wraps=True), 0, span=2)
        self.grid.rule(COLUMNS if self._is_wide else 2)

    def _cells(self, one: FormChoice) -> tuple[str, str, str]:
        row = one.row
        if row is None:
            return phrase("training.not_measured"), "–", "–"
        speed = f"{row.write_tokens_per_s:.1f}" if row.write_tokens_per_s else "–"
        return words.size(row.size_bytes), speed, words.signed(row.loss_nats) if row.loss_nats is not None else "–"

    def _badge(self, one: FormChoice) -> Badge | None:
        if one.is_proposed:
            return Badge(self._theme, "check", "accent", phrase("training.recommended"))
        if one.row is not None and not one.row.fits:
            return Badge(self._theme, "circle-x", "danger", phrase("common.not_enough_memory"))
        if one.is_lossy:
            return Badge(self._theme, "triangle-alert", "warning", phrase("training.large_loss"))
        return None

    def _settle(self) -> None:
        one, is_making = self.choice, not self.progress.isHidden()
        is_missing = one is not None and not one.is_made
        self.make_button.setVisible(is_missing and not is_making)
        self.measure_button.setVisible(any(choice.row is None for choice in self._choices) and not is_making)
        for radio in self.buttons.values():
            radio.setEnabled(not is_making)
        for button in (self.make_button, self.measure_button):
            button.setEnabled(not self._why_not)
            button.setAccessibleDescription(self._why_not)
        told = [phrase("training.there_is_no_file_of")] if is_missing else []
        is_offered = self.make_button.isVisibleTo(self) or self.measure_button.isVisibleTo(self)
        told += [f"▲ {self._why_not}"] if self._why_not and is_offered else []
        self.note.setText("\n".join(told))
        self.note.setVisible(bool(told) and not is_making)
