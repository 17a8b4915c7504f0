"""What is done to question sets and studies in the list: compared, removed and brought back."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.evaluation import question_sets
from app.evaluation.question_sets import KeptSet
from app.evaluation.study import study as studies
from app.evaluation.study.study import Entry
from app.evaluation.ui import words
from app.evaluation.ui.entry_list import Key, Shown, key_of
from app.uikit.theme import Theme


class EntryDesk(QObject):
    """Folders are only moved, which takes a moment."""

    changed = Signal()  # the list is to be read anew
    opened = Signal(object)  # Key: it is to be shown
    closed = Signal(object)  # Key: it is not to be shown any more
    evaluate_requested = Signal(str)  # the name of a set
    rename_requested = Signal()  # the set that is shown
    compare_requested = Signal(object)  # list[Entry]
    failed = Signal(object)  # AppError
    undo_offered = Signal(str, object)  # what was done, and a function that undoes it

    def __init__(
        self,
        theme: Theme,
        where: Paths,
        open_folder: Callable[[Path], None],
        page: QWidget,
        running: Callable[[], Path | None],
    ) -> None:
        """`running`: the folder of the study that this window carries out."""
        super().__init__(page)
        self._running = running
        self._theme = theme
        self._where = where
        self._open_folder = open_folder
        self._page = page

    def menu(self, chosen: Sequence[Shown], at: QPoint) -> QMenu:
        """Shown, with what can be done to these."""
        menu = QMenu(self._page)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        theme, first = self._theme, chosen[0]
        if len(chosen) > 1:
            comparable = finished(chosen)
            if len(comparable) == len(chosen):
                compare = functools.partial(self.compare_requested.emit, comparable)
                menu.addAction(theme.icon("chart-line"), phrase("evaluation.compare_in_one_table"), compare)
        elif isinstance(first, KeptSet):
            if first.versions:
                evaluate = functools.partial(self.evaluate_requested.emit, first.name)
                menu.addAction(theme.icon("play"), phrase("evaluation.run_evaluation"), evaluate)
                rename = menu.addAction(theme.icon("pencil"), phrase("common.rename"), self.rename_requested.emit)
                rename.setShortcut(QKeySequence("F2"))
        else:
            menu.addAction(
                theme.icon("folder-open"), phrase("common.open_the_folder"), lambda: self._open_folder(first.folder)
            )
        menu.addSeparator()
        remove = menu.addAction(theme.icon("trash-2"), phrase("common.delete"), functools.partial(self.remove, chosen))
        remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        menu.popup(at)
        return menu

    def remove(self, chosen: Sequence[Shown]) -> None:
        """Into the bin, as many as can be."""
        removed: list[Shown] = []
        failure: AppError | None = None
        for one in chosen:
            try:
                self._remove(one)
            except AppError as error:
                failure = error
                break
            removed.append(one)
        if removed:
            several = phrase("evaluation.n_items_were_deleted", n=len(removed))
            told = phrase("common.name_was_deleted", name=_name(removed[0]))
            self.undo_offered.emit(told if len(removed) == 1 else several, functools.partial(self._restore, removed))
        self.changed.emit()
        if failure is not None:
            self.failed.emit(failure)

    # ------------------------------------------------------------------- private

    def _remove(self, one: Shown) -> None:
        """Raises AppError: study_goes_on, and as `question_sets.remove` and `studies.remove`."""
        if isinstance(one, Entry) and one.folder == self._running():
            raise AppError("study_goes_on", id=one.id)
        self.closed.emit(key_of(one))
        try:
            if isinstance(one, KeptSet):
                question_sets.remove(self._where.questions, one.name)
            else:
                studies.remove(one)
        except AppError:
            self.opened.emit(key_of(one))  # again: it is still there
            raise

    def _restore(self, removed: Sequence[Shown]) -> None:
        back: list[Key] = []
        failure: AppError | None = None
        try:
            for one in removed:
                if isinstance(one, KeptSet):
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


def finished(chosen: Sequence[Shown]) -> list[Entry]:
    """Those that have results."""
    return [one for one in chosen if isinstance(one, Entry) and one.study is not None and one.state == "finished"]


def _name(one: Shown) -> str:
    return one.name if isinstance(one, KeptSet) else words.study_name(one)
