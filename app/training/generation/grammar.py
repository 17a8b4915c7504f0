"""GBNF for the replies: one JSON object, its keys in order, whose quote can only be the passage's own words."""

import json
from collections.abc import Sequence

from app.training.generation import words
from app.training.generation.records import ANSWER_MAX, QUESTION_MAX, SCORE_MAX

REASON_MAX = 120  # characters

_CHARACTER = r'character ::= [^"\\\x00-\x1F\x7F]'


def pair(quotes: Sequence[str], *, is_sentence: bool = True) -> str:
    """`quotes`: what the evidence is chosen from. `is_sentence` False: the question may be words for a search."""
    fields = {"quote": "quote", "question": "question", "answer": _text(ANSWER_MAX)}
    asked = _question() if is_sentence else f"question ::= {_text(QUESTION_MAX)}"
    return "\n".join([_object(fields), f"quote ::= {' | '.join(map(_literal, quotes))}", asked, _CHARACTER])


def question() -> str:
    return "\n".join([_object({"question": "question"}), _question(), _CHARACTER])


def score() -> str:
    fields = [_escaped('{"reason": "'), _text(REASON_MAX), _escaped('", "score": '), f"[0-{SCORE_MAX}]", _escaped("}")]
    return "\n".join([f"root ::= {' '.join(fields)}", _CHARACTER])


def _object(fields: dict[str, str]) -> str:
    """`fields`: the rule for the text of each."""
    pieces: list[str] = []
    before = "{"
    for name, rule in fields.items():
        pieces += [_escaped(f'{before}"{name}": "'), rule]
        before = '", '
    pieces.append(_escaped('"}'))
    return f"root ::= {' '.join(pieces)}"


def _text(longest: int) -> str:
    return f"character{{1,{longest}}}"


def _question() -> str:
    """One sentence, which ends as a question does: a model that writes a statement finds no end, one that asks does."""
    ends = words.grammar("ends")
    longest = QUESTION_MAX - max(map(len, ends))
    within = r'[^"\\\x00-\x1F\x7F' + "".join(words.grammar("stops")) + "]"
    return f"question ::= {within}{{1,{longest}}} ({' | '.join(map(_escaped, ends))})"


def _literal(text: str) -> str:
    """Of a text as it stands inside a JSON string."""
    return _escaped(json.dumps(text, ensure_ascii=False)[1:-1])


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
