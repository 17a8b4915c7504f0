"""Which column of a file holds what, chosen field by field; below it, what the first rows would become."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QFrame, QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.tables.column_mapping import FIELDS, NO_COLUMN, ColumnMapping
from app.base.wording import phrase
from app.training.data import shapes
from app.training.data.records import BadRow, Record, short
from app.training.data.rows import Row
from app.training.ui.data import words
from app.uikit.theme import Theme
from app.uikit.widgets.labels import IconLabel, Label

NEEDED = ("question", "answer")
SHOWN_CHARACTERS = 400  # of a text in the preview
NAME_PX, BOX_PX, TURN_BELOW_PX = 88, 200, 480
UNBOUND = 16_777_215  # Qt's own for no limit


class ColumnForm(QWidget):
    """A conversation in one column has no question and answer to choose."""

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._messages = ""
        self._samples: Sequence[Record] = ()
        self.boxes: dict[str, QComboBox] = {}
        self._rows: dict[str, tuple[QWidget, ...]] = {}
        self._beside: list[QBoxLayout] = []  # each field with what it is
        self.obstacle = Label(tone="warning", wraps=True)
        self.preview_title = Label(tone="text2", wraps=True)
        self.preview = Preview(theme)
        self._build()

    def show_columns(self, columns: Sequence[str], mapping: ColumnMapping, samples: Sequence[Record]) -> None:
        self._messages, self._samples = mapping.messages, samples
        chosen = mapping.as_dict()
        for field, box in self.boxes.items():
            box.blockSignals(True)
            box.clear()
            box.addItem(phrase("training.none"), "")
            for column in columns:
                box.addItem(short(column), column)
            box.setCurrentIndex(max(0, box.findData(chosen.get(field, ""))))
            box.blockSignals(False)
            for widget in self._rows[field]:
                widget.setVisible(not (mapping.messages and field in (*NEEDED, "input")))
        self._refresh()

    @property
    def mapping(self) -> ColumnMapping:
        """As it is asked for: what was left open is not guessed again."""
        chosen = {field: box.currentData() or "" for field, box in self.boxes.items()}
        if self._messages:
            return ColumnMapping(system=chosen["system"] or NO_COLUMN, group=chosen["group"] or NO_COLUMN)
        rest = {field: chosen[field] or NO_COLUMN for field in FIELDS if field not in NEEDED}
        return ColumnMapping(question=chosen["question"], answer=chosen["answer"], **rest)

    @property
    def is_usable(self) -> bool:
        return not self.obstacle.text()

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for line, field in enumerate(FIELDS):
            name, box = Label(words.field_name(field)), ColumnBox()
            about = Label(words.field_about(field), "caption", "muted", wraps=True)
            name.setBuddy(box)
            box.setAccessibleName(words.field_name(field))
            box.setAccessibleDescription(words.field_about(field))
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            box.currentIndexChanged.connect(self._on_chosen)
            self.boxes[field] = box
            self._rows[field] = (name, box, about)
            beside = QBoxLayout(QBoxLayout.Direction.LeftToRight)
            beside.setSpacing(4)
            beside.addWidget(box)
            beside.addWidget(about, 1)
            self._beside.append(beside)
            name.setMinimumHeight(self._theme.metric("button_height"))
            grid.addWidget(name, line, 0, Qt.AlignmentFlag.AlignTop)
            grid.addLayout(beside, line, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(grid)
        column.addWidget(self.obstacle)
        column.addWidget(self.preview_title)
        column.addWidget(self.preview)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What a field is goes below it, where there is no room beside it."""
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(TURN_BELOW_PX)
        directions = QBoxLayout.Direction
        for beside, box in zip(self._beside, self.boxes.values(), strict=True):
            beside.setDirection(directions.LeftToRight if is_wide else directions.TopToBottom)
            beside.setSpacing(self._theme.px(12 if is_wide else 2))
            box.setMinimumWidth(self._theme.px(BOX_PX) if is_wide else 0)
            box.setMaximumWidth(self._theme.px(BOX_PX) if is_wide else UNBOUND)

    def _on_chosen(self) -> None:
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        obstacle = self._obstacle()
        self.obstacle.setText(f"▲ {obstacle}" if obstacle else "")
        self.obstacle.setVisible(bool(obstacle))
        chosen = {field: box.currentData() or "" for field, box in self.boxes.items()}
        if self._messages:
            mapping = ColumnMapping(system=chosen["system"], group=chosen["group"], messages=self._messages)
        else:
            mapping = ColumnMapping(**chosen)
        if obstacle:  # what there is to choose among
            self.preview_title.setText(phrase("training.these_are_the_first_rows"))
            self.preview.show_records(self._samples)
        else:
            self.preview_title.setText(phrase("training.the_first_rows_will_be"))
            self.preview.show_rows([shapes.row_of(one, mapping) for one in self._samples])
        self.preview_title.setVisible(not self.preview.isHidden())

    def _obstacle(self) -> str:
        """Why nothing can be read so; "" where it can."""
        chosen = {field: box.currentData() or "" for field, box in self.boxes.items()}
        if self._messages:
            chosen |= dict.fromkeys((*NEEDED, "input"), "")
        elif not all(chosen[field] for field in NEEDED):
            return phrase("training.choose_the_columns_of_questions")
        taken = [column for column in chosen.values() if column]
        twice = next((column for column in taken if taken.count(column) > 1), "")
        return phrase("training.the_column_column_is_chosen", column=twice) if twice else ""


class ColumnBox(QComboBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scrolling the page must not choose a column that happens to be under the mouse."""
        event.ignore()


class Preview(QFrame):
    """The first rows as they would be trained on: who says what."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "card")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16, 12, 16, 12)
        self._column.setSpacing(10)
        self.said: list[str] = []

    def show_rows(self, rows: Sequence[Row | BadRow]) -> None:
        self._clear()
        for row in rows:
            if isinstance(row, BadRow):
                self._add(row.line, [("", words.unusable(row), "danger")])
                continue
            said = [(phrase(f"training.data_role.{one.role}"), one.text, "text") for one in row.messages]
            group = [(words.field_name("group"), row.group, "text")] if row.group else []
            self._add(row.line, [*said, *group])
        self.setVisible(bool(rows))

    def show_records(self, records: Sequence[Record]) -> None:
        """As the file has them."""
        self._clear()
        for record in records:
            self._add(record.line, [(short(name), short(value), "text") for name, value in record.values.items()])
        self.setVisible(bool(records))

    def _clear(self) -> None:
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.said = []

    def _add(self, line: int, parts: Sequence[tuple[str, str, str]]) -> None:
        """`parts`: (name, text, tone) of each; without a name it is what is wrong."""
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, self._theme.px(NAME_PX))
        grid.addWidget(Label(phrase("training.data_preview", line=line), "caption", "muted"), 0, 0, 1, 2)
        for place, (name, text, tone) in enumerate(parts, start=1):
            shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
            sign = Label(name, tone="text2") if name else IconLabel(self._theme, "circle-x", tone)
            grid.addWidget(sign, place, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(_text(shown, tone), place, 1)
            self.said.append(shown)
        self._column.addWidget(holder)
        holder.show()


def _text(text: str, tone: str = "text") -> Label:
    label = Label(text, tone=tone, wraps=True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
