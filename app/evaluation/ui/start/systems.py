"""Which systems are compared, where nothing is trained: documents and a training, models, forms of a model."""

from typing import Any

from app.base.wording import phrase
from app.evaluation.ui.start import rules, words
from app.evaluation.ui.start.part import Checks, Combo, Offer, Part, collection_rows, scope_of
from app.inference.gguf import GgufHeader
from app.inference.local_model import LocalModel
from app.inference.quantizations import QUANTIZATIONS
from app.uikit.localization import format_gigabytes, join_facts, quality_text
from app.uikit.theme import Theme


class DocumentsPart(Part):
    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self._offer = offer
        self.base, self.tuned, self.scope = Combo(), Combo(), Checks(theme, self.changed)
        self._add(phrase("evaluation.base_models"), self.base)
        self._add(
            phrase("evaluation.fine_tuned_model"),
            self.tuned,
            phrase("evaluation.with_one_fine_tuned_and"),
        )
        self._add(phrase("common.documents"), self.scope)
        bases = rules.untuned(offer.models)
        self.base.offer(
            [(offer.name(model), model) for model in bases],
            rules.first_base(offer.models, bases, offer.current_model_id),
        )
        own = [one.name for one in offer.collections if not one.is_builtin]
        self.scope.show_rows(collection_rows(offer.collections), own if len(own) == 1 else ())
        self._show_tuned()
        self.base.changed.connect(self._on_base_chosen)
        self.tuned.changed.connect(self.changed)

    def wish(self) -> dict[str, Any]:
        base = self.base.value
        return {
            "kind": "documents",
            "models": (base,) if base else (),
            "tuned": self.tuned.value,
            "scope": scope_of(self._offer.collections, self.scope.marked()),
        }

    def _on_base_chosen(self) -> None:
        self._show_tuned()
        self.changed.emit()

    def _show_tuned(self) -> None:
        """The newest is chosen: that is what the comparison is for."""
        if offer_tuned(self.tuned, self._offer, self.base.value, with_merged=True):
            self.tuned.setCurrentIndex(1)


class ModelsPart(Part):
    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self._offer = offer
        self.models, self.scope = Checks(theme, self.changed), Checks(theme, self.changed)
        self._models = {model.id: model for model in rules.answering(offer.models)}
        self._add(phrase("evaluation.models_to_compare"), self.models)
        self._add(
            phrase("evaluation.documents_given_to_them"), self.scope, phrase("evaluation.with_none_they_answer_without")
        )
        rows = [(id, offer.names[id], self._facts(one)) for id, one in self._models.items()]
        self.models.show_rows(rows, (), offer.missing)
        self.scope.show_rows(collection_rows(offer.collections), ())
        self.rows[1].setVisible(bool(offer.collections))

    def wish(self) -> dict[str, Any]:
        chosen = tuple(self._models[id] for id in self.models.marked())
        return {
            "kind": rules.kind_of_models(chosen, self._offer.models),
            "models": chosen,
            "scope": scope_of(self._offer.collections, self.scope.marked()),
        }

    def _facts(self, model: LocalModel) -> str:
        return join_facts(self._offer.facts(model), phrase("evaluation.fine_tuned") if model.tuned else "")


class FormsPart(Part):
    def __init__(self, theme: Theme, offer: Offer) -> None:
        super().__init__(theme)
        self._offer = offer
        self.model, self.tuned = Combo(), Combo()
        self.forms = Checks(theme, self.changed, is_short=True)
        self._add(phrase("common.batch_column.model"), self.model)
        self._add(phrase("evaluation.forms_to_compare"), self.forms, phrase("evaluation.the_other_forms_are_made"))
        self._add(phrase("evaluation.fine_tuned_model"), self.tuned, phrase("evaluation.with_one_what_the_training"))
        offered = rules.to_quantize(offer.models, has_trainer=offer.has_trainer)
        chosen = rules.first_base(offer.models, offered, offer.current_model_id)
        self.model.offer([(offer.name(model), model) for model in offered], chosen)
        self.forms.show_rows([(name, name, "") for name in rules.OFFERED], rules.PAPER, (rules.ALWAYS,))
        self._show_sizes(0)
        self._show_tuned()
        self.model.changed.connect(self._on_model_chosen)
        self.tuned.changed.connect(self.changed)

    @property
    def path(self) -> str:
        """Of the model whose forms are shown; "": none."""
        model = self.model.value
        return model.path if model else ""

    def wish(self) -> dict[str, Any]:
        model = self.model.value
        return {
            "kind": "quantizations",
            "models": (model,) if model else (),
            "forms": tuple(self.forms.marked()),
            "tuned": self.tuned.value,
        }

    def show_header(self, path: str, header: GgufHeader | None) -> None:
        """Of the model at `path`: how large its forms will be; None: it cannot be read."""
        if path == self.path:
            self._show_sizes(header.parameters if header else 0)

    def _on_model_chosen(self) -> None:
        self._show_sizes(0)
        self._show_tuned()
        self.changed.emit()

    def _show_sizes(self, parameters: int) -> None:
        """`parameters` 0: not known."""
        for name, row in self.forms.rows.items():
            size = format_gigabytes(round(QUANTIZATIONS[name].bits * parameters / 8))
            told = phrase("common.about_size", size=size) if parameters else ""
            row.show_facts(
                join_facts(told, phrase("evaluation.baseline") if name == rules.ALWAYS else quality_text(name))
            )

    def _show_tuned(self) -> None:
        found = offer_tuned(self.tuned, self._offer, self.model.value, with_merged=False)
        self.rows[2].setVisible(bool(found) and self._offer.has_trainer)  # which merges


def offer_tuned(box: Combo, offer: Offer, base: LocalModel | None, *, with_merged: bool) -> list[LocalModel]:
    """None first, and chosen, then the newest. Gives those that are offered."""
    found = rules.tuned_on(base, offer.models, with_merged=with_merged)
    box.offer([(words.without(), None), *((offer.name(model), model) for model in found)], None)
    return found
