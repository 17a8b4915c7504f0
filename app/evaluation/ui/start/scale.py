"""A scale study in the dialog: which data, which base, how many rows, how often."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QCheckBox, QLineEdit

from app.evaluation.ui.start import rules, words
from app.evaluation.ui.start.part import Combo, Offer, Part, number
from app.training import problems
from app.training.runs.splits import SplitChoice
from app.uikit.language import joined, noted
from app.uikit.theme import Theme
from trainer.spec import PRESETS

RUNS, RUNS_MOST = 3, 20  # of each size


class ScalePart(Part):
    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self.data, self.base, self.preset = Combo(), Combo(), Combo()
        self.sizes = QLineEdit()
        self.sizes.setPlaceholderText(self.tr("自動"))
        self.runs = number((1, RUNS_MOST), (self._times(RUNS), RUNS), self.changed.emit, unit=self.tr(" 回"))
        self.control = QCheckBox(self.tr("学習の回数をそろえた対照も学習する"))
        self.control.setChecked(True)
        self._build()
        bases = rules.to_train(offer.models)
        chosen = rules.first_base(offer.models, bases, offer.current_model_id)
        self.base.offer([(offer.name(model), model) for model in bases], chosen)
        self.preset.offer([(problems.preset_name(one), one) for one in PRESETS], problems.RECOMMENDED_PRESET)
        self._connect()

    def show_splits(self, splits: Sequence[SplitChoice]) -> None:
        self.data.offer([(self._name(one), one.folder) for one in splits], self.data.value)
        self.data.setEnabled(bool(splits))

    @property
    def problem(self) -> str:
        """ "sizes_form": what is written are no numbers."""
        return "sizes_form" if rules.sizes_of(self.sizes.text()) is None else ""

    def wish(self) -> dict[str, Any]:
        base, runs = self.base.value, self.runs.number()
        return {
            "kind": "scale",
            "data": self.data.value or "",
            "models": (base,) if base else (),
            "sizes": rules.sizes_of(self.sizes.text()) or (),
            "runs": int(runs) if runs is not None else RUNS,
            "has_control": self.control.isChecked(),
            "training_preset": self.preset.value,
        }

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        self._add(self.tr("学習データ"), self.data, self.tr("「学習」で分割して固定したデータです。"))
        self._add(self.tr("土台のモデル"), self.base)
        self._add(self.tr("学習のしかた"), self.preset)
        self._add(
            self.tr("比べる件数"),
            self.sizes,
            self.tr("50, 100, 200, 400 のように書きます。空なら、全体の 12.5、25、50、100 % で比べます。"),
        )
        self._add(
            self.tr("件数ごとの学習"),
            self.runs,
            self.tr("偶然の差と区別するために、同じ件数で何回学習するかです。3 回以上を勧めます。"),
        )
        self._add(
            self.tr("対照"),
            self.control,
            self.tr("データが増えた効果と、学習が長くなった効果を分けられます。学習の回数が増えます。"),
        )

    def _connect(self) -> None:
        for box in (self.data, self.base, self.preset):
            box.changed.connect(self.changed)
        self.sizes.textChanged.connect(self.changed)
        self.control.toggled.connect(self.changed)

    def _name(self, split: SplitChoice) -> str:
        name = split.name or self.tr("名前のない学習")
        return joined(noted(name, split.source if split.source != name else ""), words.rows(split.train))

    def _times(self, n: int) -> str:
        return self.tr("{n} 回").format(n=n)
