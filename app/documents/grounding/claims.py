"""Check each sentence of an answer against its passages and list what they lack or contradict.

A sentence is supported if its passages have most of its terms, each value, date and name, values with their words, no
contradiction in modality, order or roles, and no noun that another replaces. Every form is checked, also headings,
tables, code and quotations; doubtful ones are marked, nothing is hidden. Logical consequence is not judged.
"""

import re
from collections.abc import Collection, Sequence

from app.base.lazy_pattern import lazy_pattern
from app.documents.grounding import (
    alignment,
    answer_markup,
    contradictions,
    evidence,
    misattribution,
    recognized_numbers,
    sentences,
    statements,
    value_attribution,
    vocabulary,
)
from app.documents.grounding.alignment import SourceFacts
from app.documents.grounding.answer_markup import CITED_MARK
from app.documents.grounding.evidence import Evidence
from app.documents.grounding.grounding_record import Claim
from app.documents.grounding.sentences import Sentence
from app.documents.grounding.statements import Statement
from app.documents.grounding.value_attribution import AttributedValue
from app.documents.records import Passage
from app.documents.values import notation, quantities, spans
from app.documents.values.quantities import Quantity

NOT_FOUND = lazy_pattern(
    "資料(?:の中)?に(?:は|も)?(?:[^。]{0,20}?)(?:ありません|見当たりません|記載されていません|(?:記載|記述|情報)(?:は|が|も)(?:ない(?:。|$|が)|あり?ません))(?:でした)?(?:が、?|けれど(?:も)?、?|ものの、?)?"
)
# Smallest share of a sentence's terms in its passages. Of the 100 right answers of tests/documents/claims.toml the
# lowest has 0.50; of 2,400 pairs with another passage 97 % have less than 0.34.
COVERAGE_MIN = 0.4
_LONG = 12  # terms; a sentence with so many repeats a sentence of its source, so their polarity is compared
_SHARED_MIN = 0.6  # smallest share of a sentence's words, or of its kanji, in the sources
_RETIED = 1.25  # factor by which another passage must fit better than the cited one
_GAIN_MIN = 0.15  # share of terms that a second passage must add
_TERMS_MIN = 4  # with fewer terms (はい。) there is nothing to compare
_NUMBERED = lazy_pattern("(?<=号)[機館棟室車線炉店]")  # 2号機 names the thing that values belong to
_ITEM = lazy_pattern(r"\s*(?:[-*+•・]|\(?\d{1,2}[.)．）]|[①-⑳])")
_COUNTED = lazy_pattern(r"[^ぁ-ん]{1,8}?(?:つ|点|項目|種類?|段階|品目?|件|名|人|者|か所|箇所|とおり|通り)")
_LISTS = lazy_pattern(r"、|・|と(?=[^、。]*?(?:の|が|を|、|です|である|という))|や|及び|および|または|又は")
_QUOTED_ROWS = lazy_pattern("(?:行|Row)$")  # header of a column with the numbers that rows have in their source
_ROW_NUMBERS = lazy_pattern(r"(?:No\.?|番号|順番|順序|手順|項番|#)?$")  # headers of a column that numbers the rows
_LEAD_IN = lazy_pattern(
    r"(?:[:：]|(?:以下|次)の(?:(?:とおり|通り)(?:です|である|とする)?|ように(?:なります|なっています|する|します))[。.]?)\s*$"
)


def check(answer: str, passages: Sequence[Passage], question: str = "") -> tuple[Claim, ...]:
    """Return the claims of an answer in order; none for 資料にありません or a heading that only names its topic."""
    check_of = _Check(answer, passages, question)
    claims = (claim for claim in map(check_of.claim, range(len(check_of.sentences))) if claim is not None)
    sections = [passage.section for passage in passages]
    return tuple(recognized_numbers.mark_uncertain(claim, sections) for claim in claims)


def count_unchecked(answer: str, claimed: Sequence[Claim]) -> int:
    """Return the number of sentences of an answer that have content but are not among the `claimed` ones."""
    text, origin = answer_markup.strip_markup(answer)
    taken = [(claim.start, claim.end) for claim in claimed]
    return sum(
        _could_say_something(text[one.start : one.end], one)
        and not any(start < origin[one.end] and origin[one.start] < end for start, end in taken)
        for one in sentences.split_for_comparison(text)
    )


def _could_say_something(text: str, sentence: Sentence) -> bool:
    bare = NOT_FOUND.sub("", CITED_MARK.sub("", text))
    return sentence.kind == "text" and not _LEAD_IN.search(text) and re.search(r"[^\W\d_]{2}", bare) is not None


def states_not_found(answer: str, claimed: Sequence[Claim]) -> bool:
    """Whether the answer says that the documents do not contain it, and has no supported claim."""
    return NOT_FOUND.search(answer) is not None and not any(claim.is_supported for claim in claimed)


class _Check:
    """The check of one answer against its passages."""

    def __init__(self, answer: str, passages: Sequence[Passage], question: str) -> None:
        self._answer, self._passages, self._question = answer, passages, question
        self._sources = [evidence.prepare_passage(passage) for passage in passages]
        self._everything, self._question_evidence = (
            evidence.merge_evidence(self._sources),
            evidence.prepare_text(question),
        )
        self._source_text = "\n\n".join(passage.section.text for passage in passages)
        self._together: dict[tuple[int, ...], SourceFacts] = {}
        self._text, self._origin = answer_markup.strip_markup(answer)
        self.sentences = sentences.split_for_comparison(self._text)

    def claim(self, number: int) -> Claim | None:
        """Return the claim of a sentence; None if it claims nothing."""
        sentence = self.sentences[number]
        written = self._text[sentence.start : sentence.end]
        text = _without_not_found(CITED_MARK.sub(lambda found: " " * len(found.group()), written))
        wanted = evidence.content_terms(text)
        marks = answer_markup.find_marks(notation.flatten(written)[0])
        cited = [at - 1 for mark in marks for at in mark.numbers if 0 < at <= len(self._sources)]
        tied = _tied(text, wanted, cited, self._sources, self._question_evidence)
        together = evidence.merge_evidence([self._sources[at] for at in tied])
        is_foreign = _is_foreign(text, together if tied else self._everything)
        has_value = bool(quantities.parse(text) or notation.parse_dates(text))
        statement = None if is_foreign else statements.parse_statement(text)
        has_words = statement is not None and any(not unit.is_general for unit in statement.units)
        if not has_value and not has_words and not evidence.parse_names(text):
            return None
        missing, is_repeated = self._compared(number, text, statement, tied, is_cited=bool(cited))
        is_covered = len(wanted) < _TERMS_MIN or _coverage(wanted, together) >= COVERAGE_MIN or is_foreign
        is_covered = is_covered or (statement is not None and self._shares_words(statement, tied))
        is_denied = len(wanted) >= _LONG and together.denies(text)
        is_supported = bool(tied) and (is_repeated or (is_covered and not is_denied)) and not missing
        if self._only_names(text, number) and not missing and not (has_value or (statement and _asserts(statement))):
            return None
        start, end = self._origin[sentence.start], self._origin[sentence.end]
        named = tuple(dict.fromkeys(missing))
        return Claim(self._answer[start:end], start, end, tuple(at + 1 for at in tied), is_supported, named)

    def _merged_facts(self, numbers: tuple[int, ...]) -> SourceFacts:
        """Return the merged facts of the passages with these indexes, cached for the other sentences of the answer."""
        if numbers not in self._together:
            facts = [alignment.collect_facts(self._passages[at]) for at in numbers]
            self._together[numbers] = alignment.merge_facts(facts, self._question)
        return self._together[numbers]

    def _shares_words(self, statement: Statement, tied: Sequence[int]) -> bool:
        """Whether the sources have most words of the sentence, or words of their kanji: 料理 for 調理した食品."""
        known = self._merged_facts(tuple(tied))
        kanji = set(statements.kanji_of(known.body))
        shared = [bool(unit.keys & known.keys or set(unit.kanji) & kanji) for unit in statement.units]
        return bool(shared) and sum(shared) >= _SHARED_MIN * len(shared)

    def _compared(
        self, number: int, text: str, statement: Statement | None, tied: Sequence[int], *, is_cited: bool
    ) -> tuple[list[str], bool]:
        """Return what the sources lack or contradict, and whether they contain the sentence word for word.

        `tied`: passages of the sentence; without a citation all others are tried after them.
        """
        missing: list[str] = []
        for numbers in [tied] if is_cited else [tied, range(len(self._sources))]:
            known = self._merged_facts(tuple(numbers))
            pieces = [piece for part in text.split("。") if (piece := answer_markup.comparable_text(part))]
            if pieces and all(piece in known.sentences for piece in pieces):
                return [], True
            together = evidence.merge_evidence([self._sources[at] for at in tied])
            missing = self._missing_parts(number, text, statement, together, known)
            if not missing:
                break
        return missing, False

    def _missing_parts(
        self, number: int, text: str, statement: Statement | None, together: Evidence, facts: SourceFacts
    ) -> list[str]:
        """Return the parts of a sentence that the sources lack or contradict."""
        own = self._values(number, text)
        bound = [(one.value, self._is_exchanged(one, own, text, statement, facts)) for one in own]
        right = {(value.start, value.end) for value, is_exchanged in bound if is_exchanged is False}
        found = [
            place
            for place in _missing_places(text, together, self._question_evidence)
            if not self._counts_itself(number, place) and not self._numbers_its_row(number, place)
        ]
        groups = value_attribution.group_values(facts.attributed, statement.keys if statement else frozenset())
        worked_out = spans.find_calculated_values(text, groups)
        found = [(start, end) for start, end in found if not any(start == one.start for one in worked_out)]
        if self.sentences[number].kind != "row":
            right |= {(one.start, one.end) for one in worked_out}
            found += _exchanged(text, self._everything, right)
        found += [
            (value.start, value.bound_end)
            for value, is_exchanged in bound
            if is_exchanged and not (self._is_head(number) and _is_cell_of(value, text, facts))
        ]
        found += misattribution.find_swapped_entries(text, self._source_text)
        kept = _apart(found)
        if statement is None:
            return [text[start:end] for start, end in kept]
        is_label = self.sentences[number].kind == "row" and self._first_row(number) != number
        places = [
            statement.placed(place)
            for place in (
                *contradictions.find_contradictions(statement, facts),
                *vocabulary.find_absent_nouns(statement, facts, is_label),
            )
        ]
        kept = _apart([*kept, *places])
        return [written for start, end in kept if (written := text[start:end].strip())]

    def _is_exchanged(
        self,
        value: AttributedValue,
        own: Sequence[AttributedValue],
        text: str,
        statement: Statement | None,
        facts: SourceFacts,
    ) -> bool | None:
        """Whether the source has a different value with these words; None if unclear."""
        is_exchanged = value_attribution.is_exchanged(value, own, facts.attributed, text)
        if statement is None or value.is_cell or is_exchanged is False:  # a row names what its values belong to
            return is_exchanged
        return False if alignment.is_confirmed_by_nearest(value.value, statement, facts) else is_exchanged

    def _counts_itself(self, number: int, span: tuple[int, int]) -> bool:
        """Whether a number counts items of the answer: 次の3点です。 with three items below, or A、B、Cの3つ."""
        sentence = self.sentences[number]
        before = self._text[sentence.start : sentence.start + span[0]]
        counted = _COUNTED.match(self._text, sentence.start + span[0])
        value = next(iter(quantities.parse(counted.group())), None) if counted else None
        if value is None:
            return False
        items = 0
        for line in self._text[sentence.end :].lstrip("。 ").split("\n")[1:]:
            if line.strip() and not _ITEM.match(line):
                break
            items += bool(line.strip())
        if items:
            return items == value.number
        if re.search("(?:次|以下|下記)の$", before):
            listed = len(_LISTS.split(self._text[sentence.start : sentence.end]))
            return listed >= value.number > 1
        named = re.search("[^。は]*(?:の|という|で、?)$", before)
        return named is not None and len(_LISTS.split(named.group())) == value.number > 1

    def _numbers_its_row(self, number: int, span: tuple[int, int]) -> bool:
        """Whether the value `span` of sentence `number` is its row's number: 2 in the second row, or any below 行."""
        sentence, head = self.sentences[number], self.sentences[self._first_row(number)]
        if sentence.kind != "row":
            return False
        name = value_attribution.cells(self._text[head.start : head.end])[0]
        is_quoted = _QUOTED_ROWS.match(name) is not None
        if not is_quoted and not _ROW_NUMBERS.match(name):
            return False
        cells = value_attribution.cells(self._text[sentence.start : sentence.end])
        written = self._text[sentence.start + span[0] : sentence.start + span[1]]
        is_next = written == str(number - self._first_row(number))
        return cells[0] == written and (is_next or (is_quoted and written.isdecimal()))

    def _is_head(self, number: int) -> bool:
        """Whether the sentence is the header row of a table."""
        return self.sentences[number].kind == "row" and self._first_row(number) == number

    def _values(self, number: int, text: str) -> list[AttributedValue]:
        """Return the values of the sentence with the words they belong to, in a row also those of the header."""
        sentence = self.sentences[number]
        if sentence.kind != "row":
            return value_attribution.attribute_sentence(text)
        first = self._first_row(number)
        if first == number:
            cells = value_attribution.cells(text)
            if cells and not quantities.parse(cells[0]):  # a row without a header
                return value_attribution.place_in_row(value_attribution.attribute_row([""] * len(cells), cells), text)
            found = [one for cell in cells for one in value_attribution.attribute_sentence(cell)]
            return value_attribution.place_in_row(found, text)
        head = self.sentences[first]
        found = value_attribution.attribute_row(
            value_attribution.cells(self._text[head.start : head.end]), value_attribution.cells(text)
        )
        return value_attribution.place_in_row(found, text)

    def _first_row(self, number: int) -> int:
        while number and self.sentences[number - 1].kind == "row":
            number -= 1
        return number

    def _only_names(self, text: str, number: int) -> bool:
        """Whether the sentence has a form that mostly only names a topic: a heading, a lead-in or a table header."""
        return self.sentences[number].kind == "heading" or self._is_head(number) or _LEAD_IN.search(text) is not None


def _without_not_found(text: str) -> str:
    """Blank out the clause that says that something is not in the documents."""
    found = NOT_FOUND.search(text)
    if found is None:
        return text
    start = max(text.rfind(sign, 0, found.start()) for sign in "、。") + 1
    if quantities.parse(text[start : found.start()]):
        start = found.start()
    return text[:start] + " " * (found.end() - start) + text[found.end() :]


def _asserts(statement: Statement) -> bool:
    """Whether a heading or lead-in asserts something: 着る順序は次のとおり does not."""
    return any(
        not statements.is_attributive(one.unit, statement) and not one.unit.is_condition for one in statement.frames
    )


def _is_cell_of(value: Quantity, text: str, facts: SourceFacts) -> bool:
    """Whether the cell with this value occurs word for word in the source."""
    start, end = text.rfind("|", 0, value.start) + 1, text.find("|", value.end)
    return answer_markup.comparable_text(text[start : end if end > 0 else len(text)]) in facts.body


def _tied(
    text: str, terms: frozenset[str], cited: list[int], sources: Sequence[Evidence], question: Evidence
) -> list[int]:
    """Return the passages of a sentence: the cited ones, unless others fit far better or alone have all values."""
    if not sources:
        return []
    ranked = sorted(range(len(sources)), key=lambda at: (-_fit(text, terms, sources[at], question), at))
    best = ranked[0]
    if cited:
        together = evidence.merge_evidence([sources[at] for at in cited])
        own = _fit(text, terms, together, question)
        if _fit(text, terms, sources[best], question) <= own * _RETIED or _is_foreign(text, together):
            return sorted(set(cited))
    if _coverage(terms, sources[best]) < COVERAGE_MIN / 2 and not _has_values(text, sources[best], question):
        return sorted(set(cited))
    for other in ranked[1:]:
        both = evidence.merge_evidence([sources[best], sources[other]])
        if _fit(text, terms, both, question) - _fit(text, terms, sources[best], question) >= _GAIN_MIN:
            return sorted((best, other))
    return [best]


def _has_values(text: str, source: Evidence, question: Evidence) -> bool:
    """Whether the source has all values of a sentence with units, and most of its kanji: 湯の温度 for 湯温."""
    is_measured = any(value.unit for value in quantities.parse(text))
    kanji = set(re.findall("[一-鿿]", text))
    shared = sum(sign in source.searchable for sign in kanji)
    return is_measured and shared >= _SHARED_MIN * len(kanji) > 0 and not _missing_places(text, source, question)


def _fit(text: str, terms: frozenset[str], source: Evidence, question: Evidence) -> float:
    """Return how well a source fits: its share of the terms, by 1 plus the number of missing values and names."""
    missing = len(_missing_places(text, source, question))
    return _coverage(terms, source) / (1 + missing)


def _coverage(terms: frozenset[str], source: Evidence) -> float:
    """Return the share of the terms that the source has, 0 to 1."""
    return len(terms & source.terms) / len(terms) if terms else 1.0


def _apart(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Drop places that overlap an earlier one."""
    kept: list[tuple[int, int]] = []
    for start, end in places:
        if not any(start < stop and begin < end for begin, stop in kept):
            kept.append((start, end))
    return kept


def _missing_places(text: str, source: Evidence, question: Evidence) -> list[tuple[int, int]]:
    """Return the places of values, dates and names that source and question lack, in order."""
    values, days = quantities.parse(text), notation.parse_dates(text)
    found = [
        (value.start, value.bound_end)
        for value in values
        if not source.holds(value, text[value.start : value.end], evidence.character_after(text, value.end))
    ]
    found += [
        (interval.start, interval.end)
        for interval in spans.other_intervals(text, [*source.quantities, *source.derived_quantities])
    ]
    found += [(day.start, day.end) for day in days if not source.holds_date(day)]
    taken = [*((value.start, value.end) for value in values), *((day.start, day.end) for day in days)]
    known = source.searchable + "\n" + question.searchable
    for name in evidence.parse_names(text):
        is_value = any(start < name.end and name.start < end for start, end in taken)
        if not is_value and not evidence.contains_name(name, known):
            found.append((name.start, name.end))
    return sorted(found)


def _exchanged(text: str, everything: Evidence, right: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the places of values and dates, but the `right` ones, that differ from those in the same context."""
    all_of_them = evidence.value_mentions(text)
    return [
        (one.value.start, getattr(one.value, "bound_end", one.value.end))
        for one in all_of_them
        if (one.value.start, one.value.end) not in right
        and not _NUMBERED.match(text, one.value.end)
        and everything.contradicts(one, all_of_them)
    ]


def _is_foreign(text: str, source: Evidence) -> bool:
    """Whether the sentence is English and the source is not: values can be compared then, but terms cannot."""
    has_japanese = re.search("[ぁ-んァ-ヶ一-鿿]", text) is not None
    return not has_japanese and re.search("[ぁ-んァ-ヶ一-鿿]", source.searchable) is not None
