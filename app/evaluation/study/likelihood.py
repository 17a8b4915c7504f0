"""What the scoring child measures of a question set: how likely a model finds the reference answers."""

import dataclasses
from collections.abc import Iterable, Sequence

from app.evaluation.records import Question
from app.inference import prompts
from app.inference.prompts import PromptForm, ScoredText, Segment, Turn

PLACE = "\ue0f2"  # a private-use character: where the question stands in a prompt that is rendered once for all


def texts(questions: Iterable[Question], form: PromptForm, system: str = "") -> tuple[ScoredText, ...]:
    """Each question that has a reference, as it is asked without documents; () where none has."""
    before = _before_answer(form)
    return tuple(
        ScoredText(prompts.build(form, (Turn(one.text),), system), before + one.reference, number)
        for number, one in enumerate(questions, start=1)
        if one.reference.strip()
    )


def rendered(questions: Iterable[Question], segments: Sequence[Segment]) -> tuple[ScoredText, ...]:
    """As `texts`, with the prompt of a foreign template for the question `PLACE`."""
    return tuple(
        ScoredText(tuple(_filled(segment, one.text.strip()) for segment in segments), one.reference, number)
        for number, one in enumerate(questions, start=1)
        if one.reference.strip()
    )


def _filled(segment: Segment, question: str) -> Segment:
    return dataclasses.replace(segment, text=segment.text.replace(PLACE, question))


def _before_answer(form: PromptForm) -> str:
    """After "回答:" the space belongs to what the model writes, as it is trained (`trainer.prompt_form`)."""
    return form.answer.partition("{text}")[0].removeprefix(form.answer_start) if form.is_completion else ""
