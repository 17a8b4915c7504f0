"""Show the fine-tuning page (学習): the list of trainings in the sidebar, and the chosen draft or run.

If no training is chosen, the page explains what fine-tuning is for and offers to start.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import drafts
from app.training.drafts import PLANNED_STEPS, STEPS
from app.training.runs import lineage, rerun, training_list
from app.training.runs.lineage import Lineage
from app.training.runs.training_list import DAMAGED, TrainingEntry, TrainingsOverview
from app.training.services.training_runner import TrainingRunner
from app.training.ui import training_texts
from app.training.ui.step_factory import WizardStepFactory
from app.training.ui.training_actions import TrainingActions
from app.training.ui.wizard import DraftWizard, RunWizard
from app.uikit.page import PAGE_MARGIN_PX, EmptyState, EntryKey, ListDetailPage, NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_row
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, Separator
from app.uikit.widgets.section_bars import StepRail
from trainer.events import TrainingStep

REFRESH_MS = 300  # a run sends events many times a second
RAIL_SPACING_PX = 16
SEARCH_FROM = 8  # number of trainings from which the search field is shown


class TrainingPage(ListDetailPage):
    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        paths: Paths,
        models: Callable[[], Sequence[LocalModel]],
        trainings: TrainingRunner,
        steps: WizardStepFactory,
    ) -> None:
        super().__init__(theme, phrase("common.fine_tuning"), phrase("training.list_of_trainings"))
        self._paths = paths
        self._trainings = trainings
        self._steps = steps
        self._overview = TrainingsOverview()
        self._live: Mapping[EntryKey, str] = {}  # progress texts of the run in progress
        self.content: DraftWizard | RunWizard | None = None
        self._refresh_timer, self._step_timer = (QTimer(self, singleShot=True, interval=REFRESH_MS) for _ in range(2))
        self._step: TrainingStep | None = None  # last step of the run in progress
        self._is_plan = False  # whether a step of a draft is shown
        self._build()
        self.entry_actions = TrainingActions(theme, navigation, paths, models, self)
        self._connect()
        self.refresh()

    @property
    def shown_key(self) -> EntryKey | None:
        match self.content:
            case DraftWizard():
                return "draft", self.content.work.draft.id
            case RunWizard():
                return "run", self.content.folder.name
            case _:
                return None

    def label_now(self) -> confidentiality.Label:
        """Return the current confidentiality label of the shown training; the lowest if none is shown."""
        content = self.content
        if isinstance(content, DraftWizard):
            known = content.work.lineage
        elif content is not None:
            spec = base_models.read_spec(content.folder / base_models.SPEC)
            known = (
                lineage.lineage_of_run(content.folder) if spec is not None else Lineage(confidentiality.HIGHEST_LABEL)
            )
        else:
            return confidentiality.LABELS[0]
        return known.label_now(self._paths.documents)

    def focus_first(self) -> None:
        if self.content is not None:
            self.content.step.focus_first()
        else:
            self.nothing.button.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def refresh(self) -> None:
        """Read the list of trainings and show it."""
        self._refresh_timer.stop()
        self._show_overview(training_list.list_trainings(self._paths))

    def _refresh_in_background(self) -> None:
        """Read the list in a background thread, since many runs take longer than a frame."""
        background.run(lambda: training_list.list_trainings(self._paths), self._show_overview, self.say)

    def _show_overview(self, overview: TrainingsOverview) -> None:
        self._overview = overview
        self.search.setVisible(len(overview.entries) >= SEARCH_FROM or bool(self.search.text()))
        self._show_list(self._live)
        self.header.title.setText(self._title())
        self._mark_shown()

    def _show_list(self, live: Mapping[EntryKey, str]) -> None:
        self._live = live
        self.entries.set_rows(training_texts.list_rows(self._overview.search(self.search.text()), live))

    def open(self, key: EntryKey) -> None:
        """Show a training. `key`: ("draft" | "run", id)."""
        kind, id = key
        if kind == "run":
            self.show_run(self._paths.runs / id)
        else:
            self._show_draft(id)

    def show_run(self, folder: Path, step: str = "") -> None:
        """Show a run. `step`: "run" | "result"; "" for the result if there is one, otherwise the run."""
        running = RunWizard(self._theme, self._trainings, folder, self._steps.run)
        self._put(running)
        running.show_step(step or ("result" if running.has_result else "run"))

    def close_content(self) -> None:
        """Close the shown training, and show the explanation."""
        old, self.content = self.content, None
        if old is not None:
            self._drop(old)
        self._stack.setCurrentWidget(self.nothing)
        self._on_step_shown("")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        if self.content is None and self._overview.in_progress:
            self.list.setCurrentIndex(self.entries.index_of(training_texts.entry_key(self._overview.in_progress[0])))

    def _lay_out(self) -> None:
        """As for every page; the note on saving makes room for the names of the steps."""
        super()._lay_out()
        taken = self.rail.full_width + self._saved.sizeHint().width() + 2 * PAGE_MARGIN_PX + RAIL_SPACING_PX
        self._saved.setVisible(self._is_plan and taken <= self.width())

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        theme = self._theme
        self.new_button = Button(theme, phrase("training.new_run"), icon="plus", compact=True)
        self.search = SearchField(theme, phrase("training.find_by_name_or_note"))
        self.rail = StepRail(theme, [training_texts.step_name(step) for step in STEPS])
        self._saved = Label(phrase("training.the_draft_is_saved_automatically"), "caption", "muted")
        self._rail_row, self._rail_rule = QWidget(), Separator()
        sides = (PAGE_MARGIN_PX, 10, PAGE_MARGIN_PX, 10)
        make_row((self.rail, 1), self._saved, into=self._rail_row, margins_px=sides, spacing_px=RAIL_SPACING_PX)
        self.return_button = Button(theme, phrase("training.take_in_the_result_of"), "quiet", "file-down")
        self.goal_buttons = {
            goal: Button(theme, phrase(f"training.goal_answer.{goal}"), "primary" if goal == "style" else "")
            for goal in ("style", "facts", "both")
        }
        self.nothing = EmptyState(
            phrase("training.train_a_model_on_your"),
            phrase("training.for_example_the_wording_of"),
            *self.goal_buttons.values(),
            self.return_button,
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(self.nothing)
        self._arrange(self._stack, side_widgets=(self.new_button, self.search), above=(self._rail_row, self._rail_rule))
        self._on_step_shown("")

    def _connect(self) -> None:
        actions, trainings = self.entry_actions, self._trainings
        self._connect_actions(actions)
        self.list.rename_requested.connect(lambda: self._with_entry(actions.edit))
        self.list.remove_requested.connect(lambda: self._with_entry(actions.remove))
        self.list.menu_requested.connect(lambda at: self._with_entry(lambda entry: actions.menu(entry, at)))
        self.search.textChanged.connect(lambda: self._show_overview(self._overview))
        self._refresh_timer.timeout.connect(self._refresh_in_background)
        self._step_timer.timeout.connect(self._show_step_progress)
        self.rail.step_chosen.connect(lambda place: self.content.show_step(STEPS[place]) if self.content else None)
        self.new_button.clicked.connect(actions.add)
        for goal, button in self.goal_buttons.items():
            button.clicked.connect(functools.partial(self._add, goal))
        self.return_button.clicked.connect(lambda: actions.take_back())
        actions.draft_named.connect(self._name_draft)
        self._steps.failed.connect(self.say)
        self._steps.retrain_requested.connect(self._retrain)
        trainings.started.connect(self._refresh_soon)
        trainings.ended.connect(self._on_training_ended)
        trainings.event_received.connect(self._on_run_event)
        trainings.judging.connect(self._on_run_event)

    # --------------------------------------------------------------------- shown

    def _refresh_soon(self) -> None:
        self._refresh_timer.start()

    def _show_draft(self, id: str) -> None:
        try:
            draft = drafts.read(self._paths.drafts, id)
        except AppError as error:
            self.say(error)
            return
        if draft.run and Path(draft.run).is_dir():
            self.show_run(Path(draft.run))
            return
        work = self._steps.edit(draft)
        planning = DraftWizard(self._theme, work, self._steps.plan)
        self._put(planning)
        work.changed.connect(self._refresh_soon)
        work.failed.connect(self._on_work_failed)
        work.begun.connect(self._on_begun)
        work.began.connect(self.banner.hide)
        work.open()
        planning.show_step(work.draft.step)

    def _put(self, content: DraftWizard | RunWizard) -> None:
        old, self.content = self.content, content
        self.banner.hide()
        self._stack.addWidget(content)
        self._stack.setCurrentWidget(content)
        content.step_shown.connect(self._on_step_shown)
        if old is not None:
            self._drop(old)
        self._mark_shown()

    def _drop(self, content: DraftWizard | RunWizard) -> None:
        if isinstance(content, DraftWizard):
            content.work.cancel()
        self._delete_actions()
        self._stack.removeWidget(content)
        content.deleteLater()

    def _on_step_shown(self, key: str) -> None:
        """Show the rail, and title and actions of the step. `key`: the step's key; "" for no step."""
        is_plan = key in PLANNED_STEPS
        for widget in (self._rail_row, self._rail_rule):
            widget.setVisible(bool(key))
        self._is_plan = is_plan
        if key:
            self.rail.show_step(STEPS.index(key), first=0 if is_plan else STEPS.index("run"))
        self._show_content(self._title(), self.content.step.header_actions if self.content is not None else ())

    def _title(self) -> str:
        match self.content:
            case DraftWizard():
                return self.content.work.draft.name or phrase("training.new_run")
            case RunWizard():
                shown = self.entries.index_of(self.shown_key)
                return shown.data() if shown.isValid() else self.content.folder.name
            case _:
                return phrase("common.fine_tuning")

    # --------------------------------------------------------------------- slots

    def _with_entry(self, act: Callable[[TrainingEntry], object]) -> None:
        entry = self.list.entry
        if entry is not None:
            act(entry)

    def _show_chosen(self, entry: TrainingEntry) -> None:
        key = training_texts.entry_key(entry)
        if key == self.shown_key:
            return
        if entry.state == DAMAGED:
            self.say(AppError("draft_damaged", path=str(entry.folder)))
            return
        is_list_focused = self.list.hasFocus()
        self.open(key)
        if is_list_focused:  # the keys go on to be about the list, although a step takes the focus when it is shown
            self.list.setFocus()

    def _name_draft(self, id: str, name: str) -> None:
        if isinstance(self.content, DraftWizard) and self.content.work.draft.id == id:
            self.content.work.change(name=name)
            return
        folder = self._paths.drafts
        drafts.save(folder, dataclasses.replace(drafts.read(folder, id), name=name), time.time())

    def _add(self, goal: str) -> None:
        """Create a draft with this goal, and show what the goal needs."""
        self.entry_actions.add()
        if not isinstance(self.content, DraftWizard):
            return
        try:
            self.content.work.change(goal=goal)
        except AppError as error:
            self.say(error)
        else:
            self.content.foot.next_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_work_failed(self, error: AppError) -> None:
        """Show why the draft's work failed, unless the shown step does."""
        if not isinstance(self.content, DraftWizard) or not self.content.step.shows_failure():
            self.say(error)

    def _retrain(self, folder: Path, preset: str) -> None:
        self.entry_actions.plan(folder, functools.partial(rerun.repeat_with, preset=preset))

    def _on_begun(self, folder: Path) -> None:
        self.show_run(folder, "run")
        self.refresh()
        try:
            self._trainings.start(folder)
        except AppError as error:
            self.say(error)

    def _on_training_ended(self, _folder: Path, error: AppError | None) -> None:
        self._step = None
        self._show_list({})
        self.refresh()
        if error is not None and not self.isVisible():
            self.say(error)

    def _on_run_event(self, event: object) -> None:
        if isinstance(event, TrainingStep):  # a step does not change the run's state in the list
            self._step = event
        timer = self._step_timer if isinstance(event, TrainingStep) else self._refresh_timer
        if not timer.isActive():
            timer.start()

    def _show_step_progress(self) -> None:
        folder = self._trainings.folder
        if folder is not None and self._step is not None and not self._trainings.is_judging:
            self._show_list({("run", folder.name): training_texts.run_progress_text(self._step)})
