"""What this machine offers: memory, cores, room for files, and how fast it is."""

from pathlib import Path

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.base.wording import phrase
from app.inference import machine
from app.inference.machine import MemoryBudget
from app.inference.speed import MachineSpeed
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import ElidedLabel, IconLabel, Label, plain_tooltip


class MachineLine(QWidget):
    """Show one line, and measure again each time it is shown."""

    def __init__(self, theme: Theme, models_folder: Path) -> None:
        super().__init__()
        self._folder = models_folder
        self._others_bytes = 0
        self._facts = ElidedLabel(tone="text2")
        self.measure_button = Button(theme, "", "link", "refresh-cw")
        self.measure_button.setToolTip(plain_tooltip(phrase("models.uses_the_cpu_and_memory")))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(IconLabel(theme, "monitor"))
        row.addWidget(Label(phrase("common.this_pc"), strong=True))
        row.addWidget(self._facts, 1)
        row.addWidget(self.measure_button)
        self.show_speed(None, is_measuring=False)

    def use_folder(self, models_folder: Path) -> None:
        self._folder = models_folder
        self._facts.setText(self.text())

    def show_room(self, room: MemoryBudget | None) -> None:
        self._others_bytes = room.others_bytes if room else 0
        self._facts.setText(self.text())

    def show_speed(self, speed: MachineSpeed | None, *, is_measuring: bool) -> None:
        first = phrase("models.measure_and_predict_speeds") if speed is None else phrase("models.measure_again")
        self.measure_button.setText(phrase("models.measuring") if is_measuring else first)
        self.measure_button.setEnabled(not is_measuring)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._facts.setText(self.text())

    def text(self) -> str:
        here = machine.measure_machine(self._folder)
        others = phrase("models.other_programs_use_n_gb", n=_gb(self._others_bytes))
        return join_facts(
            phrase("models.memory_a_gb_b_gb", a=_gb(here.memory_bytes), b=_gb(here.available_bytes)),
            others if self._others_bytes else "",
            phrase("models.cpu_n_cores", n=here.cores),
            phrase("models.n_gb_of_disk_free", n=f"{here.free_disk_bytes / 1e9:,.0f}"),
        )


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
