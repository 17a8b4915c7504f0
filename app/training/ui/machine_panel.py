"""この PC: what it has, and in one sentence what that is enough for."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from app.base import wording
from app.training.ability import Ability, Measured, Remark
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.fact_list import FactList
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.icon import Icon
from app.uikit.widgets.labels import Label

MARK_DOWN_PX = 3  # beside the first line

# Which line a remark is about.
_CARD = ("no_gpu", "other_gpu", "driver_silent", "card_old", "card_unseen", "cpu_torch")
_CAPABILITY = ("card_old", "card_slow", "no_bf16")
_DRIVER = ("driver_silent", "driver_old")
_CARD_MEMORY = ("memory_taken", "memory_small", "memory_untold")
_MEMORY = ("memory_few", "practice_memory")
_DISK = ("disk_short", "practice_disk")


class MachinePanel(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.ability: Ability | None = None  # None: being measured
        self.measure_button = Button(theme, self.tr("測り直す"), "quiet", "refresh-cw", compact=True)
        self._mark = Icon(theme, "info", "text2")
        self._mark.setContentsMargins(0, MARK_DOWN_PX, 0, 0)
        self.verdict = Label(role="heading3", wraps=True)
        self.facts = FactList(theme)
        self._remarks = QVBoxLayout()
        self.practice_button = Button(theme, self.tr("お試し用モデルで練習する"), "", "play")
        self.job_button = Button(theme, self.tr("別の PC 用の作業フォルダを作る…"), "", "folder-plus")
        self.reason = Label(role="caption", tone="text2", wraps=True)
        self._build()
        self.show_measuring()

    def show_measuring(self) -> None:
        self.ability = None
        self._mark.show_icon("info", "text2")
        self.verdict.setText(self.tr("調べています…"))
        self.facts.hide()
        self._show_remarks(())
        self.measure_button.setEnabled(False)
        self._offers.hide()
        self.reason.hide()

    def show_ability(self, ability: Ability, found: Measured) -> None:
        self.ability = ability
        is_grave = not ability.size or any(remark.is_grave for remark in ability.remarks)
        self._mark.show_icon(*(("triangle-alert", "warning") if is_grave else ("circle-check", "success")))
        self.verdict.setText(_sentence(ability.verdict))
        self.facts.set_facts(self._facts(ability, found))
        self.facts.show()
        self._show_remarks(ability.notes)
        self.measure_button.setEnabled(True)

    def show_offers(self, *, has_starter: bool, is_starter_chosen: bool, can_make_job: bool) -> None:
        """Where no card can be used. `can_make_job`: data and base are chosen."""
        ability = self.ability
        is_offered = ability is not None and not ability.size
        self._offers.setVisible(is_offered)
        words = self.tr("お試し用モデルで練習する") if has_starter else self.tr("お試し用モデルを追加する")
        self.practice_button.setText(words)
        self.practice_button.setEnabled(ability is not None and ability.can_practise and not is_starter_chosen)
        self.job_button.setEnabled(can_make_job)
        lines = []
        if is_starter_chosen:
            lines.append(self.tr("✓ 土台のモデルにお試し用モデルを選びました。"))
        if not can_make_job:
            later = self.tr("作業フォルダは、データと土台のモデルを決めてから、ここか「確認」の画面で作れます。")
            lines.append(later)
        self.reason.setText("\n".join(lines))
        self.reason.setVisible(is_offered and bool(lines))

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        self.setProperty("surface", "card")
        head = QHBoxLayout()
        head.addWidget(Label(self.tr("この PC"), strong=True), 1)
        head.addWidget(self.measure_button)
        verdict = QHBoxLayout()
        verdict.setSpacing(8)
        verdict.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        verdict.addWidget(self.verdict, 1)
        self._remarks.setSpacing(4)
        self._offers = Flow(self.practice_button, self.job_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 14)
        column.setSpacing(10)
        column.addLayout(head)
        column.addLayout(verdict)
        column.addLayout(self._remarks)
        column.addWidget(self.facts)
        column.addWidget(self._offers)
        column.addWidget(self.reason)

    def _show_remarks(self, remarks: tuple[Remark, ...]) -> None:
        while (item := self._remarks.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for remark in remarks:
            mark, tone = ("▲ ", "warning") if remark.is_grave else ("• ", "text2")
            label = Label(f"{mark}{_sentence(remark)}", tone=tone, wraps=True)
            self._remarks.addWidget(label)
            label.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers

    def _facts(self, ability: Ability, found: Measured) -> list[tuple[str, str]]:
        card = ability.card
        names = joined(*(gpu.name for gpu in found.gpus)) or self.tr("見つかりません")
        facts = [("GPU", self._marked(card.name if card else names, _CARD))]
        if card is not None:
            version = ".".join(map(str, card.capability)) if card.capability else ""
            facts += [
                (self.tr("ドライバー"), self._marked(card.driver or self.tr("不明"), _DRIVER)),
                ("Compute Capability", self._marked(version, _CAPABILITY) if version else ""),
                (self.tr("GPU メモリ"), self._marked(self._room(card.free_bytes, card.memory_bytes), _CARD_MEMORY)),
            ]
        memory = self._room(found.available_bytes, found.memory_bytes)
        disk = self.tr("空き {free} GB").format(free=f"{found.disk_bytes / 1e9:,.0f}")
        return [
            *facts,
            (self.tr("メモリ"), self._marked(memory, _MEMORY)),
            (self.tr("ディスク"), self._marked(disk, _DISK)),
        ]

    def _room(self, free_bytes: int | None, total_bytes: int | None) -> str:
        if not total_bytes or free_bytes is None:
            return self.tr("不明")
        words = self.tr("空き {free} GB／{total} GB")
        return words.format(free=f"{free_bytes / 1e9:.1f}", total=f"{total_bytes / 1e9:.1f}")

    def _marked(self, value: str, codes: tuple[str, ...]) -> str:
        """With what was found of it, so that colour need not say it."""
        assert self.ability is not None
        return f"▲ {value}" if any(self.ability.has(code) for code in codes) else f"✓ {value}"


def _sentence(remark: Remark) -> str:
    return wording.phrase(f"ability_{remark.code}", **remark.facts).replace(" GB", "\u00a0GB")
