"""Step 1: what this machine offers, and which size of model that is enough for."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.base.wording import phrase
from app.inference import machine
from app.inference.machine import Gpu, Machine
from app.models import model_sizes
from app.models.model_sizes import SizeFit
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets.labels import FactList, Label

ROOM_FOR_FILE = 1.05  # a file system keeps some for itself


class MachineStep(QWidget):
    """Memory, cores and disk are there at once; graphics processors a moment later, since their driver is asked."""

    def __init__(self, theme: Theme, models_folder: Path, settings: Settings) -> None:
        super().__init__()
        self._theme = theme
        self._settings = settings
        self._machine = machine.measure(models_folder)
        self._build()
        self._show_facts(phrase("common.checking"))
        self._show_advice(self._machine)
        background.run(machine.gpus, self._on_gpus_found, self._on_failed)

    def _build(self) -> None:
        self._facts = FactList(self._theme)
        self.advice = Label(role="heading3", wraps=True)
        self.reasons = Label(tone="text2", wraps=True)
        self.warning = Label(tone="warning", wraps=True)
        card = QFrame()
        card.setProperty("surface", "raised")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(16, 12, 16, 12)
        inside.setSpacing(6)
        for label in (self.advice, self.reasons, self.warning):
            inside.addWidget(label)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addWidget(Label(phrase("shell.what_this_pc_can_do"), "heading2"))
        column.addWidget(self._facts)
        column.addWidget(card)
        column.addWidget(Label(self._size_words(), "caption", "muted", wraps=True))
        column.addStretch(1)

    def _size_words(self) -> str:
        return phrase("shell.8b_and_the_like_are")

    # -------------------------------------------------------------------- facts

    def _show_facts(self, gpus: str) -> None:
        here = self._machine
        memory = phrase("shell.a_gb_b_gb_free", a=_gb(here.memory_bytes), b=_gb(here.available_bytes))
        facts = [
            (phrase("common.memory"), memory),
            ("CPU", phrase("shell.n_physical_cores", n=here.cores)),
            ("GPU", gpus),
            (phrase("shell.disk_space_free"), f"{here.free_disk_bytes / 1e9:,.0f} GB"),
        ]
        self._facts.set_facts(facts)
        self.setAccessibleDescription(
            "\n".join(phrase("common.name_value", name=name, value=value) for name, value in facts)
        )

    def _on_gpus_found(self, gpus: Sequence[Gpu]) -> None:
        """Whether a processor can compute answers is known only when a model is loaded."""
        lines = [with_note(gpu.name, f"{_gb(gpu.memory_bytes)} GB" if gpu.memory_bytes else "") for gpu in gpus]
        if lines:
            lines.append(phrase("shell.whether_it_can_be_used"))
        self._show_facts("\n".join(lines) or phrase("shell.none_found_answers_are_computed"))

    def _on_failed(self, error: AppError) -> None:
        raise error  # looking for processors expects no error

    # ------------------------------------------------------------------- advice

    def _show_advice(self, here: Machine) -> None:
        sizes = model_sizes.fits(here.available_bytes, self._settings.context_tokens, self._settings.kv_type)
        best = model_sizes.recommended(sizes)
        if best is None:
            self.advice.setText(phrase("shell.free_memory_is_tight_even"))
            self.reasons.setText(phrase("shell.closing_other_programs_frees_memory"))
        else:
            self.advice.setText(phrase("shell.recommended_model_size_size", size=best.name))
            self.reasons.setText("\n".join((self._needs(best), *self._around(best, sizes))))
        is_disk_short = best is not None and best.file_bytes * ROOM_FOR_FILE > here.free_disk_bytes
        self.warning.setVisible(is_disk_short)
        self.warning.setText(phrase("shell.there_is_not_enough_disk"))

    def _needs(self, size: SizeFit) -> str:
        return phrase(
            "shell.it_needs_about_need_gb",
            need=_gb(size.need_bytes),
            file=_gb(size.file_bytes),
            n=f"{self._settings.context_tokens:,}",
        )

    def _around(self, best: SizeFit, sizes: Sequence[SizeFit]) -> list[str]:
        """What there is to say of the size that work needs, and of those above it."""
        wanted = next(size for size in sizes if size.name == model_sizes.RECOMMENDED)
        largest = model_sizes.largest(sizes)
        if wanted.verdict == "insufficient":
            words = phrase("shell.there_is_not_enough_free")
            return [words.format(size=wanted.name, need=_gb(wanted.need_bytes))]
        if wanted.verdict == "tight":
            return [phrase("shell.size_recommended_for_work_runs", size=wanted.name)]
        if largest is not None and largest != best:
            words = phrase("shell.models_up_to_size_fit")
            return [words.format(size=largest.name)]
        return []


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
