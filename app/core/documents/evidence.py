"""What a text says, in a form in which answers can be looked up in it: terms, values, dates and names."""

import dataclasses
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.documents import dates, names, numerals, quantities, terms
from app.core.documents.dates import Date
from app.core.documents.quantities import Quantity
from app.core.documents.records import Passage

_MEANINGLESS = re.compile(r".?[ぁ-ゖ].?|\d+|.")  # pairs with hiragana, numbers, single characters
# Counts of what an answer itself lists: 以下の3点, 2つの方法.
_OWN_COUNTS = ("つ", "点")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one source. `searchable`: as app.core.documents.names makes it."""

    terms: frozenset[str]
    quantities: tuple[Quantity, ...]
    dates: tuple[Date, ...]
    searchable: str

    def holds(self, quantity: Quantity, written: str) -> bool:
        """Whether this value occurs, and not only with another bound (以上 for 以下). `written`: as in the answer."""
        if quantity.unit in _OWN_COUNTS and quantity.value <= 10:
            return True
        same = [one for one in self.quantities if _is_same(quantity, one, self._names_unit(quantity, written))]
        bounds = {one.bound for one in same if not one.is_range_start}
        if not quantity.bound or not bounds - {""}:
            return bool(same)
        return quantity.bound in bounds or {quantity.bound} | bounds - {""} == {">", "<="}  # 以下とし、超えたときは

    def holds_date(self, date: Date) -> bool:
        return any(date.is_in(one) for one in self.dates)

    def _names_unit(self, quantity: Quantity, written: str) -> bool:
        """Whether the unit stands anywhere: numbers of a table have theirs in its head."""
        unit = numerals.flatten(written)[0].lstrip("0123456789., +-")
        return bool(quantity.unit) and re.sub(r"[\\s^{}]", "", unit).casefold() in self.searchable


def of_text(*texts: str) -> Evidence:
    joined = "\n".join(texts)
    found = dates.with_years(dates.parse(joined))
    return Evidence(
        frozenset(terms.of_text(joined)), tuple(quantities.parse(joined)), tuple(found), names.searchable(texts)
    )


@functools.lru_cache(maxsize=256)
def of_passage(passage: Passage) -> Evidence:
    """Of its text with all that says where it is from."""
    section = passage.section
    last = max(section.page, min(section.page_last, section.page + 50))
    pages = range(section.page, last + 1) if section.page else ()
    names_of_it = (*section.heading, section.tag, *section.captions, passage.document, passage.collection)
    where = of_text(" / ".join(names_of_it), " ".join(f"{page}ページ" for page in pages))
    numbered = tuple(one for one in where.quantities if one.unit)  # 第3章, and not the 3.2 of a section
    return union([of_text(section.text), dataclasses.replace(where, quantities=numbered)])


def union(evidence: Sequence[Evidence]) -> Evidence:
    """All of them as one source."""
    return Evidence(
        frozenset().union(*(one.terms for one in evidence)),
        tuple(value for one in evidence for value in one.quantities),
        tuple(date for one in evidence for date in one.dates),
        "\n".join(one.searchable for one in evidence),
    )


def content_terms(text: str) -> frozenset[str]:
    """Terms that carry meaning. Those of values are left out: they are compared by themselves."""
    values, days = quantities.parse(text), dates.parse(text)
    taken = sorted([*((one.start, one.end) for one in values), *((one.start, one.end) for one in days)])
    kept, at = [], 0
    for start, end in taken:
        kept.append(text[at:start])
        at = max(at, end)
    kept.append(text[at:])
    return frozenset(term for term in terms.of_text(" ".join(kept)) if not _MEANINGLESS.fullmatch(term))


def asked_terms(question: str) -> frozenset[str]:
    """The content of a question; all its terms where it has none: かぶりは何mm."""
    found = content_terms(question)
    is_empty = all(term.isascii() and len(term) < 4 for term in found)  # units
    return found | frozenset(terms.of_text(question)) if is_empty else found


def _is_same(wanted: Quantity, found: Quantity, names_unit: bool) -> bool:
    if wanted.is_same(found):
        return True
    is_number = abs(wanted.number - found.number) <= 1e-9 * max(abs(wanted.number), abs(found.number))
    return is_number and (not wanted.unit or (not found.unit and names_unit))
