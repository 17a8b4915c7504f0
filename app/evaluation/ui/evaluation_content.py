"""Hold the entries of the page 評価, and show the chosen one: a question set, a study, results, or a hint."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.services.background import LatestWork
from app.base.wording import phrase
from app.evaluation import records
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.records import Evaluation, ReportSection
from app.evaluation.study import studies
from app.evaluation.study.studies import Study, StudyEntry
from app.evaluation.ui import study_texts
from app.uikit import confidentiality_guard
from app.uikit.localization import join_facts
from app.uikit.page import EmptyState, EntryKey
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.list_rows import EntryRow, group_rows

if TYPE_CHECKING:
    from app.evaluation.ui.question_set_view import SetView
    from app.evaluation.ui.result_view import EvaluationResultView
    from app.evaluation.ui.study_view import StudyView

ListedEntry = StoredQuestionSet | StudyEntry


def key_of(entry: ListedEntry) -> EntryKey:
    return ("set", entry.name) if isinstance(entry, StoredQuestionSet) else ("study", entry.id)


@dataclass(frozen=True, slots=True)
class ListedEntries:
    """The question sets and studies that exist now, the newest study first."""

    sets: tuple[StoredQuestionSet, ...] = ()
    studies: tuple[StudyEntry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sets or self.studies)

    def find(self, key: EntryKey | None) -> ListedEntry | None:
        shown: tuple[ListedEntry, ...] = (*self.sets, *self.studies)
        return next((one for one in shown if key_of(one) == key), None)

    def rows(self, live: Mapping[str, str]) -> list[EntryRow]:
        """Return the rows of the list. `live`: the progress of running studies, by their ids."""
        return [
            *group_rows(phrase("evaluation.question_set"), map(_set_row, self.sets)),
            *group_rows(phrase("evaluation.results"), (_study_row(one, live.get(one.id, "")) for one in self.studies)),
        ]


def _set_row(stored_set: StoredQuestionSet) -> EntryRow:
    source = stored_set.newest.source if stored_set.versions else ""
    is_secret = stored_set.label == confidentiality.HIGHEST_LABEL
    sign = confidentiality_guard.LABEL_LOOKS[stored_set.label] if is_secret else None
    return EntryRow(stored_set.name, key_of(stored_set), stored_set, study_texts.set_summary(stored_set), source, sign)


def _study_row(entry: StudyEntry, progress: str) -> EntryRow:
    name, summary = study_texts.study_name(entry), study_texts.study_summary(entry, progress)
    sign = study_texts.study_icon(entry, is_live=bool(progress))
    return EntryRow(name, key_of(entry), entry, summary, entry.study.set_name if entry.study else "", sign)


class EvaluationContent(QStackedWidget):
    """Shows the chosen entry. The signal `shown`: the title or the actions may have changed."""

    shown = Signal()
    failed = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        make_set_view: Callable[[], "SetView"],
        make_study_view: Callable[[], "StudyView"],
        make_result_view: Callable[[], "EvaluationResultView"],
    ) -> None:
        super().__init__()
        # Each view is made when it is first needed, and kept.
        self.set_view, self.study_view = functools.cache(make_set_view), functools.cache(make_study_view)
        self.result_view = functools.cache(make_result_view)
        self._shown_kind = ""  # set | study | result; "": another view
        self.entry: ListedEntry | None = None  # the shown entry of the list; None: nothing, or several entries
        self.compared: tuple[str, ...] = ()  # ids of the studies that are merged in one table
        self._reading = LatestWork()
        self.nothing = EmptyState(
            phrase("evaluation.add_a_question_set_to"),
            phrase("evaluation.for_example_20_questions_that"),
            Button(theme, phrase("evaluation.add_a_question_set"), "primary", "plus"),
        )
        self._unreadable = QWidget()  # shown if an entry cannot be read, which `failed` reports
        self.addWidget(self.nothing)

    @property
    def key(self) -> EntryKey | None:
        return key_of(self.entry) if self.entry is not None else None

    @property
    def is_empty(self) -> bool:
        return self.entry is None and not self.compared

    @property
    def title(self) -> str:
        """Return the title for the page header while results are shown; "" for other views, which have their own."""
        if self.compared:
            return phrase("evaluation.n_results", n=len(self.compared))
        if isinstance(self.entry, StudyEntry) and self.entry.study is not None and self._shown_kind == "result":
            return join_facts(self.entry.study.name, self.entry.study.set_name)
        return ""

    @property
    def header_actions(self) -> Sequence[QWidget]:
        if self._shown_kind == "set":
            return self.set_view().header_actions
        actions = self.result_view().header_actions if self._shown_kind == "result" else ()
        return actions[:1] if self.compared else actions  # a merged table has no report

    @property
    def is_waiting(self) -> bool:
        """Return whether a study is shown that runs or can be resumed."""
        return self._shown_kind == "study"

    @property
    def is_set(self) -> bool:
        """Return whether a set is shown, which has its own button to evaluate."""
        return isinstance(self.entry, StoredQuestionSet)

    def rename_set(self) -> None:
        """Ask for another name of the shown set."""
        if isinstance(self.entry, StoredQuestionSet) and self.entry.versions:
            self.set_view().rename()

    def show_nothing(self) -> None:
        self._begin_request(None)
        self._show_view(self.nothing)

    def show_entry(self, entry: ListedEntry) -> None:
        """Show an entry. The signal `failed` reports a study that cannot be read; a set's view shows this itself."""
        self._begin_request(entry)
        if isinstance(entry, StoredQuestionSet):
            self.set_view().show_set(entry.name)
            self._show_view(self.set_view(), "set")
            return
        try:
            study = entry.study or studies.read(entry.folder)  # raises the reason why the list could not read it
        except AppError as error:
            self._on_unreadable(error)
            return
        if entry.state == "finished":
            # In a later turn, usually after the page has been painted, as both would share the interpreter.
            QTimer.singleShot(0, self, functools.partial(self._read_results, entry, study))
        else:
            self.study_view().show_study(dataclasses.replace(entry, study=study))
            self._show_view(self.study_view(), "study")

    def compare(self, entries: Sequence[StudyEntry]) -> None:
        """Show the systems of several finished studies of the same questions in one table."""
        first = entries[0]
        self._begin_request(None, tuple(one.id for one in entries))

        def read() -> Evaluation:
            return records.merge_evaluations([studies.read_results(one.folder)[0] for one in entries])

        self._reading.run(read, functools.partial(self._on_combined, first), self._on_unreadable)

    def show_hint(self, *, has_entries: bool) -> None:
        """Choose the text of the hint. `has_entries`: the list has entries, and beside them a button to add a set."""
        first = phrase("evaluation.add_a_question_set_to")
        message = phrase("evaluation.choose_one_from_the_list") if has_entries else first
        self.nothing.show_message(message, is_list_empty=not has_entries)

    def _begin_request(self, entry: ListedEntry | None, compared: tuple[str, ...] = ()) -> None:
        self._reading.drop()
        self.entry, self.compared = entry, compared

    def _show_view(self, view: QWidget, kind: str = "") -> None:
        """Show a view, and add it to the stack if it is new. `kind`: set | study | result; "": any other view."""
        self._shown_kind = kind
        if self.indexOf(view) < 0:
            self.addWidget(view)
        self.setCurrentWidget(view)
        self.shown.emit()

    def _on_combined(self, first: StudyEntry, evaluation: Evaluation) -> None:
        if first.study is not None:
            self._show_result(first.folder, first.study, (evaluation, ()))

    def _read_results(self, entry: StudyEntry, study: Study) -> None:
        if self.entry is entry:
            show = functools.partial(self._show_result, entry.folder, study)
            self._reading.run(lambda: studies.read_results(entry.folder), show, self._on_unreadable)

    def _show_result(self, folder: Path, study: Study, outcome: tuple[Evaluation, Sequence[ReportSection]]) -> None:
        view, chosen = self.result_view(), (self.entry, self.compared)

        def show() -> None:
            if (self.entry, self.compared) != chosen:
                return
            view.show_result(folder, study, *outcome)
            if self.compared:
                view.tabs.buttons["blind"].hide()  # votes are stored with one study
            self._show_view(view, "result")

        QTimer.singleShot(0, self, show)  # making the view and filling it each hold the window up for a while

    def _on_unreadable(self, error: AppError) -> None:
        """Report the error; the entry stays the shown one, so that the list keeps its selection."""
        self._show_view(self._unreadable)
        self.failed.emit(error)
