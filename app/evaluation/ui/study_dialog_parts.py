"""Define the parts of the study dialog: systems to compare, questions, judge, and expert settings."""

from typing import Any

from PySide6.QtWidgets import QCheckBox, QLineEdit

from app.base.wording import phrase
from app.evaluation.judge import judge_prompt
from app.evaluation.study.request import LIMITS, MAX_TOKENS, SCALE_RUNS, AnswerParameters
from app.evaluation.ui import study_dialog_rules
from app.evaluation.ui.study_dialog_choices import CheckRows, ChoiceBox, DialogPart, collection_rows, scope_of
from app.evaluation.ui.study_dialog_rules import DialogOffer
from app.inference.gguf import GgufHeader
from app.inference.local_model import LocalModel
from app.inference.quantizations import QUANTIZATIONS
from app.models import local_models
from app.training import training_errors
from app.training.runs.training_list import SplitChoice
from app.uikit.localization import format_gigabytes, join_facts, quality_text, with_note
from app.uikit.theme import Theme
from trainer.spec import PRESETS


class DocumentsPart(DialogPart):
    def __init__(self, theme: Theme, offer: DialogOffer) -> None:
        super().__init__(theme)
        self._offer = offer
        self.base, self.tuned, self.scope = ChoiceBox(), ChoiceBox(), CheckRows(theme, self.changed)
        self.base.changed.connect(self._show_tuned)
        self._add(phrase("common.base_model"), self.base)
        self._add(
            phrase("evaluation.fine_tuned_model"),
            self.tuned,
            phrase("evaluation.with_one_fine_tuned_and"),
        )
        self._add(phrase("common.documents"), self.scope)
        bases = study_dialog_rules.untuned(offer.models)
        self.base.offer(
            [(offer.name(model), model) for model in bases],
            study_dialog_rules.first_base(offer.models, bases, offer.current_model_id),
        )
        own = [collection.name for collection in offer.collections if not collection.is_builtin]
        self.scope.show_rows(collection_rows(offer.collections), own if len(own) == 1 else ())
        self._show_tuned()

    def request_fields(self) -> dict[str, Any]:
        base = self.base.value
        return {
            "compares": "documents",
            "models": (base,) if base else (),
            "tuned": self.tuned.value,
            "scope": scope_of(self._offer.collections, self.scope.marked()),
        }

    def _show_tuned(self) -> None:
        """Offer the tuned models of the base, and choose the newest, for which this comparison is meant."""
        if offer_tuned(self.tuned, self._offer, self.base.value, with_merged=True):
            self.tuned.setCurrentIndex(1)


class ModelsPart(DialogPart):
    def __init__(self, theme: Theme, offer: DialogOffer) -> None:
        super().__init__(theme)
        self._offer = offer
        self.models = CheckRows(theme, self.changed)
        self._models = {model.id: model for model in local_models.answering(offer.models)}
        self._add(phrase("evaluation.models_to_compare"), self.models)
        self._add_scope(offer.collections)
        rows = [(id, offer.names[id], self._facts(one)) for id, one in self._models.items()]
        self.models.show_rows(rows, (), offer.missing)

    def request_fields(self) -> dict[str, Any]:
        chosen = tuple(self._models[id] for id in self.models.marked())
        return {
            "compares": "models",
            "models": chosen,
            "scope": scope_of(self._offer.collections, self.scope.marked()),
        }

    def _facts(self, model: LocalModel) -> str:
        return join_facts(self._offer.facts(model), phrase("evaluation.fine_tuned") if model.tuned else "")


class ThinkingPart(DialogPart):
    def __init__(self, theme: Theme, offer: DialogOffer) -> None:
        super().__init__(theme)
        self._offer = offer
        self.model = ChoiceBox()
        self._add(phrase("common.batch_column.model"), self.model)
        self._add_scope(offer.collections)
        able = [one for one in local_models.answering(offer.models) if local_models.thinking_of(one)]
        current = next((one for one in able if one.id == offer.current_model_id), None)
        self.model.offer([(offer.name(one), one) for one in able], current)

    def request_fields(self) -> dict[str, Any]:
        model, scope = self.model.value, scope_of(self._offer.collections, self.scope.marked())
        return {"compares": "thinking", "models": (model,) if model else (), "scope": scope}


class FormsPart(DialogPart):
    def __init__(self, theme: Theme, offer: DialogOffer) -> None:
        super().__init__(theme)
        self._offer = offer
        self.model, self.tuned = ChoiceBox(), ChoiceBox()
        self.model.changed.connect(self._show_model)
        self.forms = CheckRows(theme, self.changed, is_short=True)
        self._add(phrase("common.batch_column.model"), self.model)
        self._add(phrase("evaluation.forms_to_compare"), self.forms, phrase("evaluation.the_other_forms_are_made"))
        self._add(phrase("evaluation.fine_tuned_model"), self.tuned, phrase("evaluation.with_one_what_the_training"))
        offered = study_dialog_rules.to_quantize(offer.models, has_trainer=offer.files.has_trainer)
        chosen = study_dialog_rules.first_base(offer.models, offered, offer.current_model_id)
        self.model.offer([(offer.name(model), model) for model in offered], chosen)
        self.forms.show_rows(
            [(name, name, "") for name in study_dialog_rules.OFFERED],
            study_dialog_rules.PAPER,
            (study_dialog_rules.ALWAYS,),
        )
        self._show_model()

    @property
    def path(self) -> str:
        """Return the path of the model whose quantizations are shown; "" if none is chosen."""
        model = self.model.value
        return model.path if model else ""

    def request_fields(self) -> dict[str, Any]:
        model = self.model.value
        return {
            "compares": "quantizations",
            "models": (model,) if model else (),
            "forms": tuple(self.forms.marked()),
            "tuned": self.tuned.value,
        }

    def show_header(self, path: str, header: GgufHeader | None) -> None:
        """Show the sizes of the quantizations of the model at `path`. `header` None: the file cannot be read."""
        if path == self.path:
            self._show_sizes(header.parameters if header else 0)

    def _show_model(self) -> None:
        """Show what the chosen model allows; the sizes follow when its file has been read."""
        self._show_sizes(0)
        found = offer_tuned(self.tuned, self._offer, self.model.value, with_merged=False)
        # The training environment merges adapters.
        self.rows[2].setVisible(bool(found) and self._offer.files.has_trainer)

    def _show_sizes(self, parameters: int) -> None:
        """Show the sizes of the quantizations. `parameters`: number of the model's parameters; 0: unknown."""
        for name, row in self.forms.rows.items():
            size = format_gigabytes(round(QUANTIZATIONS[name].bits * parameters / 8))
            size_text = phrase("common.about_size", size=size) if parameters else ""
            row.show_facts(
                join_facts(
                    size_text,
                    phrase("evaluation.baseline") if name == study_dialog_rules.ALWAYS else quality_text(name),
                )
            )


def offer_tuned(box: ChoiceBox, offer: DialogOffer, base: LocalModel | None, *, with_merged: bool) -> list[LocalModel]:
    """Fill the box with "none" (selected) and the models tuned from `base`, newest first; return these models.

    `with_merged`: include models into which the adapter is merged.
    """
    found = study_dialog_rules.tuned_on(base, offer.models, with_merged=with_merged)
    box.offer([(phrase("common.none"), None), *((offer.name(model), model) for model in found)], None)
    return found


NAME_LETTERS = 60


class QuestionsPart(DialogPart):
    def __init__(self, theme: Theme, offer: DialogOffer, set_name: str) -> None:
        """Create the controls. `set_name`: name of the requested set; "": none."""
        super().__init__(theme)
        self._sets = offer.files.sets
        self._chosen_set: str | None = set_name or None  # None: the user has not chosen; "": none of the sets
        self._shipped = offer.files.shipped_count
        self._kind = ""
        self.set = ChoiceBox()
        self.set.changed.connect(self._on_chosen)
        self.limit = self._number(
            LIMITS["limit"], (phrase("common.all"), None), unit=phrase("evaluation.questions_2"), step=10
        )
        self._add(phrase("evaluation.question_set"), self.set)
        self._add(phrase("evaluation.only_the_first_n_questions"), self.limit, phrase("evaluation.for_a_quick_try"))

    def show_kind(self, kind: str) -> None:
        """Offer the sets that fit a kind. `kind`: one of `study_dialog_rules.KINDS`, or ""."""
        self._kind = kind
        self._offer_question_sets()

    def request_fields(self) -> dict[str, Any]:
        limit = self.limit.number()
        return {"question_set": self.set.value or "", "limit": int(limit) if limit is not None else None}

    def _offer_question_sets(self) -> None:
        kept = [(with_note(one.name, _questions_text(one.newest.count)), one.name) for one in self._sets]
        none: list[tuple[str, str]] = []
        if self._kind in ("models", "thinking", "quantizations"):
            none = [(with_note(phrase("evaluation.questions_that_come_with_kotae"), self._general()), "")]
        elif self._kind == "scale":
            none = [(phrase("evaluation.none_judged_by_the_hold"), "")]
        first = kept[0][1] if kept and self._kind != "scale" else ""
        self.set.offer([*kept, *none], first if self._chosen_set is None else self._chosen_set)
        self._show_limit()

    def _show_limit(self) -> None:
        self.rows[1].setVisible(self._kind != "scale" or bool(self.set.value))

    def _on_chosen(self) -> None:
        self._chosen_set = self.set.value
        self._show_limit()

    def _general(self) -> str:
        return join_facts(phrase("evaluation.general_questions"), _questions_text(self._shipped))


def _questions_text(count: int) -> str:
    return phrase("evaluation.n_questions", n=f"{count:,}")


class JudgePart(DialogPart):
    def __init__(self, theme: Theme, offer: DialogOffer) -> None:
        super().__init__(theme)
        self.judge = ChoiceBox()
        self._add(
            phrase("evaluation.judge"),
            self.judge,
            phrase("evaluation.compares_answers_with_the_references"),
        )
        choices: list[tuple[str, Any]] = [(phrase("evaluation.none_scored_by_rules_alone"), None)]
        choices += [(offer.name(model), model) for model in local_models.answering(offer.models) if not model.adapter]
        self.judge.offer(choices, None)

    def request_fields(self) -> dict[str, Any]:
        return {"judge": self.judge.value}


class ExpertPart(DialogPart):
    """Edits settings that may all stay at their defaults: fields of AnswerParameters."""

    def __init__(self, theme: Theme, offer: DialogOffer) -> None:
        super().__init__(theme)
        self._context_tokens = offer.context_tokens
        self._default_name = ""
        self.name = QLineEdit()
        self.name.setMaxLength(NAME_LETTERS)
        tokens, times = phrase("evaluation.tokens"), phrase("evaluation.times")
        default = f"{offer.context_tokens:,}{tokens}"
        self.max_tokens = self._number(
            LIMITS["max_tokens"], (f"{MAX_TOKENS:,}{tokens}", MAX_TOKENS), unit=tokens, step=64
        )
        self.context = self._number(LIMITS["context_tokens"], (default, offer.context_tokens), unit=tokens, step=512)
        self.seeds = self._number(LIMITS["seeds"], (phrase("evaluation.once"), 1), unit=times)
        self.temperature = self._number(LIMITS["temperature"], (phrase("common.automatic"), None), step=0.1, decimals=2)
        self.preset = ChoiceBox()
        self.pairs = QCheckBox(phrase("evaluation.let_the_judge_also_compare"))
        self._build()
        self.preset.offer(
            [(phrase(f"evaluation.judge_preset.{one}"), one) for one in judge_prompt.PRESETS],
            judge_prompt.PRESETS[0],
        )

    def show_for(self, kind: str, *, has_judge: bool) -> None:
        """Show only the settings that apply to the kind, and those of a judge only if there is a judge."""
        for row in self.rows:
            is_open = kind != "scale" or row not in self._open
            row.setVisible(is_open and (has_judge or row not in self._of_judge))

    def show_name(self, name: str) -> None:
        """Show the default name of the study, which is used if the user enters none."""
        self._default_name = name
        self.name.setPlaceholderText(name)

    def request_fields(self) -> dict[str, Any]:
        """Return the settings as fields of AnswerParameters."""
        seeds = self.seeds.number()
        return {
            "name": self.name.text().strip() or self._default_name,
            "max_tokens": int(self.max_tokens.number() or MAX_TOKENS),
            "context_tokens": int(self.context.number() or self._context_tokens),
            "seeds": int(seeds) if seeds is not None else 1,
            "temperature": self.temperature.number(),
            "judge_preset": self.preset.value,
            "has_pairs": self.pairs.isChecked(),
        }

    def _build(self) -> None:
        self._add(phrase("common.name"), self.name)
        self._open = [
            self._add(
                phrase("evaluation.answer_length"),
                self.max_tokens,
                phrase("evaluation.answers_are_cut_off_at"),
            ),
            self._add(phrase("common.context"), self.context, phrase("evaluation.the_most_that_documents_question")),
            self._add(
                phrase("evaluation.times_each_is_asked"),
                self.seeds,
                phrase("evaluation.how_often_the_same_question"),
            ),
            self._add(
                phrase("common.temperature"),
                self.temperature,
                phrase("evaluation.automatic_0_always_the_same"),
            ),
        ]
        self._of_judge = [self._add(phrase("evaluation.way_of_judging"), self.preset)]
        pairs = self._add(phrase("evaluation.pairs"), self.pairs, phrase("evaluation.judging_takes_longer"))
        self._of_judge.append(pairs)
        self._open.append(pairs)


def answer_parameters(judge: JudgePart, expert: ExpertPart, kind: str, *, has_questions: bool) -> AnswerParameters:
    """Return how questions are asked and judged, from the fields of the two parts.

    `has_questions` False: a study of amounts of training data that asks no questions, so that it has no judge either.
    """
    fields = expert.request_fields() | judge.request_fields()
    if not has_questions:
        fields["judge"] = None
    if fields["judge"] is None:
        fields["has_pairs"] = False
    if kind == "scale":  # every question is answered once, greedily
        fields |= {"seeds": 1, "temperature": None, "has_pairs": False}
    return AnswerParameters(**fields)


class ScalePart(DialogPart):
    def __init__(self, theme: Theme, offer: DialogOffer) -> None:
        super().__init__(theme)
        self.data, self.base, self.preset = ChoiceBox(), ChoiceBox(), ChoiceBox()
        self.sizes = QLineEdit()
        self.sizes.setPlaceholderText(phrase("common.automatic"))
        self.runs = self._number(
            LIMITS["runs"], (phrase("evaluation.n_times", n=SCALE_RUNS), SCALE_RUNS), unit=phrase("evaluation.times")
        )
        self.control = QCheckBox(phrase("evaluation.also_train_controls_with_as"))
        self.control.setChecked(True)
        self._build()
        self.data.offer([(self._name(one), one.folder) for one in offer.files.splits], None)
        bases = study_dialog_rules.trainable(offer.models)
        chosen = study_dialog_rules.first_base(offer.models, bases, offer.current_model_id)
        self.base.offer([(offer.name(model), model) for model in bases], chosen)
        self.preset.offer(
            [(training_errors.preset_name(one), one) for one in PRESETS], training_errors.RECOMMENDED_PRESET
        )

    @property
    def problem(self) -> str:
        """Return "sizes_form" if the text of the sizes is not a list of numbers, else ""."""
        return "sizes_form" if study_dialog_rules.sizes_of(self.sizes.text()) is None else ""

    def request_fields(self) -> dict[str, Any]:
        base, runs = self.base.value, self.runs.number()
        return {
            "compares": "scale",
            "data": self.data.value or "",
            "models": (base,) if base else (),
            "sizes": study_dialog_rules.sizes_of(self.sizes.text()) or (),
            "runs": int(runs) if runs is not None else SCALE_RUNS,
            "has_control": self.control.isChecked(),
            "training_preset": self.preset.value,
        }

    def _build(self) -> None:
        self._add(phrase("evaluation.training_data"), self.data, phrase("evaluation.data_that_were_split_and"))
        self._add(phrase("common.base_model"), self.base)
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

    def _name(self, split: SplitChoice) -> str:
        name = split.name or phrase("common.unnamed_training")
        rows = phrase("evaluation.n_training_rows", n=f"{split.train:,}")
        return join_facts(with_note(name, split.source if split.source != name else ""), rows)
