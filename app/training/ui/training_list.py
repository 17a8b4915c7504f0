"""List all trainings, planned and running ones above, ended ones below, and act on one of them.

The actions are: name and note, move to the bin and restore, plan again, import the result of another machine.
"""

import datetime
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLineEdit, QMenu, QPlainTextEdit, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.training import drafts
from app.training.drafts import TrainingDraft
from app.training.runs import rerun, run_folders, training_list
from app.training.runs.run_folders import TrainingRunFolder
from app.training.runs.training_list import DAMAGED, NOTE_CHARACTERS, TrainingEntry, TrainingsOverview
from app.training.ui import training_texts
from app.training.ui.job_dialogs import ImportJobDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton, scrolled_height
from app.uikit.localization import format_day, join_facts
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label, plain_tooltip
from app.uikit.widgets.list_rows import DescriptionRole, EntryRole, NamedList, SignRole

Index = QModelIndex | QPersistentModelIndex
EntryKey = tuple[str, str]  # kind, id


def entry_key(entry: TrainingEntry) -> EntryKey:
    return entry.kind, entry.id


@dataclass(frozen=True, slots=True)
class _Row:
    entry: TrainingEntry | None
    heading: str = ""


class TrainingListModel(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: list[_Row] = []
        self._live: Mapping[EntryKey, str] = {}  # progress of the trainings that run now

    def set_overview(self, shown: TrainingsOverview) -> None:
        """Show other trainings. The model resets only if the entries themselves differ, so that a view keeps its
        selection.
        """
        found = [
            *self._group(phrase("training.in_progress"), shown.in_progress),
            *self._group(phrase("training.history"), shown.history),
        ]
        is_same = [_row_key(row) for row in found] == [_row_key(row) for row in self._rows]
        if is_same:
            self._rows = found
            self.dataChanged.emit(self.index(0), self.index(len(found) - 1))
        else:
            self.beginResetModel()
            self._rows = found
            self.endResetModel()

    def say(self, live: Mapping[EntryKey, str]) -> None:
        """Show the progress of the trainings that run now."""
        if live != self._live:
            self._live = live
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    def index_of(self, key: EntryKey) -> QModelIndex:
        places = (place for place, row in enumerate(self._rows) if row.entry and entry_key(row.entry) == key)
        place = next(places, -1)
        return self.index(place) if place >= 0 else QModelIndex()

    def entry(self, key: EntryKey) -> TrainingEntry | None:
        found: TrainingEntry | None = self.index_of(key).data(EntryRole)
        return found

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        is_heading = self._rows[index.row()].entry is None
        return Qt.ItemFlag.NoItemFlags if is_heading else super().flags(index)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        entry = row.entry
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.heading if entry is None else training_texts.entry_name(entry)
            case Qt.ItemDataRole.ToolTipRole if entry is not None:
                return plain_tooltip(join_facts(training_texts.entry_name(entry), entry.base, entry.data, entry.note))
            case Qt.ItemDataRole.AccessibleTextRole if entry is not None:
                return join_facts(training_texts.entry_name(entry), self._status_text(entry))
            case _ if role == EntryRole:
                return entry
            case _ if role == DescriptionRole and entry is not None:
                return self._status_text(entry)
            case _ if role == SignRole and entry is not None:
                return training_texts.entry_sign(entry)
        return None

    def _status_text(self, entry: TrainingEntry) -> str:
        if entry.is_open:
            return self._live.get(entry_key(entry)) or training_texts.entry_state(entry)
        day = format_day(datetime.datetime.fromtimestamp(entry.when).astimezone().date())
        return join_facts(day, training_texts.entry_state(entry))

    @staticmethod
    def _group(heading: str, entries: tuple[TrainingEntry, ...]) -> list[_Row]:
        return [_Row(None, heading), *map(_Row, entries)] if entries else []


def _row_key(row: _Row) -> EntryKey | str:
    return entry_key(row.entry) if row.entry else row.heading


class TrainingListView(NamedList):
    def __init__(self, theme: Theme, model: TrainingListModel) -> None:
        super().__init__(theme, model, phrase("training.list_of_trainings"))

    @property
    def entry(self) -> TrainingEntry | None:
        found: TrainingEntry | None = self.currentIndex().data(EntryRole) if self.currentIndex().isValid() else None
        return found


NAME_CHARACTERS = 80
NOTE_LINES = 6


class TrainingActions(QObject):
    """The actions on trainings in the list. It writes only small files, so it does so at once; large ones are moved."""

    changed = Signal()  # the list is out of date
    opened = Signal(str, str)  # kind and id of a training to show
    closed = Signal(str, str)  # kind and id of a training that must not be shown any more
    draft_named = Signal(str, str)  # id and name
    failed = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        where: Paths,
        models: Callable[[], Sequence[LocalModel]],
        open_folder: Callable[[Path], None],
        page: QWidget,
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__(page)
        self._pickers = pickers or Pickers()
        self._theme = theme
        self._navigation = navigation
        self._where = where
        self._models = models
        self._open_folder = open_folder
        self._page = page

    def menu(self, entry: TrainingEntry, at: QPoint) -> QMenu:
        """Open the menu of a training at a point and return it."""
        menu = QMenu(self._page)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        theme, is_run = self._theme, entry.kind == "run"
        if entry.state != DAMAGED:
            title = phrase("training.name_and_note") if is_run else phrase("common.rename")
            rename = menu.addAction(theme.icon("pencil"), title, functools.partial(self.edit, entry))
            rename.setShortcut(QKeySequence("F2"))
        if is_run:
            repeat = functools.partial(self.plan, entry, rerun.repeat_run)
            menu.addAction(theme.icon("refresh-cw"), phrase("training.again_with_the_same_settings"), repeat)
        if entry.state == "finished":
            onward = functools.partial(self.plan, entry, rerun.continue_training)
            menu.addAction(phrase("training.go_on_from_this_adapter"), onward)
        menu.addAction(
            theme.icon("folder-open"), phrase("common.open_the_folder"), lambda: self._open_folder(entry.folder)
        )
        menu.addSeparator()
        import_result = functools.partial(self.take_back, entry)
        menu.addAction(theme.icon("file-down"), phrase("training.take_in_the_result_of"), import_result)
        menu.addSeparator()
        remove = menu.addAction(theme.icon("trash-2"), phrase("common.delete"), functools.partial(self.remove, entry))
        remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        menu.popup(at)
        return menu

    def edit(self, entry: TrainingEntry) -> "TrainingNameDialog":
        """Open a dialog for the name and, for a run, the note."""
        note = training_list.read_note(entry.folder) if entry.kind == "run" else None
        dialog = TrainingNameDialog(self._theme, entry.name, note, self._page.window())
        dialog.chosen.connect(lambda key: self._keep(entry, *dialog.written) if key == "keep" else None)
        dialog.open()
        return dialog

    def add(self) -> None:
        """Make a new draft and show it."""
        self._try(lambda: self._show("draft", drafts.create(self._where.drafts, time.time()).id))

    def plan(
        self, entry: TrainingEntry, make: Callable[[Paths, TrainingRunFolder, Sequence[LocalModel]], TrainingDraft]
    ) -> None:
        """Make a new draft from a run with `make`: `rerun.repeat_run` or `rerun.continue_training`.

        A background thread copies the run's data.
        """
        models = tuple(self._models())
        background.run(
            lambda: make(self._where, run_folders.read(entry.folder), models), self._on_planned, self.failed.emit
        )

    def take_back(self, entry: TrainingEntry | None = None) -> ImportJobDialog:
        """Open a dialog that imports a job's folder from another machine. `entry`: the exported run, if one
        was chosen.
        """
        job = run_folders.exported_to(entry.folder) if entry is not None and entry.state == "exported" else ""
        place = Path(job) if job else None
        dialog = ImportJobDialog(self._theme, self._where.runs, place, self._page.window(), self._pickers)
        dialog.taken.connect(lambda run: self._show("run", run.id))
        dialog.open()
        return dialog

    def remove(self, entry: TrainingEntry) -> None:
        """Move a training to the bin and offer to undo it."""

        def restore() -> None:
            self._try(lambda: training_list.restore_training(self._where, entry))
            self._show(entry.kind, entry.id)

        def work() -> None:
            self.closed.emit(entry.kind, entry.id)
            training_list.move_to_bin(self._where, entry, self._models())
            done = phrase("common.name_was_deleted", name=training_texts.entry_name(entry))
            self._navigation.undo_offered.emit(done, restore)

        self._try(work)
        self.changed.emit()

    # ------------------------------------------------------------------- private

    def _keep(self, entry: TrainingEntry, name: str, note: str | None) -> None:
        def work() -> None:
            if note is not None and note != training_list.read_note(entry.folder):
                training_list.write_note(entry.folder, note)
            if name == entry.name:
                return
            if entry.kind == "run":
                training_list.rename_run(run_folders.read(entry.folder), name)
            else:
                self.draft_named.emit(entry.id, name)

        self._try(work)
        self.changed.emit()

    def _on_planned(self, draft: TrainingDraft) -> None:
        self._show("draft", draft.id)

    def _show(self, kind: str, id: str) -> None:
        self.changed.emit()
        self.opened.emit(kind, id)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except AppError as error:
            self.failed.emit(error)


class TrainingNameDialog(Dialog):
    """A dialog for the name and the note of a training. Buttons: cancel, keep."""

    def __init__(self, theme: Theme, name: str, note: str | None, parent: QWidget) -> None:
        """`note` is None for a draft, which has no note."""
        self.name = QLineEdit(name)
        self.name.setMaxLength(NAME_CHARACTERS)
        self.note: QPlainTextEdit | None = None
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._add(column, phrase("common.name"), self.name)
        if note is not None:
            self.note = QPlainTextEdit(note)
            self.note.setTabChangesFocus(True)
            self.note.setFixedHeight(scrolled_height(theme, parent, NOTE_LINES * theme.line_height("ui")))
            self._add(column, phrase("training.note_3"), self.note)
        super().__init__(
            theme,
            phrase("training.rename") if note is None else phrase("training.name_and_note_2"),
            "",
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("keep", phrase("common.save"), "primary", is_default=True),
            ),
            parent,
            content=content,
        )
        self.name.selectAll()
        self.name.setFocus()

    @property
    def written(self) -> tuple[str, str | None]:
        """Return name and note. The note is cut at NOTE_CHARACTERS."""
        note = self.note.toPlainText()[:NOTE_CHARACTERS] if self.note is not None else None
        return self.name.text().strip(), note

    @staticmethod
    def _add(column: QVBoxLayout, name: str, field: QWidget) -> None:
        field.setAccessibleName(name)
        column.addWidget(Label(name, "caption", "text2"))
        column.addWidget(field)
