"""Every system in a row: its mean with the interval, in numbers and drawn, and what else is known of it."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.wording import phrase
from app.evaluation.report.result_shown import ResultShown, SystemShown
from app.evaluation.ui.result import words
from app.evaluation.ui.result.grid import INDENT_PX, RowGrid
from app.evaluation.ui.result.span_plot import Axis, Scale, SpanRow, scale_of
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, FlowBox
from app.uikit.widgets.labels import Label, plain_tooltip

NAME_PX, PLOT_PX, COLUMN_PX = 150, 150, 84


@dataclass(frozen=True, slots=True)
class Column:
    """`is_drawn`: what the plot shows; it stands before that."""

    name: str
    said: Callable[[SystemShown], str]
    is_drawn: bool = False


class ComparisonCard(Card):
    """Hidden where no system was asked."""

    use_requested = Signal(object)  # System

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self._theme = theme
        self._found: ResultShown | None = None
        self._is_wide = True
        self.about = Label(role="caption", tone="text2", wraps=True)
        self.rows = RowGrid(theme)
        self.column.addWidget(self.about)
        self.column.addWidget(self.rows)
        self.hide()

    def show_result(self, found: ResultShown) -> None:
        self._found = found
        self.setVisible(bool(found.systems))
        count = len(found.systems)
        self.title.setText(
            phrase("evaluation.n_systems_compared", n=count) if count > 1 else phrase("evaluation.results")
        )
        self.about.setText(words.measured_by(found) if found.measure else phrase("evaluation.no_answer_has_a_score"))
        self._is_wide = self._fits()
        self._fill(found)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._found is not None and self._fits() != self._is_wide:
            self._is_wide = not self._is_wide
            self._fill(self._found)

    # ------------------------------------------------------------------- private

    def _fits(self) -> bool:
        columns = self._columns(self._found) if self._found else []
        return self.width() >= self._theme.px(NAME_PX + PLOT_PX + COLUMN_PX * (len(columns) + 1))

    def _columns(self, found: ResultShown) -> list[Column]:
        """Of those beside name and plot, the ones in which anything is known."""
        digits = found.digits
        all_: list[Column] = [
            Column(phrase("evaluation.mean"), lambda one: words.number(one.mean, digits), is_drawn=True),
            Column(words.interval(), lambda one: words.span(one.span, digits), is_drawn=True),
            Column(phrase("evaluation.full_score"), lambda one: words.percent(one.perfect)),
            Column(phrase("evaluation.right_citations"), lambda one: words.percent(one.citation)),
            Column(phrase("evaluation.abstained"), lambda one: words.share(one.abstained)),
            Column(phrase("evaluation.s_question"), lambda one: words.number(one.seconds, 1)),
        ]
        if found.kind != "documents":
            all_.append(Column(phrase("common.size"), lambda one: words.gigabytes(one.system.size_bytes)))
        return [one for one in all_ if any(one.said(system) != words.NONE for system in found.systems)]

    def _fill(self, found: ResultShown) -> None:
        self.rows.clear()
        spans = [one.span for one in found.systems if one.span is not None]
        scale = scale_of(spans) if spans else None
        columns = self._columns(found)
        if self._is_wide:
            self._fill_wide(found, columns, scale)
        else:
            self._fill_narrow(found, columns, scale)

    def _fill_wide(self, found: ResultShown, columns: list[Column], scale: Scale | None) -> None:
        rows, px = self.rows, self._theme.px
        before = sum(one.is_drawn for one in columns)
        last = len(columns) + 2
        count = last + 1
        rows.ground("raised")
        rows.put(Label(phrase("evaluation.pairs_system"), "caption", "text2", strong=True), 0)
        rows.grid.setColumnMinimumWidth(0, px(NAME_PX - 30))
        rows.grid.setColumnStretch(0, 3)
        for at, column in enumerate(columns):
            rows.put(Label(column.name, "caption", "text2", strong=True), self._place(at, before), is_number=True)
        rows.grid.setColumnStretch(before + 1, 4 if scale else 0)
        if scale:
            rows.put(Axis(self._theme, scale), before + 1)
        rows.rule(count)
        for number, one in enumerate(found.systems):
            if one.system == found.advised:
                rows.ground("accent_soft")
            rows.put(Label(one.system.name, strong=True, wraps=True), 0)
            for at, column in enumerate(columns):
                rows.put(Label(column.said(one)), self._place(at, before), is_number=True)
            if scale:
                rows.put(SpanRow(self._theme, scale, one.span, number), before + 1)
            rows.put(self._use_button(one), last)
            if number + 1 < len(found.systems):
                rows.rule(count)

    def _place(self, at: int, before: int) -> int:
        """The plot stands behind the mean and its interval."""
        return at + 1 if at < before else at + 2

    def _fill_narrow(self, found: ResultShown, columns: list[Column], scale: Scale | None) -> None:
        """One below another: the name, what is drawn, and the rest in a line."""
        rows = self.rows
        rows.grid.setColumnStretch(0, 1)
        if scale:
            rows.put(Axis(self._theme, scale), 0, span=2)
            rows.rule(2)
        for number, one in enumerate(found.systems):
            rows.put(Label(one.system.name, strong=True, wraps=True), 0)
            rows.put(self._use_button(one), 1)
            rows.next_row()
            if scale:
                rows.put(SpanRow(self._theme, scale, one.span, number), 0, span=2)
                rows.next_row()
            facts = [f"{column.name}\u00a0{column.said(one)}" for column in columns]
            rows.put(_facts(facts, self._theme.px(INDENT_PX)), 0, span=2)
            if number + 1 < len(found.systems):
                rows.rule(2)

    def _use_button(self, one: SystemShown) -> Button:
        """Whether its model is still there is seen when it is used."""
        button = Button(self._theme, phrase("common.use"), "quiet", compact=True)
        button.setAccessibleName(with_note(words.use(), one.system.name))
        button.setToolTip(plain_tooltip(words.use()))
        button.clicked.connect(lambda: self.use_requested.emit(one.system))
        return button


def _facts(told: list[str], indent_px: int) -> QWidget:
    """A line breaks between facts, not in them."""
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(indent_px, 0, indent_px, indent_px)
    labels = [Label(one, "caption", "text2") for one in told]
    for label in labels:
        label.setContentsMargins(0, 0, indent_px, 0)
    column.addWidget(FlowBox(*labels))
    return holder
