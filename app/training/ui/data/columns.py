"""列の対応: what the file was read as, and how it is read otherwise. Without a file: where the pairs were made from."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.services import background
from app.base.tables.column_mapping import NO_COLUMN, ColumnMapping
from app.base.wording import phrase
from app.training.data.origin import Origin, Standing
from app.training.data.records import Record
from app.training.services.training_draft import TrainingDraft
from app.training.ui.data import words
from app.training.ui.data.column_form import ColumnForm
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_scrollable
from app.uikit.widgets.labels import ElidedLabel, Label

MARGIN_PX = 24
DIALOG_PX = 640

Outline = tuple[tuple[str, ...], tuple[Record, ...]]  # of `reading.outline`


class ColumnsTab(QWidget):
    read_requested = Signal(object)  # ColumnMapping

    def __init__(self, theme: Theme, work: TrainingDraft) -> None:
        super().__init__()
        self._work = work
        self._shown: Origin | None = None
        self._folder = ""  # of the rows that are shown
        self.name = ElidedLabel(role="heading3")
        self.facts = Label(role="caption", tone="text2", wraps=True)
        self.aside = Label(role="caption", tone="text2", wraps=True)
        self.standing = Label(tone="warning", wraps=True)
        self.explained = Label(tone="text2", wraps=True)
        self.form = ColumnForm(theme)
        self.read_button = Button(theme, phrase("training.read_again_with_these_columns"), icon="refresh-cw")
        self.reason = Label(role="caption", tone="muted", wraps=True)
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(MARGIN_PX, 16, MARGIN_PX, 16)
        inside.setSpacing(8)
        for part in (self.name, self.facts, self.aside, self.standing, self.explained, self.form):
            inside.addWidget(part)
        inside.addSpacing(4)
        inside.addWidget(self.read_button, 0, Qt.AlignmentFlag.AlignLeft)
        inside.addWidget(self.reason)
        inside.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(make_scrollable(content))
        self.form.changed.connect(self._settle)
        self.read_button.clicked.connect(lambda: self.read_requested.emit(self.form.mapping))

    def show_rows(self) -> None:
        data, origin = self._work.draft.data, self._work.origin
        if data is None:
            return
        self.name.setText(data.source)
        if data.folder != self._folder:
            self._folder, self._shown = data.folder, origin
            self._show_origin(origin)
        self.standing.hide()
        if origin is not None:
            path = Path(data.file)
            background.run(lambda: origin.standing(path), self._on_standing, lambda _error: None)
        self._settle()

    def focus_first(self) -> None:
        first = next((box for box in self.form.boxes.values() if not box.isHidden()), self.read_button)
        (first if not self.form.isHidden() else self.read_button).setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------------- private

    def _show_origin(self, origin: Origin | None) -> None:
        found = origin.imported if origin is not None else None
        has_columns = found is not None and bool(found.columns)
        self.facts.setText(words.file_facts(found) if found is not None else "")
        self.aside.setText(words.left_aside(found) if found is not None else "")
        for label in (self.facts, self.aside):
            label.setVisible(bool(label.text()))
        text = phrase("training.it_was_read_as_a")
        made = phrase("training.these_pairs_were_made_from")
        self.explained.setText("" if has_columns else text if found is not None else made)
        self.explained.setVisible(not has_columns)
        for part in (self.form, self.read_button):
            part.setVisible(has_columns)
        if found is not None and has_columns:
            self.form.show_columns(found.columns, found.mapping, found.samples)

    def _settle(self) -> None:
        """The button says why it does nothing."""
        is_same = self._shown is not None and self.form.mapping == _asked(self._shown.imported.mapping)
        is_changed = self.standing.property("of") == "changed"
        can_read = self.form.is_usable and (not is_same or is_changed) and not self._work.is_busy
        reason = phrase("training.the_rows_were_read_with") if is_same and not is_changed else ""
        self.read_button.setEnabled(can_read)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason) and not self.read_button.isHidden())

    def _on_standing(self, found: Standing) -> None:
        said = {
            "same": "",
            "changed": phrase("training.the_file_has_changed_since"),
            "gone": phrase("training.the_file_cannot_be_found"),
        }[found]
        self.standing.setProperty("of", found)
        self.standing.setText(said)
        self.standing.setVisible(bool(said))
        self._settle()


class ColumnsDialog(Dialog):
    """A file whose columns nobody can tell by their names."""

    mapping_chosen = Signal(object)  # ColumnMapping

    def __init__(self, theme: Theme, name: str, found: Outline, parent: QWidget) -> None:
        self.form = ColumnForm(theme)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 8, 0)
        column.addWidget(self.form)
        column.addStretch(1)
        area = make_scrollable(content)
        room = parent.window().height() - theme.px(230)
        area.setFixedHeight(max(theme.px(120), min(theme.px(420), room)))
        columns, samples = found
        super().__init__(
            theme,
            phrase("training.which_columns_are_the_questions"),
            phrase("training.the_names_of_the_columns", name=name),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("read", phrase("training.import_with_these_columns"), "primary", is_default=True),
            ),
            parent,
            content=area,
            width_px=DIALOG_PX,
        )
        self.form.show_columns(columns, ColumnMapping(), samples)
        self.form.changed.connect(self._settle)
        self.chosen.connect(lambda key: self.mapping_chosen.emit(self.form.mapping) if key == "read" else None)
        self._settle()
        self.form.boxes["question"].setFocus()

    def _settle(self) -> None:
        self.buttons["read"].setEnabled(self.form.is_usable)
        self.buttons["read"].setAccessibleDescription(self.form.obstacle.text())


def _asked(read: ColumnMapping) -> ColumnMapping:
    """What would be asked for to read the same again."""
    form = {"question": read.question, "answer": read.answer, "input": read.input or NO_COLUMN}
    if read.messages:
        form = {}
    return ColumnMapping(system=read.system or NO_COLUMN, group=read.group or NO_COLUMN, **form)
