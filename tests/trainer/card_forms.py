"""The catalogue's forms as the trainer has them, and a conversation as the engine gets it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from app.inference import prompts
from app.inference.prompts import PromptForm, Segment, Turn
from app.models import catalogue
from trainer.prompt_form import TrainingPromptForm

# All but the one of texts that are continued as they are, with which nobody trains.
CARD_FORMS = {name: form for name, form in catalogue.load().forms.items() if form.answer_start}


def form_of(card: PromptForm) -> TrainingPromptForm:
    """An answer ends with what follows it first and is a stop; else the base's own end of text."""
    after = card.answer.partition("{text}")[2]
    end = "" if card.is_completion else next((stop for stop in card.stop if after.startswith(stop)), "")
    return TrainingPromptForm(
        card.question, card.answer, card.answer_start, card.system, end, card.stop, card.is_completion
    )


def as_json(form: TrainingPromptForm) -> dict[str, Any]:
    return dataclasses.asdict(form)


def engine_prompt(card: PromptForm, messages: Sequence[dict[str, str]]) -> tuple[Segment, ...]:
    """What the engine is asked for the answer to the last user message."""
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    texts = [message["content"] for message in messages if message["role"] != "system"]
    pairs = zip(texts[::2], [*texts[1::2], None], strict=True)
    return prompts.build(card, [Turn(question, answer) for question, answer in pairs], system)
