"""The forms in which a model is published: size, memory, speed and whether each fits; one is chosen."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QRadioButton, QWidget

from app.base.wording import phrase
from app.models.catalogue import ModelFile
from app.models.ui import words
from app.models.ui.fits import Judged
from app.uikit import localization
from app.uikit.theme import Theme
from app.uikit.widgets.labels import ElidedLabel, Label


class Quantizations(QWidget):
    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QRadioButton] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(6)
        self._group.buttonClicked.connect(lambda button: self.chosen.emit(button.text()))

    def set_files(self, files: tuple[ModelFile, ...], judged: Mapping[str, Judged], chosen: str) -> None:
        self._clear()
        has_speed = any(found.predicted for found in judged.values())
        self._add_head(has_speed)
        for row, file in enumerate(files, 1):
            button = QRadioButton(file.quantization)
            button.setChecked(file.quantization == chosen)
            self._group.addButton(button)
            self.buttons[file.quantization] = button
            found = judged.get(file.quantization)
            about = phrase("common.about_size") if not file.verified else "{size}"
            cells = [about.format(size=words.gigabytes(file.size_bytes)), self._memory(found)]
            if has_speed:
                cells.append(f"{found.predicted.answer:.1f}" if found and found.predicted else "")
            button.setAccessibleDescription(" ".join([*cells, words.verdict(found) if found else ""]))
            self._put(button, row, 0)
            for column, cell in enumerate(cells, 1):
                self._put(Label(cell, "caption"), row, column, is_number=True)
            self._add_end(file, found, row, len(cells) + 1)

    def _add_head(self, has_speed: bool) -> None:
        names = [phrase("models.form"), phrase("models.file"), phrase("models.memory")]
        names += [phrase("models.predicted_tok_s")] if has_speed else []
        for column, name in enumerate(names):
            self._put(Label(name, "caption", "muted"), 0, column, is_number=column > 0)
        self._put(Label(phrase("common.this_pc"), "caption", "muted"), 0, len(names))
        self._put(Label(phrase("models.good_for"), "caption", "muted"), 0, len(names) + 1)
        for column in range(len(names) + 2):
            self._grid.setColumnStretch(column, 1 if column == len(names) + 1 else 0)

    def _add_end(self, file: ModelFile, found: Judged | None, row: int, column: int) -> None:
        if found is not None:
            verdict, tone = words.verdict(found), words.fit_badge(found)[0]
            self._put(ElidedLabel(verdict, "caption", tone), row, column)
        self._put(ElidedLabel(localization.quality_text(file.quantization), "caption", "text2"), row, column + 1)

    def _memory(self, found: Judged | None) -> str:
        if found is None:
            return ""
        total = found.fit.needed.total_bytes
        size = f"{total / 1e9:.1f} GB" if total >= 1e8 else words.gigabytes(total)
        return phrase("common.about_size", size=size) if found.fit.is_rough else size

    def _put(self, widget: QWidget, row: int, column: int, *, is_number: bool = False) -> None:
        side = Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag(0)
        if isinstance(widget, ElidedLabel):
            self._grid.addWidget(widget, row, column)
        else:
            self._grid.addWidget(widget, row, column, side | Qt.AlignmentFlag.AlignVCenter)
        widget.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers

    def _clear(self) -> None:
        for button in self.buttons.values():
            self._group.removeButton(button)
        self.buttons = {}
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
