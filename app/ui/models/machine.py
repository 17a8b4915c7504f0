"""What this machine offers: memory, cores, room for files."""

from pathlib import Path

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.core import machine
from app.ui.language import joined
from app.ui.theme import Theme
from app.ui.widgets.icon import Icon
from app.ui.widgets.labels import ElidedLabel, Label


class MachineLine(QWidget):
    """One line, measured anew each time it is shown."""

    def __init__(self, theme: Theme, models_folder: Path) -> None:
        super().__init__()
        self._folder = models_folder
        self._facts = ElidedLabel(tone="text2")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(Icon(theme, "monitor"))
        row.addWidget(Label(self.tr("この PC"), strong=True))
        row.addWidget(self._facts, 1)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._facts.setText(self.text())

    def text(self) -> str:
        here = machine.measure(self._folder)
        return joined(
            self.tr("メモリ {a} GB（空き {b}）").format(a=_gb(here.memory_bytes), b=_gb(here.available_bytes)),
            self.tr("CPU {n} コア").format(n=here.cores),
            self.tr("保存先の空き {n} GB").format(n=f"{here.free_disk_bytes / 1e9:,.0f}"),
        )


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
