"""What this machine offers: memory, cores, room for files, and how fast it is."""

from pathlib import Path

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.inference import machine
from app.inference.room import Room
from app.inference.speed import MachineSpeed
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.icon import Icon
from app.uikit.widgets.labels import ElidedLabel, Label, tip


class MachineLine(QWidget):
    """Show one line, and measure again each time it is shown."""

    def __init__(self, theme: Theme, models_folder: Path) -> None:
        super().__init__()
        self._folder = models_folder
        self._others_bytes = 0
        self._facts = ElidedLabel(tone="text2")
        self.measure_button = Button(theme, "", "link", "refresh-cw")
        self.measure_button.setToolTip(
            tip(self.tr("数秒のあいだ CPU とメモリを使って測り、モデルごとの速さを予測します。"))
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(Icon(theme, "monitor"))
        row.addWidget(Label(self.tr("この PC"), strong=True))
        row.addWidget(self._facts, 1)
        row.addWidget(self.measure_button)
        self.show_speed(None, is_measuring=False)

    def use_folder(self, models_folder: Path) -> None:
        self._folder = models_folder
        self._facts.setText(self.text())

    def show_room(self, room: Room | None) -> None:
        self._others_bytes = room.others_bytes if room else 0
        self._facts.setText(self.text())

    def show_speed(self, speed: MachineSpeed | None, *, is_measuring: bool) -> None:
        first = self.tr("速さを測って予測する") if speed is None else self.tr("速さを測り直す")
        self.measure_button.setText(self.tr("測っています…") if is_measuring else first)
        self.measure_button.setEnabled(not is_measuring)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._facts.setText(self.text())

    def text(self) -> str:
        here = machine.measure(self._folder)
        others = self.tr("ほかのプログラムが {n} GB 使用中").format(n=_gb(self._others_bytes))
        return joined(
            self.tr("メモリ {a} GB（空き {b} GB）").format(a=_gb(here.memory_bytes), b=_gb(here.available_bytes)),
            others if self._others_bytes else "",
            self.tr("CPU {n} コア").format(n=here.cores),
            self.tr("保存先の空き {n} GB").format(n=f"{here.free_disk_bytes / 1e9:,.0f}"),
        )


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
