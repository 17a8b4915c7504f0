"""What a reasoning model thinks is separated from what it answers, wherever the pieces end."""

import pytest

from app.inference import thoughts
from app.inference.prompts import Segment
from app.inference.thoughts import ThoughtStream

# Text as it comes, in which control tokens stand between ⟦ and ⟧ -> thoughts and answer.
FORMS = {
    "think": ("<think>\n足し算だ。\n</think>\n\n二です。", "足し算だ。\n", "二です。"),
    "empty": ("<think>\n\n</think>\n\n二です。", "", "二です。"),
    "magistral": ("⟦[THINK]⟧足し算だ。⟦[/THINK]⟧二です。", "足し算だ。", "二です。"),
    "gemma 4": ("⟦<|channel>⟧thought\n足し算だ。\n⟦<channel|>⟧二です。", "足し算だ。\n", "二です。"),
    "harmony": (
        "⟦<|channel|>⟧analysis⟦<|message|>⟧足し算だ。⟦<|end|>⟧"
        "⟦<|start|>⟧assistant⟦<|channel|>⟧final⟦<|message|>⟧二です。",
        "足し算だ。",
        "二です。",
    ),
    "harmony, two thoughts": (
        "⟦<|channel|>⟧analysis⟦<|message|>⟧足し算。⟦<|end|>⟧⟦<|start|>⟧assistant⟦<|channel|>⟧commentary⟦<|message|>⟧よし。"
        "⟦<|end|>⟧⟦<|start|>⟧assistant⟦<|channel|>⟧final ⟦<|constrain|>⟧json⟦<|message|>⟧{}",
        "足し算。よし。",
        "{}",
    ),
    "harmony without thoughts": ("⟦<|channel|>⟧final⟦<|message|>⟧二です。", "", "二です。"),
    "none": ("二です。", "", "二です。"),
    "none, with a bracket": ("[1] によると <think> は印です。</think>", "", "[1] によると <think> は印です。</think>"),
    "none, with another control token": ("⟦<|end_of_turn|>⟧ 二です。⟦<|end|>⟧", "", " 二です。"),
    "in an answer": ("<think>a</think>印は <think>b</think> です。", "a", "印は <think>b</think> です。"),
    "broken off": ("<think>足し算", "足し算", ""),
    "broken off in a mark": ("<think>足し算</th", "足し算</th", ""),
    "broken off before a mark is complete": ("<thi", "", "<thi"),
}


def pieces_of(text: str, size: int) -> list[tuple[str, bool]]:
    """Cut the text into pieces of this many characters; a control token is always a piece of its own."""
    found: list[tuple[str, bool]] = []
    for part in text.replace("⟦", "\0\1").replace("⟧", "\0").split("\0"):
        if part.startswith("\1"):
            found.append((part[1:], True))
        else:
            found += [(part[at : at + size], False) for at in range(0, len(part), size)]
    return found


def separated(stream: ThoughtStream, text: str, size: int) -> tuple[str, str]:
    shown = [one for piece, control in pieces_of(text, size) for one in stream.push(piece, is_control=control)]
    shown += stream.flush()
    return tuple("".join(text for text, is_thought in shown if is_thought is wanted) for wanted in (True, False))  # type: ignore[return-value]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
@pytest.mark.parametrize("form", FORMS)
def test_thoughts_and_answer_are_separated_wherever_the_text_is_cut(form: str, size: int) -> None:
    text, thought, answer = FORMS[form]
    assert separated(ThoughtStream(), text, size) == (thought, answer)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_thoughts_that_the_prompt_has_opened_end_with_the_mark(size: int) -> None:
    end = thoughts.begins_open((Segment("一足す一は"), Segment("<|im_end|>\n<|im_start|>assistant\n<think>\n", True)))
    assert separated(ThoughtStream(end), "\n足し算\n</think>\n\n二です。", size) == ("足し算\n", "二です。")


def test_text_of_people_opens_no_thoughts() -> None:
    assert thoughts.begins_open((Segment("<think>"),)) == ""
    assert thoughts.begins_open(()) == ""
    assert thoughts.begins_open((Segment("assistant\n<think>\n\n</think>\n\n", markup=True),)) == ""
    assert thoughts.begins_open((Segment("<|start|>assistant<|channel|>final<|message|>", markup=True),)) == ""


def test_the_state_says_whether_the_latest_text_is_a_thought() -> None:
    stream = ThoughtStream()
    list(stream.push("<think>"))
    assert (stream.is_thinking, stream.has_answer) == (True, False)
    list(stream.push("a</think>"))
    assert (stream.is_thinking, stream.has_answer) == (False, True)


OPEN = {
    "<|im_start|>assistant\n<think>\n": "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "<｜Assistant｜><think>\n": "<｜Assistant｜><think>\n\n</think>\n\n",
    "<|start|>assistant": "<|start|>assistant<|channel|>final<|message|>",
    "<|start|>assistant<|channel|>analysis<|message|>": (
        "<|start|>assistant<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>"
    ),
    "<|im_start|>assistant\n<think>\n\n</think>\n\n": "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "[/INST]": "[/INST]",
}


@pytest.mark.parametrize("end", OPEN)
def test_thoughts_that_a_template_opens_are_ended_for_an_answer_at_once(end: str) -> None:
    asked = Segment("<think>とは")
    found = thoughts.without_thoughts((asked, Segment(end, markup=True)))
    assert found == (asked, Segment(OPEN[end], markup=True))
    assert not thoughts.begins_open(found)


def test_what_a_person_wrote_ends_no_thoughts() -> None:
    assert thoughts.without_thoughts((Segment("<think>"),)) == (Segment("<think>"),)
    assert thoughts.without_thoughts(()) == ()


@pytest.mark.parametrize(
    ("template", "thinking"),
    [
        ("{% if enable_thinking is false %}<think>\\n\\n</think>{% endif %}", "on_request"),
        ("{% if '/no_think' in content %}<think></think>{% else %}<think>{% endif %}", "on_request"),
        ("<｜Assistant｜><think>\\n", "always"),
        ("<|start|>assistant<|channel|>analysis<|message|>", "always"),
        ("{{ content.split('</think>')[-1] }}", ""),
        ("{{ content }}", ""),
        (None, ""),
    ],
)
def test_a_template_says_whether_its_model_thinks(template: str | None, thinking: str) -> None:
    assert thoughts.thinking_of_template(template) == thinking
