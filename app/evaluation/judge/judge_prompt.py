"""Build the prompts by which a judge model scores an answer 0 to 3 or chooses between two, and read its replies.

This module sends nothing. The caller uses temperature 0 and a fixed seed, so that an answer gets the same score again,
and puts `system` and `question` into segments without markup (`app.inference.prompts`), so that no answer can end its
turn.
The reason is written before the score (Liu et al. 2023, G-Eval, arXiv 2303.16634), and two answers are compared in both
orders, because judges prefer a position (Zheng et al. 2023, MT-Bench, arXiv 2306.05685). The preset `paper-2603.18037`
judges without right answer and source, for comparison with that paper; only the reason and the format of the reply are
added to the paper's prompt.
"""

import functools
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.paths import resources
from app.chat.batch.journal import BatchAnswer
from app.evaluation.records import JudgeScore, Question
from app.inference import reply_journal
from app.inference.reply_journal import StandalonePrompt

PRESETS = ("kotae", "paper-2603.18037")
SCORES = (0, 1, 2, 3)
SOURCE_CHARACTERS = 3000  # limit for all sources together, and as large as that for an answer
REASON_CHARACTERS = 120
PASSAGES = 2  # number of passages taken from each answer's sources
# room for two answers, their sources and the question (11,000 characters at one token each), and the reply
CONTEXT_TOKENS = 12_288
MAX_TOKENS = reply_journal.max_object_tokens(REASON_CHARACTERS)
_READ_CHARACTERS = 5_000  # only this many characters at a reply's end are read; the grammar allows fewer than 200


@dataclass(frozen=True, slots=True)
class JudgePrompt(StandalonePrompt):
    """A prompt for a judge model, with a limit for the reply.

    `cut_characters`: number of characters cut off the answers.
    """

    cut_characters: int = 0


@dataclass(frozen=True, slots=True)
class Preference:
    """The better of two answers, according to the judge, or by rule if they are equal or one is empty."""

    winner: str | None  # a | b | tie; None: the judge's reply is unreadable, or `is_known` is False
    is_consistent: bool = True  # False: the judge chose another winner in the other order, which makes a tie
    is_known: bool = True  # False: there is no right answer and no source to judge by


def score_request(
    question: Question, answer: str, passages: Sequence[str] = (), preset: str = "kotae"
) -> JudgePrompt | JudgeScore:
    """Return the prompt for scoring an answer, or the score itself if no judge is needed.

    That score is 0 for an empty answer, and None if there is no right answer and no source to judge by. `passages`:
    passages of the documents, shown in addition to the gold quotes; the paper's preset shows neither. The answer is cut
    after `answer_characters` (judge.toml: 3,000; paper 1,000). Raises KeyError for an unknown preset.
    """
    chosen = _texts()["presets"][preset]
    answer = answer.strip()
    if not answer:
        return JudgeScore(0, trouble="empty")
    if chosen["has_reference"] and not _is_anything_known(question, passages):
        return JudgeScore(None, trouble="unknown")
    shown = answer[: chosen["answer_characters"]]
    cut = len(answer) - len(shown)
    blocks = (
        _question_blocks(question, passages, chosen)
        if chosen["has_reference"]
        else [_framed("question", question.text)]
    )
    blocks.append(_framed("answer", shown))
    if cut and "cut" in chosen:
        blocks.append(chosen["cut"].format(characters=cut))
    blocks += [chosen["closing"], _texts()["output"]["score"]]
    scores = [f"{score}: {meaning}" for score, meaning in enumerate(rubric(preset))]
    return _prompt("\n".join([chosen["instruction"], *reversed(scores)]), blocks, SCORE_GRAMMAR, cut)


def rubric(preset: str) -> tuple[str, ...]:
    """Return the meaning of each score from 0 to 3 in a preset."""
    return tuple(_texts()["presets"][preset]["rubric"])


def read_score(text: str, cut_characters: int = 0) -> JudgeScore:
    """Read the last JSON object with a score in a judge's reply; without one the score is None. Raises nothing."""
    for data in reversed(list(_objects(text))):
        score = data.get("score")
        if type(score) is int and score in SCORES:
            return JudgeScore(score, _reason(data), cut_characters=cut_characters)
    return JudgeScore(None, trouble="unreadable", cut_characters=cut_characters)


def preference_requests(
    question: Question, answer_a: str, answer_b: str, passages: Sequence[str] = ()
) -> tuple[JudgePrompt, JudgePrompt] | Preference:
    """Return the two prompts, for answer a first and for answer b first, or the preference if no judge is needed.

    One empty answer loses, and equal answers tie. Without a right answer or source to judge by the winner is None.
    """
    a, b = answer_a.strip(), answer_b.strip()
    if a == b:
        return Preference("tie")
    if not a or not b:
        return Preference("a" if a else "b")
    if not _is_anything_known(question, passages):
        return Preference(None, is_known=False)
    return _pair(question, (a, b), passages), _pair(question, (b, a), passages)


def read_preference(text_ab: str, text_ba: str) -> Preference:
    """Return the answer that wins in both orders, or a tie (Zheng et al. 2023, section 3.4). Raises nothing.

    `text_ab`, `text_ba`: the judge's replies with a first and with b first; if one is unreadable the winner is None.
    """
    first, second = _winner(text_ab), _winner(text_ba)
    if first is None or second is None:
        return Preference(None)
    by_order = (("tie", "a", "b")[first], ("tie", "b", "a")[second])
    return Preference(by_order[0]) if by_order[0] == by_order[1] else Preference("tie", is_consistent=False)


def cited_passages(results: Sequence[BatchAnswer]) -> list[str]:
    """Return the first passages that support each answer, to show a judge if there are no gold quotes.

    Each answer's passages get the same share of `SOURCE_CHARACTERS`.
    """
    found = []
    for result in results:
        left = SOURCE_CHARACTERS // len(results)
        claims = result.grounding.claims if result.grounding else ()
        numbers = dict.fromkeys(number for claim in claims for number in claim.sources)
        for number in list(numbers)[:PASSAGES]:
            text = result.sources[number - 1].text.strip()[:left]
            left -= len(text)
            found.append(text)
    return found


def _is_anything_known(question: Question, passages: Sequence[str]) -> bool:
    return not question.is_answerable or bool(question.reference.strip() or question.gold or passages)


def _pair(question: Question, answers: tuple[str, str], passages: Sequence[str]) -> JudgePrompt:
    chosen = _texts()["pair"]
    blocks = _question_blocks(question, passages, _texts()["presets"]["kotae"])
    cut = 0
    for number, answer in enumerate(answers, start=1):
        shown = answer[: chosen["answer_characters"]]
        blocks.append(_framed("answer", shown, str(number)))
        if left_out := len(answer) - len(shown):
            blocks.append(chosen["cut"].format(number=number, characters=left_out))
            cut += left_out
    blocks += [chosen["closing"], _texts()["output"]["winner"]]
    return _prompt(chosen["instruction"], blocks, WINNER_GRAMMAR, cut)


def _prompt(system: str, blocks: Sequence[str], grammar: str, cut_characters: int) -> JudgePrompt:
    return JudgePrompt(system, "\n\n".join(blocks), grammar, MAX_TOKENS, cut_characters)


def _question_blocks(question: Question, passages: Sequence[str], options: dict[str, Any]) -> list[str]:
    """Return the blocks of a prompt for the question and, if there are any, its right answer and its sources."""
    blocks = [_framed("question", question.text)]
    if not question.is_answerable:
        blocks.append(options["unanswerable"])
    if question.reference.strip():
        blocks.append(_framed("reference", question.reference))
    sources = dict.fromkeys(text.strip() for text in (*(gold.quote for gold in question.gold), *passages))
    source = "\n\n".join(text for text in sources if text)[:SOURCE_CHARACTERS]
    return [*blocks, _framed("source", source)] if source else blocks


def _framed(name: str, text: str, number: str = "") -> str:
    """Put the text between two tags. An opening bracket in it that would begin such a tag becomes "("."""
    mark = _texts()["marks"][name] + number
    return f"<{mark}>\n{_mark_pattern().sub('(', text.strip())}\n</{mark}>"


@functools.cache
def _mark_pattern() -> re.Pattern[str]:
    names = "|".join(map(re.escape, _texts()["marks"].values()))
    return re.compile(rf"[<\uff1c](?=\s*[/\uff0f]?\s*(?:{names}))")


def _grammar(key: str, values: str) -> str:
    """Return the grammar of one JSON object: a reason of bounded length without escapes, then the value."""
    return (
        rf'root ::= "{{\"reason\": \"" character{{1,{REASON_CHARACTERS}}} "\", \"{key}\": " [{values}] "}}"'
        "\n"
        r'character ::= [^"\\\x00-\x1f\x7f]'
    )


SCORE_GRAMMAR = _grammar("score", "0-3")
WINNER_GRAMMAR = _grammar("winner", "0-2")


def _winner(text: str) -> int | None:
    """Read the winner in a judge's reply: 1 first answer, 2 second answer, 0 neither; None: unreadable."""
    for data in reversed(list(_objects(text))):
        winner = data.get("winner")
        if type(winner) is int and winner in (0, 1, 2):
            return winner
    return None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Return the outermost JSON objects of a text, in order."""
    text, at = text[-_READ_CHARACTERS:], 0
    while (at := text.find("{", at)) >= 0:
        try:
            data, at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
        else:
            yield data


_decoder = json.JSONDecoder()


def _reason(data: dict[str, Any]) -> str:
    reason = data.get("reason")
    return reason.strip() if isinstance(reason, str) else ""


@functools.cache
def _texts() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "judge.toml").read_text("utf-8"))
