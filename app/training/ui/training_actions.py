"""Act on trainings in the list: change name and note, move to the bin, plan again, and import results."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QLineEdit, QMenu, QPlainTextEdit, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase, unique_name
from app.inference.local_model import LocalModel
from app.training import drafts
from app.training.drafts import TrainingDraft
from app.training.runs import rerun, run_folders, training_list
from app.training.runs.run_folders import TrainingRunFolder
from app.training.runs.training_list import DAMAGED, NOTE_CHARACTERS, TrainingEntry
from app.training.ui import training_texts
from app.training.ui.job_dialogs import ImportJobDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, ask_to_leave, cancel_or, scrolled_height
from app.uikit.page import EntryActions, EntryKey, NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Label

NAME_CHARACTERS = 80
NOTE_LINES = 6
_NameAndNote = tuple[str, str | None]  # None: a draft, which has no note


class TrainingActions(EntryActions):
    """The actions on trainings in the list. They only write small files or move folders, so no thread is needed."""

    draft_named = Signal(str, str)  # id and name

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        where: Paths,
        models: Callable[[], Sequence[LocalModel]],
        page: QWidget,
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__(theme, page)
        self._pickers = pickers or Pickers()
        self._navigation = navigation
        self._where = where
        self._models = models

    def menu(self, entry: TrainingEntry, at: QPoint) -> QMenu:
        """Open the menu of a training at the point `at` and return it."""
        menu, theme, is_run = self._begin_menu(), self._theme, entry.kind == "run"
        if entry.state != DAMAGED:
            title = phrase("training.name_and_note") if is_run else phrase("common.rename")
            self._add_rename(menu, title, functools.partial(self.edit, entry))
        if is_run:
            repeat = functools.partial(self.plan, entry.folder, rerun.repeat_run)
            menu.addAction(theme.icon("refresh-cw"), phrase("training.again_with_the_same_settings"), repeat)
        if entry.state == "finished":
            onward = functools.partial(self.plan, entry.folder, rerun.continue_training)
            menu.addAction(phrase("training.go_on_from_this_adapter"), onward)
        self._add_open_folder(menu, entry.folder)
        menu.addSeparator()
        import_result = functools.partial(self.take_back, entry)
        menu.addAction(theme.icon("file-down"), phrase("training.take_in_the_result_of"), import_result)
        return self._open_menu(menu, at, functools.partial(self.remove, entry))

    def edit(self, entry: TrainingEntry) -> "TrainingNameDialog":
        """Open a dialog for the training's name and, for a run, its note."""
        note = training_list.read_note(entry.folder) if entry.kind == "run" else None
        dialog = TrainingNameDialog(self._theme, entry.name, note, self._page.window())
        return dialog.ask(lambda: self._keep(entry, *dialog.entered))

    def add(self) -> None:
        """Create a new draft and show it."""
        self._run_or_emit_failed(lambda: self._open_entry(("draft", drafts.create(self._where.drafts, time.time()).id)))

    def plan(
        self, folder: Path, make: Callable[[Paths, TrainingRunFolder, Sequence[LocalModel]], TrainingDraft]
    ) -> None:
        """Create a new draft from the run in `folder` with `make`, such as `rerun.repeat_run`, and show it.

        A background thread copies the run's data.
        """
        models = tuple(self._models())
        background.run(lambda: make(self._where, run_folders.read(folder), models), self._on_planned, self.failed.emit)

    def take_back(self, entry: TrainingEntry | None = None) -> ImportJobDialog:
        """Open a dialog that imports a job's folder from another machine.

        `entry`: the exported run, if the user chose one; otherwise None.
        """
        job = run_folders.exported_to(entry.folder) if entry is not None and entry.state == "exported" else ""
        place = Path(job) if job else None
        dialog = ImportJobDialog(self._theme, self._where.runs, place, self._page.window(), self._pickers)
        dialog.taken.connect(lambda run: self._open_entry(("run", run.id)))
        dialog.open()
        return dialog

    def remove(self, entry: TrainingEntry) -> None:
        """Move a training to the bin and offer to restore it."""

        def restore() -> bool:
            is_done = self._run_or_emit_failed(lambda: training_list.restore_training(self._where, entry))
            self._open_entry(training_texts.entry_key(entry))
            return is_done

        def work() -> None:
            self.closed.emit(training_texts.entry_key(entry))
            training_list.move_to_bin(self._where, entry, self._models())
            name = training_texts.entry_name(entry)
            action = UndoableAction(
                done=phrase("common.name_was_deleted", name=name),
                undone=phrase("common.name_is_back", name=name),
                undo=restore,
                redo=lambda: self.remove(entry),
            )
            self._navigation.undo_offered.emit(action)

        self._run_or_emit_failed(work)
        self.changed.emit()

    # ------------------------------------------------------------- private methods

    def _keep(self, entry: TrainingEntry, name: str, note: str | None) -> None:
        if name != entry.name:
            others = {one.name for one in training_list.list_trainings(self._where).entries if one.id != entry.id}
            name = unique_name(name, others - {""}, NAME_CHARACTERS)
        former_note = None if note is None else training_list.read_note(entry.folder)
        self._change(entry, (entry.name, former_note), (name, note))

    def _change(
        self, entry: TrainingEntry, before: _NameAndNote, after: _NameAndNote, *, is_undo: bool = False
    ) -> bool:
        """Give a training another name, note or both, with one undo; return whether that succeeded."""
        (former_name, former_note), (name, note) = before, after

        def work() -> None:
            if note is not None and note != former_note:
                training_list.write_note(entry.folder, note)
            if name == former_name:
                return
            if entry.kind == "run":
                training_list.rename_run(run_folders.read(entry.folder), name)
            else:
                self.draft_named.emit(entry.id, name)

        is_done = self._run_or_emit_failed(work)
        if is_done and not is_undo and before != after:
            names = [training_texts.entry_name(replace(entry, name=one)) for one in (name, former_name)]
            is_renamed = name != former_name
            action = UndoableAction(
                done=phrase("common.renamed_to_name" if is_renamed else "training.note_changed", name=names[0]),
                undone=phrase("common.the_name_is_back" if is_renamed else "training.note_is_back", name=names[1]),
                undo=lambda: self._change(entry, after, before, is_undo=True),
                redo=lambda: self._change(entry, before, after),
            )
            self._navigation.undo_offered.emit(action)
        self.changed.emit()
        return is_done

    def _on_planned(self, draft: TrainingDraft) -> None:
        self._open_entry(("draft", draft.id))

    def _open_entry(self, key: EntryKey) -> None:
        self.changed.emit()
        self.opened.emit(key)

    def _run_or_emit_failed(self, work: Callable[[], object]) -> bool:
        """Return whether it succeeded."""
        try:
            work()
        except AppError as error:
            self.failed.emit(error)
            return False
        return True


class TrainingNameDialog(Dialog):
    """Asks for the name and the note of a training. Buttons: cancel, keep."""

    def __init__(self, theme: Theme, name: str, note: str | None, parent: QWidget) -> None:
        """Create the dialog. `note`: None for a draft, which has no note."""
        self.name = QLineEdit(name)
        self.name.setMaxLength(NAME_CHARACTERS)
        self.note: QPlainTextEdit | None = None
        self.name.setAccessibleName(phrase("common.name"))
        content = QWidget()
        column = make_column(Label(phrase("common.name"), "caption", "text2"), self.name, into=content, spacing_px=6)
        if note is not None:
            self.note = QPlainTextEdit(note)
            self.note.setProperty("field", True)
            self.note.setTabChangesFocus(True)
            self.note.setFixedHeight(scrolled_height(theme, parent, NOTE_LINES * theme.line_height("ui")))
            self.note.setAccessibleName(phrase("training.note_3"))
            column.addWidget(Label(phrase("training.note_3"), "caption", "text2"))
            column.addWidget(self.note)
        super().__init__(
            theme,
            phrase("training.rename") if note is None else phrase("training.name_and_note_2"),
            "",
            cancel_or("keep", phrase("common.save")),
            parent,
            content=content,
        )
        self._kept_note = self.entered[1]
        self.name.selectAll()
        self.name.setFocus()

    def reject(self) -> None:
        """Close the dialog, after a question if what was written in the note would be lost."""
        if self.entered[1] != self._kept_note:
            ask_to_leave(self._theme, self, self._leave)
        else:
            super().reject()

    def _leave(self) -> None:
        self._kept_note = self.entered[1]
        self.reject()

    @property
    def entered(self) -> tuple[str, str | None]:
        """Return the entered name and note. The note is cut at NOTE_CHARACTERS; it is None for a draft."""
        note = self.note.toPlainText()[:NOTE_CHARACTERS] if self.note is not None else None
        return self.name.text().strip(), note
