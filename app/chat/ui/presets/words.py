"""What a preset says in one line, and what each number does: for people who never heard of sampling."""

from dataclasses import dataclass

from app.base.wording import phrase
from app.chat.presets import Choices, Preset
from app.uikit.localization import join_facts


@dataclass(frozen=True, slots=True)
class Number:
    """A number of `Choices`: how its field steps, and whether it shows in 詳細 only."""

    key: str
    step: float
    decimals: int
    is_detail: bool = True


NUMBERS = (
    Number("temperature", 0.1, 2, is_detail=False),
    Number("max_tokens", 128, 0, is_detail=False),
    Number("top_k", 10, 0),
    Number("top_p", 0.05, 3),
    Number("min_p", 0.01, 3),
    Number("repeat_penalty", 0.05, 2),
    Number("seed", 1, 0),
)


def label(key: str) -> str:
    return {
        "system_prompt": phrase("chat.batch_fact.system_prompt"),
        "temperature": phrase("common.temperature"),
        "max_tokens": phrase("chat.longest_answer"),
        "top_k": phrase("chat.candidates_top_k"),
        "top_p": phrase("chat.candidate_range_top_p"),
        "min_p": phrase("chat.candidate_floor_min_p"),
        "repeat_penalty": phrase("chat.repetition_penalty"),
        "seed": phrase("chat.random_seed"),
    }[key]


def help_sentence(key: str) -> str:
    """What the setting does and when to change it."""
    return {
        "system_prompt": phrase("chat.what_the_model_is_always"),
        "temperature": phrase("chat.how_freely_words_are_chosen"),
        "max_tokens": phrase("chat.answers_end_here_a_token"),
        "top_k": phrase("chat.how_many_of_the_likeliest"),
        "top_p": phrase("chat.candidates_are_taken_from_the"),
        "min_p": phrase("chat.drops_candidates_whose_probability_is"),
        "repeat_penalty": phrase("chat.how_much_words_already_written"),
        "seed": phrase("chat.the_number_that_the_draw"),
    }[key]


def unit(key: str) -> str:
    return phrase("common.tokens") if key == "max_tokens" else ""


def shown(number: float | None) -> str:
    """A number as its field shows it."""
    if number is None:
        return phrase("chat.new_each_time")
    return f"{round(number, 3):g}" if isinstance(number, float) else str(number)


def summary(preset: Preset) -> str:
    """One line: the numbers that are chosen, then the beginning of what the model is told."""
    told = preset.request if preset.kind == "action" else (preset.choices.system_prompt or "")
    facts = [_fact(number.key, getattr(preset.choices, number.key)) for number in NUMBERS]
    if preset.choices.system_prompt == "":
        facts.insert(0, phrase("chat.no_instruction"))
    words = join_facts(*facts, " ".join(told.split()))
    return words or phrase("chat.everything_as_the_model_recommends")


def names(choices: Choices) -> str:
    """The settings that are chosen, in words."""
    return phrase("common.data_gap").join(label(key) for key in choices.as_dict())


def _fact(key: str, number: float | None) -> str:
    if number is None:
        return ""
    if key == "max_tokens":
        return phrase("chat.at_most_n_tokens", n=f"{number:,}")
    return f"{label(key)} {shown(number)}"
