"""The prompt form of a model family, as a frozen value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How turns become one prompt. `{text}` stands for what a person or the model wrote; the rest is markup."""

    id: str
    question: str
    answer: str
    answer_start: str
    system: str = ""  # "": no system turn; the text is put before the first question
    stop: tuple[str, ...] = ()
    marker: str = ""  # occurs in chat templates of this form and in no other
    is_completion: bool = False  # the model continues text and knows no turns
