"""Passages into the part of a prompt that comes before the question, within a budget of tokens.

What documents say is data. It stays one plain segment, in which control tokens are text (app.inference.prompts); here
what imitates the frame, such as a source's number [2], loses its shape.
"""

import dataclasses
import functools
import re
import tomllib
from collections.abc import Sequence

from app.base import wording
from app.base.paths import resources
from app.documents.grounding import answer_markup, sentences
from app.documents.records import Passage

# More bring nothing: of 90 quotes that answer the questions of kasensabo 72 are among 8 passages, 71 among 4. Each
# costs seconds of reading where there is no GPU.
PASSAGES_MAX = 5
SCORE_SHARE = 0.6  # of the best one's score: what has less held none of those quotes
ANSWER_SHARE = 4  # a quarter of the context is for the answer, or what the answer may take if that is less
CUT_MIN_TOKENS = 64  # a passage is not cut to less
_FRAME_TOKENS = 8  # of a passage's number and blank line, and where counts of pieces do not add up
# How turns begin where a model has no control tokens for them (resources/models.toml).
_TURN = re.compile(r"^[ \t\u3000]*(?:#+[ \t]*)?(指示|応答|入力|質問|回答)[ \t]*:", re.MULTILINE)


def system_text(passages: Sequence[Passage], own: str = "") -> str:
    """The instruction, the user's own instructions, and the passages, numbered from 1 in their order."""
    words = _words()
    pieces = [words["instruction"], own.strip(), words["heading"]]
    pieces += [block(passage, number) for number, passage in enumerate(passages, start=1)]
    return "\n\n".join(piece for piece in (*pieces, words["end"]) if piece)


def block(passage: Passage, number: int) -> str:
    """One passage: its number, where it is from, its text."""
    section = passage.section
    page = _words()["page"].format(page=section.page) if section.page else ""
    facts = "、".join(_line(part) for part in (passage.document, page, section.tag) if part)
    return f"[{number}] {_line(' > '.join(section.heading))}（{facts}）\n{_plain(section.text)}"


def budget_tokens(context_tokens: int, max_tokens: int, rest_tokens: int) -> int:
    """Tokens for passages. `rest_tokens`: of the prompt without any; the answer's share is kept free."""
    return context_tokens - min(max_tokens, context_tokens // ANSWER_SHARE) - rest_tokens


def near_best(passages: Sequence[Passage]) -> list[Passage]:
    """Those of a search that fit about as well as the best, which is the first."""
    return [one for one in passages if one.score >= SCORE_SHARE * passages[0].score]


def pack(passages: Sequence[Passage], counts: Sequence[int], budget: int) -> list[Passage]:
    """Those that fit, the best first chosen, in the order of the documents: the same ones always make the same prompt.

    `counts`: tokens of each one's `block`. The best one is cut after a sentence rather than left out; [] when there is
    no room even for that.
    """
    chosen: list[Passage] = []
    left = budget
    for passage, count in zip(passages, counts, strict=True):
        tokens = count + _FRAME_TOKENS
        if not chosen and tokens > left >= CUT_MIN_TOKENS:
            chosen.append(_cut(passage, left / tokens))
            break
        if tokens <= left and len(chosen) < PASSAGES_MAX:
            chosen.append(passage)
            left -= tokens
    return sorted(chosen, key=lambda one: (one.document_id, one.section_id))


def _cut(passage: Passage, share: float) -> Passage:
    """With the beginning of its text, after a whole sentence where there is one."""
    text = passage.section.text
    longest = int(len(text) * share * 0.9)  # tokens are not spread evenly
    ends = [one.end for one in sentences.split(text) if one.end <= longest]
    return dataclasses.replace(
        passage, section=dataclasses.replace(passage.section, text=text[: ends[-1] if ends else longest])
    )


def _line(text: str) -> str:
    return " ".join(_plain(text).split())


def _plain(text: str) -> str:
    """Without what the frame is made of."""
    text = _TURN.sub(r"\1：", answer_markup.neutralize_marks(text))
    for end in (_document()["end_ja"], _document()["end_en"]):
        text = text.replace(end, end.rstrip("。.") + "…")
    return text.strip()


@functools.cache
def _document() -> dict[str, str]:
    return tomllib.loads((resources() / "grounding.toml").read_text("utf-8"))


def _words() -> dict[str, str]:
    language = wording.current_language()
    return {key[: -len("_ja")]: text for key, text in _document().items() if key.endswith(f"_{language}")}
