"""Step 6, 結果: show whether a run has improved its base, choose the form to use, and compare answers to questions."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from app.base import plots
from app.base.bootstrap import ConfidenceInterval
from app.base.errors import AppError
from app.base.plots import PlotEstimate, PlotRow
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.models.artifact_steps import StepProgress
from app.training import run_result
from app.training.quality_gate import BASE_ADAPTER
from app.training.run_result import CategoryLoss, CategoryLosses, GateCondition, RunResult
from app.training.services.adapter_trial import AdapterTrial
from app.training.services.training_runner import TrainingRunner
from app.training.ui import run_texts, verdict_texts
from app.training.ui.answer_cards import AnswerPairsCard, TryItCard
from app.training.ui.verdict_cards import FormsCard, StatusBadge, TableCard, VerdictCard
from app.training.ui.wizard import MARGIN_PX, WizardStep
from app.uikit.localization import join_facts, with_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, CardGrid, Stretch, make_column, make_row, set_direction
from app.uikit.widgets.labels import Label
from app.uikit.widgets.svg_plot import SvgPlot

GAP_PX = 16
WIDE_PX = 920  # minimum width for two columns


class ResultStep(WizardStep):
    """The step of a finished run. It reads the run's folder whenever it is shown."""

    use_requested = Signal(str)  # form
    retrain_requested = Signal(str)  # preset; "": with other rows

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        folder: Path,
        trainings: TrainingRunner,
        trial: AdapterTrial,
        form_in_use: Callable[[], str],
    ) -> None:
        """Create the step.

        `form_in_use`: returns which of this run's models answers questions now, such as "base+adapter" or "Q4_K_M"; ""
        if none does.
        """
        super().__init__(theme)
        self._navigation = navigation
        self._folder = folder
        self._trainings = trainings
        self._form_in_use = form_in_use
        self._is_focus_pending = False
        self.view: RunResult | None = None  # None: not read yet
        self.trial = trial
        trial.setParent(self)
        self.compare_button = Button(
            theme, phrase("training.compare_in_detail_under_evaluation"), "quiet", "chart-line"
        )
        self.rollback_button = Button(theme, phrase("common.back_to_the_base_model"), "", "undo-2")
        self.verdict = VerdictCard(theme)
        self.in_use = Label(tone="success", wraps=True)
        self.resumed_note = Label(phrase("training.this_training_went_on_from"), "caption", "text2", wraps=True)
        self.gate_table = GateTable(theme)
        self.forms = FormsCard(theme)
        self.categories = CategoriesCard(theme)
        self.pairs = AnswerPairsCard(theme)
        self.trying = TryItCard(theme, self.trial)
        self._content = QWidget()
        self._build()
        self._connect()

    @property
    def header_actions(self) -> Sequence[QWidget]:
        return (self.rollback_button,) if self._form_in_use() else ()

    def show_draft(self) -> None:
        folder = self._folder
        background.run(lambda: run_result.read_result(folder), self._on_read, self.banner.show_error)

    def focus_first(self) -> None:
        self._is_focus_pending = True
        self._focus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        set_direction(self._columns, is_row=self.width() >= self._theme.px(WIDE_PX))

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        left = make_column(self.gate_table, self.forms, self.trying, Stretch(), spacing_px=GAP_PX)
        right = make_column(self.categories, self.pairs, Stretch(), spacing_px=GAP_PX)
        self._columns = make_row((left, 1), (right, 1), spacing_px=GAP_PX)
        make_column(
            self.verdict,
            self.in_use,
            self.resumed_note,
            self._columns,
            (self.compare_button, 0, Qt.AlignmentFlag.AlignLeft),
            into=self._content,
            spacing_px=GAP_PX,
        )
        make_column(
            self.banner,
            self._content,
            Stretch(),
            into=self,
            margins_px=(MARGIN_PX, 20, MARGIN_PX, 20),
            spacing_px=GAP_PX,
        )
        self._content.hide()

    def _connect(self) -> None:
        trainings, verdict, forms = self._trainings, self.verdict, self.forms
        verdict.use_button.clicked.connect(lambda: self.use_requested.emit(self._form_to_use))
        verdict.advice_button.clicked.connect(lambda: self.retrain_requested.emit(verdict.advised_preset))
        verdict.fold_button.toggled.connect(self._show_details)
        self.compare_button.clicked.connect(lambda: self._navigation.page_requested.emit("evaluation"))
        forms.chosen.connect(self._update_actions)
        forms.make_requested.connect(self._make)
        forms.progress.cancelled.connect(trainings.pause)
        trainings.making.connect(self._on_making)
        trainings.made.connect(self._on_made)
        trainings.started.connect(self._update_actions)
        trainings.ended.connect(self._update_actions)
        trainings.refusal_changed.connect(self._update_actions)

    @property
    def _form_to_use(self) -> str:
        """Return the form to use; for a run that is not judged, the adapter on its base."""
        return self.forms.form or BASE_ADAPTER

    def _on_read(self, view: RunResult) -> None:
        self.view = view
        self.verdict.show_result(view)
        self.resumed_note.setVisible(view.is_further)
        self.gate_table.show_conditions(view.conditions)
        self.forms.show_choices(view.forms)
        self.categories.show_categories(view.categories)
        self.pairs.show_pairs(view.pairs)
        self._show_details()
        self._content.show()
        self._update_actions()
        if self._is_focus_pending:
            self._focus()

    def _show_details(self) -> None:
        """Show each card that has content, but those of a rejection only on request."""
        view, is_shown = self.view, self.verdict.shows_details
        if view is None:
            return
        cards: tuple[tuple[QWidget, object], ...] = (
            (self.gate_table, view.conditions), (self.forms, view.forms), (self.trying, view.has_adapter),
            (self.categories, view.categories.rows), (self.pairs, view.pairs), (self.compare_button, True),
        )  # fmt: skip
        for card, content in cards:
            card.setVisible(is_shown and bool(content))

    def _update_actions(self, *_: object) -> None:
        """Enable the actions that are possible now."""
        if self.view is None:
            return
        trainings, choice = self._trainings, self.forms.choice
        is_ours = bool(trainings.form) and trainings.folder == self._folder
        is_training = trainings.folder is not None
        refusal = trainings.refusal
        busy = phrase("training.training_or_judging_is_under") if is_training else ""
        busy = describe_error(refusal).message if refusal is not None else busy
        self.forms.show_obstacle("" if is_ours else busy)
        self.trying.show_obstacle(busy)
        is_missing = choice is not None and not choice.is_made
        why_not = phrase("training.make_the_form_that_is") if is_missing else ""
        if self.view.gate is None and self.view.can_judge:
            why_not = busy
        self.verdict.show_obstacle(why_not, can_use=not is_missing, can_judge=not busy)
        used = self._form_in_use()
        self.in_use.setVisible(bool(used))
        self.in_use.setText(phrase("training.in_use_for_questions") if used else "")
        self.header_changed.emit()

    def _focus(self) -> None:
        if self.view is None:
            return
        self._is_focus_pending = False
        verdict = self.verdict
        use = () if verdict.is_rejected else (verdict.use_button,)
        buttons = (verdict.judge_button, verdict.advice_button, *use, verdict.report_button, self.compare_button)
        first = next(one for one in buttons if one.isVisibleTo(self) and one.isEnabled())
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _make(self, form: str) -> None:
        try:
            self._trainings.make_model_file(self._folder, form)
        except AppError as error:
            self.forms.finish(error)
            return
        if self._trainings.form:  # "": making the form has already ended
            self.trial.stop()
            self.forms.begin()
            self._update_actions()

    def _on_making(self, progress: StepProgress) -> None:
        if self._trainings.folder == self._folder:
            self.forms.show_making(progress)

    def _on_made(self, folder: Path, error: AppError | None) -> None:
        if folder == self._folder:
            self.forms.finish(error)
            self.show_draft()
        self._update_actions()


class GateTable(TableCard):
    """A table of the gate's conditions (合格の条件): the measured quantity, the limit, and the value."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, phrase("training.acceptance_gate"))
        self._conditions: tuple[GateCondition, ...] = ()

    def show_conditions(self, conditions: Sequence[GateCondition]) -> None:
        self._conditions = tuple(conditions)
        self._refill()

    # ------------------------------------------------------------- private methods

    def _fill(self) -> None:
        if self._is_wide:
            names = (
                phrase("training.what"),
                phrase("training.condition"),
                phrase("training.result"),
                phrase("training.verdict"),
            )
            for column, (name, stretch) in enumerate(zip(names, (4, 4, 5, 0), strict=True)):
                self.grid.put(Label(name, "caption", "muted"), column)
                self.grid.grid.setColumnStretch(column, stretch)
            self.grid.add_separator(4)
        else:
            self.grid.grid.setColumnStretch(0, 1)
        for at, condition in enumerate(self._conditions):
            self._add(condition)
            if at + 1 < len(self._conditions):
                self.grid.add_separator(4 if self._is_wide else 2)

    def _add(self, condition: GateCondition) -> None:
        name, wanted, found = verdict_texts.condition_texts(condition)
        badge = StatusBadge(
            self._theme, *verdict_texts.LEVEL_SIGNS[condition.level], verdict_texts.level_name(condition.level)
        )
        badge.words.setAccessibleName(with_note(name, verdict_texts.level_name(condition.level)))
        self.grid.put(Label(name, wraps=True), 0)
        if self._is_wide:
            self.grid.put(Label(wanted, "caption", "text2", wraps=True), 1)
            self.grid.put(Label(found, "caption", wraps=True), 2)
            self.grid.put(badge, 3)
            return
        self.grid.put(badge, 1)
        self.grid.next_row()
        text = phrase("training.condition_wanted_result_found", wanted=wanted, found=found)
        self.grid.put(Label(text, "caption", "text2", wraps=True), 0, span=2)


class CategoriesCard(Card):
    """A card with the losses before and after training by category (分野別), as a plot or a table."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self.table_button = Button(theme, phrase("training.show_as_a_table"), "link")
        self.table_button.setCheckable(True)
        self.head.addWidget(self.table_button, 0, Qt.AlignmentFlag.AlignTop)
        self._rows: list[PlotRow] = []
        self.plot = SvgPlot(theme, lambda width, _height: _category_plot(self._rows, width))
        self.table = CardGrid()
        self._about = Label(phrase("training.bars_are_95_intervals_at"), "caption", "text2", wraps=True)
        for widget in (self._about, self.plot, self.table):
            self.column.addWidget(widget)
        self.table_button.toggled.connect(self._show_table)
        self._show_table(False)

    def show_categories(self, losses: CategoryLosses) -> None:
        self.title.setText(verdict_texts.category_title(losses))
        self._rows = [_plot_row(row) for row in losses.rows]
        self.plot.redraw()
        texts = (
            join_facts(verdict_texts.category_name(row.name), verdict_texts.format_change(row.change.mean))
            for row in losses.rows
        )
        self.plot.setAccessibleName(join_facts(self.title.text(), *texts))
        with self.table.refilled():
            if losses.rows:
                self._fill(losses)

    # ------------------------------------------------------------- private methods

    def _fill(self, losses: CategoryLosses) -> None:
        """Fill the table. A name is above its numbers, because they do not fit side by side at a large text size."""
        names = (
            phrase("training.count"),
            phrase("training.before"),
            phrase("training.after"),
            phrase("training.change"),
        )
        for column, name in enumerate(names):
            self.table.put(Label(name, "caption", "muted"), column, is_number=True)
            self.table.grid.setColumnStretch(column, 1 if column else 0)
        self.table.add_separator(len(names))
        for row in losses.rows:
            self.table.put(
                Label(verdict_texts.category_name(row.name), "caption", strong=True, wraps=True), 0, span=len(names)
            )
            self.table.next_row()
            texts = (
                _mean_and_interval(row.before, run_texts.format_loss),
                _mean_and_interval(row.after, run_texts.format_loss),
                _mean_and_interval(row.change, verdict_texts.format_change),
            )
            for column, cell in enumerate((f"{row.count:,}", *texts)):
                self.table.put(Label(cell, "caption", wraps=column > 0), column, is_number=True)
            self.table.add_separator(len(names))

    def _show_table(self, is_table: bool) -> None:
        self.table_button.setText(
            phrase("training.show_as_a_chart") if is_table else phrase("training.show_as_a_table")
        )
        self.plot.setVisible(not is_table)
        self._about.setVisible(not is_table)
        self.table.setVisible(is_table)


def _mean_and_interval(interval: ConfidenceInterval, number: Callable[[float], str]) -> str:
    return f"{number(interval.mean)}\n{verdict_texts.range_text(number(interval.low), number(interval.high))}"


def _plot_row(row: CategoryLoss) -> PlotRow:
    name = with_note(verdict_texts.category_name(row.name), f"{row.count:,}")
    estimates = (_estimate(row.before, is_after=False), _estimate(row.after, is_after=True))
    return PlotRow(name, verdict_texts.format_change(row.change.mean), estimates)


def _estimate(interval: ConfidenceInterval, *, is_after: bool) -> PlotEstimate:
    return PlotEstimate(interval.mean, interval.low, interval.high, "one" if is_after else "two", not is_after)


def _category_plot(rows: Sequence[PlotRow], width: float) -> str:
    names = phrase("training.before"), phrase("training.after")
    looks = zip(names, rows[0].estimates, strict=True) if rows else ()
    return plots.interval_plot("", rows, legend=list(looks), width=width)
