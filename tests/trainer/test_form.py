"""What is trained stands after exactly the prompt that the program asks with, in every form of the catalogue."""

import random
from itertools import pairwise

import pytest

from app.inference.prompts import Segment
from tests.trainer.card_forms import CARD_FORMS, engine_prompt, form_of
from tests.trainer.chats import CHATS
from trainer import prompt_form as forms
from trainer.prompt_form import FormPiece, Messages, TrainingPromptForm

FORMS = {name: form_of(card) for name, card in CARD_FORMS.items()}
WORDS = [
    "橋",
    "  ",
    "\n",
    "{text}",
    "<|eot_id|>",
    "<end_of_turn>",
    "</s>",
    "はい。",
    "回答:",
    "{",
    "}}",
    "\\n",
    "%s",
    "0",
]


def random_chats(count: int) -> list[list[dict[str, str]]]:
    draw = random.Random(20261125)
    chats = []
    for _ in range(count):
        roles = ["user", "assistant"] * draw.randint(1, 4)
        if draw.random() < 0.5:
            roles.insert(0, "system")
        chats.append([{"role": role, "content": "".join(draw.choices(WORDS, k=draw.randint(1, 6)))} for role in roles])
    return chats


EVERY_CHAT = CHATS + random_chats(60)


def segments(pieces: list[FormPiece]) -> tuple[Segment, ...]:
    return tuple(Segment(piece.text, piece.markup) for piece in pieces)


def text(pieces: list[FormPiece]) -> str:
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize("name", FORMS)
def test_a_prompt_is_the_one_that_the_program_asks_with(name: str) -> None:
    for messages in EVERY_CHAT:
        for count in range(len(messages)):
            if messages[count]["role"] == "assistant":
                asked = engine_prompt(CARD_FORMS[name], messages[:count])
                assert segments(forms.prompt_pieces(FORMS[name], messages[:count])) == asked


@pytest.mark.parametrize("name", FORMS)
def test_every_answer_is_trained_once_with_its_end_after_its_prompt_and_nothing_else_is(name: str) -> None:
    """Cut into pieces as the engine does: none is empty, and no two of markup stand side by side but around an end. In
    an example of several answers, the last one stands after its prompt, in which the ends' texts are.
    """
    form = FORMS[name]
    for messages in EVERY_CHAT:
        places = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        examples = forms.example_pieces(form, messages)
        trained = [piece for pieces in examples for piece in pieces if piece.is_trained]
        before = " " if form.is_completion else ""
        assert [piece.text for piece in trained[::2]] == [before + messages[at]["content"] for at in places]
        assert trained[1::2] == [FormPiece(form.end, markup=True, is_trained=True, is_end=True)] * len(places)
        assert not any(piece.markup for piece in trained[::2])
        for pieces, at in zip(examples, places[-len(examples) :], strict=True):
            assert text(pieces[:-2]) == text(forms.prompt_pieces(form, messages[:at]))
            assert pieces[-1].is_end
            assert all(piece.text or piece.is_end for piece in pieces)
            for one, other in pairwise(pieces):
                assert not (one.markup and other.markup) or one.is_end or other.is_end


def turns(*texts: str) -> Messages:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def test_forms_that_keep_an_answer_as_written_train_all_answers_in_one_example() -> None:
    assert [len(forms.example_pieces(FORMS[name], turns("あ", "い", "う", "え"))) for name in ("gemma", "qwen3")] == [
        1,
        2,
    ]
    form = TrainingPromptForm(question="Q{text}/", answer="A{text}/", answer_start="A", end="/")
    messages = [{"role": "system", "content": "S"}, *turns("1", "2", "3")]
    assert text(forms.prompt_pieces(form, messages)) == "QS\n\n1/A2/Q3/A"
