"""Show how models fit: the machine's memory, cores, space and speed; a memory bar; and a table of quantizations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QPainter, QPainterPath, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QRadioButton, QSizePolicy, QWidget

from app.base.wording import phrase
from app.inference import machine
from app.inference.machine import MemoryBudget
from app.inference.speed import MachineSpeed
from app.models.catalogue import ModelFile
from app.models.services.model_fits import FitResult
from app.models.ui import model_text
from app.uikit import localization
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, plain_tooltip


class MachineLine(QWidget):
    """One line about this machine, measured again each time it is shown."""

    def __init__(self, theme: Theme, models_folder: Path) -> None:
        super().__init__()
        self._folder = models_folder
        self._others_bytes = 0
        self._facts = ElidedLabel(tone="text2")
        self.measure_button = Button(theme, "", "link", "refresh-cw")
        self.measure_button.setToolTip(plain_tooltip(phrase("models.uses_the_cpu_and_memory")))
        make_row(
            IconLabel(theme, "monitor"),
            Label(phrase("common.this_pc"), strong=True),
            (self._facts, 1),
            self.measure_button,
            into=self,
            spacing_px=10,
        )
        self.show_speed(None, is_measuring=False)

    def use_folder(self, models_folder: Path) -> None:
        self._folder = models_folder
        self._facts.setText(self.text())

    def show_memory(self, budget: MemoryBudget | None) -> None:
        self._others_bytes = budget.others_bytes if budget else 0
        self._facts.setText(self.text())

    def show_speed(self, speed: MachineSpeed | None, *, is_measuring: bool) -> None:
        first = phrase("models.measure_and_predict_speeds") if speed is None else phrase("models.measure_again")
        self.measure_button.setText(phrase("models.measuring") if is_measuring else first)
        self.measure_button.setEnabled(not is_measuring)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._facts.setText(self.text())

    def text(self) -> str:
        measured = machine.measure_machine(self._folder)
        others = phrase("models.other_programs_use_n_gb", n=_gb(self._others_bytes))
        return join_facts(
            phrase("models.memory_a_gb_b_gb", a=_gb(measured.memory_bytes), b=_gb(measured.available_bytes)),
            others if self._others_bytes else "",
            phrase("models.cpu_n_cores", n=measured.cores),
            phrase("models.n_gb_of_disk_free", n=f"{measured.free_disk_bytes / 1e9:,.0f}"),
        )


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"


BAR_PX, SWATCH_PX = 18, 10

# Background and, for colour-blind users, a pattern.
_FILLS = {
    "weights": ("accent", Qt.BrushStyle.SolidPattern),
    "kv": ("warning", Qt.BrushStyle.BDiagPattern),
    "compute": ("success", Qt.BrushStyle.HorPattern),
    "free": ("base", Qt.BrushStyle.SolidPattern),
    "others": ("sunken", Qt.BrushStyle.SolidPattern),
}


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """A segment of the memory bar."""

    kind: str
    size_bytes: int


def parts_of(judged: FitResult) -> list[MemoryPart]:
    """Return the parts of the memory that would hold the model: a graphics processor's if all of it fits there."""
    needed, budget = judged.fit.needed, judged.fit.budget
    total, others = budget.total_bytes, budget.others_bytes
    if judged.fit.judgement.place == "graphics":
        total, others = budget.graphics_total_bytes, budget.graphics_total_bytes - budget.graphics_bytes
    free = max(0, total - others - needed.total_bytes)
    sizes = {"weights": needed.weights_bytes, "kv": needed.kv_bytes, "compute": needed.compute_bytes}
    return [MemoryPart(kind, size) for kind, size in (sizes | {"free": free, "others": others}).items()]


class MemoryBar(QWidget):
    """A bar of weights, cache, buffers, free memory and other programs, with a legend."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._bar = _Bar(theme)
        self._items = {kind: _LegendItem(theme, kind) for kind in _FILLS}
        make_column(self._bar, FlowBox(*self._items.values()), into=self, spacing_px=6)

    def show_fit(self, judged: FitResult) -> None:
        parts = parts_of(judged)
        self._bar.set_parts(parts)
        rest = phrase("models.rest_estimate") if judged.fit.is_rough else phrase("models.compute_buffers")
        names = {
            "weights": phrase("models.weights"),
            "kv": phrase("models.kv_cache"),
            "compute": rest,
            "free": phrase("models.free"),
            "others": phrase("models.other_programs"),
        }
        for part in parts:
            item = self._items[part.kind]
            item.set_text(f"{names[part.kind]} {model_text.gigabytes(part.size_bytes)}")
            item.setVisible(part.size_bytes > 0)
        sizes = [f"{names[part.kind]} {model_text.gigabytes(part.size_bytes)}" for part in parts if part.size_bytes]
        self._bar.setAccessibleName(phrase("models.memory_use"))
        self._bar.setAccessibleDescription("、".join(sizes) if localization.is_japanese() else ", ".join(sizes))


class _Bar(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._parts: list[MemoryPart] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._on_theme_changed()
        theme.changed.connect(self._on_theme_changed)

    def _on_theme_changed(self) -> None:
        self.setFixedHeight(self._theme.px(BAR_PX))

    def set_parts(self, parts: list[MemoryPart]) -> None:
        self._parts = parts
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        outline = QPainterPath()
        outline.addRoundedRect(area, 3, 3)
        painter.setClipPath(outline)
        whole = max(1, sum(part.size_bytes for part in self._parts))
        left = area.left()
        for part in self._parts:
            width = area.width() * part.size_bytes / whole
            _fill(painter, self._theme, QRectF(left, area.top(), width, area.height()), part.kind)
            left += width
        painter.setClipping(False)
        painter.setPen(QPen(self._theme.color("control"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(outline)


class _LegendItem(QWidget):
    def __init__(self, theme: Theme, kind: str) -> None:
        super().__init__()
        self._label = Label(role="caption", tone="text2")
        make_row(_Swatch(theme, kind), self._label, into=self, margins_px=(0, 0, 4, 0), spacing_px=5)

    def set_text(self, text: str) -> None:
        self._label.setText(text)
        self.updateGeometry()


class _Swatch(QWidget):
    def __init__(self, theme: Theme, kind: str) -> None:
        super().__init__()
        self._theme, self._kind = theme, kind
        self.setFixedSize(theme.px(SWATCH_PX), theme.px(SWATCH_PX))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        _fill(painter, self._theme, area, self._kind)
        painter.setPen(QPen(self._theme.color("control"), 1))
        painter.drawRect(area)


def _fill(painter: QPainter, theme: Theme, area: QRectF, kind: str) -> None:
    tone, pattern = _FILLS[kind]
    painter.fillRect(area, theme.color("base"))
    painter.fillRect(area, QBrush(theme.color(tone), pattern))


class QuantizationChooser(QWidget):
    """A table of a model's quantizations, of which one is chosen."""

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

    def set_files(self, files: tuple[ModelFile, ...], judged: Mapping[str, FitResult], chosen: str) -> None:
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
            cells = [about.format(size=model_text.gigabytes(file.size_bytes)), self._memory(found)]
            if has_speed:
                cells.append(f"{found.predicted.answer:.1f}" if found and found.predicted else "")
            button.setAccessibleDescription(" ".join([*cells, model_text.fit_verdict(found) if found else ""]))
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

    def _add_end(self, file: ModelFile, found: FitResult | None, row: int, column: int) -> None:
        if found is not None:
            verdict, tone = model_text.fit_verdict(found), model_text.fit_badge(found)[0]
            self._put(ElidedLabel(verdict, "caption", tone), row, column)
        self._put(ElidedLabel(localization.quality_text(file.quantization), "caption", "text2"), row, column + 1)

    def _memory(self, found: FitResult | None) -> str:
        if found is None:
            return ""
        total = found.fit.needed.total_bytes
        size = f"{total / 1e9:.1f} GB" if total >= 1e8 else model_text.gigabytes(total)
        return phrase("common.about_size", size=size) if found.fit.is_rough else size

    def _put(self, widget: QWidget, row: int, column: int, *, is_number: bool = False) -> None:
        side = Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag(0)
        if isinstance(widget, ElidedLabel):
            self._grid.addWidget(widget, row, column)
        else:
            self._grid.addWidget(widget, row, column, side | Qt.AlignmentFlag.AlignVCenter)
        widget.show()  # at once: Qt would show it a moment later, which flickers

    def _clear(self) -> None:
        for button in self.buttons.values():
            self._group.removeButton(button)
        self.buttons = {}
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
