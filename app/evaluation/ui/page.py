"""Show the page 評価: question sets and studies in the sidebar, and the chosen one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QShowEvent

from app.base import confidentiality
from app.base.errors import AppError
from app.base.services import background
from app.base.wording import ErrorMessage, phrase
from app.chat.services.chat_session import ChatSession
from app.evaluation import current_labels, question_files, question_sets
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study import studies
from app.evaluation.study.studies import StudyEntry
from app.evaluation.ui import study_texts
from app.evaluation.ui.add_set_flow import AddSet, conversation_reader
from app.evaluation.ui.evaluation_actions import EvaluationActions, StartStudyAction, UseCandidateAction
from app.evaluation.ui.evaluation_content import EvaluationContent, ListedEntries, ListedEntry
from app.evaluation.ui.question_set_texts import error_for_window
from app.evaluation.ui.study_dialog_choices import StudyDialogModel
from app.evaluation.ui.study_texts import failure_message, with_study_name
from app.models.artifact_steps import StepProgress
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import FileDrops
from app.uikit.page import EntryKey, ListDetailPage, NavigationSignals, focus_first_widget
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets.buttons import Button

if TYPE_CHECKING:
    from app.evaluation.ui.question_set_view import SetView
    from app.evaluation.ui.result_view import EvaluationResultView
    from app.evaluation.ui.study_view import StudyView


class EvaluationPage(ListDetailPage):
    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        dialog_model: StudyDialogModel,
        evaluations: Evaluations,
        session: ChatSession,
        is_training: Callable[[], bool],
    ) -> None:
        super().__init__(
            theme, phrase("common.evaluation"), phrase("evaluation.question_sets_and_results"), selects_several=True
        )
        paths = dialog_model.paths
        self._navigation = navigation
        self._paths = paths
        self._models = dialog_model.models
        self._evaluations = evaluations
        self._secrecy = ConfidentialityGuard(theme, paths.exports_log)
        self._listed = ListedEntries()
        self._live: Mapping[str, str] = {}  # progress of the running study, by its id
        self._pending_entry: EntryKey | None = None  # an entry to show as soon as it is in the list
        self._is_reading = False
        self._is_to_read = False  # the list is to be read once more after the current reading
        self._is_to_choose = False  # choose an entry after reading
        self.contents = EvaluationContent(theme, self._make_set_view, self._make_study_view, self._make_result_view)
        self.entry_actions = EvaluationActions(theme, paths, self, lambda: evaluations.folder)
        self.start_action = StartStudyAction(theme, evaluations, dialog_model, is_training, self)
        self.adding = AddSet(theme, paths.questions, conversation_reader(paths.database, paths.documents), self)
        self.using = UseCandidateAction(session, dialog_model.models, dialog_model.collections, navigation, self)
        self._build()
        self._connect()

    @property
    def shown_key(self) -> EntryKey | None:
        return self.contents.key

    @property
    def is_empty(self) -> bool:
        return self.contents.is_empty

    def label_now(self) -> confidentiality.Label:
        """Return the label of the shown set or study; the views return those of their content. Raises AppError."""
        entry = self.contents.entry
        if isinstance(entry, StudyEntry):
            study = entry.study
            return (
                current_labels.label_of_study(study, self._paths.documents)
                if study is not None
                else confidentiality.HIGHEST_LABEL
            )
        if entry is None:
            return confidentiality.LABELS[0]
        return self.contents.set_view().label_now()

    def focus_first(self) -> None:
        if self.list.isVisible() and self._listed:
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            focus_first_widget(self.contents)

    def refresh(self) -> None:
        """Read the list again in the background."""
        self._is_to_read = True
        if not self._is_reading:
            self._is_to_read, self._is_reading = False, True
            background.run(self._read, self._on_read, self._on_not_read)

    def open(self, key: EntryKey) -> None:
        """Show an entry, now or as soon as it is in the list."""
        self._pending_entry = key
        self.refresh()

    def close_content(self) -> None:
        self.contents.show_nothing()

    def _describe(self, error: AppError) -> ErrorMessage:
        return failure_message(error_for_window(with_study_name(error, self._listed.studies)))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._is_to_choose = self.contents.is_empty
        self.refresh()

    def _choose_files(self, paths: list[Path]) -> list[Path]:
        return paths if len(paths) == 1 and paths[0].suffix.lower() in question_files.SUFFIXES else []

    def _take_files(self, paths: list[Path]) -> None:
        self.adding.import_path(paths[0])

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        FileDrops(self, self._choose_files, self._take_files)
        self.run_button = Button(self._theme, phrase("evaluation.run_evaluation_2"))
        self.add_button = Button(self._theme, phrase("evaluation.add_a_question_set"), icon="plus", compact=True)
        self._arrange(self.contents, side_widgets=(self.add_button,), buttons=(self.run_button,))

    def _connect(self) -> None:
        contents, actions, evaluations = self.contents, self.entry_actions, self._evaluations
        self._on_shown()
        for button in (self.add_button, contents.nothing.button):
            button.clicked.connect(lambda _=False, button=button: self._show_adding(button))
        self.run_button.clicked.connect(lambda: self.start_action.ask())
        self.list.rename_requested.connect(self._rename_chosen)
        self.list.remove_requested.connect(lambda: self._with_chosen(actions.remove))
        self.list.menu_requested.connect(self._show_menu)
        contents.shown.connect(self._on_shown)
        self._connect_actions(actions)
        actions.evaluate_requested.connect(self.start_action.ask)
        actions.rename_requested.connect(self._rename_chosen)
        actions.compare_requested.connect(contents.compare)
        self.start_action.asked.connect(self.banner.hide)
        self.start_action.made.connect(lambda folder: self.open(("study", folder.name)))
        for done in (actions.opened, self.adding.added):
            done.connect(self.banner.hide)  # earlier errors are settled
        self.adding.added.connect(lambda name: self.open(("set", name)))
        for part in (contents, self.adding, self.start_action, self.using):
            part.failed.connect(self.say)
        for offering in (actions, self.using):
            offering.undo_offered.connect(self._offer_undo)
        evaluations.started.connect(self.refresh)
        evaluations.progressed.connect(self._on_progressed)
        evaluations.ended.connect(self._on_ended)

    def _make_set_view(self) -> "SetView":
        from app.evaluation.ui.question_set_view import SetView

        view = SetView(self._theme, self._paths.questions, self._paths.documents, self._secrecy)
        view.evaluate_requested.connect(self.start_action.ask)
        view.changed.connect(self._on_changed)
        view.renamed.connect(self._on_set_renamed)
        view.remove_requested.connect(self._remove_shown)
        view.failed.connect(self.say)
        view.undo_offered.connect(self._offer_undo)
        return view

    def _make_study_view(self) -> "StudyView":
        from app.evaluation.ui.study_view import StudyView

        view = StudyView(self._theme, self._evaluations)
        view.failed.connect(self.say)
        view.ended_elsewhere.connect(self._on_changed)
        return view

    def _make_result_view(self) -> "EvaluationResultView":
        from app.evaluation.ui.result_view import EvaluationResultView

        view = EvaluationResultView(self._theme, self._secrecy, self._paths.documents, self._models)
        for card in (view.overview.advice, view.overview.comparison):
            card.use_requested.connect(self.using.use)
        view.failed.connect(self.say)
        return view

    # ---------------------------------------------------------------------- list

    def _read(self) -> ListedEntries:
        """Read the question sets and studies; runs in the background."""
        paths = self._paths
        return ListedEntries(tuple(question_sets.list_all(paths.questions)), tuple(studies.list_all(paths.evaluations)))

    def _on_not_read(self, error: AppError) -> None:
        self._is_reading = False
        self.say(error)

    def _on_read(self, listed: ListedEntries) -> None:
        self._is_reading = False
        had_focus = self.contents.nothing.button.hasFocus()
        self._listed = listed
        self.contents.show_hint(has_entries=bool(listed))
        self._show_list(self._live)
        shown, key = self.contents.entry, self.contents.key
        wanted, now = listed.find(self._pending_entry), listed.find(key)
        if wanted is not None:
            self._pending_entry = None
            self._show_entry(wanted)
        elif key is not None and now is None:
            self.close_content()
        elif isinstance(now, StudyEntry) and now != shown:
            self._show_entry(now)  # the study has started or ended
        elif self._is_to_choose:
            self._choose_first()
        self._is_to_choose = False
        self._mark_shown()
        if had_focus:
            self.focus_first()  # the focused widget may be gone
        if self._is_to_read:
            self.refresh()

    def _show_list(self, live: Mapping[str, str]) -> None:
        self._live = live
        self.entries.set_rows(self._listed.rows(live))

    def _choose_first(self) -> None:
        """Show the running study, or else the newest study or the first set."""
        running = [one for one in self._listed.studies if one.state == "running"]
        found: list[ListedEntry] = [*running, *self._listed.studies, *self._listed.sets]
        if found:
            self._show_entry(found[0])

    def _show_entry(self, entry: ListedEntry) -> None:
        self.contents.show_entry(entry)
        self._mark_shown()

    def _show_chosen(self, entry: ListedEntry) -> None:
        if entry != self.contents.entry:
            self._pending_entry = None  # the user's choice replaces the request
            self.banner.hide()
            self._show_entry(entry)

    def _rename_chosen(self) -> None:
        self._choose()
        self.contents.rename_set()

    def _with_chosen(self, act: Callable[[list[ListedEntry]], object]) -> None:
        chosen = self.list.selected_entries
        if chosen:
            act(chosen)

    def _show_menu(self, at: QPoint) -> None:
        self._with_chosen(lambda chosen: self.entry_actions.menu(chosen, at))

    def _remove_shown(self) -> None:
        if self.contents.entry is not None:
            self.entry_actions.remove([self.contents.entry])

    def _show_adding(self, button: Button) -> None:
        self.adding.menu().popup(button.mapToGlobal(button.rect().bottomLeft()))

    # --------------------------------------------------------------------- shown

    def _on_changed(self) -> None:
        self.refresh()
        self.banner.hide()

    def _offer_undo(self, action: UndoableAction) -> None:
        self._navigation.undo_offered.emit(action)
        self.banner.hide()

    def _on_set_renamed(self, before: str, after: str) -> None:
        self.banner.hide()
        if self.contents.key == ("set", before):
            self.open(("set", after))
        else:
            self.refresh()

    def _on_shown(self) -> None:
        self.run_button.setVisible(not self.contents.is_set)
        has_primary = self.contents.is_empty or self.contents.is_waiting
        self.run_button.set_kind("" if has_primary else "primary")
        self._show_content(self.contents.title or phrase("common.evaluation"), self.contents.header_actions)

    # ------------------------------------------------------------------- studies

    def _on_progressed(self, progress: StepProgress) -> None:
        folder = self._evaluations.folder
        if folder is not None:
            self._show_list({folder.name: study_texts.progress_summary(progress)})

    def _on_ended(self, folder: Path, error: AppError | None) -> None:
        self._show_list({})
        self.refresh()
        self.banner.hide()  # the banner may say that this study is still running
        if error is not None and self.contents.key != ("study", folder.name):  # the study's view shows the error itself
            self.say(error)
