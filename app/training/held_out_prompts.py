"""The held-out questions as the program would ask them: by the catalogue's form where it has the one of training."""

from collections.abc import Mapping, Sequence

from app.inference import prompts
from app.inference.prompts import Segment, Turn
from app.inference.scoring_files import HeldOutChat
from app.models import base_models
from trainer import prompt_form as forms
from trainer.prompt_form import TrainingPromptForm

LIMIT_TOKENS, MOST_TOKENS, SPARE_TOKENS = 64, 512, 32


def segments(form: TrainingPromptForm, messages: Sequence[Mapping[str, str]]) -> tuple[Segment, ...]:
    """`messages`: the last one is a question."""
    known = base_models.find_prompt_form(form)
    if known is None:
        return tuple(Segment(piece.text, piece.markup) for piece in forms.prompt_pieces(form, messages))
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    asked = list(messages[1:] if system else messages)
    answered = [Turn(asked[at]["content"], asked[at + 1]["content"]) for at in range(0, len(asked) - 1, 2)]
    return prompts.build(known, (*answered, Turn(asked[-1]["content"])), system)


def limit_tokens(chat: HeldOutChat) -> int:
    """Of its answer: twice the one that was kept back, within bounds, and always longer than that one."""
    kept = len(chat.answer)
    return max(LIMIT_TOKENS, min(2 * kept, MOST_TOKENS), kept + SPARE_TOKENS)
