"""Show a question set: its questions in a table, the actions on them and on the set."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.documents import collection_lookup
from app.evaluation import current_labels, question_files, question_sets
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.records import Question, QuestionSet
from app.evaluation.ui import question_set_texts
from app.evaluation.ui.file_export import FileExport
from app.evaluation.ui.open_question_set import DisplayedSet, OpenQuestionSet
from app.evaluation.ui.question_dialog import QuestionDialog
from app.evaluation.ui.question_set_forms import RenameDialog
from app.evaluation.ui.question_set_table import QuestionTable, QuestionTableModel, SetHead
from app.training.data.records import shorten
from app.uikit import desktop
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import Pickers
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import FlowBox, Stretch, make_column, make_scrollable
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label

MARGIN_PX, NARROW_MARGIN_PX, NARROW_BELOW_PX = 24, 16, 720
SEARCH_PX = 240
SEARCH_FROM = 12  # number of questions from which the search is shown
NOTICE_CHARACTERS = 20  # limit for a question in a notice on a change


class SetView(QWidget):
    """Shows a question set. Every change makes a new version; older versions can be shown and restored."""

    evaluate_requested = Signal(str)  # name of the set
    changed = Signal()  # the list of sets must be read again
    remove_requested = Signal()  # the user wants to delete the shown set
    renamed = Signal(str, str)  # old name, new name
    failed = Signal(object)  # AppError
    undo_offered = Signal(object)  # UndoableAction

    def __init__(
        self, theme: Theme, folder: Path, documents: Path, secrecy: ConfidentialityGuard, pickers: Pickers | None = None
    ) -> None:
        """Create the empty view.

        `folder`: the folder of all sets. `documents`: the documents database, which gives the current label.
        """
        super().__init__()
        self._theme = theme
        self._folder = folder
        self._documents = documents
        self._pending_question = ""  # id of the question to select next
        self._wanted_row = 0
        self._renaming = ""  # the set whose rename dialog is about to open
        self.work = OpenQuestionSet(folder)
        self.work.setParent(self)
        self.head = SetHead(theme)
        self.banner = Banner(theme)
        self.exporting = FileExport(self, secrecy, pickers or Pickers(), self.banner, lambda: self.name)
        self.old_version_banner = Banner(theme, can_close=False)  # an older or damaged version is shown
        self.questions = QuestionTableModel()
        self.questions.setParent(self)
        self.table = QuestionTable(theme, self.questions)
        self.search = SearchField(theme, phrase("evaluation.search_questions"))
        self.nothing = Label("", tone="text2", wraps=True)
        self.add_button = Button(theme, phrase("evaluation.add_question"), "", "plus")
        self.edit_button = Button(theme, phrase("common.edit"), "", "pencil")
        self.remove_button = Button(theme, phrase("common.delete"), "", "trash-2")
        self.evaluate_button = Button(theme, phrase("evaluation.evaluate_with_this_set"), "primary")
        self.export_button = Button(theme, phrase("evaluation.export_to_excel"), "", "download")
        self.menu_button = IconButton(theme, "ellipsis", phrase("evaluation.actions_for_the_question_set"))
        self.header_actions: list[QWidget] = [self.export_button, self.evaluate_button, self.menu_button]
        self.dialog: QuestionDialog | RenameDialog | None = None  # the last dialog that was opened
        # Opens a question's dialog in a turn of its own, so that the window answers after the dialog is made.
        self._opening = QTimer(self, singleShot=True, interval=0)
        self._build()
        self._connect()
        self._allow()

    @property
    def name(self) -> str:
        """Return the name of the shown set; "" if there is none."""
        return self.work.name

    def label_now(self) -> confidentiality.Label:
        """Return the current label of the shown version.

        It is needed at every selection, so the set is not read again.
        """
        shown = self.work.displayed
        if shown is None or shown.question_set is None:
            return confidentiality.HIGHEST_LABEL
        return collection_lookup.label_of_origins(self._documents, shown.origins, shown.question_set.label)

    def show_set(self, name: str) -> None:
        """Show the newest version of a set."""
        if name != self.name:
            self.search.clear()
            self.banner.hide()
            self.old_version_banner.hide()
            self._pending_question, self._wanted_row = "", 0
            self.questions.show_questions((), ())
            self.head.show_name(name)
        self.work.open(name)
        self._allow()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._search_box = QWidget()  # a bare field with focus is higher than FlowBox allows for
        make_column(self.search, into=self._search_box)
        self.tools = FlowBox(self.add_button, self.edit_button, self.remove_button, self._search_box)
        content = QWidget()
        self._column = make_column(
            self.head, self.banner, self.old_version_banner, self.tools, self.nothing, (self.table, 1), Stretch(0),
            into=content, margins_px=None, spacing_px=12,
        )  # fmt: skip
        self.nothing.hide()
        make_column(make_scrollable(content), into=self)  # scrolls if there is little height, as with large text
        self._lay_out()

    def _connect(self) -> None:
        self.work.read.connect(self._on_read)
        self.work.stored.connect(self._on_stored)
        self.work.changed.connect(self.changed)
        self.work.renamed.connect(self._on_renamed)
        self.work.failed.connect(self._on_failed)
        self.head.version_chosen.connect(lambda number: self.work.open(self.name, number))
        self.old_version_banner.action_requested.connect(lambda _key: self._return_to_shown())
        self.exporting.failed.connect(self._on_failed)
        self._opening.timeout.connect(lambda: self.dialog is not None and self.dialog.open())
        self.search.textChanged.connect(self._on_searched)
        self.table.edit_requested.connect(self.edit)
        self.table.remove_requested.connect(self.remove)
        self.table.menu_requested.connect(self._show_table_menu)
        self.table.selectionModel().selectionChanged.connect(self._allow)
        self.add_button.clicked.connect(self.add)
        self.edit_button.clicked.connect(self.edit)
        self.remove_button.clicked.connect(self.remove)
        self.evaluate_button.clicked.connect(lambda: self.evaluate_requested.emit(self.name))
        self.export_button.clicked.connect(self.export)
        self.menu_button.clicked.connect(self._show_menu)
        self._theme.changed.connect(self._lay_out)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        margin = NARROW_MARGIN_PX if self.width() < self._theme.px(NARROW_BELOW_PX) else MARGIN_PX
        self._column.setContentsMargins(margin, 16, margin, margin)
        self.search.setFixedWidth(self._theme.px(SEARCH_PX))

    # ------------------------------------------------------------------- showing

    def _on_read(self, displayed: DisplayedSet) -> None:
        self.questions.show_questions(
            displayed.question_set.questions if displayed.question_set is not None else (), displayed.texts
        )
        if displayed.stored_set is not None and displayed.version is not None:
            self.head.show_version(
                displayed.stored_set,
                displayed.version,
                displayed.question_set.questions if displayed.question_set else None,
            )
        else:
            self.head.show_name(displayed.name)
        self._show_past(displayed)
        self._show_rows()
        row = self.questions.row_of(self._pending_question) if self._pending_question else self._wanted_row
        self.table.choose_row(row if row >= 0 else self._wanted_row)
        self._allow()

    def _show_past(self, displayed: DisplayedSet) -> None:
        """Show why the shown version cannot be changed; show nothing if it can be changed."""
        if displayed.error is not None:
            what = (
                phrase("evaluation.this_question_set_cannot_be")
                if displayed.stored_set is None
                else phrase("evaluation.this_version_cannot_be_read")
            )
            advice = phrase("evaluation.put_it_back_from_a")
            if displayed.stored_set is not None and len(displayed.stored_set.versions) > 1:
                advice = phrase("evaluation.choose_an_earlier_version_at")
            self.old_version_banner.show_message(
                "danger", what, join_facts(describe_error(displayed.error).message, advice)
            )
        elif not displayed.is_newest and displayed.version is not None:
            what = phrase("evaluation.an_earlier_version_version_n", n=displayed.version.number)
            advice = phrase("evaluation.editing_and_evaluating_are_done")
            self.old_version_banner.show_message(
                "warning", what, advice, (("return", phrase("evaluation.go_back_to_this_version")),)
            )
        else:
            self.old_version_banner.hide()

    def _show_rows(self) -> None:
        """Show the rows that match the search, and the tools if there are any questions."""
        self.tools.setVisible(bool(self.questions.total))
        self._search_box.setVisible(self.questions.total >= SEARCH_FROM or bool(self.search.text()))
        is_none = bool(self.questions.total) and not self.questions.rowCount()
        self.nothing.setText(phrase("evaluation.no_question_has_words", words=self.search.text().strip()))
        self.nothing.setVisible(is_none)
        self.table.setVisible(bool(self.questions.rowCount()))
        self._column.setStretch(self._column.count() - 1, 0 if self.questions.rowCount() else 1)

    def _allow(self) -> None:
        """Enable the possible actions. The banner, or the text in place of the table, says why others are disabled."""
        shown = self.work.displayed
        is_whole = shown is not None and shown.question_set is not None
        can_change = is_whole and shown is not None and shown.is_newest and not self.work.is_storing
        has_chosen = self.table.selectionModel().hasSelection()
        self.add_button.setEnabled(can_change)
        self.edit_button.setEnabled(can_change and has_chosen)
        self.remove_button.setEnabled(can_change and has_chosen)
        self.evaluate_button.setEnabled(can_change)
        self.export_button.setEnabled(is_whole)
        self.menu_button.setEnabled(shown is not None)

    def _on_searched(self) -> None:
        before = self.table.current
        self.questions.search(self.search.text())
        self._show_rows()
        self.table.choose_row(max(0, self.questions.row_of(before.id)) if before is not None else 0)
        self._allow()

    # ------------------------------------------------------------------ changing

    def add(self) -> None:
        if self.add_button.isEnabled() and (now := self._newest_version()) is not None:
            done_text = phrase("evaluation.added_question")
            self._write(None, done_text, lambda question: (*now.questions, question))

    def edit(self) -> None:
        now, question = self._newest_version(), self.table.current
        if self.edit_button.isEnabled() and now is not None and question is not None:
            done_text = phrase("evaluation.changed_question")
            self._write(
                question, done_text, lambda new: tuple(new if one.id == new.id else one for one in now.questions)
            )

    def remove(self) -> None:
        """Delete the selected questions, but not all: a set needs at least one."""
        now, chosen = self._newest_version(), self.table.selected_questions()
        if not self.remove_button.isEnabled() or now is None:
            return
        ids = {one.id for one in chosen}
        rest = [question for question in now.questions if question.id not in ids]
        if not rest:
            what = phrase("evaluation.not_all_questions_can_be")
            advice = phrase("evaluation.a_set_needs_at_least")
            self.banner.show_message("warning", what, advice)
            return
        one, several = phrase("evaluation.deleted_question"), phrase("evaluation.deleted_n_questions")
        done_text = _with_question(one, chosen[0]) if len(chosen) == 1 else several.format(n=f"{len(chosen):,}")
        self._pending_question, self._wanted_row = "", self.table.currentIndex().row() - len(chosen) + 1
        self.work.store(rest, phrase("evaluation.question_deleted"), done_text)
        self._allow()

    def rename(self) -> None:
        """Ask for a new name, once the other sets' names have been read."""
        if self._renaming != self.name:
            name = self._renaming = self.name
            background.run(lambda: (name, question_sets.list_all(self._folder)), self._ask_name, self._on_failed)

    def _ask_name(self, listed: tuple[str, Sequence[StoredQuestionSet]]) -> None:
        name, sets = listed
        if name != self._renaming:
            return
        self._renaming = ""
        if name != self.name:
            return  # another set is shown by now
        others = [one for one in sets if one.name != name]
        dialog = self.dialog = RenameDialog(self._theme, name, others, self.window())
        dialog.name_given.connect(functools.partial(self.work.rename, name))
        dialog.open()

    def export(self) -> None:
        shown = self.work.displayed
        if shown is None or shown.question_set is None:
            return
        found = shown.question_set
        self.exporting.ask(
            found.name,
            phrase("evaluation.export_the_question_set_to"),
            f"{found.name}.xlsx",
            "Excel (*.xlsx);;CSV (*.csv);;JSON Lines (*.jsonl)",
            question_files.WRITTEN,
            ("questions", lambda: current_labels.label_of_set(found, self._documents)),
            lambda out, permit: question_files.write(out, found.questions, permit=permit),
        )

    def _newest_version(self) -> QuestionSet | None:
        """Return the newest version, from which changes start; None if an older or damaged version is shown."""
        shown = self.work.displayed
        return shown.question_set if shown is not None and shown.is_newest else None

    def _write(
        self, question: Question | None, done_text: str, merged: Callable[[Question], Sequence[Question]]
    ) -> None:
        """Open the dialog for a question; None: a new one.

        `done_text`: a text on the change. `merged`: returns all questions of the set, including the edited one.
        """
        source = phrase("evaluation.add_question") if question is None else phrase("evaluation.edit_question")
        shown = self.work.displayed
        if self._opening.isActive():
            return
        assert shown is not None
        assert shown.version is not None
        number = shown.version.number
        dialog = self.dialog = QuestionDialog(
            self._theme, question, lambda new: self.work.store_work(shown, merged(new), source), self.window()
        )

        def on_stored(question_set: QuestionSet) -> None:
            at = len(question_set.questions) - 1
            ids = [one.id for one in question_set.questions]
            if question is not None and question.id in ids:
                at = ids.index(question.id)
            self._pending_question, self._wanted_row = ids[at], at
            self._on_stored(question_set, number, _with_question(done_text, question_set.questions[at]))
            self.changed.emit()

        dialog.stored.connect(on_stored)
        self._opening.start()

    def _return_to_shown(self) -> None:
        shown = self.work.displayed
        if shown is not None and shown.question_set is not None and shown.version is not None:
            source = phrase("evaluation.back_to_version_n", n=shown.version.number)
            done_text = phrase("evaluation.went_back_to_version_n", n=shown.version.number)
            self.work.store(shown.question_set.questions, source, done_text)

    def _on_stored(self, question_set: QuestionSet, number: int, done_text: str) -> None:
        self._allow()  # another set may be shown by now
        if question_set.version > number:
            restore, name, new_number = self.work.restore_version, question_set.name, question_set.version
            taken_back, again = phrase("evaluation.change_taken_back"), phrase("evaluation.change_made_again")
            action = UndoableAction(
                done=done_text,
                undone=phrase("evaluation.the_set_is_as_before", name=name),
                undo=functools.partial(restore, name, number, new_number, taken_back),
                redo=functools.partial(restore, name, new_number, number, again, done_text),
            )
            self.undo_offered.emit(action)
        if question_set.name == self.name:
            self.banner.hide()
            self.work.open(self.name)

    def _on_renamed(self, before: str, after: str, is_undo: bool) -> None:
        self.renamed.emit(before, after)
        if not is_undo:
            action = UndoableAction(
                done=phrase("common.renamed_to_name", name=after),
                undone=phrase("common.the_name_is_back", name=before),
                undo=functools.partial(self.work.rename, after, before, is_undo=True),
                redo=functools.partial(self.work.rename, before, after),
            )
            self.undo_offered.emit(action)

    def _on_failed(self, error: AppError) -> None:
        self._renaming = ""
        self._allow()
        self.failed.emit(question_set_texts.error_for_window(error))

    # --------------------------------------------------------------------- menus

    def _show_menu(self) -> None:
        menu = self.menu()
        menu.popup(self.menu_button.mapToGlobal(QPoint(0, self.menu_button.height() + 2)))

    def menu(self) -> QMenu:
        """Return the menu of the set."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        shown, theme = self.work.displayed, self._theme
        add = menu.addAction(theme.icon("plus"), phrase("evaluation.add_question_2"), self.add)
        add.setEnabled(self.add_button.isEnabled())
        export = menu.addAction(theme.icon("file-up"), phrase("evaluation.export_excel_csv_json_lines"), self.export)
        export.setEnabled(self.export_button.isEnabled())
        if shown is not None and shown.stored_set is not None:
            menu.addAction(phrase("common.rename"), self.rename)
        menu.addSeparator()
        folder = self._folder / self.name
        menu.addAction(theme.icon("folder-open"), phrase("common.open_folder"), lambda: desktop.open_folder(folder))
        menu.addSeparator()
        menu.addAction(theme.icon("trash-2"), phrase("evaluation.delete_this_question_set"), self.remove_requested.emit)
        return menu

    def _show_table_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        edit = menu.addAction(self._theme.icon("pencil"), phrase("evaluation.edit"), self.edit)
        edit.setEnabled(self.edit_button.isEnabled())
        remove = menu.addAction(self._theme.icon("trash-2"), phrase("common.delete"), self.remove)
        remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        remove.setEnabled(self.remove_button.isEnabled())
        menu.popup(at)


def _with_question(form: str, question: Question) -> str:
    return form.format(question=shorten(question.text, NOTICE_CHARACTERS))
