"""What is done to trainings in the list: named, noted, removed and brought back, begun anew."""

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLineEdit, QMenu, QPlainTextEdit, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.training import drafts
from app.training.plan import Draft
from app.training.runs import again, overview, runs, shelf
from app.training.runs.overview import DAMAGED, Entry
from app.training.runs.runs import Run
from app.training.runs.shelf import NOTE_LETTERS
from app.training.ui import words
from app.training.ui.return_dialog import ReturnDialog
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton, scrolled_height
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

NAME_LETTERS = 80
NOTE_LINES = 6


class EntryDesk(QObject):
    """Files small enough to be written at once; what is large is only moved."""

    changed = Signal()  # the list is to be read anew
    opened = Signal(str, str)  # kind and id: it is to be shown
    closed = Signal(str, str)  # kind and id: it is not to be shown any more
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

    def menu(self, entry: Entry, at: QPoint) -> QMenu:
        """Shown, with what can be done to this one."""
        menu = QMenu(self._page)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        theme, is_run = self._theme, entry.kind == "run"
        if entry.state != DAMAGED:
            title = phrase("training.name_and_note") if is_run else phrase("common.rename")
            rename = menu.addAction(theme.icon("pencil"), title, functools.partial(self.edit, entry))
            rename.setShortcut(QKeySequence("F2"))
        if is_run:
            repeat = functools.partial(self.plan, entry, again.same)
            menu.addAction(theme.icon("refresh-cw"), phrase("training.again_with_the_same_settings"), repeat)
        if entry.state == "finished":
            onward = functools.partial(self.plan, entry, again.further)
            menu.addAction(phrase("training.go_on_from_this_adapter"), onward)
        menu.addAction(
            theme.icon("folder-open"), phrase("common.open_the_folder"), lambda: self._open_folder(entry.folder)
        )
        menu.addSeparator()
        take_back = functools.partial(self.take_back, entry)
        menu.addAction(theme.icon("file-down"), phrase("training.take_in_the_result_of"), take_back)
        menu.addSeparator()
        remove = menu.addAction(theme.icon("trash-2"), phrase("common.delete"), functools.partial(self.remove, entry))
        remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        menu.popup(at)
        return menu

    def edit(self, entry: Entry) -> "EntryDialog":
        """Asks for a name and, of a run, a note."""
        note = shelf.note_of(entry.folder) if entry.kind == "run" else None
        dialog = EntryDialog(self._theme, entry.name, note, self._page.window())
        dialog.chosen.connect(lambda key: self._keep(entry, *dialog.written) if key == "keep" else None)
        dialog.open()
        return dialog

    def add(self) -> None:
        """A new draft."""
        self._try(lambda: self._show("draft", drafts.new(self._where.drafts, time.time()).id))

    def plan(self, entry: Entry, make: Callable[[Paths, Run, Sequence[LocalModel]], Draft]) -> None:
        """A new draft from a run: `again.same` or `again.further`. Its data are copied in the background."""
        models = tuple(self._models())
        background.run(lambda: make(self._where, runs.read(entry.folder), models), self._on_planned, self.failed.emit)

    def take_back(self, entry: Entry | None = None) -> ReturnDialog:
        """Asks for a job's folder that has come back. `entry`: the run that is waited for, perhaps; else any."""
        job = runs.exported_to(entry.folder) if entry is not None and entry.state == "exported" else ""
        place = Path(job) if job else None
        dialog = ReturnDialog(self._theme, self._where.runs, place, self._page.window(), self._pickers)
        dialog.taken.connect(lambda run: self._show("run", run.id))
        dialog.open()
        return dialog

    def remove(self, entry: Entry) -> None:
        """Into the bin."""

        def restore() -> None:
            self._try(lambda: overview.restore(self._where, entry))
            self._show(entry.kind, entry.id)

        def work() -> None:
            self.closed.emit(entry.kind, entry.id)
            overview.remove(self._where, entry, self._models())
            done = phrase("common.name_was_deleted", name=words.entry_name(entry))
            self._navigation.undo_offered.emit(done, restore)

        self._try(work)
        self.changed.emit()

    # ------------------------------------------------------------------- private

    def _keep(self, entry: Entry, name: str, note: str | None) -> None:
        def work() -> None:
            if note is not None and note != shelf.note_of(entry.folder):
                shelf.write_note(entry.folder, note)
            if name == entry.name:
                return
            if entry.kind == "run":
                shelf.rename(runs.read(entry.folder), name)
            else:
                self.draft_named.emit(entry.id, name)

        self._try(work)
        self.changed.emit()

    def _on_planned(self, draft: Draft) -> None:
        self._show("draft", draft.id)

    def _show(self, kind: str, id: str) -> None:
        self.changed.emit()
        self.opened.emit(kind, id)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except AppError as error:
            self.failed.emit(error)


class EntryDialog(Dialog):
    """The name of a training and a note on it. Chosen: cancel or keep."""

    def __init__(self, theme: Theme, name: str, note: str | None, parent: QWidget) -> None:
        """`note` None: a draft, which has none."""
        self.name = QLineEdit(name)
        self.name.setMaxLength(NAME_LETTERS)
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
        """Name and note. Longer notes than are kept are cut."""
        note = self.note.toPlainText()[:NOTE_LETTERS] if self.note is not None else None
        return self.name.text().strip(), note

    @staticmethod
    def _add(column: QVBoxLayout, name: str, field: QWidget) -> None:
        field.setAccessibleName(name)
        column.addWidget(Label(name, "caption", "text2"))
        column.addWidget(field)
