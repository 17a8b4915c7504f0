"""Show the window of a summary, a comparison of two editions or a list of required values, and export it.

The work runs in the background. Each row opens the document at its clause. The module is over 450 lines long because
its list and its lines are of no use elsewhere.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, Qt
from PySide6.QtGui import (
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QShortcut,
    QTextCharFormat,
    QTextLength,
    QTextTableFormat,
)
from PySide6.QtWidgets import QDialog, QProgressBar, QSplitter, QTextEdit, QWidget

from app.base.confidentiality import HIGHEST_LABEL, Permit
from app.base.confidentiality import Label as SecrecyLabel
from app.base.errors import AppError
from app.base.files import output_file
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
from app.base.wording import phrase
from app.documents.overview import edition_comparison, required_values, result_maker, result_table, summary
from app.documents.overview.result_table import SUFFIXES, Column, LinePair, OverviewRequest, ResultRow, ResultTable
from app.documents.whole_document import ReadingPlace
from app.uikit import untrusted_text
from app.uikit.confidentiality_guard import LABEL_LOOKS, ConfidentialityGuard, label_text
from app.uikit.desktop import Pickers, complete_suffix
from app.uikit.dialogs import fit_to_parent
from app.uikit.localization import join_facts
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, plain_tooltip, set_surface
from app.uikit.widgets.progress_row import ProgressRow
from app.uikit.widgets.section_bars import TabBar
from app.uikit.widgets.tables import SIDE_PX, Index, NumberTableModel, NumberTableView

SIZE_PX = (1080, 720)
ALL = "all"
MEASURED_ROWS = 200  # whose texts decide how wide a column is
SHOWN_CHARACTERS = 5_000  # of one row; laying out more of them holds the window
_COLUMNS = {"summary": summary.COLUMNS, "comparison": edition_comparison.COLUMNS, "values": required_values.COLUMNS}
Made = tuple[ResultTable, list[str], list[tuple[str, ...]]]  # with each row's words and shown cells

# Returns the run (`app.chat.services.document_summary.SummaryRun`) that writes the summary of a document's id and a
# chapter, whose parent is the given object; None if no model can write.
StartWriting = Callable[[int, str, QObject], Any]


class OverviewWindow(QDialog):
    """The window of one result. The user can work while it is open; closing it stops the work."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        documents: Path,
        secrecy: ConfidentialityGuard,
        request: OverviewRequest,
        start_writing: StartWriting,
        parent: QWidget | None = None,
        pickers: Pickers | None = None,
    ) -> None:
        """Build the window and begin. `documents`: the path of the library's database."""
        super().__init__(parent)
        self._theme, self._navigation, self._secrecy = theme, navigation, secrecy
        self._documents, self._request, self._start_writing = documents, request, start_writing
        self._pickers = pickers or Pickers()
        self._task: LongTask | None = None
        self._run: Any = None
        self.table: ResultTable | None = None
        self._texts: list[str] = []
        self._cells: list[tuple[str, ...]] = []
        self._is_written = False  # whether a model wrote the table
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._kind = phrase(f"documents.result_kind.{request.kind}")
        self._build()
        self._show_title(request.title)
        self._connect()
        fit_to_parent(self, theme, SIZE_PX)
        self._begin()

    def label_now(self) -> SecrecyLabel:
        """Return the label that the shown result has now."""
        return result_table.label_now(self._documents, self.table) if self.table else HIGHEST_LABEL

    def done(self, result: int) -> None:
        self._stop()
        super().done(result)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        theme = self._theme
        set_surface(self, "base")
        self.heading = ElidedLabel("", "heading3")
        self.label_icon, self.label = IconLabel(theme, "lock", size=13), Label(role="caption", tone="text2")
        self.write_button = Button(theme, phrase("documents.write_with_model"), icon="pencil", compact=True)
        self.swap_button = Button(theme, phrase("documents.swap_editions"), icon="refresh-cw", compact=True)
        self.open_button = Button(theme, phrase("documents.read_here"), icon="file-text", compact=True)
        self.export_button = Button(theme, phrase("documents.export_result"), "primary", "file-down", compact=True)
        self.banner = Banner(theme)
        self.progress = ProgressRow(theme)
        self.facts = Label(role="caption", tone="text2", wraps=True)
        self.coverage = QProgressBar(maximum=1000, textVisible=False)
        self.coverage.setAccessibleName(phrase("documents.coverage"))
        self.filter = SearchField(theme, phrase("documents.filter_rows"))
        self._tabs_row = make_column()
        self.tabs: TabBar | None = None
        self.rows = _ResultModel(_COLUMNS[self._request.kind])
        self.list = _ResultList(theme, self.rows, self._kind)
        self.lines = QTextEdit(readOnly=True, tabChangesFocus=True)
        self.lines.setAccessibleName(phrase("documents.lines_of_the_row"))
        self.lines.setProperty("framed", True)
        self.splitter = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        self.lines.setFrameShape(QTextEdit.Shape.NoFrame)
        for part, share in ((self.list, 5), (self.lines, 4 if self._request.kind == "comparison" else 1)):
            part.setMinimumHeight(theme.px(60))
            self.splitter.addWidget(part)
            self.splitter.setStretchFactor(self.splitter.count() - 1, share)
        head = make_row((self.heading, 1), self.label_icon, self.label, spacing_px=6)
        actions = FlowBox(self.export_button, self.open_button, self.write_button, self.swap_button)
        make_column(
            head, actions, self.banner, self.progress, self.facts, self.coverage, self._tabs_row, self.filter,
            (self.splitter, 1), into=self, margins_px=(20, 14, 20, 14), spacing_px=8,
        )  # fmt: skip
        self._show_state()

    def _connect(self) -> None:
        self.filter.textChanged.connect(self._show_rows)
        self.export_button.clicked.connect(self._export)
        self.open_button.clicked.connect(self._open)
        self.write_button.clicked.connect(self._write)
        self.swap_button.clicked.connect(self._swap)
        self.progress.cancelled.connect(self._cancel)
        self.banner.action_requested.connect(lambda key: self._write() if key == "write" else self._begin())
        self.list.activated.connect(lambda _index: self._open())
        self.list.selectionModel().currentChanged.connect(lambda _now, _before: self._show_lines())
        self._theme.changed.connect(self._show_lines)
        if (program := QGuiApplication.instance()) is not None:
            program.aboutToQuit.connect(self._stop)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self, self.filter.setFocus)

    # -------------------------------------------------------------------- working

    def _begin(self) -> None:
        """Make the result, without a model."""
        self.banner.hide()
        self.progress.start(phrase(f"documents.result_working.{self._request.kind}"))
        documents, request = self._documents, self._request

        def work(progress: TaskProgress) -> Made:
            return _with_texts(result_maker.make(documents, request, progress.report, progress.check))

        self._task = background.run_long(work, self._on_made, self._on_failed, self._on_progress, self._on_cancelled)
        self._show_state()

    def _write(self) -> None:
        """Let the model write the summary; what it wrote before is used."""
        self.banner.hide()
        run = self._start_writing(self._request.document_ids[0], self._request.chapter, self)
        if run is None:
            words, why = phrase("documents.no_model_to_write"), phrase("documents.quoted_instead")
            self.banner.show_message("warning", words, why)
            return
        self._run = run
        run.progressed.connect(self._on_progress)
        run.finished.connect(self._on_written)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self._on_cancelled)
        self.progress.start(phrase("documents.model_is_writing"))
        self._show_state()
        run.start()

    def _cancel(self) -> None:
        if self._run is not None:
            self._run.stop()
        elif self._task is not None:
            self._task.cancel()

    def _stop(self) -> None:
        if self._run is not None:
            self._run.abandon()
        if self._task is not None:
            self._task.cancel()
        self._run = self._task = None

    def _on_progress(self, done: int, total: int, _left_s: int | None = None) -> None:
        self.progress.set_progress(done, total)

    def _on_written(self, table: ResultTable) -> None:
        self._is_written = True
        background.run(partial(_with_texts, table), self._on_made)

    def _on_made(self, made: Made) -> None:
        self._end_work()
        self.table, self._texts, self._cells = made
        self._show_table()

    def _on_failed(self, error: AppError) -> None:
        self.banner.show_error(error, self._end_work())

    def _on_cancelled(self) -> None:
        was_writing = self._run is not None
        words = phrase("documents.writing_stopped" if was_writing else "documents.work_stopped")
        kept = phrase("documents.what_was_written_is_kept") if was_writing else ""
        self.banner.show_message("warning", words, kept, self._end_work())

    def _end_work(self) -> tuple[tuple[str, str]]:
        """End the work and return the button of the banner that begins it again."""
        key, words = ("write", "documents.go_on_writing") if self._run is not None else ("again", "common.try_again")
        self._task = self._run = None
        self.progress.finish()
        self._show_state()
        return ((key, phrase(words)),)

    def _swap(self) -> None:
        ids = self._request.document_ids
        self._request = OverviewRequest(self._request.kind, (ids[1], ids[0]), self._request.title)
        self._begin()

    # -------------------------------------------------------------------- showing

    def _show_state(self) -> None:
        table, kind = self.table, self._request.kind
        is_ready = table is not None and self._task is None and self._run is None
        for button in (self.export_button, self.open_button):
            button.setEnabled(table is not None and bool(table.rows))
        self.write_button.setVisible(kind == "summary" and is_ready and not self._is_written)
        self.swap_button.setVisible(kind == "comparison" and is_ready)
        self.coverage.setVisible(table is not None and table.coverage[1] > 0)
        for part in (self.facts, self.filter, self.splitter):
            part.setVisible(table is not None)

    def _show_title(self, title: str) -> None:
        title = untrusted_text.make_harmless(title)
        self.heading.setText(title)
        self.setWindowTitle(f"{title} – {self._kind}")

    def _show_table(self) -> None:
        table = self.table
        assert table is not None
        self._show_title(table.title)
        self.facts.setText(untrusted_text.make_harmless("\n".join(table.facts)))
        read, total = table.coverage
        self.coverage.setValue(round(1000 * read / total) if total else 0)
        with suppress(AppError):
            label = self.label_now()
            self.label.setText(label_text(label))
            self.label_icon.show_icon(LABEL_LOOKS[label][0] or "lock", LABEL_LOOKS[label][1])
            self.label_icon.setVisible(bool(self.label.text()))
        if self.tabs is not None:
            self.tabs.deleteLater()
            self.tabs = None
        groups = [group for group in table.groups if any(row.group == group for row in table.rows)]
        if len(groups) > 1:
            names = {ALL: phrase("documents.all_rows")} | {group: _group_name(table, group) for group in groups}
            self.tabs = TabBar(self._theme, names)
            for key in names:
                self.tabs.show_count(key, sum(key in (ALL, row.group) for row in table.rows))
            self.tabs.chosen.connect(self._show_rows)
            self._tabs_row.addWidget(self.tabs)
        self._show_state()
        self._show_rows()
        self.list.hide_empty(self._cells)
        self.list.setFocus()

    def _show_rows(self) -> None:
        key = self.tabs.key if self.tabs is not None else ALL
        words = self.filter.text().casefold().split()
        rows = self.table.rows if self.table else ()
        of_group = (at for at, row in enumerate(rows) if key in (ALL, row.group))
        found = [at for at in of_group if all(word in self._texts[at] for word in words)]
        self.rows.found = [rows[at] for at in found]
        self.rows.set_rows([self._cells[at] for at in found])
        if found:
            self.list.setCurrentIndex(self.rows.index(0, 0))
        self._show_lines()

    def _row(self) -> ResultRow | None:
        at = self.list.currentIndex().row()
        return self.rows.found[at] if 0 <= at < len(self.rows.found) else None

    def _show_lines(self) -> None:
        """Show the lines of the current row, side by side in a comparison."""
        self.lines.clear()
        row = self._row()
        if row is None:
            return
        cursor, looks, lines = self.lines.textCursor(), self._looks(), _shortened(row)
        if self._request.kind != "comparison":
            for text, mark in (piece for line in lines for piece in line.new):
                cursor.insertText(untrusted_text.make_harmless(text), looks["new_number" if mark else "plain"])
            return
        look = QTextTableFormat()
        look.setColumnWidthConstraints([QTextLength(QTextLength.Type.PercentageLength, 50)] * 2)
        look.setCellPadding(self._theme.px(4))
        look.setCellSpacing(0)
        look.setBorder(1)
        look.setBorderBrush(self._theme.color("line"))
        grid = cursor.insertTable(len(lines) + 1, 2, look)
        for column, name in enumerate(("old_text", "new_text")):
            clause, page = row.cells[2 * column + 1 : 2 * column + 3]
            words = phrase(f"documents.result_column.{name}")
            title = join_facts(words, str(clause), phrase("common.page", page=page) if page else "")
            grid.cellAt(0, column).firstCursorPosition().insertText(untrusted_text.make_harmless(title), looks["faint"])
        for at, line in enumerate(lines, start=1):
            for column, (side, pieces) in enumerate((("old", line.old), ("new", line.new))):
                place = grid.cellAt(at, column).firstCursorPosition()
                for text, mark in pieces:
                    name = f"{side}_number" if mark == "number" else side if mark else "plain"
                    place.insertText(untrusted_text.make_harmless(text), looks[name])
        self.lines.moveCursor(self.lines.textCursor().MoveOperation.Start)

    def _looks(self) -> dict[str, QTextCharFormat]:
        looks = {}
        for name, ground in (("plain", ""), ("faint", ""), ("old", "danger_soft"), ("new", "success_soft")):
            for suffix, weight in (("", None), ("_number", 600)):
                look = QTextCharFormat()
                look.setFont(self._theme.font("caption" if name == "faint" else "ui", weight))
                look.setForeground(self._theme.color("text2" if name == "faint" else "text"))
                if ground:
                    look.setBackground(self._theme.color(ground))
                looks[name + suffix] = look
        return looks

    # -------------------------------------------------------------------- actions

    def _open(self) -> None:
        row = self._row()
        if row is not None:
            document_id, section_id = row.place if row.place[0] else row.old_place
            self._navigation.reading_requested.emit(ReadingPlace(document_id, section_id))

    def _export(self) -> None:
        table = self.table
        if table is None:
            return
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        name = output_file.safe_name(f"{self._kind} {table.title}", self._kind)
        start = str(Path(folder) / f"{name}.xlsx")
        picked = self._pickers.save(self, phrase("documents.export_result"), start, phrase("documents.result_files"))
        if not picked:
            return
        path = complete_suffix(Path(picked), *SUFFIXES)
        export = result_table.export_request(self._documents, table, path)
        self._secrecy.export(self, export, lambda permit: self._save(table, path, permit))

    def _save(self, table: ResultTable, path: Path, permit: Permit) -> None:
        background.run(
            partial(result_table.save, table, path, permit), partial(self._on_saved, path), self.banner.show_error
        )

    def _on_saved(self, path: Path, _nothing: None) -> None:
        self.banner.show_message("success", phrase("documents.result_written", path=path), "")


def _shortened(row: ResultRow) -> Sequence[LinePair]:
    """Return the lines of a row, cut where there are too many to show; exports and the reader have them all."""
    lines: list[LinePair] = []
    left = SHOWN_CHARACTERS
    for line in row.lines:
        old, new = (tuple((text[: max(0, left)], mark) for text, mark in side) for side in (line.old, line.new))
        lines.append(LinePair(old, new))
        left -= max(len(result_table.plain(side)) for side in (line.old, line.new))
        if left <= 0:
            return [*lines, LinePair((("…", ""),), (("…", ""),))]
    return lines


def _group_name(table: ResultTable, group: str) -> str:
    keys = {"comparison": "difference", "summary": "summary_group"}
    name = required_values.BOUND_NAMES.get(group, group)
    return phrase(f"documents.{keys.get(table.kind, 'bound')}.{name}")


def _with_texts(table: ResultTable) -> Made:
    """Return a table with the text of each row to search, and its shown cells; of a clause its innermost heading."""
    shown = [(at, column.name.endswith("clause")) for at, column in enumerate(table.columns) if column.share]
    texts, cells = [], []
    for row in table.rows:
        texts.append(" ".join(map(str, row.cells)).casefold())
        lines = [(" ".join(str(row.cells[at]).split()), is_clause) for at, is_clause in shown]
        names = (line.rpartition(result_table.CLAUSE_GAP)[2] if is_clause else line for line, is_clause in lines)
        cells.append(tuple(untrusted_text.make_harmless(name) or "–" for name in names))
    return table, texts, cells


class _ResultModel(NumberTableModel):
    """A table model of texts, which are left-aligned. `found`: the rows of the result; set it before their cells."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__([column.title for column in columns if column.share])
        self.shares = {at: column.share for at, column in enumerate(columns) if column.share}
        self.found: list[ResultRow] = []

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.ToolTipRole:
            cell = self.found[index.row()].cells[list(self.shares)[index.column()]]
            return plain_tooltip(untrusted_text.make_harmless(" ".join(str(cell).split())))
        return super().data(index, role)

    def _side(self, _column: int) -> int:
        return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class _ResultList(NumberTableView):
    """The list of rows, whose columns share its width. Enter opens the document."""

    def __init__(self, theme: Theme, rows: _ResultModel, name: str) -> None:
        self._shares = tuple(rows.shares.values())
        self._cells: Sequence[tuple[str, ...]] = ()
        self._texts = [0] * len(self._shares)  # width of each column's longest text
        super().__init__(theme, rows, name)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.header().setAccessibleName(phrase("common.column_headings"))
        self.header().setFocusProxy(self)  # it would take an input method

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.activated.emit(self.currentIndex())  # not each platform's style does it for Enter
        else:
            super().keyPressEvent(event)

    def hide_empty(self, cells: Sequence[tuple[str, ...]]) -> None:
        """Hide the columns that no row fills, such as pages of a format that has none."""
        for column in range(len(self._shares)):
            self.setColumnHidden(column, all(row[column] == "–" for row in cells))
        self._cells = cells[:MEASURED_ROWS]
        self._fit()

    def _fit(self) -> None:
        measure = QFontMetrics(self._theme.font("ui")).horizontalAdvance
        columns = zip(*self._cells, strict=True)
        self._texts = [max(map(measure, column)) + 2 * self._theme.px(SIDE_PX) + 1 for column in columns] or self._texts
        self._fit_columns()  # the height is the window's

    def _fit_columns(self) -> None:
        """Show short columns whole, shorten the longest where there is too little width, and share what is left."""
        header, left = self.header(), self.viewport().width()
        shown = [column for column in range(len(self._shares)) if not self.isColumnHidden(column)]
        widths = {}
        for place, column in enumerate(sorted(shown, key=lambda at: self._texts[at])):
            least, equal = header.sectionSizeHint(column), left // (len(shown) - place)
            widths[column] = max(least, min(self._texts[column], equal))
            left -= widths[column]
        for column, width in widths.items():
            share = self._shares[column] / sum(self._shares[at] for at in shown)
            header.resizeSection(column, width + int(max(0, left) * share))
