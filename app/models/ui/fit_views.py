"""Show whether models fit: a line about the machine, a bar of memory use, and a table of quantizations."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QPainter, QPainterPath, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QRadioButton, QSizePolicy, QWidget

from app.base.wording import format_size, phrase
from app.inference import machine, speed
from app.inference.machine import MemoryBudget
from app.inference.speed import MachineSpeed
from app.models.catalogue import ModelFile
from app.models.model_fit import FitResult
from app.models.ui import model_text
from app.uikit import localization
from app.uikit.localization import join_facts, join_names
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import CardGrid, FlowBox, make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, plain_tooltip


class MachineLine(QWidget):
    """Shows one line about this machine, which is measured again each time it is shown."""

    def __init__(self, theme: Theme, models_folder: Path) -> None:
        super().__init__()
        self._folder = models_folder
        self._others_bytes = 0
        self._facts = ElidedLabel(tone="text2")
        self._power = Label(phrase("models.power_has_changed"), "caption", "warning")
        self._speed: MachineSpeed | None = None
        self.measure_button = Button(theme, "", "link", "refresh-cw")
        self.measure_button.setToolTip(plain_tooltip(phrase("models.uses_the_cpu_and_memory")))
        make_row(
            IconLabel(theme, "monitor"),
            Label(phrase("common.this_pc"), strong=True),
            (self._facts, 1),
            self._power,
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

    def show_speed(self, measured: MachineSpeed | None, *, is_measuring: bool) -> None:
        first = phrase("models.measure_and_predict_speeds") if measured is None else phrase("models.measure_again")
        self.measure_button.setText(phrase("models.measuring") if is_measuring else first)
        self.measure_button.setEnabled(not is_measuring)
        self._speed = measured
        self._show_power()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._facts.setText(self.text())
        self._show_power()

    def _show_power(self) -> None:
        """Say that the power source has changed since the measurement; a laptop computes slower on its battery."""
        measured = self._speed
        self._power.setVisible(measured is not None and measured.is_plugged_in != speed.is_plugged_in())

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

# Part of the bar -> colour name and, for colour-blind users, a pattern.
_FILLS = {
    "weights": ("accent", Qt.BrushStyle.SolidPattern),
    "kv": ("warning", Qt.BrushStyle.BDiagPattern),
    "compute": ("success", Qt.BrushStyle.HorPattern),
    "free": ("base", Qt.BrushStyle.SolidPattern),
    "others": ("sunken", Qt.BrushStyle.SolidPattern),
}


def memory_parts(judged: FitResult) -> dict[str, int]:
    """Return the bytes of each part of the memory that would hold the model.

    The memory is the GPU's if the whole model fits there, else the main memory.
    """
    needed, budget = judged.fit.memory_estimate, judged.fit.budget
    total, others = budget.total_bytes, budget.others_bytes
    if judged.fit.judgement.memory_kind == "graphics":
        total, others = budget.graphics_total_bytes, budget.graphics_total_bytes - budget.graphics_bytes
    free = max(0, total - others - needed.total_bytes)
    sizes = {"weights": needed.weights_bytes, "kv": needed.kv_bytes, "compute": needed.compute_bytes}
    return sizes | {"free": free, "others": others}


class MemoryBar(QWidget):
    """Shows a bar of weights, cache, buffers, free memory and other programs, with a legend."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._bar = _Bar(theme)
        self._items = {kind: _LegendItem(theme, kind) for kind in _FILLS}
        make_column(self._bar, FlowBox(*self._items.values()), into=self, spacing_px=6)

    def show_fit(self, judged: FitResult) -> None:
        parts = memory_parts(judged)
        self._bar.parts = parts
        self._bar.update()
        rest = phrase("models.rest_estimate") if judged.fit.is_rough else phrase("models.compute_buffers")
        names = {
            "weights": phrase("models.weights"),
            "kv": phrase("models.kv_cache"),
            "compute": rest,
            "free": phrase("models.free"),
            "others": phrase("models.other_programs"),
        }
        words = {kind: f"{names[kind]} {format_size(size_bytes)}" for kind, size_bytes in parts.items()}
        for kind, item in self._items.items():
            item.set_text(words[kind])
            item.setVisible(parts[kind] > 0)
        self._bar.setAccessibleName(phrase("models.memory_use"))
        self._bar.setAccessibleDescription(join_names([words[kind] for kind in parts if parts[kind]]))


class _Bar(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.parts: dict[str, int] = {}  # kind -> bytes
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._on_theme_changed()
        theme.changed.connect(self._on_theme_changed)

    def _on_theme_changed(self) -> None:
        self.setFixedHeight(self._theme.px(BAR_PX))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        outline = QPainterPath()
        outline.addRoundedRect(area, 3, 3)
        painter.setClipPath(outline)
        whole = max(1, sum(self.parts.values()))
        left = area.left()
        for kind, size_bytes in self.parts.items():
            width = area.width() * size_bytes / whole
            _fill(painter, self._theme, QRectF(left, area.top(), width, area.height()), kind)
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


class QuantizationChooser(CardGrid):
    """Shows a table of a model's quantizations, of which the user chooses one."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QRadioButton] = {}
        self._group.buttonClicked.connect(lambda button: self.chosen.emit(button.text()))

    def set_files(self, files: tuple[ModelFile, ...], judged: Mapping[str, FitResult], quantization: str) -> None:
        for button in self.buttons.values():
            self._group.removeButton(button)
        self.buttons = {}
        has_speed = any(found.speed for found in judged.values())
        with self.refilled():
            self._add_head(has_speed)
            for file in files:
                self.next_row()
                self._add_file(file, judged.get(file.quantization), file.quantization == quantization, has_speed)

    def _add_head(self, has_speed: bool) -> None:
        numbers = [phrase("models.file"), phrase("models.memory")]
        numbers += [phrase("models.answer_tok_s")] if has_speed else []
        names = [phrase("models.form"), *numbers, phrase("common.this_pc"), phrase("models.good_for")]
        for column, name in enumerate(names):
            self.put(Label(name, "caption", "muted"), column, is_number=0 < column <= len(numbers))
        self.grid.setColumnStretch(len(names) - 1, 1)

    def _add_file(self, file: ModelFile, fit: FitResult | None, is_chosen: bool, has_speed: bool) -> None:
        button = self.buttons[file.quantization] = QRadioButton(file.quantization)
        button.setChecked(is_chosen)
        self._group.addButton(button)
        about = phrase("common.about_size") if not file.verified else "{size}"
        cells = [about.format(size=format_size(file.size_bytes)), self._memory(fit)]
        if has_speed:
            cells.append(f"{fit.speed.answer:.1f}" if fit and fit.speed else "")
        verdict = model_text.fit_verdict(fit) if fit else ""
        button.setAccessibleDescription(" ".join([*cells, verdict]))
        self.put(button, 0)
        for column, cell in enumerate(cells, 1):
            self.put(Label(cell, "caption"), column, is_number=True)
        if fit is not None:
            shown = model_text.fit_verdict(fit, model_text.fit_badge_word)
            self.put(ElidedLabel(shown, "caption", model_text.fit_badge(fit)[0]), len(cells) + 1)
        self.put(ElidedLabel(localization.quality_text(file.quantization), "caption", "text2"), len(cells) + 2)

    def _memory(self, fit: FitResult | None) -> str:
        if fit is None:
            return ""
        total = fit.fit.memory_estimate.total_bytes
        size = f"{total / 1e9:.1f} GB" if total >= 1e8 else format_size(total)
        return phrase("common.about_size", size=size) if fit.fit.is_rough else size
