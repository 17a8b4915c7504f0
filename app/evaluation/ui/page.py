"""The page 評価: question sets and studies on the left, the chosen one on the right."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.chat.services.chat_session import ChatSession
from app.evaluation import current_labels, question_files, question_sets
from app.evaluation.services.evaluations import Evaluations
from app.evaluation.study import studies
from app.evaluation.study.studies import StudyEntry
from app.evaluation.ui import study_texts
from app.evaluation.ui.evaluation_actions import EvaluationActions, StartStudyAction, UseCandidateAction
from app.evaluation.ui.evaluation_content import EvaluationContent
from app.evaluation.ui.evaluation_list import EvaluationList, EvaluationListView, Key, ListedEntries, ListedEntry
from app.evaluation.ui.sets.add_set_flow import AddSet, conversation_reader
from app.evaluation.ui.sets.question_set_texts import error_for_window
from app.evaluation.ui.start.study_dialog_choices import StudyDialogModel
from app.evaluation.ui.study_texts import failure_message, with_study_name
from app.models.artifact_steps import StepProgress
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import dropped_paths, open_folder
from app.uikit.page import PAGE_MARGIN_PX, Navigation, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import Separator, set_surface

if TYPE_CHECKING:
    from app.evaluation.ui.result.result_view import EvaluationResultView
    from app.evaluation.ui.sets.question_set_view import SetView
    from app.evaluation.ui.study_view import StudyView

SIDE_PX = 226
STACK_BELOW_PX = 760


class EvaluationPage(Page):
    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        dialog_model: StudyDialogModel,
        evaluations: Evaluations,
        session: ChatSession,
        is_training: Callable[[], bool],
    ) -> None:
        super().__init__()
        paths = dialog_model.paths
        self._theme = theme
        self._navigation = navigation
        self._paths = paths
        self._models = dialog_model.models
        self._evaluations = evaluations
        self._secrecy = ConfidentialityGuard(theme, paths.exports_log)
        self._listed = ListedEntries()
        self._wanted: Key | None = None  # shown as soon as it is in the list
        self._is_reading = False
        self._is_to_read = False  # once more after the current reading
        self._is_to_choose = False  # choose an entry after reading
        self.entries = EvaluationList()
        self.contents = EvaluationContent(theme, self._make_set_view, self._make_study_view, self._make_result_view)
        self.desk = EvaluationActions(theme, paths, open_folder, self, lambda: evaluations.folder)
        self.start_action = StartStudyAction(theme, evaluations, dialog_model, is_training, self)
        self.adding = AddSet(theme, paths.questions, conversation_reader(paths.database, paths.documents), self)
        self.using = UseCandidateAction(session, dialog_model.models, dialog_model.collections, navigation, self)
        self._build()
        self._connect()

    def set_header_inset(self, inset_px: int) -> None:
        self._header.set_inset(inset_px)

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
        return self.contents.label_of_set()

    def focus_first(self) -> None:
        if self._side.isVisibleTo(self):
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)
        elif self.contents.is_empty:
            self.contents.nothing.button.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            self.list_button.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def refresh(self) -> None:
        """Read the list again in the background."""
        self._is_to_read = True
        if not self._is_reading:
            self._is_to_read, self._is_reading = False, True
            background.run(self._read, self._on_read, self._on_not_read)

    def open(self, key: Key) -> None:
        """Show an entry, now or as soon as it is in the list."""
        self._wanted = key
        self.refresh()

    def close_content(self) -> None:
        """Show the list without any content."""
        is_left = self.list_button.hasFocus()
        self.contents.show_nothing()
        if is_left:
            self.focus_first()

    def say(self, error: AppError) -> None:
        """Show an error above the content."""
        sentence = failure_message(error_for_window(with_study_name(error, self._listed.studies)))
        self.banner.show_message("danger", sentence.message, sentence.next)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._is_to_choose = self.contents.is_empty
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _file_of(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _file_of(event)
        if path is not None:
            event.acceptProposedAction()
            self.adding.import_path(path)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        set_surface(self, "base")
        self.setAcceptDrops(True)
        theme = self._theme
        self._header = PageHeader(theme, phrase("common.evaluation"))
        self.list_button = Button(theme, phrase("common.list"), icon="arrow-left", compact=True)
        self.run_button = Button(theme, phrase("evaluation.run_evaluation_2"))
        self._nowhere = QWidget(self)  # holds the actions that are not shown
        self._nowhere.hide()
        self._actions = QWidget()
        self._actions_row = QHBoxLayout(self._actions)
        self._actions_row.setContentsMargins(0, 0, 0, 0)
        self._actions_row.setSpacing(8)
        tail = QWidget()  # the actions return to their place here
        self._tail = QHBoxLayout(tail)
        self._tail.setContentsMargins(0, 0, 0, 0)
        self._tail.setSpacing(8)
        self._tail.addWidget(self._actions)
        self._tail.addWidget(self.run_button)
        self._header.add_action(self.list_button)
        self._header.add_action(tail)
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
        self.add_button = Button(self._theme, phrase("evaluation.add_a_question_set"), icon="plus", compact=True)
        self.add_button.clicked.connect(lambda: self._show_adding(self.add_button))
        self.list = EvaluationListView(self._theme, self.entries)
        inside = QVBoxLayout()
        inside.setContentsMargins(6, 10, 6, 10)
        inside.setSpacing(8)
        inside.addWidget(self.add_button)
        inside.addWidget(self.list, 1)
        row = QHBoxLayout(self._side)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(inside, 1)
        row.addWidget(Separator("vertical"))
        return self._side

    def _build_content(self) -> QVBoxLayout:
        self._below = QWidget()  # place below the header for actions that do not fit into it
        self._below_row = QHBoxLayout(self._below)
        self._below_row.setContentsMargins(PAGE_MARGIN_PX, 10, PAGE_MARGIN_PX, 0)
        self._below_row.addStretch(1)
        self.banner = Banner(self._theme)
        column = QVBoxLayout()
        column.setSpacing(0)
        for widget in (self._below, self.banner):
            column.addWidget(widget)
        column.addWidget(self.contents, 1)
        return column

    def _connect(self) -> None:
        contents, desk, evaluations = self.contents, self.desk, self._evaluations
        self._on_shown()
        contents.nothing.button.clicked.connect(lambda: self._show_adding(contents.nothing.button))
        self.run_button.clicked.connect(lambda: self.start_action.ask())
        self.list_button.clicked.connect(self.close_content)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.clicked.connect(self._on_clicked)  # also on the current entry when other content is shown
        self.list.activated.connect(self._on_chosen)
        self.list.rename_requested.connect(self._rename_chosen)
        self.list.remove_requested.connect(lambda: self._with_chosen(desk.remove))
        self.list.menu_requested.connect(self._show_menu)
        contents.shown.connect(self._on_shown)
        desk.changed.connect(self.refresh)
        desk.opened.connect(self.open)
        desk.closed.connect(lambda key: self.close_content() if self.contents.key == key else None)
        desk.evaluate_requested.connect(self.start_action.ask)
        desk.rename_requested.connect(self._rename_chosen)
        desk.compare_requested.connect(contents.compare)
        self.start_action.asked.connect(self.banner.hide)
        self.start_action.made.connect(lambda folder: self.open(("study", folder.name)))
        for done in (desk.opened, self.adding.added):
            done.connect(self.banner.hide)  # earlier errors are settled
        self.adding.added.connect(lambda name: self.open(("set", name)))
        for part in (contents, desk, self.adding, self.start_action, self.using):
            part.failed.connect(self.say)
        for part in (desk, self.using):
            part.undo_offered.connect(self._offer_undo)
        evaluations.started.connect(self.refresh)
        evaluations.progressed.connect(self._on_progressed)
        evaluations.ended.connect(self._on_ended)

    def _make_set_view(self) -> "SetView":
        from app.evaluation.ui.sets.question_set_view import SetView

        view = SetView(self._theme, self._paths.questions, self._paths.documents, self._secrecy)
        view.evaluate_requested.connect(self.start_action.ask)
        view.changed.connect(self._on_changed)
        view.renamed.connect(self._on_set_renamed)
        view.remove_requested.connect(lambda: self.desk.remove([self.contents.entry]) if self.contents.entry else None)
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
        from app.evaluation.ui.result.result_view import EvaluationResultView

        view = EvaluationResultView(self._theme, self._secrecy, self._paths.documents, self._models)
        for card in (view.overview.advice, view.overview.comparison):
            card.use_requested.connect(self.using.use)
        view.failed.connect(self.say)
        return view

    # ---------------------------------------------------------------------- list

    def _read(self) -> ListedEntries:
        """Runs in the background."""
        paths = self._paths
        return ListedEntries(tuple(question_sets.list_all(paths.questions)), tuple(studies.list_all(paths.evaluations)))

    def _on_not_read(self, error: AppError) -> None:
        self._is_reading = False
        self.say(error)

    def _on_read(self, listed: ListedEntries) -> None:
        self._is_reading = False
        had_focus = self.contents.nothing.button.hasFocus()
        self._listed = listed
        self.contents.nothing.show_listed(is_listed=bool(listed))
        self.entries.set_listed(listed)
        shown, key = self.contents.entry, self.contents.key
        wanted = listed.of(self._wanted) if self._wanted is not None else None
        now = listed.of(key) if key is not None else None
        if wanted is not None:
            self._wanted = None
            self._show(wanted)
        elif key is not None and now is None:
            self.close_content()
        elif isinstance(now, StudyEntry) and now != shown:
            self._show(now)  # it has started or ended
        elif self._is_to_choose:
            self._choose_first()
        self._is_to_choose = False
        self._mark()
        self._lay_out()
        if had_focus:
            self.focus_first()  # the focused widget may be gone
        if self._is_to_read:
            self.refresh()

    def _choose_first(self) -> None:
        """Show the running study, or if there is room next to the list the newest study or the first set."""
        running = [one for one in self._listed.studies if one.state == "running"]
        found: list[ListedEntry] = [*running]
        if not self._is_narrow:
            found += [*self._listed.studies, *self._listed.sets]
        if found:
            self._show(found[0])

    def _show(self, entry: ListedEntry) -> None:
        self.contents.show_entry(entry)
        self._mark()
        self._lay_out()

    def _mark(self) -> None:
        """Select the shown entry in the list."""
        key = self.contents.key
        index = self.entries.index_of(key) if key is not None else QModelIndex()
        if index.isValid():
            if index != self.list.currentIndex():
                self.list.setCurrentIndex(index)
        elif self.contents.is_empty and not self._is_narrow:  # the list keeps its place if only the list is shown
            self.list.clearSelection()
            self.list.setCurrentIndex(QModelIndex())  # otherwise choosing the entry again would be no change

    def _on_chosen(self) -> None:
        entry = self.list.shown
        if entry is not None and (self.contents.entry is None or entry != self.contents.entry):
            self._wanted = None  # the user's choice comes later than the request
            self.banner.hide()
            self._show(entry)

    def _on_current_changed(self) -> None:
        """Show the entry, unless only the list is shown, where a click or Enter opens it."""
        if not self._is_narrow:
            self._on_chosen()

    def _on_clicked(self) -> None:
        is_picking = bool(QGuiApplication.keyboardModifiers())  # adds to a selection
        if not (self._is_narrow and is_picking):
            self._on_chosen()

    def _rename_chosen(self) -> None:
        self._on_chosen()
        self.contents.rename_set()

    def _with_chosen(self, act: Callable[[list[ListedEntry]], object]) -> None:
        chosen = self.list.chosen
        if chosen:
            act(chosen)

    def _show_menu(self, at: QPoint) -> None:
        self._with_chosen(lambda chosen: self.desk.menu(chosen, at))

    def _show_adding(self, button: Button) -> None:
        self.adding.menu().popup(button.mapToGlobal(button.rect().bottomLeft()))

    # --------------------------------------------------------------------- shown

    def _on_changed(self) -> None:
        self.refresh()
        self.banner.hide()

    def _offer_undo(self, done: str, undo: Callable[[], object]) -> None:
        self._navigation.undo_offered.emit(done, undo)
        self.banner.hide()

    def _on_set_renamed(self, before: str, after: str) -> None:
        self.banner.hide()
        if self.contents.key == ("set", before):
            self.open(("set", after))
        else:
            self.refresh()

    def _on_shown(self) -> None:
        self._header.title.setText(self.contents.title or phrase("common.evaluation"))
        while (item := self._actions_row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.setParent(self._nowhere)  # a widget without a parent would be a window
        for action in self.contents.header_actions:
            self._actions_row.addWidget(action)
            action.setVisible(not _is_hidden_by_its_view(action))
        self.run_button.setVisible(not self.contents.is_set)
        has_primary = self.contents.is_empty or self.contents.is_waiting
        self.run_button.set_kind("" if has_primary else "primary")
        self._mark()
        self._lay_out()

    @property
    def _is_narrow(self) -> bool:
        return self.width() < self._theme.px(STACK_BELOW_PX)

    def _lay_out(self) -> None:
        is_narrow, is_empty = self._is_narrow, self.contents.is_empty
        self._side.setFixedWidth(self._theme.px(SIDE_PX) if not (is_narrow and is_empty) else self.width())
        is_list_left = is_narrow and not is_empty and self.list.hasFocus()
        self.list_button.setVisible(is_narrow and not is_empty)
        if is_list_left:
            # otherwise the focus would move to an arbitrary widget
            self.list_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self._side.setVisible(bool(self._listed) and (not is_narrow or is_empty))
        self.contents.setVisible(not (is_narrow and is_empty and bool(self._listed)))
        self._place_actions(is_below=is_narrow)

    def _place_actions(self, *, is_below: bool) -> None:
        self._below.setVisible(is_below and self._actions_row.count() > 0)
        is_there = self._actions.parentWidget() is self._below
        if is_below != is_there:
            (self._below_row if is_below else self._tail).insertWidget(0, self._actions)

    # ------------------------------------------------------------------- studies

    def _on_progressed(self, progress: StepProgress) -> None:
        folder = self._evaluations.folder
        if folder is not None:
            self.entries.say({folder.name: study_texts.progress_summary(progress)})

    def _on_ended(self, folder: Path, error: AppError | None) -> None:
        self.entries.say({})
        self.refresh()
        self.banner.hide()  # it may say that this study is still running
        if error is not None and self.contents.key != ("study", folder.name):  # the study's view shows the error itself
            self.say(error)


def _is_hidden_by_its_view(action: QWidget) -> bool:
    """Return whether the view hid the action, rather than it being hidden for lack of a parent."""
    return action.isHidden() and action.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)


def _file_of(event: QDropEvent) -> Path | None:
    """Return the dragged file if it is the only one and may hold questions."""
    paths = dropped_paths(event.mimeData())
    return paths[0] if len(paths) == 1 and paths[0].suffix.lower() in question_files.SUFFIXES else None
