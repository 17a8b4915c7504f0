"""Show the fine-tuning page (学習): the list of trainings at the left, the chosen draft or run at the right.

Without a chosen training the page explains what fine-tuning is for and offers to start.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, QTimer
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import drafts
from app.training.drafts import PLANNED_STEPS, STEPS, TrainingDraft
from app.training.runs import lineage, training_list
from app.training.runs.lineage import Lineage
from app.training.runs.training_list import DAMAGED, TrainingEntry, TrainingsOverview
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_runner import TrainingRunner
from app.training.ui import training_texts
from app.training.ui.step_factory import WizardStepFactory
from app.training.ui.training_list import TrainingActions, TrainingListModel, TrainingListView, entry_key
from app.training.ui.wizard import DraftWizard, RunWizard
from app.uikit.desktop import open_folder
from app.uikit.page import PAGE_MARGIN_PX, Navigation, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, Separator, set_surface
from app.uikit.widgets.section_bars import StepRail
from trainer.events import TrainingStep

MARGIN_PX = 24


class TrainingEmptyState(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.button = Button(theme, phrase("training.new_run"), "primary", "plus")
        self.return_button = Button(theme, phrase("training.take_in_the_result_of"), "quiet", "file-down")
        introduction = phrase("training.train_a_model_on_your")
        example = phrase("training.for_example_the_wording_of")
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(Label(introduction, "heading3", wraps=True))
        column.addWidget(FlowBox(self.button, self.return_button))
        column.addWidget(Label(example, tone="muted", wraps=True))
        column.addStretch(3)


SIDE_PX = 226
STACK_BELOW_PX = 760
REFRESH_MS = 300  # a run sends events many times a second
SEARCH_FROM = 8  # trainings from which the search field is shown


class TrainingPage(Page):
    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        *,
        paths: Paths,
        models: Callable[[], Sequence[LocalModel]],
        trainings: TrainingRunner,
        steps: WizardStepFactory,
        work_of: Callable[[TrainingDraft], DraftEditor],
    ) -> None:
        super().__init__()
        self._theme = theme
        self._paths = paths
        self._work_of = work_of
        self._trainings = trainings
        self._steps = steps
        self._shown = TrainingsOverview()
        self.content: DraftWizard | RunWizard | None = None
        self._refresh_timer, self._step_timer = (QTimer(self, singleShot=True, interval=REFRESH_MS) for _ in range(2))
        self._step: TrainingStep | None = None  # the last one of the run
        self.entries = TrainingListModel()
        self._build()
        self.desk = TrainingActions(theme, navigation, paths, models, open_folder, self)
        self._connect()
        self.refresh()

    def set_header_inset(self, inset_px: int) -> None:
        self._header.set_inset(inset_px)

    def label_now(self) -> confidentiality.Label:
        """Return the confidentiality of the shown training, from the documents that its rows come from."""
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
        """Read the list in a background thread: looking at many runs takes longer than a frame."""
        background.run(lambda: training_list.list_trainings(self._paths), self._show_overview, self.say)

    def _show_overview(self, shown: TrainingsOverview) -> None:
        self._shown = shown
        self.search.setVisible(len(self._shown.entries) >= SEARCH_FROM or bool(self.search.text()))
        self.entries.set_overview(self._shown.search(self.search.text()))
        self._select_shown()
        self._lay_out()

    def open(self, kind: str, id: str) -> None:
        """Show a training. `kind`: draft | run."""
        if kind == "run":
            self.show_run(self._paths.runs / id)
        else:
            self._show_draft(id)

    def show_run(self, folder: Path, step: str = "") -> None:
        """Show a run. `step`: run | result, or "" for the result if there is one."""
        running = RunWizard(self._theme, self._trainings, folder, self._steps.run)
        self._put(running)
        running.show_step(step or ("result" if running.has_result else "run"))

    def close_content(self) -> None:
        """Show only the list, and the explanation at the right."""
        old, self.content = self.content, None
        if old is not None:
            self._drop(old)
        self._stack.setCurrentWidget(self.nothing)
        self._show_frame(key="")
        self._show_actions()
        self._select_shown()
        self._lay_out()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        if self.content is None and self._shown.in_progress:
            self.list.setCurrentIndex(self.entries.index_of(entry_key(self._shown.in_progress[0])))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        set_surface(self, "base")
        self._header = PageHeader(self._theme, phrase("common.fine_tuning"))
        self.list_button = Button(self._theme, phrase("common.list"), icon="arrow-left", compact=True)
        self._header.add_action(self.list_button)
        self._hidden_actions = QWidget(self)  # holds the header actions of hidden steps
        self._hidden_actions.hide()
        self._actions = QWidget()
        self._actions_row = QHBoxLayout(self._actions)
        self._actions_row.setContentsMargins(0, 0, 0, 0)
        self._actions_row.setSpacing(8)
        self._header.add_action(self._actions)
        columns = QHBoxLayout()
        columns.setSpacing(0)
        columns.addWidget(self._build_side())
        columns.addLayout(self._build_content(), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header)
        column.addLayout(columns, 1)

    def _build_side(self) -> QWidget:
        self._side = QWidget()
        self.new_button = Button(self._theme, phrase("training.new_run"), icon="plus", compact=True)
        self.search = SearchField(self._theme, phrase("training.find_by_name_or_note"))
        self.list = TrainingListView(self._theme, self.entries)
        inside = QVBoxLayout()
        inside.setContentsMargins(6, 10, 6, 10)
        inside.setSpacing(8)
        inside.addWidget(self.new_button)
        inside.addWidget(self.search)
        inside.addWidget(self.list, 1)
        row = QHBoxLayout(self._side)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(inside, 1)
        row.addWidget(Separator("vertical"))
        return self._side

    def _build_content(self) -> QVBoxLayout:
        self.rail = StepRail(self._theme, [training_texts.step_name(step) for step in STEPS])
        self._saved = Label(phrase("training.the_draft_is_saved_automatically"), "caption", "muted")
        self._rail_row = QWidget()
        row = QHBoxLayout(self._rail_row)
        row.setContentsMargins(PAGE_MARGIN_PX, 10, PAGE_MARGIN_PX, 10)
        row.setSpacing(16)
        row.addWidget(self.rail, 1)
        row.addWidget(self._saved)
        self._rail_rule = Separator()
        self._below = QWidget()  # takes the actions when the header is too narrow for them
        self._below_row = QHBoxLayout(self._below)
        self._below_row.setContentsMargins(PAGE_MARGIN_PX, 10, PAGE_MARGIN_PX, 0)
        self._below_row.addStretch(1)
        self.banner = Banner(self._theme)
        self.nothing = TrainingEmptyState(self._theme)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.nothing)
        column = QVBoxLayout()
        column.setSpacing(0)
        for widget in (self._rail_row, self._rail_rule, self._below, self.banner):
            column.addWidget(widget)
        column.addWidget(self._stack, 1)
        self._show_frame(key="")
        return column

    def _connect(self) -> None:
        self.list.selectionModel().currentChanged.connect(self._on_chosen)
        self.list.rename_requested.connect(lambda: self._with_entry(self.desk.edit))
        self.list.remove_requested.connect(lambda: self._with_entry(self.desk.remove))
        self.list.menu_requested.connect(lambda at: self._with_entry(lambda entry: self.desk.menu(entry, at)))
        self.search.textChanged.connect(lambda: self._show_overview(self._shown))
        self._refresh_timer.timeout.connect(self._refresh_in_background)
        self._step_timer.timeout.connect(self._show_step_progress)
        self.list_button.clicked.connect(self.close_content)
        self.rail.step_chosen.connect(lambda place: self.content.show_step(STEPS[place]) if self.content else None)
        for button in (self.new_button, self.nothing.button):
            button.clicked.connect(self.desk.add)
        self.nothing.return_button.clicked.connect(lambda: self.desk.take_back())
        desk, trainings = self.desk, self._trainings
        desk.changed.connect(self.refresh)
        desk.opened.connect(self.open)
        desk.closed.connect(self._on_removed)
        desk.draft_named.connect(self._name_draft)
        desk.failed.connect(self.say)
        self._steps.failed.connect(self.say)
        trainings.started.connect(self._refresh_soon)
        trainings.ended.connect(self._on_training_ended)
        trainings.event_received.connect(self._on_run_event)
        trainings.judging.connect(self._on_run_event)

    # --------------------------------------------------------------------- shown

    def _refresh_soon(self) -> None:
        self._refresh_timer.start()

    def say(self, error: AppError) -> None:
        """Show an error in the banner."""
        sentence = describe_error(error)
        self.banner.show_message("danger", sentence.message, sentence.next)

    def _show_draft(self, id: str) -> None:
        try:
            draft = drafts.read(self._paths.drafts, id)
        except AppError as error:
            self.say(error)
            return
        if draft.run and Path(draft.run).is_dir():
            self.show_run(Path(draft.run))
            return
        work = self._work_of(draft)
        planning = DraftWizard(self._theme, work, self._steps.plan)
        self._put(planning)
        work.changed.connect(self._refresh_soon)
        work.failed.connect(self.say)
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
        self._select_shown()

    def _drop(self, content: DraftWizard | RunWizard) -> None:
        if isinstance(content, DraftWizard):
            content.work.cancel()
        self._clear_actions()
        for action in self._hidden_actions.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            action.deleteLater()  # they belong to the dropped steps
        self._stack.removeWidget(content)
        content.deleteLater()

    def _on_step_shown(self, key: str) -> None:
        self._show_frame(key)
        self._show_actions()
        self._lay_out()

    def _show_actions(self) -> None:
        """Show the header actions of the step. Unchanged ones stay in place, because one may have the focus."""
        wanted, row = list(self.content.step.header_actions) if self.content is not None else [], self._actions_row
        if wanted == [item.widget() for at in range(row.count()) if (item := row.itemAt(at)) is not None]:
            return
        self._clear_actions()
        for action in wanted:
            self._actions_row.addWidget(action)
            action.setVisible(not _is_hidden_by_its_step(action))

    def _clear_actions(self) -> None:
        """Take the actions out of the header. They get a hidden parent, because without one they would be windows."""
        while (item := self._actions_row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.setParent(self._hidden_actions)

    def _show_frame(self, key: str) -> None:
        """Show the step rail and the title. `key`: of the shown step, or "" for none."""
        is_plan = key in PLANNED_STEPS
        for widget in (self._rail_row, self._rail_rule):
            widget.setVisible(bool(key))
        self._saved.setVisible(is_plan)
        if key:
            self.rail.show_step(STEPS.index(key), first=0 if is_plan else STEPS.index("run"))
        self._header.title.setText(self._title())

    def _title(self) -> str:
        match self.content:
            case DraftWizard():
                return self.content.work.draft.name or phrase("training.new_run")
            case RunWizard():
                shown = self.entries.entry(("run", self.content.folder.name))
                return training_texts.entry_name(shown) if shown is not None else self.content.folder.name
            case _:
                return phrase("common.fine_tuning")

    def _key(self) -> tuple[str, str] | None:
        match self.content:
            case DraftWizard():
                return "draft", self.content.work.draft.id
            case RunWizard():
                return "run", self.content.folder.name
            case _:
                return None

    def _select_shown(self) -> None:
        """Select the shown training in the list."""
        key = self._key()
        index = self.entries.index_of(key) if key else None
        if index is not None and index.isValid():
            self.list.setCurrentIndex(index)
        else:
            self.list.clearSelection()
            self.list.setCurrentIndex(QModelIndex())  # so that choosing the same entry again emits a change
        if self.content is not None and self.content.key:
            self._header.title.setText(self._title())

    def _lay_out(self) -> None:
        is_narrow = self.width() < self._theme.px(STACK_BELOW_PX)
        self._side.setFixedWidth(self._theme.px(SIDE_PX))
        self._side.setVisible(bool(self._shown.entries) and (not is_narrow or self.content is None))
        self.list_button.setVisible(is_narrow and self.content is not None)
        self._place_actions(is_below=is_narrow)

    def _place_actions(self, *, is_below: bool) -> None:
        self._below.setVisible(is_below and self._actions_row.count() > 0)
        if is_below and self._actions.parentWidget() is self._header:
            self._below_row.insertWidget(0, self._actions)
        elif not is_below and self._actions.parentWidget() is not self._header:
            self._header.add_action(self._actions)

    # --------------------------------------------------------------------- slots

    def _with_entry(self, act: Callable[[TrainingEntry], object]) -> None:
        entry = self.list.entry
        if entry is not None:
            act(entry)

    def _on_chosen(self) -> None:
        entry = self.list.entry
        if entry is None or entry_key(entry) == self._key():
            return
        if entry.state == DAMAGED:
            self.say(AppError("draft_damaged", path=str(entry.folder)))
            return
        self.open(*entry_key(entry))

    def _on_removed(self, kind: str, id: str) -> None:
        if self._key() == (kind, id):
            self.close_content()

    def _name_draft(self, id: str, name: str) -> None:
        if isinstance(self.content, DraftWizard) and self.content.work.draft.id == id:
            self.content.work.change(name=name)
            return
        folder = self._paths.drafts
        drafts.save(folder, dataclasses.replace(drafts.read(folder, id), name=name), time.time())

    def _on_begun(self, folder: Path) -> None:
        self.show_run(folder, "run")
        self.refresh()
        try:
            self._trainings.start(folder)
        except AppError as error:
            self.say(error)

    def _on_training_ended(self, _folder: Path, error: AppError | None) -> None:
        self._step = None
        self.entries.say({})
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
            self.entries.say({("run", folder.name): training_texts.run_progress_text(self._step)})


def _is_hidden_by_its_step(action: QWidget) -> bool:
    """Return whether the step itself hid the action, and not only its hidden parent."""
    return action.isHidden() and action.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
