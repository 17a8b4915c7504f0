"""Presets and settings in words: what each is, in one sentence for somebody who has never trained a model."""

from dataclasses import dataclass
from typing import Any

from app.base.wording import phrase
from app.training import problems
from trainer import spec

CARDS = ("light", "standard", "thorough")
PAPER = "paper-2603.18037"


@dataclass(frozen=True, slots=True)
class Number:
    """How a field of `trainer.spec.RunSpec` is typed; its limits are the spec's."""

    key: str
    step: float
    decimals: int = 0


NUMBERS = (
    Number("rank", 8), Number("alpha", 8), Number("dropout", 0.05, 2), Number("learning_rate", 0.00005, 6),
    Number("epochs", 0.5, 2), Number("micro_batch", 1), Number("accumulation", 1), Number("context_tokens", 128),
    Number("evaluations_per_epoch", 1), Number("patience", 1), Number("seed", 1),
)  # fmt: skip
CHOICES: dict[str, tuple[Any, ...]] = {
    "over_length": spec.OVER_LENGTH,
    "loss": spec.LOSSES,
    "precision": spec.PRECISIONS,
    "gradient_checkpointing": (True, False),
}
ORDER = (
    "rank", "alpha", "dropout", "learning_rate", "epochs", "micro_batch", "accumulation", "context_tokens",
    "over_length", "loss", "precision", "gradient_checkpointing", "evaluations_per_epoch", "patience", "seed",
    "samples",
)  # fmt: skip


def preset_sentence(name: str) -> str:
    return {
        "light": phrase("training.shows_in_a_short_time"),
        "standard": phrase("training.enough_for_most_data"),
        "thorough": phrase("training.larger_settings_and_more_passes"),
        PAPER: phrase("training.for_repeating_the_papers_training"),
    }[name]


def term(key: str) -> str:
    """What a setting is called."""
    names = {
        "rank": phrase("training.lora_rank"),
        "alpha": phrase("training.lora_alpha"),
        "dropout": phrase("training.dropout"),
        "learning_rate": phrase("training.learning_rate"),
        "epochs": phrase("training.epochs_at_most"),
        "micro_batch": phrase("training.examples_at_once"),
        "accumulation": phrase("training.passes_per_step"),
        "context_tokens": phrase("training.longest_example"),
        "over_length": phrase("training.overlong_examples"),
        "loss": phrase("training.what_is_learned"),
        "precision": phrase("training.base_precision"),
        "gradient_checkpointing": phrase("training.recompute_values"),
        "evaluations_per_epoch": phrase("training.checks_per_epoch"),
        "patience": phrase("training.patience"),
        "seed": phrase("training.seed"),
        "samples": phrase("training.sample_questions"),
    }
    return names[key] if key in names else problems.setting_name(key)


def sentence(key: str) -> str:
    return {
        "rank": phrase("training.the_size_of_what_training"),
        "alpha": phrase("training.how_strongly_what_was_learned"),
        "dropout": phrase("training.parts_pause_at_random_while"),
        "learning_rate": phrase("training.how_far_each_step_moves"),
        "epochs": phrase("training.how_often_the_same_data"),
        "micro_batch": phrase("training.how_many_examples_are_computed"),
        "accumulation": phrase("training.how_many_computations_make_one"),
        "context_tokens": phrase("training.the_longest_example_that_is"),
        "over_length": phrase("training.what_becomes_of_examples_over"),
        "loss": phrase("training.which_words_are_learned_usually"),
        "precision": phrase("training.how_many_bits_the_base"),
        "gradient_checkpointing": phrase("training.values_in_between_are_computed"),
        "evaluations_per_epoch": phrase("training.how_often_the_validation_data"),
        "patience": phrase("training.training_ends_after_so_many"),
        "seed": phrase("training.a_number_that_decides_the"),
        "samples": phrase("training.questions_answered_on_the_way"),
    }[key]


def unit(key: str) -> str:
    """Behind a number, with the space before it."""
    return {
        "epochs": phrase("training.epochs"),
        "micro_batch": phrase("training.examples"),
        "accumulation": phrase("training.times"),
        "context_tokens": phrase("common.tokens"),
        "evaluations_per_epoch": phrase("training.times"),
        "patience": phrase("training.times"),
    }.get(key, "")


def value(key: str, what: Any) -> str:
    """A setting's value, with its unit."""
    named = {
        ("over_length", "refuse"): phrase("training.do_not_start"),
        ("over_length", "drop"): phrase("training.leave_them_out"),
        ("over_length", "split"): phrase("training.split_at_turns"),
        ("loss", "answers"): phrase("training.answers_only"),
        ("loss", "all"): phrase("training.questions_and_answers"),
        ("precision", "nf4"): phrase("training.4_bits_nf4"),
        ("precision", "bf16"): phrase("training.16_bits_bf16"),
        ("precision", "f16"): phrase("training.16_bits_f16"),
        ("precision", "f32"): phrase("training.32_bits_f32"),
    }
    if isinstance(what, bool):
        return phrase("common.yes") if what else phrase("common.no")
    if isinstance(what, int | float):
        return f"{problems.number(what)}{unit(key)}"
    return named.get((key, what)) or str(what)


def changes(settings: dict[str, Any]) -> str:
    """Settings and their values on one line."""
    between = phrase("common.data_gap")
    pair = phrase("common.name_value")
    return between.join(pair.format(name=term(key), value=value(key, what)) for key, what in settings.items())


def memory_name(device: str) -> str:
    """`device`: "cuda", "cpu" or "" where it is not known."""
    return phrase("training.gpu_memory") if device == "cuda" else phrase("common.memory")
