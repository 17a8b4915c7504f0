"""Step 1: what this machine offers, and which size of model that is enough for."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.inference import machine
from app.inference.machine import Gpu, Machine
from app.models import model_sizes
from app.models.model_sizes import SizeFit
from app.uikit.language import noted
from app.uikit.theme import Theme
from app.uikit.widgets.fact_list import FactList
from app.uikit.widgets.labels import Label

ROOM_FOR_FILE = 1.05  # a file system keeps some for itself


class MachineStep(QWidget):
    """Memory, cores and disk are there at once; graphics processors a moment later, since their driver is asked."""

    def __init__(self, theme: Theme, models_folder: Path, settings: Settings) -> None:
        super().__init__()
        self._theme = theme
        self._settings = settings
        self._machine = machine.measure(models_folder)
        self._build()
        self._show_facts(self.tr("調べています…"))
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
        column.addWidget(Label(self.tr("この PC でできること"), "heading2"))
        column.addWidget(self._facts)
        column.addWidget(card)
        column.addWidget(Label(self._size_words(), "caption", "muted", wraps=True))
        column.addStretch(1)

    def _size_words(self) -> str:
        return self.tr("8B などはモデルの大きさです（B は 10 億）。大きいほど回答は正確になりますが、遅くなります。")

    # -------------------------------------------------------------------- facts

    def _show_facts(self, gpus: str) -> None:
        here = self._machine
        memory = self.tr("{a} GB（空き {b} GB）").format(a=_gb(here.memory_bytes), b=_gb(here.available_bytes))
        facts = [
            (self.tr("メモリ"), memory),
            ("CPU", self.tr("物理コア {n} 個").format(n=here.cores)),
            ("GPU", gpus),
            (self.tr("保存先の空き"), f"{here.free_disk_bytes / 1e9:,.0f} GB"),
        ]
        self._facts.set_facts(facts)
        self.setAccessibleDescription(
            "\n".join(self.tr("{name}：{value}").format(name=name, value=value) for name, value in facts)
        )

    def _on_gpus_found(self, gpus: Sequence[Gpu]) -> None:
        """Whether a processor can compute answers is known only when a model is loaded."""
        lines = [noted(gpu.name, f"{_gb(gpu.memory_bytes)} GB" if gpu.memory_bytes else "") for gpu in gpus]
        if lines:
            lines.append(self.tr("回答に使えるかは、モデルを読み込むときに確かめます。"))
        self._show_facts("\n".join(lines) or self.tr("見つかりません。CPU で回答します。"))

    def _on_failed(self, error: AppError) -> None:
        raise error  # looking for processors expects no error

    # ------------------------------------------------------------------- advice

    def _show_advice(self, here: Machine) -> None:
        sizes = model_sizes.fits(here.available_bytes, self._settings.context_tokens, self._settings.kv_type)
        best = model_sizes.recommended(sizes)
        if best is None:
            self.advice.setText(self.tr("いまの空きメモリでは、1B のモデルでも余裕がありません。"))
            self.reasons.setText(self.tr("ほかのプログラムを閉じると、使えるメモリが増えます。"))
        else:
            self.advice.setText(self.tr("おすすめは {size} のモデルです。").format(size=best.name))
            self.reasons.setText("\n".join((self._needs(best), *self._around(best, sizes))))
        is_disk_short = best is not None and best.file_bytes * ROOM_FOR_FILE > here.free_disk_bytes
        self.warning.setVisible(is_disk_short)
        self.warning.setText(self.tr("▲ 保存先の空きが足りません。ファイルを置く場所を空けてください。"))

    def _needs(self, size: SizeFit) -> str:
        return self.tr("必要なメモリは約 {need} GB、ファイルは約 {file} GB です（Q4_K_M、文脈 {n} トークン）。").format(
            need=_gb(size.need_bytes), file=_gb(size.file_bytes), n=f"{self._settings.context_tokens:,}"
        )

    def _around(self, best: SizeFit, sizes: Sequence[SizeFit]) -> list[str]:
        """What there is to say of the size that work needs, and of those above it."""
        wanted = next(size for size in sizes if size.name == model_sizes.RECOMMENDED)
        largest = model_sizes.largest(sizes)
        if wanted.verdict == "insufficient":
            words = self.tr("業務向けの {size} には、空きメモリが足りません（約 {need} GB 必要です）。")
            return [words.format(size=wanted.name, need=_gb(wanted.need_bytes))]
        if wanted.verdict == "tight":
            return [self.tr("業務向けの {size} も動きますが、メモリの余裕はわずかです。").format(size=wanted.name)]
        if largest is not None and largest != best:
            words = self.tr("メモリには {size} まで余裕をもって入ります。")
            return [words.format(size=largest.name)]
        return []


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
