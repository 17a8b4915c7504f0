"""Choose which columns of a file are question, answer and other fields (列の対応), with a preview of the first rows.

For generated pairs the tab shows their collection instead. A dialog asks for the columns at the first import.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QFrame, QWidget

from app.base.services import background
from app.base.tables.column_mapping import FIELDS, NO_COLUMN, ColumnMapping
from app.base.wording import phrase
from app.training.data import records
from app.training.data.file_import import FileState, ImportOrigin
from app.training.data.records import BadRow, DataRecord, shorten
from app.training.data.rows import TrainingRow
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data import row_texts
from app.training.ui.wizard import MARGIN_PX
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import (
    IconLines,
    Stretch,
    clear_layout,
    fix_width,
    make_column,
    make_grid,
    make_row,
    make_scrollable,
    set_direction,
)
from app.uikit.widgets.form_rows import Chooser
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label

DIALOG_PX = 640
UNUSABLE_MOST = 10  # lines without a row that are listed one by one

Outline = tuple[tuple[str, ...], tuple[DataRecord, ...]]  # result of `file_import.read_outline`: columns and samples


class ColumnsTab(QWidget):
    def __init__(self, theme: Theme, work: DraftEditor, read_again: Callable[[ColumnMapping], None]) -> None:
        super().__init__()
        self._work = work
        self._shown_origin: ImportOrigin | None = None
        self._folder = ""  # folder of the shown rows
        self._standing = background.LatestWork()
        self.name = ElidedLabel(role="heading3")
        self.facts = Label(role="caption", tone="text2", wraps=True)
        self.skipped = Label(role="caption", tone="text2", wraps=True)
        self.unusable = IconLines(theme)
        self.file_state = Label(tone="warning", wraps=True)
        self.about = Label(tone="text2", wraps=True)
        self.form = ColumnMappingForm(theme)
        self.read_button = Button(theme, phrase("training.read_again_with_these_columns"), icon="refresh-cw")
        self.reason = Label(role="caption", tone="muted", wraps=True)
        content = QWidget()
        make_column(
            self.name,
            self.facts,
            self.skipped,
            self.unusable,
            self.file_state,
            self.about,
            self.form,
            4,
            (self.read_button, 0, Qt.AlignmentFlag.AlignLeft),
            self.reason,
            Stretch(),
            into=content,
            margins_px=(MARGIN_PX, 16, MARGIN_PX, 16),
            spacing_px=8,
        )
        make_column(make_scrollable(content), into=self)
        self.form.changed.connect(self._update_button)
        self.read_button.clicked.connect(lambda: read_again(self.form.mapping))

    def show_rows(self) -> None:
        data, origin = self._work.draft.data, self._work.origin
        if data is None:
            return
        self.name.setText(data.source)
        if data.folder != self._folder:
            self._folder, self._shown_origin = data.folder, origin
            self._show_origin(origin)
        self._standing.drop()
        self._show_file_state("same")  # until it is known
        if origin is not None:
            path = Path(data.file)
            self._standing.run(lambda: origin.standing(path), self._show_file_state)

    def focus_first(self) -> None:
        first = next((box for box in self.form.boxes.values() if not box.isHidden()), self.read_button)
        (first if not self.form.isHidden() else self.read_button).setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------- private methods

    def _show_origin(self, origin: ImportOrigin | None) -> None:
        found = origin.imported if origin is not None else None
        self.unusable.show_lines(_unusable_lines(found.bad_rows if found is not None else ()))
        has_columns = found is not None and bool(found.columns)
        self.facts.setText(row_texts.file_summary(found) if found is not None else "")
        self.skipped.setText(row_texts.skipped_parts(found) if found is not None else "")
        for label in (self.facts, self.skipped):
            label.setVisible(bool(label.text()))
        text = phrase("training.it_was_read_as_a")
        made = phrase("training.these_pairs_were_made_from")
        self.about.setText("" if has_columns else text if found is not None else made)
        self.about.setVisible(not has_columns)
        for part in (self.form, self.read_button):
            part.setVisible(has_columns)
        if found is not None and has_columns:
            self.form.show_columns(found.columns, found.mapping, found.samples)

    def _update_button(self) -> None:
        """Enable or disable the button, and show the reason if it is disabled."""
        read = self._shown_origin.imported.mapping if self._shown_origin is not None else None
        is_same = read is not None and self.form.mapping == _without_guesses(
            {field: getattr(read, field) for field in _fields(read.messages)}
        )
        is_changed = self.file_state.property("of") == "changed"
        can_read = self.form.is_usable and (not is_same or is_changed) and not self._work.is_busy
        reason = phrase("training.the_rows_were_read_with") if is_same and not is_changed else ""
        self.read_button.setEnabled(can_read)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason) and not self.read_button.isHidden())

    def _show_file_state(self, state: FileState) -> None:
        text = phrase(f"training.file_state.{state}") if state != "same" else ""
        self.file_state.setProperty("of", state)
        self.file_state.setText(text)
        self.file_state.setVisible(bool(text))
        self._update_button()


class ColumnsDialog(Dialog):
    """Asks for the columns of a file whose column names are not recognized. Buttons: cancel, read."""

    def __init__(self, theme: Theme, name: str, outline: Outline, parent: QWidget) -> None:
        self.form = ColumnMappingForm(theme)
        content = QWidget()
        make_column(self.form, Stretch(), into=content, margins_px=(0, 0, 8, 0))
        area = make_scrollable(content)
        room = parent.window().height() - theme.px(230)
        area.setFixedHeight(max(theme.px(120), min(theme.px(420), room)))
        columns, samples = outline
        super().__init__(
            theme,
            phrase("training.which_columns_are_the_questions"),
            phrase("training.the_names_of_the_columns", name=name),
            cancel_or("read", phrase("training.import_with_these_columns")),
            parent,
            content=area,
            width_px=DIALOG_PX,
        )
        self.form.show_columns(columns, ColumnMapping(), samples)
        self.form.changed.connect(self._update_button)
        self._update_button()
        self.form.boxes["question"].setFocus()

    def _update_button(self) -> None:
        self.buttons["read"].setEnabled(self.form.is_usable)
        self.buttons["read"].setAccessibleDescription(self.form.obstacle.text())


NEEDED = ("question", "answer")
SHOWN_CHARACTERS = 400  # most characters of a text in the preview
NAME_PX, BOX_PX, TURN_BELOW_PX = 88, 200, 480


def _fields(messages: str) -> tuple[str, ...]:
    """Return the fields that can be chosen. `messages`: name of the column with whole conversations; "" if none."""
    return ("rejected", "system", "group") if messages else FIELDS


def _without_guesses(mapping: Mapping[str, str]) -> ColumnMapping:
    """Return the mapping of the chosen fields; a field without a column is marked so that the import guesses none."""
    return ColumnMapping(**{name: column or ("" if name in NEEDED else NO_COLUMN) for name, column in mapping.items()})


def _unusable_lines(bad_rows: Sequence[BadRow]) -> list[tuple[str, str, str]]:
    """Return (icon, tone, sentence) for each line of the file that gives no row, and for the number of the others."""
    sign = ("circle-x", "danger")
    lines = [
        (*sign, phrase("training.row_n_cannot_be_used", n=f"{row.line:,}", why=row_texts.bad_row_text(row)))
        for row in bad_rows[:UNUSABLE_MOST]
    ]
    others = len(bad_rows) - len(lines)
    return [*lines, (*sign, phrase("training.n_more_cannot_be_used", n=f"{others:,}"))] if others else lines


class ColumnMappingForm(QWidget):
    """A form to choose a column for each field.

    Question and answer cannot be chosen for a file with whole conversations in one column.
    """

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._messages = ""
        self._samples: Sequence[DataRecord] = ()
        self.boxes: dict[str, Chooser] = {}
        self._rows: dict[str, tuple[QWidget, ...]] = {}
        self._field_layouts: list[QBoxLayout] = []  # layouts of each field with its description
        self.obstacle = Label(tone="warning", wraps=True)
        self.preview_title = Label(tone="text2", wraps=True)
        self.preview = ColumnPreview(theme)
        self._build()

    def show_columns(self, columns: Sequence[str], mapping: ColumnMapping, samples: Sequence[DataRecord]) -> None:
        self._messages, self._samples = mapping.messages, samples
        choices = [(phrase("training.none"), ""), *((shorten(column), column) for column in columns)]
        for field, box in self.boxes.items():
            box.set_choices(choices)
            column = getattr(mapping, field)
            box.show_value(column if column in columns else "")
            for widget in self._rows[field]:
                widget.setVisible(field in _fields(mapping.messages))
        self._refresh()

    @property
    def mapping(self) -> ColumnMapping:
        """Return the chosen mapping; fields without a column are set to NO_COLUMN, so that the import guesses none."""
        return _without_guesses(self._chosen_columns)

    @property
    def _chosen_columns(self) -> dict[str, str]:
        """Return the column of each field that can be chosen; "" for a field without a column."""
        return {field: self.boxes[field].value for field in _fields(self._messages)}

    @property
    def is_usable(self) -> bool:
        return not self.obstacle.text()

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        grid = make_grid(spacing_px=(12, 8), stretch=1)
        for line, field in enumerate(FIELDS):
            name, box = Label(row_texts.field_name(field)), Chooser([("", "")], self._on_chosen)
            about = Label(phrase(f"training.field_description.{field}"), "caption", "muted", wraps=True)
            name.setBuddy(box)
            box.setAccessibleName(row_texts.field_name(field))
            box.setAccessibleDescription(phrase(f"training.field_description.{field}"))
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            self.boxes[field] = box
            self._rows[field] = (name, box, about)
            beside = make_row(box, (about, 1))
            self._field_layouts.append(beside)
            name.setMinimumHeight(self._theme.metric("button_height"))
            grid.addWidget(name, line, 0, Qt.AlignmentFlag.AlignTop)
            grid.addLayout(beside, line, 1)
        make_column(grid, self.obstacle, self.preview_title, self.preview, into=self, spacing_px=12)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Move the descriptions below their fields if there is no space next to them."""
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(TURN_BELOW_PX)
        for beside, box in zip(self._field_layouts, self.boxes.values(), strict=True):
            set_direction(beside, is_row=is_wide)
            beside.setSpacing(self._theme.px(12 if is_wide else 2))
            fix_width(box, self._theme.px(BOX_PX) if is_wide else None)

    def _on_chosen(self, _column: str) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        obstacle = self._obstacle()
        self.obstacle.setText(f"▲ {obstacle}" if obstacle else "")
        self.obstacle.setVisible(bool(obstacle))
        if obstacle:  # shows the raw columns to choose from
            self.preview_title.setText(phrase("training.these_are_the_first_rows"))
            self.preview.show_records(self._samples)
        else:
            self.preview_title.setText(phrase("training.the_first_rows_will_be"))
            mapping = ColumnMapping(**self._chosen_columns, messages=self._messages)
            self.preview.show_rows([records.row_from_record(one, mapping) for one in self._samples])
        self.preview_title.setVisible(not self.preview.isHidden())

    def _obstacle(self) -> str:
        """Return the reason why the file cannot be imported with this mapping; "" if it can."""
        chosen = self._chosen_columns
        if not self._messages and not all(chosen[field] for field in NEEDED):
            return phrase("training.choose_the_columns_of_questions")
        taken = [column for column in chosen.values() if column]
        twice = next((column for column in taken if taken.count(column) > 1), "")
        return phrase("training.the_column_column_is_chosen", column=twice) if twice else ""


class ColumnPreview(QFrame):
    """Previews the first rows in the form for training: role and text of each message."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "card")
        self._column = make_column(into=self, margins_px=(16, 12, 16, 12), spacing_px=10)
        self.texts: list[str] = []

    def show_rows(self, rows: Sequence[TrainingRow | BadRow]) -> None:
        self._clear()
        for row in rows:
            if isinstance(row, BadRow):
                self._add(row.line, [("", row_texts.bad_row_text(row), "danger")])
                continue
            messages = [(phrase(f"training.data_role.{one.role}"), one.text, "text") for one in row.messages]
            group = [(row_texts.field_name("group"), row.group, "text")] if row.group else []
            worse = [(row_texts.field_name("rejected"), row.rejected, "text")] if row.rejected else []
            self._add(row.line, [*messages, *worse, *group])
        self.setVisible(bool(rows))

    def show_records(self, records: Sequence[DataRecord]) -> None:
        """Show records as they are in the file, before a mapping is complete."""
        self._clear()
        for record in records:
            self._add(record.line, [(shorten(name), shorten(value), "text") for name, value in record.values.items()])
        self.setVisible(bool(records))

    def _clear(self) -> None:
        clear_layout(self._column)
        self.texts = []

    def _add(self, line: int, parts: Sequence[tuple[str, str, str]]) -> None:
        """Show a row. `parts`: (name, text, tone) of each message; a part without a name is an error."""
        holder = QWidget()
        grid = make_grid(holder, spacing_px=(12, 2), stretch=1)
        grid.setColumnMinimumWidth(0, self._theme.px(NAME_PX))
        grid.addWidget(Label(phrase("training.data_preview", line=line), "caption", "muted"), 0, 0, 1, 2)
        for place, (name, text, tone) in enumerate(parts, start=1):
            shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
            sign = Label(name, tone="text2") if name else IconLabel(self._theme, "circle-x", tone)
            grid.addWidget(sign, place, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(Label(shown, tone=tone, wraps=True, shrinks=True), place, 1)
            self.texts.append(shown)
        self._column.addWidget(holder)
        holder.show()
