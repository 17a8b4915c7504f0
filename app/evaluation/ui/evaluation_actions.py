"""Define the actions of the page 評価: start a study; remove, restore and compare entries; use a compared system.

Using a system opens a new conversation with its model, and with the collections that the system was asked with.
"""

import functools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.evaluation import question_sets
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.records import System
from app.evaluation.report.result_view_data import model_of_system, use_obstacle
from app.evaluation.services import study_making
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study import studies
from app.evaluation.study.request import StudyRequest
from app.evaluation.study.studies import StudyEntry
from app.evaluation.ui import study_texts
from app.evaluation.ui.evaluation_content import ListedEntry, key_of
from app.evaluation.ui.study_dialog_choices import StudyDialogModel
from app.evaluation.ui.study_dialog_rules import DialogFiles
from app.inference.local_model import LocalModel
from app.uikit.page import EntryActions, EntryKey, NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction

if TYPE_CHECKING:
    from app.evaluation.ui.study_dialog import StudyDialog


class StartStudyAction(QObject):
    asked = Signal()  # the dialog opens
    made = Signal(object)  # folder of the new study (Path)
    failed = Signal(object)  # AppError; the dialog itself shows why a study cannot be made

    def __init__(
        self,
        theme: Theme,
        evaluations: Evaluations,
        model: StudyDialogModel,
        is_training: Callable[[], bool],
        page: QWidget,
    ) -> None:
        super().__init__(page)
        self._theme = theme
        self._evaluations = evaluations
        self._is_training = is_training
        self.model = model
        self._page = page
        self._question_set = ""
        self._is_reading = False
        self._making: LongTask | None = None
        self.dialog: StudyDialog | None = None  # from just before it opens to its end

    def ask(self, question_set: str = "") -> None:
        """Read in the background what the dialog offers, then open it.

        `question_set`: the chosen set; "": the user chooses the set too.
        """
        if self._evaluations.is_running or self._is_training():
            code = "study_busy" if self._evaluations.is_running else "study_beside_training"
            self.failed.emit(AppError(code))
        elif self.dialog is not None:
            self.dialog.activateWindow()  # only one study is made at a time
        else:
            self._question_set = question_set
            if not self._is_reading:
                self._is_reading = True
                background.run(self._look, self._build, self._on_unreadable)

    def start(self, folder: Path) -> None:
        """Start or resume a study."""
        try:
            self._evaluations.start(folder)
        except AppError as error:
            self.failed.emit(error)

    def _look(self) -> DialogFiles:
        """Read what the dialog offers, and its module; runs in the background."""
        from app.evaluation.ui import study_dialog  # noqa: F401 (`_build` finds it imported)

        return self.model.look()

    def _build(self, files: DialogFiles) -> None:
        """Build and open the dialog."""
        from app.evaluation.ui.study_dialog import StudyDialog

        self._is_reading = False
        offer = self.model.offer(files)
        dialog = self.dialog = StudyDialog(self._theme, self.model, offer, self._page.window(), self._question_set)
        dialog.request_made.connect(self._make)
        dialog.progress.cancelled.connect(self._cancel)
        dialog.finished.connect(self._on_closed)
        dialog.open_in_turns()
        self.asked.emit()

    def _on_unreadable(self, error: AppError) -> None:
        self._is_reading = False
        self.failed.emit(error)

    def _on_closed(self) -> None:
        self.dialog = None

    def _make(self, request: StudyRequest) -> None:
        model, models = self.model, tuple(self.model.models())

        def make_study(progress: TaskProgress) -> Path:
            folder = study_making.make(request, model.paths, models, model.trainer())
            if progress.is_cancelled:
                shutil.rmtree(folder, ignore_errors=True)
            progress.check()
            return folder

        self._making = background.run_long(make_study, self._on_made, self._on_not_made, cancelled=self._on_not_made)

    def _cancel(self) -> None:
        if self._making is not None:
            self._making.cancel()

    def _on_made(self, folder: Path) -> None:
        self._making = None
        if self.dialog is not None:
            self.dialog.accept()
        self.made.emit(folder)
        self.start(folder)

    def _on_not_made(self, error: AppError | None = None) -> None:
        """End the making of a study; `error` None: the user has cancelled it."""
        self._making = None
        if self.dialog is not None:
            self.dialog.end_making(error)


class EvaluationActions(EntryActions):
    """Removes, restores and compares entries of the list. Removing only moves folders, which takes a moment."""

    evaluate_requested = Signal(str)  # name of a set
    rename_requested = Signal()  # for the shown set
    compare_requested = Signal(object)  # list[StudyEntry]
    undo_offered = Signal(object)  # UndoableAction

    def __init__(self, theme: Theme, where: Paths, page: QWidget, running: Callable[[], Path | None]) -> None:
        """Create the actions. `running`: returns the folder of the study that this window carries out, or None."""
        super().__init__(theme, page)
        self._running = running
        self._where = where

    def menu(self, entries: Sequence[ListedEntry], at: QPoint) -> QMenu:
        """Show a menu with the actions for the chosen entries."""
        menu, theme, first = self._begin_menu(), self._theme, entries[0]
        if len(entries) > 1:
            comparable = finished_studies(entries)
            if len(comparable) == len(entries):
                compare = functools.partial(self.compare_requested.emit, comparable)
                menu.addAction(theme.icon("chart-line"), phrase("evaluation.compare_in_one_table"), compare)
        elif isinstance(first, StoredQuestionSet):
            if first.versions:
                evaluate = functools.partial(self.evaluate_requested.emit, first.name)
                menu.addAction(theme.icon("play"), phrase("evaluation.run_evaluation"), evaluate)
                self._add_rename(menu, phrase("common.rename"), self.rename_requested.emit)
        else:
            self._add_open_folder(menu, first.folder)
        return self._open_menu(menu, at, functools.partial(self.remove, entries))

    def remove(self, entries: Sequence[ListedEntry]) -> None:
        """Move the entries into the bin, up to the first that cannot be moved."""
        removed: list[ListedEntry] = []
        failure: AppError | None = None
        for entry in entries:
            try:
                self._remove(entry)
            except AppError as error:
                failure = error
                break
            removed.append(entry)
        if removed:
            n, name = len(removed), _name(removed[0])
            action = UndoableAction(
                done=phrase("common.name_was_deleted", name=name)
                if n == 1
                else phrase("evaluation.n_items_were_deleted", n=n),
                undone=phrase("common.name_is_back", name=name) if n == 1 else phrase("common.n_are_back", n=n),
                undo=functools.partial(self._restore, removed),
                redo=functools.partial(self.remove, removed),
            )
            self.undo_offered.emit(action)
        self.changed.emit()
        if failure is not None:
            self.failed.emit(failure)

    def _remove(self, entry: ListedEntry) -> None:
        """Move one entry into the bin.

        Raises AppError: study_goes_on, and as `question_sets.remove` and `studies.remove`.
        """
        if isinstance(entry, StudyEntry) and entry.folder == self._running():
            raise AppError("study_goes_on", id=entry.id)
        self.closed.emit(key_of(entry))
        try:
            if isinstance(entry, StoredQuestionSet):
                question_sets.remove(self._where.questions, entry.name)
            else:
                studies.remove(entry)
        except AppError:
            self.opened.emit(key_of(entry))  # open it again, because it is still there
            raise

    def _restore(self, removed: Sequence[ListedEntry]) -> bool:
        """Return whether all came back."""
        back: list[EntryKey] = []
        failure: AppError | None = None
        try:
            for one in removed:
                if isinstance(one, StoredQuestionSet):
                    back.append(("set", question_sets.restore(self._where.questions, one.name).name))
                else:
                    back.append(("study", studies.restore(self._where.evaluations, one.id).id))
        except AppError as error:
            failure = error
        self.changed.emit()
        if back:
            self.opened.emit(back[0])
        if failure is not None:
            self.failed.emit(failure)
        return failure is None


def finished_studies(entries: Sequence[ListedEntry]) -> list[StudyEntry]:
    """Return the studies that have results."""
    return [one for one in entries if isinstance(one, StudyEntry) and one.study is not None and one.state == "finished"]


def _name(entry: ListedEntry) -> str:
    return entry.name if isinstance(entry, StoredQuestionSet) else study_texts.study_name(entry)


class UseCandidateAction(QObject):
    undo_offered = Signal(object)  # UndoableAction
    failed = Signal(object)  # AppError

    def __init__(
        self,
        session: ChatSession,
        models: Callable[[], Sequence[LocalModel]],
        collections: Callable[[], Sequence[DocumentCollection]],
        navigation: NavigationSignals,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._models = models
        self._collections = collections
        self._navigation = navigation

    def use(self, system: System) -> None:
        """Open a new conversation with the system.

        Emits `failed` with an error of `use_obstacle`, or system_no_collection.
        """
        models, known = self._models(), {collection.name: collection for collection in self._collections()}
        error = use_obstacle(system, models)
        missing = next((name for name in system.collections if name not in known), None)
        if error is None and missing is not None:
            error = AppError("system_no_collection", name=system.name, collection=missing)
        model = model_of_system(system, models)
        if error is not None or model is None:
            self.failed.emit(error)
            return
        before = next((one for one in models if one.id == self._session.model_id), None)
        self._session.open_new()
        self._session.ask_of(tuple(CollectionRef(known[name].id, name) for name in system.collections))
        self._navigation.page_requested.emit("ask")
        self._switch(before, model)

    def _switch(self, before: LocalModel | None, model: LocalModel) -> None:
        self._session.use_model(model.id)
        if before is not None and before.id != model.id:
            action = UndoableAction(
                done=phrase("evaluation.switched_to_name", name=model.name),
                undone=phrase("common.model_is_back", name=before.name),
                undo=lambda: self._session.use_model(before.id),
                redo=lambda: self._switch(before, model),
            )
            self.undo_offered.emit(action)
