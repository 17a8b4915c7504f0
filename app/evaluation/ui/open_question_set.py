"""Read and store the open question set in the background; each change makes a new version."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LatestWork
from app.documents.collection_lookup import Origin
from app.evaluation import current_labels, question_sets
from app.evaluation.question_sets import QuestionSetVersion, StoredQuestionSet
from app.evaluation.records import Question, QuestionSet
from app.evaluation.ui.question_set_table import searchable


@dataclass(frozen=True, slots=True)
class DisplayedSet:
    """A version as it was read.

    `question_set` None: the version is damaged, see `error`; `stored_set` None: the whole set is damaged.
    """

    name: str
    stored_set: StoredQuestionSet | None
    version: QuestionSetVersion | None = None
    question_set: QuestionSet | None = None
    texts: Sequence[str] = ()  # the texts to search, one for each question
    origins: frozenset[Origin] = frozenset()  # documents and collections that determine the label of `question_set`
    error: AppError | None = None

    @property
    def is_newest(self) -> bool:
        return self.stored_set is not None and self.version == self.stored_set.newest


class OpenQuestionSet(QObject):
    """Reads and stores one set at a time. Results for a set that was open before are dropped."""

    read = Signal(object)  # DisplayedSet
    stored = Signal(object, int, str)  # QuestionSet, number of the version before, and a text on the change
    changed = Signal()  # a set has a new version or name
    renamed = Signal(str, str, bool)  # old name, new name, and whether this undid a renaming
    failed = Signal(object)  # AppError

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.name = ""
        self.displayed: DisplayedSet | None = None  # None: nothing was read yet
        self.is_storing = False
        self._reading = LatestWork()

    def open(self, name: str, number: int = 0) -> None:
        """Read a version of a set. `number`: version number; 0: the newest."""
        if name != self.name:
            self.displayed = None
        self.name = name
        self._reading.run(lambda: _read(self._folder, name, number), self._on_read, self.failed.emit)

    def store_work(
        self, displayed: DisplayedSet, questions: Sequence[Question], source: str
    ) -> Callable[[], QuestionSet]:
        """Return the function that stores the questions as the next version; `displayed` must still be the newest."""
        assert displayed.stored_set is not None
        folder, kept, wanted = self._folder, displayed.stored_set, tuple(questions)
        return lambda: question_sets.store(folder, kept.name, wanted, None, source, expected_sha256=kept.newest.sha256)

    def store(self, questions: Sequence[Question], source: str, done_text: str) -> None:
        """Store the questions unless a store is in progress.

        `done_text`: a text on the change, for the signal `stored`.
        """
        if self.is_storing or self.displayed is None or self.displayed.stored_set is None:
            return
        self.is_storing = True
        done = functools.partial(self._on_stored, self.displayed.stored_set.newest.number, done_text)
        background.run(self.store_work(self.displayed, questions, source), done, self._on_refused)

    def restore_version(self, name: str, number: int, replaced: int, source: str, done_text: str = "") -> None:
        """Store the questions of version `number` again, if the newest version still equals version `replaced`.

        `source`: the origin of the questions, as text to show. `done_text`: as for `store`; "": emit no `stored`.
        """
        folder = self._folder

        def work() -> QuestionSet:
            before, now = (question_sets.find(folder, f"{name}@{one}") for one in (number, replaced))
            return question_sets.store(folder, before.name, before.questions, None, source, expected_sha256=now.sha256)

        background.run(work, functools.partial(self._on_restored, done_text), self.failed.emit)

    def rename(self, name: str, new_name: str, *, is_undo: bool = False) -> None:
        done = functools.partial(self._on_renamed, name, is_undo=is_undo)
        background.run(lambda: question_sets.rename(self._folder, name, new_name), done, self.failed.emit)

    def _on_read(self, displayed: DisplayedSet) -> None:
        self.displayed = displayed
        self.read.emit(displayed)

    def _on_stored(self, number: int, done_text: str, question_set: QuestionSet) -> None:
        self.is_storing = False
        self.stored.emit(question_set, number, done_text)
        self.changed.emit()

    def _on_refused(self, error: AppError) -> None:
        """Report the error, and read the set again, because a newer version may be the reason."""
        self.is_storing = False
        self.failed.emit(error)
        self.open(self.name)

    def _on_restored(self, done_text: str, question_set: QuestionSet) -> None:
        if question_set.name == self.name:
            self.open(self.name)
        if done_text:
            self.stored.emit(question_set, question_set.version - 1, done_text)
        self.changed.emit()

    def _on_renamed(self, before: str, renamed: StoredQuestionSet, *, is_undo: bool) -> None:
        if before == self.name:
            self.open(renamed.name)
        self.renamed.emit(before, renamed.name, is_undo)
        self.changed.emit()


def _read(folder: Path, name: str, number: int) -> DisplayedSet:
    try:
        kept = question_sets.load_versions(folder, name)
    except AppError as error:
        return DisplayedSet(name, None, error=error)
    version = next((one for one in kept.versions if one.number == number), kept.newest)
    try:
        found = question_sets.find(folder, f"{kept.name}@{version.number}")
    except AppError as error:
        return DisplayedSet(kept.name, kept, version, error=error)
    texts = tuple(searchable(one) for one in found.questions)
    return DisplayedSet(kept.name, kept, version, found, texts, current_labels.origins_of_set(found))
