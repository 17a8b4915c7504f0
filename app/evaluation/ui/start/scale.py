"""A scale study in the dialog: which data, which base, how many rows, how often."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QCheckBox, QLineEdit

from app.base.wording import phrase
from app.evaluation.ui.start import rules, words
from app.evaluation.ui.start.part import Combo, Offer, Part, number
from app.training import training_errors
from app.training.runs.training_list import SplitChoice
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from trainer.spec import PRESETS

RUNS, RUNS_MOST = 3, 20  # of each size


class ScalePart(Part):
    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self.data, self.base, self.preset = Combo(), Combo(), Combo()
        self.sizes = QLineEdit()
        self.sizes.setPlaceholderText(phrase("common.automatic"))
        self.runs = number(
            (1, RUNS_MOST), (self._times(RUNS), RUNS), self.changed.emit, unit=phrase("evaluation.times")
        )
        self.control = QCheckBox(phrase("evaluation.also_train_controls_with_as"))
        self.control.setChecked(True)
        self._build()
        bases = rules.to_train(offer.models)
        chosen = rules.first_base(offer.models, bases, offer.current_model_id)
        self.base.offer([(offer.name(model), model) for model in bases], chosen)
        self.preset.offer(
            [(training_errors.preset_name(one), one) for one in PRESETS], training_errors.RECOMMENDED_PRESET
        )
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
        self._add(phrase("evaluation.training_data"), self.data, phrase("evaluation.data_that_were_split_and"))
        self._add(phrase("evaluation.base_models"), self.base)
        self._add(phrase("evaluation.way_of_training"), self.preset)
        self._add(
            phrase("evaluation.amounts_to_compare"),
            self.sizes,
            phrase("evaluation.rows_such_as_50_100"),
        )
        self._add(
            phrase("evaluation.runs_of_each_amount"),
            self.runs,
            phrase("evaluation.how_often_each_amount_is"),
        )
        self._add(
            phrase("evaluation.control"),
            self.control,
            phrase("evaluation.tells_what_more_data_bring"),
        )

    def _connect(self) -> None:
        for box in (self.data, self.base, self.preset):
            box.changed.connect(self.changed)
        self.sizes.textChanged.connect(self.changed)
        self.control.toggled.connect(self.changed)

    def _name(self, split: SplitChoice) -> str:
        name = split.name or phrase("common.unnamed_training")
        return join_facts(with_note(name, split.source if split.source != name else ""), words.rows(split.train))

    def _times(self, n: int) -> str:
        return phrase("evaluation.n_times", n=n)
