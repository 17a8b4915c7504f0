"""Right answers made wrong on purpose, so that it can be measured whether a judge notices.

number, negation, swapped and irrelevant are wrong; verbose is right, and says it at length. Each is made by rules from
a question's reference, the same at every call, and never the reference itself. Metrics are tested by such changes in
Sai et al. 2021 (Perturbation CheckLists, arXiv 2109.05771).
"""

import functools
import re
import tomllib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from app.base import search_text
from app.base.paths import resources
from app.documents.grounding import modality, sentences
from app.documents.values import notation, quantities
from app.documents.values.quantities import Quantity
from app.evaluation.records import Question
from app.training.data.duplicates import normalized

FACTUAL = ("number", "negation", "swapped", "irrelevant")
KINDS = (*FACTUAL, "verbose")

_DIGITS = re.compile(r"\d[\d,\uff0c]*(?:[.\uff0e]\d+)?")
_JAPANESE = re.compile("[ぁ-んァ-ヶ一-龥]")
_END = re.compile(r"[。．.!！\s]*$")


def seeded(kind: str, question: Question, questions: Sequence[Question] = ()) -> str | None:
    """The reference with that change; None where it cannot be made. `questions`: where an irrelevant one is taken from.

    Raises KeyError for what is none of `KINDS`.
    """
    makers: dict[str, Callable[[], str | None]] = {
        "number": lambda: wrong_number(question),
        "negation": lambda: negated(question),
        "swapped": lambda: swapped(question),
        "irrelevant": lambda: irrelevant(question, questions),
        "verbose": lambda: verbose(question),
    }
    made = makers[kind]() if has_right_answer(question) else None
    return made if made and normalized(made) != normalized(question.reference) else None


def has_right_answer(question: Question) -> bool:
    return question.is_answerable and bool(question.reference.strip())


def wrong_number(question: Question) -> str | None:
    """The first value that the question does not name itself, one with a unit before one without, twice as large.

    More than half of a whole (80 %) is halved; of a range, the end. The unit and what limits the value stay.
    """
    asked = quantities.parse(question.text)
    found = [
        value
        for value in quantities.parse(question.reference)
        if value.value
        and not value.is_range_start
        and not value.unit.startswith("第")
        and not any(value.is_same(other) for other in asked)
    ]
    for value in sorted(found, key=lambda value: not value.unit):
        made = _with_other_number(question.reference, value)
        if made is not None:
            return made
    return None


def negated(question: Question) -> str | None:
    """The first sentence that says the opposite when its end is turned, so turned."""
    reference = question.reference
    for sentence in sentences.split(reference):
        before = reference[sentence.start : sentence.end]
        after = _opposite(before) if sentence.kind == "text" else None
        if after is not None:
            return reference[: sentence.start] + after + reference[sentence.end :]
    return None


def swapped(question: Question) -> str | None:
    """What limits a value turned round; else a pair of terms that exclude each other; else two things spoken of."""
    reference = question.reference
    return _other_bound(reference) or _contrast(reference) or _quoted(reference)


def irrelevant(question: Question, questions: Sequence[Question]) -> str | None:
    """The right answer to another question, of another group, from the other half of the set where there is one."""
    ids = [other.id for other in questions]
    start = (ids.index(question.id) if question.id in ids else 0) + len(questions) // 2
    for other in (questions[(start + step) % len(questions)] for step in range(len(questions))):
        is_elsewhere = other.id != question.id and (not question.group or other.group != question.group)
        if is_elsewhere and has_right_answer(other) and normalized(other.reference) != normalized(question.reference):
            return other.reference
    return None


def verbose(question: Question) -> str:
    frame: str = _rules()["verbose"]["frame"]
    before, after = (part.replace("{question}", question.text.strip()) for part in frame.split("{answer}"))
    return before + question.reference.strip() + after


def _with_other_number(reference: str, value: Quantity) -> str | None:
    written = reference[value.start : value.end]
    digits = _DIGITS.search(written)
    if digits is None:  # in kanji
        number = f"{value.number * 2:g}"
        kanji = re.match(f"[{notation.KANJI_NUMERALS}]+", written)
        made = number + written[kanji.end() :] if kanji else ""
    else:
        flat = Decimal(search_text.normalize_nfkc(digits.group()).replace(",", ""))
        other = flat / 2 if value.unit == "%" and 50 < value.value <= 100 else flat * 2
        shown = f"{other:,}" if "," in search_text.normalize_nfkc(digits.group()) else f"{other:f}"
        made = written[: digits.start()] + shown + written[digits.end() :]
    whole = reference[: value.start] + made + reference[value.end :]
    now = next((one for one in quantities.parse(whole) if one.start == value.start), None)
    is_other = now is not None and now.unit == value.unit and not now.has_value_of(value)
    return whole if is_other else None


def _opposite(sentence: str) -> str | None:
    """Only where it is sure that the sentence is said to be so, or not, and afterwards the other way round."""
    end = _END.search(sentence)
    if end is None or not _JAPANESE.search(sentence):  # a value, or another language
        return None
    body, stop = sentence[: end.start()], end.group()
    rules: list[tuple[str, str]] = _rules()["negation"]["rules"]
    for pattern, replacement in rules:
        if re.search(pattern, body):
            turned = re.sub(pattern, replacement, body)
            return turned + stop if modality.polarity_of(body) * modality.polarity_of(turned) == -1 else None
    return None


def _other_bound(reference: str) -> str | None:
    for value in quantities.parse(reference):
        bounds: dict[str, str] = _rules()["bounds"] if value.bound else {}
        for bound, other in bounds.items():
            at = reference.find(bound, value.end, value.bound_end + 3)  # 超え is a bound, and the word goes on: 超える
            if at >= 0:
                return reference[:at] + other + reference[at + len(bound) :]
    return None


def _contrast(reference: str) -> str | None:
    contrasts: list[tuple[str, str]] = _rules()["contrasts"]
    for one, other in contrasts:
        exchanged: dict[str, str] = {one: other, other: one}
        made = "".join(exchanged.get(piece, piece) for piece in re.split(f"({one}|{other})", reference))
        if made != reference and not _is_listed(one, other, reference):
            return made
    return None


def _is_listed(one: str, other: str, reference: str) -> bool:
    """Side by side, where another order says the same; or drawn together: 左右岸."""
    between: str = _rules()["listed"]
    orders = ((one, other), (other, one))
    return any(re.search(f"{a}(?:{between})?{b}|{a[0]}{b}", reference) for a, b in orders)


def _quoted(reference: str) -> str | None:
    """Two names, each written once, of which something is said."""
    found = list(re.finditer(_rules()["quoted"], reference))
    if len(found) != 2 or any(reference.count(one[1]) > 1 for one in found):
        return None
    first, second = found
    between = reference[first.end(1) : second.start(1)]
    return reference[: first.start(1)] + second[1] + between + first[1] + reference[second.end(1) :]


@functools.cache
def _rules() -> dict[str, Any]:
    return tomllib.loads((resources() / "evaluation" / "seeding.toml").read_text("utf-8"))
