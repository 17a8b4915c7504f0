"""Show the setup of a batch (file, column, documents, target) and its progress, with their texts."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from app.base.wording import format_time_left, phrase, shorten
from app.chat.batch.question_table import BatchFile, SkippedRow, column_name
from app.chat.services.batch_run import BatchStatus, BatchSummary
from app.documents import encodings
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, clear_layout, make_column, make_row
from app.uikit.widgets.form_rows import CheckRow
from app.uikit.widgets.labels import ElidedLabel, Label

SHOWN_SKIPPED = 3
COLUMN_CHARACTERS = 12  # of a column's name, so that it fits the smallest window


def file_facts(batch_file: BatchFile) -> str:
    """Return the facts about a questions file in one line, such as 「質問 118 件　シート「一覧」」."""
    count = phrase("chat.n_questions", n=f"{len(batch_file.questions):,}")
    sheet = phrase("chat.sheet_name", name=batch_file.sheet) if batch_file.sheet else ""
    codec = encodings.encoding_name(batch_file.encoding) if batch_file.encoding else ""
    blank = phrase("chat.n_empty_rows", n=f"{batch_file.blank_lines:,}") if batch_file.blank_lines else ""
    return join_facts(count, sheet, phrase("chat.encoding_name", name=codec) if codec else "", blank)


def skipped_rows_text(rows: Sequence[SkippedRow]) -> str:
    """Return which rows are not questions, and why; "" when there are none."""
    if not rows:
        return ""
    first = [
        phrase("chat.row_line_reason", line=row.line, reason=phrase(f"chat.batch_reason.{row.reason}"))
        for row in rows[:SHOWN_SKIPPED]
    ]
    listed = phrase("common.batch_gap").join(first)
    if len(rows) > SHOWN_SKIPPED:
        listed = phrase("chat.rows_and_more", rows=listed)
    return phrase("chat.n_rows_are_no_questions", n=f"{len(rows):,}", rows=listed)


def summary_text(result: BatchSummary) -> str:
    """Return the counts of a batch's result except zeros, such as 「資料にありません」12 件　要確認あり 8 件."""
    counts = {key: getattr(result, key) for key in ("not_found", "doubtful", "failed", "skipped")}
    return join_facts(*(phrase(f"chat.batch_count.{key}", n=f"{count:,}") for key, count in counts.items() if count))


PREVIEWED = 5  # questions that the setup shows
NAME_PX = 112
COLUMN_PX = 220


class BatchSetupView(QWidget):
    """Shows the questions, the collections and the model of a batch before it begins."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.out = Path()
        self._refs: list[CollectionRef] = []
        self._rows: list[CheckRow] = []
        self._build()

    def show_file(self, batch_file: BatchFile, path: Path) -> None:
        self.name.setText(path.name)
        self.facts.setText(file_facts(batch_file))
        shown = [shorten(name, COLUMN_CHARACTERS) for name in batch_file.columns]
        with QSignalBlocker(self.columns):
            self.columns.clear()
            self.columns.addItems([column_name(shown, column) for column in range(len(shown))])
            self.columns.setCurrentIndex(batch_file.column)
        self.columns.setEnabled(self.columns.count() > 1)
        skipped = skipped_rows_text(batch_file.skipped)
        self.skipped.setText(f"▲ {skipped}")
        self.skipped.setVisible(bool(skipped))
        for number, line in enumerate(self.preview):
            is_there = number < len(batch_file.questions)
            line.setVisible(is_there)
            if is_there:
                question = batch_file.questions[number]
                line.setText(phrase("chat.row_n_text", n=question.line, text=" ".join(question.text.split())))
        hidden = len(batch_file.questions) - PREVIEWED
        self.rest_label.setText(phrase("common.n_more", n=f"{hidden:,}"))
        self.rest_label.setVisible(hidden > 0)

    def show_target(self, out: Path) -> None:
        self.out = out
        self.target.setText(str(out))

    def show_model(self, name: str) -> None:
        self.model.setText(name or phrase("common.none_yet"))

    def show_collections(self, collections: Sequence[DocumentCollection], checked_names: set[str]) -> None:
        """Show the collections. Those listed before keep their marks; new ones in `checked_names` are checked."""
        kept = {ref.name for ref in self.scope()} | (checked_names - {ref.name for ref in self._refs})
        clear_layout(self._scope_column)
        self._refs = [CollectionRef(collection.id, collection.name) for collection in collections]
        self._rows = []
        for one in collections:
            facts = join_facts(phrase("chat.n_documents", n=f"{one.documents:,}"), phrase(f"common.label.{one.label}"))
            row = CheckRow(one.name, facts, is_checked=one.name in kept)
            row.toggled.connect(self._show_scope)
            row.setContentsMargins(-12, -6, 0, 2)  # aligned with the widgets above and below
            self._rows.append(row)
            self._scope_column.addWidget(row)
            row.show()
        self._show_scope()

    def scope(self) -> tuple[CollectionRef, ...]:
        return tuple(ref for ref, row in zip(self._refs, self._rows, strict=True) if row.is_checked)

    # ------------------------------------------------------------------ private

    def _build(self) -> None:
        theme = self._theme
        self.name = ElidedLabel(role="heading3")
        self.facts = Label(role="caption", tone="text2", wraps=True)
        self.other_button = Button(theme, phrase("chat.another_file"), "quiet", compact=True)
        self.columns = QComboBox()
        self.columns.setAccessibleName(phrase("chat.question_column_2"))
        self.columns.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.columns.setMinimumWidth(theme.px(COLUMN_PX))
        self.preview = [ElidedLabel(tone="text2") for _ in range(PREVIEWED)]
        self.rest_label = Label(role="caption", tone="muted")
        self.skipped = Label(tone="warning", wraps=True)
        self._scope_column = make_column(spacing_px=0)
        self.no_documents_note = Label(phrase("chat.answered_without_documents_no_sources"), tone="text2", wraps=True)
        self.model = ElidedLabel()
        self.target = ElidedLabel()
        self.target_button = Button(theme, phrase("chat.change"), compact=True)
        self.start_button = Button(theme, phrase("chat.start"), "primary", "play")
        make_column(
            make_row((self.name, 1), self.other_button, spacing_px=12),
            self.facts,
            self._named_row(phrase("chat.question_column_2"), make_row((self.columns, 1), Stretch())),
            self._named_row("", make_column(*self.preview, self.rest_label, spacing_px=2)),
            self._named_row("", self.skipped),
            self._named_row(
                phrase("chat.scope"), make_column(self._scope_column, self.no_documents_note, spacing_px=2)
            ),
            self._named_row(phrase("common.batch_column.model"), self.model),
            self._named_row(
                phrase("chat.save_answers_to"), make_row((self.target, 1), self.target_button, spacing_px=12)
            ),
            4,
            (self.start_button, 0, Qt.AlignmentFlag.AlignLeft),
            into=self,
            spacing_px=14,
        )

    def _named_row(self, name: str, content: QWidget | QVBoxLayout | QHBoxLayout) -> QHBoxLayout:
        words = Label(name, tone="muted")
        words.setFixedWidth(self._theme.px(NAME_PX))
        is_line = isinstance(content, QHBoxLayout)
        place = Qt.AlignmentFlag.AlignVCenter if is_line else Qt.AlignmentFlag.AlignTop
        return make_row((words, 0, place), (content, 1), spacing_px=12)

    def _show_scope(self) -> None:
        self.no_documents_note.setVisible(not self.scope())


class BatchProgressView(QFrame):
    """Shows the current question, the progress and the time left, with buttons to pause, resume and stop."""

    stop_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "raised")
        self.work_label = ElidedLabel()
        self.amount = Label(role="caption", tone="text2", wraps=True)
        self.pause_button = Button(theme, phrase("common.pause"), icon="pause", compact=True)
        self.resume_button = Button(theme, phrase("common.resume"), icon="play", compact=True)
        self.stop_button = Button(theme, phrase("common.stop_here"), compact=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("chat.ask_in_batch"))
        row = make_row((self.work_label, 1), self.pause_button, self.resume_button, self.stop_button, spacing_px=12)
        make_column(row, self.amount, self.bar, into=self, margins_px=(16, 8, 8, 10), spacing_px=6)
        self.stop_button.clicked.connect(self._on_stop_clicked)

    def begin(self) -> None:
        self.stop_button.setEnabled(True)
        self.stop_button.setText(phrase("common.stop_here"))
        self.work_label.setText(phrase("chat.looking_where_to_go_on"))
        self.amount.setText("")
        self.bar.setValue(0)
        self._show_paused(is_paused=False)
        self.show()

    def show_status(self, status: BatchStatus, *, is_paused: bool) -> None:
        question = " ".join(status.question.split())
        self.work_label.setText(phrase("chat.paused" if is_paused else "chat.answering_question", question=question))
        percent = round(100 * status.done / max(1, status.total))
        done = phrase("chat.a_of_b_p", a=f"{status.done:,}", b=f"{status.total:,}", p=percent)
        left = format_time_left(status.left_s) if status.left_s and not is_paused else ""
        self.amount.setText(join_facts(done, left))
        self.bar.setRange(0, max(1, status.total))
        self.bar.setValue(status.done)
        self._show_paused(is_paused=is_paused)

    def _show_paused(self, *, is_paused: bool) -> None:
        had_focus = self.pause_button.hasFocus() or self.resume_button.hasFocus()
        self.pause_button.setVisible(not is_paused)
        self.resume_button.setVisible(is_paused)
        if had_focus:  # the focus moves to the button in the same place
            (self.resume_button if is_paused else self.pause_button).setFocus()

    def _on_stop_clicked(self) -> None:
        self.stop_button.setEnabled(False)
        self.stop_button.setText(phrase("common.stopping"))
        self.stop_requested.emit()
