"""Pack passages into the part of a prompt before the question, within a token budget.

Documents are data: one plain segment (app.inference.prompts), in which imitated marks such as [2] are made harmless.
"""

import dataclasses
import functools
import re
import tomllib
from collections.abc import Sequence

from app.base import wording
from app.base.lazy_pattern import lazy_pattern
from app.base.paths import resources
from app.documents.grounding import answer_markup, sentences
from app.documents.records import Passage

# More do not help: of 90 quotes that answer the questions of kasensabo, 8 passages contain 72 and 4 contain 71. Each
# passage costs seconds of prompt processing without a GPU.
PASSAGES_MAX = 5
SCORE_SHARE = 0.6  # share of the best score; passages below it contained none of those quotes
ANSWER_SHARE = 4  # the answer gets at most a quarter of the context
CUT_MIN_TOKENS = 64  # a passage is not cut below this
_FRAME_TOKENS = 8  # allowance for a passage's number and blank line, and for inexact sums of token counts
# How turns begin where a model has no control tokens for them (resources/models.toml).
_TURN = lazy_pattern(r"^[ \t\u3000]*(?:#+[ \t]*)?(指示|応答|入力|質問|回答)[ \t]*:", re.MULTILINE)


def build_system_text(passages: Sequence[Passage], own_prompt: str = "") -> str:
    """Return the instruction, the user's own (`own_prompt`), and the passages, numbered from 1 in order."""
    words = _prompt_words()
    pieces = [words["instruction"], own_prompt.strip(), words["heading"]]
    pieces += [format_passage(passage, number) for number, passage in enumerate(passages, start=1)]
    return "\n\n".join(piece for piece in (*pieces, words["end"]) if piece)


def format_passage(passage: Passage, number: int) -> str:
    """Return one passage as text: its number, its origin, its content."""
    section = passage.section
    page = _prompt_words()["page"].format(page=section.page) if section.page else ""
    facts = "、".join(_line(part) for part in (passage.document, page, section.tag) if part)
    return f"[{number}] {_line(' > '.join(section.heading))}（{facts}）\n{_plain(section.text)}"


def budget_tokens(context_tokens: int, written_tokens: Sequence[int], rest_tokens: int) -> int:
    """Return the tokens left for passages beside the prompt's rest and shares of what is written (each one's most)."""
    shares = (min(most, context_tokens // ANSWER_SHARE) for most in written_tokens)
    return context_tokens - sum(shares) - rest_tokens


def select_near_best(passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages whose score is at least 0.6 of the first, and so best, passage's."""
    return [one for one in passages if one.score >= SCORE_SHARE * passages[0].score]


def pack_passages(passages: Sequence[Passage], counts: Sequence[int], budget: int) -> list[Passage]:
    """Choose the best passages that fit into `budget` tokens, and return them in the order of the documents.

    `counts`: tokens of each as `format_passage` returns it. If not even the first fits, it is cut after a sentence, or
    [].
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
    """Return a passage with about `share` of its text, cut after a whole sentence if there is one."""
    text = passage.section.text
    longest = int(len(text) * share * 0.9)  # tokens are not distributed evenly
    ends = [one.end for one in sentences.split_sentences(text) if one.end <= longest]
    return dataclasses.replace(
        passage, section=dataclasses.replace(passage.section, text=text[: ends[-1] if ends else longest])
    )


def _line(text: str) -> str:
    return " ".join(_plain(text).split())


def _plain(text: str) -> str:
    """Make any text harmless that looks like a part of the prompt's frame."""
    text = _TURN.sub(r"\1：", answer_markup.neutralize_marks(text))
    for end in (_document()["end_ja"], _document()["end_en"]):
        text = text.replace(end, end.rstrip("。.") + "…")
    return text.strip()


@functools.cache
def _document() -> dict[str, str]:
    return tomllib.loads((resources() / "grounding.toml").read_text("utf-8"))


def _prompt_words() -> dict[str, str]:
    language = wording.current_language()
    return {key[: -len("_ja")]: text for key, text in _document().items() if key.endswith(f"_{language}")}
