"""Build the prompts about a passage with grammars for the replies, and parse the replies.

Prompts, styles and patterns come from `resources/evaluation/generation.toml`. The pieces of a passage that may be
quoted as evidence are its sentences and table rows, alone or two together on one line. A grammar (GBNF) allows one
JSON object with its keys in order, whose quote can only be one of these pieces.
"""

import functools
import itertools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.base.files import strict_json
from app.base.paths import resources
from app.documents.grounding import sentences, source_citations
from app.documents.grounding.sentences import Sentence
from app.documents.records import Passage
from app.inference.reply_journal import ModelReply, StandalonePrompt, max_object_tokens
from app.training.data.duplicates import normalized
from app.training.generation.pair_records import ANSWER_MAX, QUESTION_MAX, SCORE_MAX, PairCandidate


@dataclass(frozen=True, slots=True)
class QuestionStyle:
    """A style of questions. `fits`: pattern of the passages that suit the style; None: all suit it.

    `is_sentence` is false if the question consists of search terms.
    """

    key: str
    instruction: str
    fits: re.Pattern[str] | None
    is_sentence: bool = True


@functools.cache
def question_styles() -> tuple[QuestionStyle, ...]:
    return tuple(
        QuestionStyle(
            one["key"],
            one["instruction"],
            re.compile(one["fits"], re.MULTILINE) if one["fits"] else None,
            one.get("is_sentence", True),
        )
        for one in _document()["style"]
    )


def prompt_text(key: str, **facts: str) -> str:
    text: str = _document()["prompts"][key]
    return text.format(**facts)


@functools.cache
def pattern(key: str) -> re.Pattern[str]:
    return re.compile(_document()["patterns"][key])


def grammar_words(key: str) -> tuple[str, ...]:
    """Return the phrases that may end a question ("ends") or the characters that end a sentence ("stops")."""
    return tuple(_document()["grammar"][key])


def review_words(key: str) -> tuple[str, ...]:
    """Return the accepted names of a column or decision of the review table: Japanese, English, then others."""
    return tuple(_document()["review"][key])


@functools.cache
def _document() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "generation.toml").read_text("utf-8"))


QUOTE_MIN, QUOTE_MAX = 15, 300  # characters; QUOTE_MIN excludes blanks


def quotable_pieces(passage: Passage) -> list[str]:
    """Return pieces of the passage's text that may be quoted, unchanged, in order, each once and within one line."""
    text = passage.section.text
    found = _quotable(passage)
    places = [(one.start, one.end) for one in found]
    for one, following in itertools.pairwise(found):
        if one.kind == following.kind == "text" and "\n" not in text[one.end : following.start]:
            places.append((one.start, following.end))
    pieces = (text[start:end] for start, end in sorted(places))
    return list(
        dict.fromkeys(piece for piece in pieces if len(normalized(piece)) >= QUOTE_MIN and len(piece) <= QUOTE_MAX)
    )


def _quotable(passage: Passage) -> list[Sentence]:
    """Return the passage's sentences that lie within one section, without headings, captions and table headers."""
    text = passage.section.text
    extents = [(start, end) for _, start, end in source_citations.part_extents(passage)]
    heads = {head.start for head in sentences.find_table_headers(text)}
    return [
        one
        for one in sentences.split_sentences(text)
        if one.kind != "heading"
        and one.start not in heads
        and not pattern("caption").match(text, one.start)
        and any(start <= one.start and one.end <= end for start, end in extents)
    ]


REASON_MAX = 120  # maximum characters of a score's reason

_CHARACTER = r'character ::= [^"\\\x00-\x1F\x7F]'


def pair_grammar(quotes: Sequence[str], *, is_sentence: bool = True) -> str:
    """Return the grammar for a reply with a pair.

    `quotes`: the allowed quotes. `is_sentence`: the question must be a sentence; false: search terms are allowed.
    """
    fields = {"quote": "quote", "question": "question", "answer": _text_rule(ANSWER_MAX)}
    asked = _question_rule() if is_sentence else f"question ::= {_text_rule(QUESTION_MAX)}"
    return "\n".join([_object_rule(fields), f"quote ::= {' | '.join(map(_literal, quotes))}", asked, _CHARACTER])


def question_grammar() -> str:
    return "\n".join([_object_rule({"question": "question"}), _question_rule(), _CHARACTER])


def score_grammar() -> str:
    fields = [
        _escaped('{"reason": "'),
        _text_rule(REASON_MAX),
        _escaped('", "score": '),
        f"[0-{SCORE_MAX}]",
        _escaped("}"),
    ]
    return "\n".join([f"root ::= {' '.join(fields)}", _CHARACTER])


def _object_rule(fields: dict[str, str]) -> str:
    """Return the root rule for a JSON object. `fields`: for each key, the rule for its text."""
    pieces: list[str] = []
    before = "{"
    for name, rule in fields.items():
        pieces += [_escaped(f'{before}"{name}": "'), rule]
        before = '", '
    pieces.append(_escaped('"}'))
    return f"root ::= {' '.join(pieces)}"


def _text_rule(longest: int) -> str:
    return f"character{{1,{longest}}}"


def _question_rule() -> str:
    """Return the rule for a single sentence that can only end as a question ends, not as a statement."""
    ends = grammar_words("ends")
    longest = QUESTION_MAX - max(map(len, ends))
    within = r'[^"\\\x00-\x1F\x7F' + "".join(grammar_words("stops")) + "]"
    return f"question ::= {within}{{1,{longest}}} ({' | '.join(map(_escaped, ends))})"


def _literal(text: str) -> str:
    """Return the rule that matches a text inside a JSON string."""
    return _escaped(json.dumps(text, ensure_ascii=False)[1:-1])


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


PAIR_TOKENS = 1024  # limit of a reply: a kanji may take several tokens
QUESTION_TOKENS, SCORE_TOKENS = max_object_tokens(QUESTION_MAX), max_object_tokens(REASON_MAX)


def style_for(passage: Passage, style_counts: Counter[str]) -> QuestionStyle:
    """Return the first of the least used styles that suit the passage. `style_counts`: number of uses by style key."""
    text = passage.section.text
    fitting = [style for style in question_styles() if style.fits is None or style.fits.search(text)]
    return min(fitting, key=lambda style: style_counts[style.key])


def pair_prompt(passage: Passage, style: QuestionStyle) -> StandalonePrompt:
    """Return the prompt for a pair.

    The allowed quotes are the pieces that match the style's pattern (such as numbers), or all pieces if none matches.
    """
    every = quotable_pieces(passage)
    fitting = [quote for quote in every if style.fits and style.fits.search(quote)]
    task = prompt_text("question", style=style.instruction)
    rules = pair_grammar(fitting or every, is_sentence=style.is_sentence)
    return StandalonePrompt(prompt_text("system"), _passage_text(passage) + task, rules, PAIR_TOKENS)


def paraphrase_prompt(candidate: PairCandidate) -> StandalonePrompt:
    """Return the prompt for another question with the same answer."""
    task = prompt_text("paraphrase", question=candidate.question, answer=candidate.answer)
    return StandalonePrompt(
        prompt_text("system"), _passage_text(candidate.passage) + task, question_grammar(), QUESTION_TOKENS
    )


def unanswerable_prompt(passage: Passage) -> StandalonePrompt:
    """Return the prompt for a question on the passage's subject that the passage does not answer."""
    task = prompt_text("unanswerable")
    return StandalonePrompt(prompt_text("system"), _passage_text(passage) + task, question_grammar(), QUESTION_TOKENS)


def quality_prompt(candidate: PairCandidate) -> StandalonePrompt:
    facts = {"quote": candidate.quote, "question": candidate.question, "answer": candidate.answer}
    return StandalonePrompt(prompt_text("system"), prompt_text("quality", **facts), score_grammar(), SCORE_TOKENS)


def reply_texts(reply: ModelReply, *names: str) -> tuple[str, ...] | None:
    """Return the texts of the named fields in the reply's JSON object, stripped; None if one is missing."""
    data = _reply_object(reply)
    found = [text.strip() for name in names if isinstance(text := data.get(name), str)]
    return tuple(found) if len(found) == len(names) else None


def reply_score(reply: ModelReply) -> int | None:
    """Return the score in the reply, 0 to 3; None if there is none."""
    found = _reply_object(reply).get("score")
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= SCORE_MAX:
        return found
    return None


def _reply_object(reply: ModelReply) -> dict[str, object]:
    try:
        data = strict_json.loads(reply.text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _passage_text(passage: Passage) -> str:
    place = " > ".join((passage.document, *passage.section.heading))
    return prompt_text("passage", place=place, text=passage.section.text)
