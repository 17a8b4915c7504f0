"""Turn a conversation into pieces of text: which are markup, which are trained, and where an answer ends.

The forms are those of the program's catalogue (`resources/models.toml`), so that the program later prompts the model
exactly as in training. Standard library only. `trainer.tokenization` turns the pieces into tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Messages as in the data files: {"role": "system" | "user" | "assistant", "content": "…"}.
Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class TrainingPromptForm:
    """The texts around the messages. `{text}` stands for a message's text; everything around it is markup.

    `end`: the control token that ends an answer, as text; "" for the tokenizer's own end-of-text token. `stop`: further
    texts that end an answer. `is_completion`: the form is for base models; its markup holds no control tokens.
    """

    question: str
    answer: str
    answer_start: str
    system: str = ""  # "": no system turn; the system text precedes the first question
    end: str = ""
    stop: tuple[str, ...] = ()
    is_completion: bool = False


@dataclass(frozen=True, slots=True)
class FormPiece:
    """A piece of a prompt or answer.

    `markup`: control tokens in the text are recognized as such. `is_end`: the piece is the end token of an answer.
    """

    text: str
    markup: bool = False
    is_trained: bool = False
    is_end: bool = False


def example_pieces(form: TrainingPromptForm, messages: Messages) -> list[list[FormPiece]]:
    """Return the pieces of each training example that a conversation gives.

    Each answer follows exactly the prompt that the engine will build, and is followed by its end. The conversation
    gives one example if later prompts repeat an answer as it was written. Otherwise (completion forms, and forms that
    begin an answer with markup that later prompts omit) each answer has its own example.
    """
    if not form.is_completion and form.answer.startswith(form.answer_start):
        return [_single_text_pieces(form, messages)]
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    return [prompt_pieces(form, messages[:at]) + answer_pieces(form, messages[at]["content"]) for at in answers]


def prompt_pieces(form: TrainingPromptForm, messages: Messages) -> list[FormPiece]:
    """Return the prompt for the answer to the last user message, like `app.inference.prompts.build`."""
    found: list[FormPiece] = []
    for role, text in _turns(form, messages):
        pattern = {"system": form.system, "user": form.question, "assistant": form.answer}[role]
        found += _filled(pattern, text)
    found.append(FormPiece(form.answer_start, markup=True))
    if form.is_completion:
        return [FormPiece("".join(piece.text for piece in found))]
    return _join_markup(found)


def _single_text_pieces(form: TrainingPromptForm, messages: Messages) -> list[FormPiece]:
    found: list[FormPiece] = []
    for role, text in _turns(form, messages):
        if role != "assistant":
            found += _filled(form.system if role == "system" else form.question, text)
            continue
        after = form.answer.partition("{text}")[2]
        found += [FormPiece(form.answer_start, markup=True), *answer_pieces(form, text)]
        found.append(FormPiece(after.removeprefix(form.end) if form.end else after, markup=True))
    while not found[-1].is_end:  # markup after the last answer belongs to the next question
        found.pop()
    return _join_markup(found)


def answer_pieces(form: TrainingPromptForm, text: str) -> list[FormPiece]:
    """Return the trained pieces of an answer and its end; in a completion form with the space after "回答:"."""
    before = form.answer.partition("{text}")[0].removeprefix(form.answer_start) if form.is_completion else ""
    return [FormPiece(before + text, is_trained=True), FormPiece(form.end, markup=True, is_trained=True, is_end=True)]


def _turns(form: TrainingPromptForm, messages: Messages) -> list[tuple[str, str]]:
    """Return (role, text) of each turn; if the form has no system turn, its text is put before the first question."""
    turns = [(message["role"], message["content"]) for message in messages]
    if not form.system and turns[0][0] == "system":
        (_, system), (_, question), *rest = turns
        return [("user", f"{system}\n\n{question}"), *rest]
    return turns


def _filled(pattern: str, text: str) -> list[FormPiece]:
    before, _, after = pattern.partition("{text}")
    return [FormPiece(before, markup=True), FormPiece(text), FormPiece(after, markup=True)]


def _join_markup(pieces: list[FormPiece]) -> list[FormPiece]:
    """Drop empty pieces, and join neighbouring pieces of markup (the form's own text), except those that end an answer.

    The engine tokenizes markup as one text, which can give other tokens than its pieces.
    """
    merged: list[FormPiece] = []
    for piece in pieces:
        if not piece.text and not piece.is_end:
            continue
        if merged and _is_frame(merged[-1]) and _is_frame(piece):
            merged[-1] = FormPiece(merged[-1].text + piece.text, markup=True)
        else:
            merged.append(piece)
    return merged


def _is_frame(piece: FormPiece) -> bool:
    return piece.markup and not piece.is_end
