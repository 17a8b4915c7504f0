"""Add a question set (質問集を追加): from a file, by hand, or from answers rated in conversations."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, Qt, QTimer, Signal
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from app.base.confidentiality import Label as Secrecy
from app.base.errors import AppError
from app.base.files.output_file import safe_name
from app.base.services.background import LatestWork
from app.base.wording import describe_error, phrase
from app.chat.store import Store
from app.documents.library import collections_now
from app.evaluation import conversation_questions, question_files, question_sets
from app.evaluation.conversation_questions import CollectedQuestions
from app.evaluation.question_files import QuestionFile
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.records import Question, QuestionSet
from app.evaluation.ui import question_set_texts
from app.evaluation.ui.question_dialog import QuestionDialog
from app.evaluation.ui.question_set_forms import NameForm, QuestionSetEditorWindow, StoreWork
from app.training.data.records import shorten
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import FactList, Label
from app.uikit.widgets.progress_row import ProgressRow

Show = Callable[[Any, Sequence[StoredQuestionSet]], None]

PATIENCE_MS = 500  # milliseconds after which reading shows a window
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class ImportedQuestions:
    """The questions about to be stored. `floor`: lowest label allowed.

    `source`: their origin, for the list of versions.
    """

    name: str
    questions: tuple[Question, ...]
    floor: Secrecy
    source: str


@dataclass(frozen=True, slots=True)
class ImportPart:
    """A titled part of the import dialog: lines of text, or facts. `tone`: colour of the title."""

    title: str
    lines: str = ""
    facts: Sequence[tuple[str, str]] = ()
    tone: str = "text"


class ImportQuestionsDialog(QuestionSetEditorWindow):
    """Shows the questions to import, with a name and label to choose; stores nothing before its button is pressed."""

    def __init__(
        self,
        theme: Theme,
        folder: Path,
        sets: Sequence[StoredQuestionSet],
        imported: ImportedQuestions,
        parts: Sequence[ImportPart],
        parent: QWidget,
    ) -> None:
        super().__init__(theme, parent)
        self._folder = folder
        self._imported = imported
        self.naming = NameForm(sets, imported.name, imported.floor, is_new=False)
        self.naming.changed.connect(self.note_change)
        self.naming.name.returnPressed.connect(self.submit)
        self.column.addWidget(self.naming)
        self.parts = [self._create_part(part) for part in parts if part.lines or part.facts]
        for shown in self.parts:
            self.column.addWidget(shown)
        self.column.addStretch(1)
        self.naming.name.setFocus()
        self.naming.name.selectAll()

    def label_now(self) -> Secrecy:
        """Return the label of the questions to import, which does not depend on the page behind the dialog."""
        return self._imported.floor

    def save_or_explain(self) -> str:
        if not self.naming.check():
            return ""
        self.naming.name.setFocus()
        return phrase("evaluation.put_the_name_right")

    def work(self) -> StoreWork:
        taken, naming = self._imported, self.naming
        name, label, after = naming.name.text().strip(), naming.chosen_label, naming.expected_sha256
        return lambda: question_sets.store(
            self._folder, name, taken.questions, label, taken.source, expected_sha256=after
        )  # fmt: skip

    def _create_part(self, part: ImportPart) -> QWidget:
        shown = QWidget()
        column = make_column(Label(part.title, tone=part.tone, strong=True, wraps=True), into=shown, spacing_px=4)
        if part.facts:
            facts = FactList(self._theme)
            facts.set_facts(part.facts)
            column.addWidget(facts)
        if part.lines:
            lines = Label(part.lines, tone="text2", wraps=True)
            lines.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            lines.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            column.addWidget(lines)
        return shown


def first_questions(questions: Sequence[Question], most: int) -> str:
    """Return a text of the first `most` questions, one a line."""
    shown = [f"・{question_set_texts.one_line(one.text)}" for one in questions[:most]]
    return "\n".join([*shown, "…"] if len(questions) > most else shown)


class ImportFileDialog(ImportQuestionsDialog):
    def __init__(
        self, theme: Theme, folder: Path, sets: Sequence[StoredQuestionSet], file: QuestionFile, parent: QWidget
    ) -> None:
        name = safe_name(Path(file.name).stem.replace("@", "_"), phrase("evaluation.new_question_set"))
        taken = ImportedQuestions(name, file.questions, file.label, file.name)
        super().__init__(theme, folder, sets, taken, list(self._parts(file)), parent)
        sheet = phrase("evaluation.sheet_sheet", sheet=shorten(file.sheet)) if file.sheet else ""
        title = phrase("evaluation.import_n_questions", n=f"{len(file.questions):,}")
        self.set_words(title, join_facts(file.name, sheet), phrase("common.import"))

    def _parts(self, file: QuestionFile) -> Iterator[ImportPart]:
        yield self._skipped(file)
        yield ImportPart(phrase("common.columns"), facts=question_set_texts.column_mapping(file.columns))
        unused = phrase("common.data_gap").join(map(shorten, file.columns.unused[: question_set_texts.SHOWN_ROWS]))
        yield ImportPart(phrase("evaluation.columns_not_used"), unused)
        yield ImportPart(phrase("evaluation.first_questions"), first_questions(file.questions, EXAMPLES))
        yield ImportPart(phrase("evaluation.please_check"), "\n".join(self._doubts(file)), tone="warning")
        lines = question_set_texts.first_lines(
            [question_set_texts.renamed_text(*pair) for pair in file.renamed], "common.n_more"
        )
        yield ImportPart(phrase("evaluation.ids_that_were_changed"), lines)
        sheets = phrase("common.data_gap").join(map(shorten, file.other_sheets))
        yield ImportPart(phrase("evaluation.sheets_not_read"), sheets)

    def _skipped(self, file: QuestionFile) -> ImportPart:
        rows = [question_set_texts.bad_row_text(row) for row in file.skipped]
        title = phrase("evaluation.n_rows_are_no_questions", n=f"{len(rows):,}")
        return ImportPart(title, question_set_texts.first_lines(rows, "evaluation.n_more_rows"), tone="warning")

    def _doubts(self, file: QuestionFile) -> Iterator[str]:
        doubts = [question_set_texts.doubt_text(row) for row in file.doubts if row.code != "not_scored"]
        if doubts:
            yield question_set_texts.first_lines(doubts, "evaluation.n_more_places")
        if not_scored := question_set_texts.not_scored_warning(file.questions):
            yield not_scored
        repeated = len(file.questions) - len({one.text for one in file.questions})
        if repeated:
            yield phrase("evaluation.n_questions_repeat_the_words", n=f"{repeated:,}")
        if file.blank:
            yield phrase("evaluation.n_empty_rows_are_not", n=f"{file.blank:,}")


class ConversationsDialog(ImportQuestionsDialog):
    def __init__(
        self,
        theme: Theme,
        folder: Path,
        sets: Sequence[StoredQuestionSet],
        collected: CollectedQuestions,
        parent: QWidget,
    ) -> None:
        source = phrase("evaluation.chat_questions_source")
        taken = ImportedQuestions(phrase("evaluation.from_conversations"), collected.questions, collected.label, source)
        parts = (
            ImportPart(
                phrase("evaluation.questions_that_are_used"),
                first_questions(collected.questions, question_set_texts.SHOWN_ROWS),
            ),
            ImportPart(phrase("evaluation.what_is_known"), question_set_texts.known_answers(collected.questions)),
            ImportPart(phrase("evaluation.left_out"), excluded_text(collected)),
        )
        super().__init__(theme, folder, sets, taken, parts, parent)
        title = phrase("evaluation.make_a_set_of_n", n=f"{len(collected.questions):,}")
        sentence = phrase("evaluation.good_answers_and_the_right")
        self.set_words(title, sentence, phrase("common.make"))


def excluded_text(collected: CollectedQuestions) -> str:
    """Return a text of the reasons for left out answers with their counts, one a line."""
    return "\n".join(
        phrase(f"evaluation.chat_questions.{reason}", count=f"{n:,}") for reason, n in collected.left_out.items()
    )


def empty_result_dialog(theme: Theme, collected: CollectedQuestions, parent: QWidget) -> Dialog:
    """Return the dialog that says that no rated answer can become a question, and what to do."""
    sentence = describe_error(AppError("no_rated_answers"))
    body = "\n".join(part for part in (sentence.next, excluded_text(collected)) if part)
    close = DialogButton("cancel", phrase("common.close"), is_default=True)
    return Dialog(theme, sentence.message, body, (close,), parent)


class AddSet(QObject):
    """Adds sets. Files and conversations are read in the background; a new request replaces the one in progress."""

    added = Signal(str)  # name of the set
    failed = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        folder: Path,
        collect: Callable[[], CollectedQuestions],
        parent: QWidget,
        pickers: Pickers | None = None,
    ) -> None:
        """Prepare adding sets.

        `folder`: the folder of all sets. `collect`: collects questions of conversations; runs in the background.
        """
        super().__init__(parent)
        self._theme = theme
        self._folder = folder
        self._collect = collect
        self._page = parent
        self._pickers = pickers or Pickers()
        self._reading = LatestWork()
        self._waiting: Dialog | None = None
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._patience.timeout.connect(self._show_waiting)
        self.dialog: QuestionSetEditorWindow | Dialog | None = None  # the last dialog that was opened

    def menu(self) -> QMenu:
        """Return the menu for the button 質問集を追加."""
        menu = QMenu(self._page)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        theme = self._theme
        menu.addAction(theme.icon("file-down"), phrase("evaluation.import_from_a_file"), self.import_file)
        menu.addAction(theme.icon("pencil"), phrase("evaluation.write_it_yourself"), self.write)
        chats = phrase("evaluation.from_ratings_in_conversations_good")
        menu.addAction(theme.icon("message-circle-question-mark"), chats, self.from_conversations)
        return menu

    def import_file(self) -> None:
        start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        known = " ".join(f"*{suffix}" for suffix in question_files.SUFFIXES)
        kinds = f"{phrase('evaluation.files_of_questions')} ({known});;{phrase('common.all_files')} (*)"
        path = self._pickers.open(self._page.window(), phrase("evaluation.choose_a_file_of_questions"), start, kinds)
        if path:
            self.import_path(Path(path))

    def import_path(self, path: Path) -> None:
        """Read a file that was chosen or dropped, and open the import dialog."""
        self._read(lambda: question_files.read(path), self._show_file)

    def write(self) -> None:
        self._read(lambda: None, self._show_empty)

    def from_conversations(self) -> None:
        self._read(self._collect, self._show_collected)

    def _read(self, work: Callable[[], object], show: Show) -> None:
        folder = self._folder
        self._patience.start()
        read = partial(self._on_read, show)
        self._reading.run(lambda: (work(), question_sets.list_all(folder)), read, self._on_failed)

    def _on_read(self, show: Show, outcome: tuple[object, Sequence[StoredQuestionSet]]) -> None:
        self._end_waiting()
        show(*outcome)

    def _on_failed(self, error: AppError) -> None:
        self._end_waiting()
        self.failed.emit(question_set_texts.error_for_window(error))

    def _end_waiting(self) -> None:
        self._patience.stop()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.accept()

    def _show_waiting(self) -> None:
        progress = ProgressRow(self._theme, can_cancel=False)
        progress.start(phrase("evaluation.reading"))
        choices = (DialogButton("cancel", phrase("common.cancel"), is_default=True),)
        body = phrase("evaluation.a_window_to_check_the")
        dialog = Dialog(
            self._theme, phrase("evaluation.reading_questions"), body, choices, self._page, content=progress
        )
        dialog.rejected.connect(self._give_up)
        self._waiting = dialog
        dialog.open()

    def _give_up(self) -> None:
        self._reading.drop()
        self._waiting = None

    def _show_file(self, file: QuestionFile, sets: Sequence[StoredQuestionSet]) -> None:
        self._open(ImportFileDialog(self._theme, self._folder, sets, file, self._page))

    def _show_collected(self, collected: CollectedQuestions, sets: Sequence[StoredQuestionSet]) -> None:
        if collected.questions:
            self._open(ConversationsDialog(self._theme, self._folder, sets, collected, self._page))
        else:
            self.dialog = empty_result_dialog(self._theme, collected, self._page)
            self.dialog.open()

    def _show_empty(self, _nothing: object, sets: Sequence[StoredQuestionSet]) -> None:
        naming = NameForm(sets, "", is_new=True)
        source = phrase("evaluation.written_by_hand")

        def prepare(question: Question) -> StoreWork:
            name, label = naming.name.text().strip(), naming.chosen_label
            return lambda: question_sets.store(self._folder, name, [question], label, source, expected_sha256="")

        self._open(QuestionDialog(self._theme, None, prepare, self._page, naming))

    def _on_stored(self, question_set: QuestionSet) -> None:
        self.added.emit(question_set.name)

    def _open(self, dialog: QuestionSetEditorWindow) -> None:
        dialog.stored.connect(self._on_stored)
        dialog.setWindowModality(Qt.WindowModality.WindowModal)
        self.dialog = dialog
        dialog.open()


def conversation_reader(database: Path, documents: Path) -> Callable[[], CollectedQuestions]:
    """Return a function for `AddSet` that reads the conversations over a database connection of its own."""

    def collect() -> CollectedQuestions:
        store = Store.open_second(database)
        try:
            return conversation_questions.collect_questions(store, collections_now(documents))
        finally:
            store.close()

    return collect
