"""How a conversation becomes text: which pieces are markup, what the model is to learn, and where an answer ends.

The same forms as the program's catalogue (`resources/models.toml`), so that a model is asked exactly as it was trained.
Standard library only. Tokens are made of the pieces in `trainer.tokenization`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A message as in the data files: {"role": "system" | "user" | "assistant", "content": "…"}.
Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class TrainingPromptForm:
    """`{text}` stands for what a person or the model wrote; everything around it is markup.

    `end`: the control token after which an answer is over, as text; "": the tokenizer's own end-of-text token. `stop`:
    texts that end an answer besides. `is_completion`: for base models; their markup holds no control tokens.
    """

    question: str
    answer: str
    answer_start: str
    system: str = ""  # "": no system turn; its text is put before the first question
    end: str = ""
    stop: tuple[str, ...] = ()
    is_completion: bool = False


@dataclass(frozen=True, slots=True)
class FormPiece:
    """`markup`: control tokens in it are read as such. `is_end`: the token that ends an answer."""

    text: str
    markup: bool = False
    is_trained: bool = False
    is_end: bool = False


def example_pieces(form: TrainingPromptForm, messages: Messages) -> list[list[FormPiece]]:
    """What is trained of one conversation: each answer after exactly the prompt that the engine will give, and its end.

    One example, where an answer that has been given stands in later prompts as it was written; otherwise (completion
    forms, or forms that open an answer with more than they keep of it) one for each answer.
    """
    if not form.is_completion and form.answer.startswith(form.answer_start):
        return [_whole(form, messages)]
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    return [prompt_pieces(form, messages[:at]) + _learned(form, messages[at]["content"]) for at in answers]


def prompt_pieces(form: TrainingPromptForm, messages: Messages) -> list[FormPiece]:
    """What the model is given when it is to answer the last user message. As `app.inference.prompts.build` has it."""
    found: list[FormPiece] = []
    for role, text in _turns(form, messages):
        pattern = {"system": form.system, "user": form.question, "assistant": form.answer}[role]
        found += _filled(pattern, text)
    found.append(FormPiece(form.answer_start, markup=True))
    if form.is_completion:
        return [FormPiece("".join(piece.text for piece in found))]
    return _merged(found)


def _whole(form: TrainingPromptForm, messages: Messages) -> list[FormPiece]:
    found: list[FormPiece] = []
    for role, text in _turns(form, messages):
        if role != "assistant":
            found += _filled(form.system if role == "system" else form.question, text)
            continue
        after = form.answer.partition("{text}")[2]
        found += [FormPiece(form.answer_start, markup=True), *_learned(form, text)]
        found.append(FormPiece(after.removeprefix(form.end) if form.end else after, markup=True))
    while not found[-1].is_end:  # what would come before the next question
        found.pop()
    return _merged(found)


def _learned(form: TrainingPromptForm, text: str) -> list[FormPiece]:
    """An answer and its end. After "回答:" the space belongs to what the model writes, and there is no other markup."""
    before = form.answer.partition("{text}")[0].removeprefix(form.answer_start) if form.is_completion else ""
    return [FormPiece(before + text, is_trained=True), FormPiece(form.end, markup=True, is_trained=True, is_end=True)]


def _turns(form: TrainingPromptForm, messages: Messages) -> list[tuple[str, str]]:
    """Role and text; the system's text before the first question where the form has no turn for it."""
    turns = [(message["role"], message["content"]) for message in messages]
    if not form.system and turns[0][0] == "system":
        (_, system), (_, question), *rest = turns
        return [("user", f"{system}\n\n{question}"), *rest]
    return turns


def _filled(pattern: str, text: str) -> list[FormPiece]:
    before, _, after = pattern.partition("{text}")
    return [FormPiece(before, markup=True), FormPiece(text), FormPiece(after, markup=True)]


def _merged(found: list[FormPiece]) -> list[FormPiece]:
    """Without empty pieces, and neighbouring markup as one, as the engine reads it."""
    merged: list[FormPiece] = []
    for piece in found:
        if not piece.text and not piece.is_end:
            continue
        if merged and _is_frame(merged[-1]) and _is_frame(piece):
            merged[-1] = FormPiece(merged[-1].text + piece.text, markup=True)
        else:
            merged.append(piece)
    return merged


def _is_frame(piece: FormPiece) -> bool:
    return piece.markup and not piece.is_end
