"""Rank the sentences and table rows of passages by how likely each one answers a question.

A sentence counts by the question's terms in it, each weighted by how few of the sentences have it. The table's header,
the heading and the sentence before count less, since they often name the subject. What the question asks for raises a
sentence: a value in the unit asked for, or the definition of the word that it asks about. The numbers below were chosen
on half of the questions of three domains, and did as well on the other half.
"""

import collections
import functools
import itertools
import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.base.lazy_pattern import lazy_pattern
from app.documents import terms
from app.documents.grounding import sentences, source_citations
from app.documents.records import DocumentSection, Passage
from app.documents.values import quantities
from app.documents.values.quantities import Quantity

_LIMITS = lazy_pattern("(?:ただし|なお|また、?この場合|この場合)")  # begins a sentence that limits the one before
TOPIC = lazy_pattern(
    "[^ぁ-ゖ、。](?:に|で|と)?[はがも]|(?<!また)(?<!あるい)[はが](?![ぁ-ゖ])"
)  # 橋脚には, かぶりは70mm
_LIMITED_MOST = 400  # characters of a sentence with the limiting one after it
_HEADER_SHARE, _HEADING_SHARE, _BEFORE_SHARE = 0.5, 0.4, 0.4  # what a term counts that is only there
_RANK_HALVES = 9  # a passage this far behind the first counts half
_NAMED_FACTOR = 2.0  # for passages of a clause that the question names
_LENGTH_FREE, _LENGTH_HALVES = 100, 600  # characters; a sentence longer by the second number counts half
_LITTLE_FACTOR = 0.6  # for a title, a caption or an entry of a list of literature
_VALUE_GAIN = 0.6  # for a value in the unit asked for, or in any unit if the question names none
_DEFINITION_GAIN = 1.0

_ITEM_CODE = lazy_pattern(r"(?<![a-z\d])[a-z]+-?\d+(?![a-z\d])")  # D13, SD345: distinguishes the rows of a list
_MEASURE = (
    "率|割合|比|倍率|値|量|数|額|長さ|幅|高さ|深さ|厚さ|太さ|重さ|広さ|大きさ|径|面積|体積|容積|容量|重量|質量|距離|速度|温度|圧力"
    "|強度|密度|濃度|勾配|角度|頻度|間隔|周期|期間|時間|年齢|料金|費用|金額|単価|価格|代金|人口|上限|下限|限度|寸法|目安|基準"
)
_ASKED_UNIT = lazy_pattern(r"[何なん]\s?([^\s、。?？がをにはのとかな（(]{1,6})")
_ASKS_FREQUENCY = lazy_pattern("頻度|間隔|周期|何[回度]")
_ASKS_VALUE = lazy_pattern(
    rf"いくつ|いくら|どれ(?:くらい|ぐらい|ほど|だけ)|どの(?:くらい|ぐらい|程度)|{_ASKS_FREQUENCY.pattern}"
    rf"|(?:{_MEASURE})(?:[（(][^）)]*[）)])?(?:[はをの][^、。]{{0,12}})?[?？。]*$|以[上下内]"
)
_DEFINED = lazy_pattern(
    r"(?:.*(?:における|での|で(?:いう|の)|に(?:いう|おいて))|.*[、。「『])?(?P<word>[^、。「」『』]{1,40}?)[」』]?"
    r"(?:(?:とは|というのは|って|というと)、?(?:何|なに|なん|どう|どんな|いかなる|[?？。]*$)|の(?:定義|意味|意義)|について(?:教え|説明|知))"
)
_ASKS = lazy_pattern(r"か[。?？」』）)\s]*$|[?？][」』）)\s]*$")  # the sentence is a question itself
_BRACKETED = r"[」』]?(?:[（(][^（）()]{0,40}[）)])?"
_NO_WORD_BEFORE = "(?<![一-鿿ァ-ヺー])"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A sentence of a passage together with the one that limits it (ただし…), or a row of a table.

    `start`, `end`: offsets in the passage's text. `section`: the section that holds it, which ends at `section_end`.
    `header`: the header row of its table, or "". `row`: its number below the header in this section, from 1; 0 for a
    sentence. `says_little`: it is a title, a caption or an entry of a list of literature, or only announces a table.
    """

    text: str
    start: int
    end: int
    section: DocumentSection
    section_end: int
    row: int
    header: str
    says_little: bool

    @property
    def is_row(self) -> bool:
        return self.row > 0


@dataclass(frozen=True, slots=True, eq=False)
class RankedSentence:
    """A part of passage `number` (from 1) with the question's terms in it."""

    number: int
    part: Part
    terms: frozenset[str]
    score: float


class SoughtAnswer:
    """What a question asks for. `weights`: its terms with the share of each in the whole, which is 1."""

    def __init__(self, question: str, sentence_terms: Sequence[Collection[str]]) -> None:
        wanted = terms.weigh_query_terms(question) | dict.fromkeys(_item_codes(question), terms.WEIGHT_WORD)
        found = [self._among(wanted, one) for one in sentence_terms]
        having = collections.Counter(itertools.chain.from_iterable(found))
        weights = {term: weight * math.log(1 + len(found) / (having[term] + 0.5)) for term, weight in wanted.items()}
        whole = sum(weights.values()) or 1.0
        self.weights: Mapping[str, float] = {term: weight / whole for term, weight in weights.items()}
        self.informative = frozenset(term for term, weight in wanted.items() if weight > terms.WEIGHT_KANA)
        self._values = quantities.parse(question)
        asked = (quantities.parse(f"3{unit}") for unit in _ASKED_UNIT.findall(question))
        self._units = frozenset(one[0].unit for one in asked if one and one[0].unit)
        self._asks_frequency = _ASKS_FREQUENCY.search(question) is not None
        self._asks_value = bool(self._units) or _ASKS_VALUE.search(question) is not None
        self._defined = defined_word(question)

    def terms_in(self, having: Collection[str]) -> frozenset[str]:
        """Return the question's terms that occur among these; 堰* occurs where any term begins with 堰."""
        return frozenset(self._among(self.weights, having))

    @staticmethod
    def _among(wanted: Mapping[str, float], having: Collection[str]) -> set[str]:
        return {
            term
            for term in wanted
            if term in having or (term.endswith("*") and any(one.startswith(term[:-1]) for one in having))
        }

    def share(self, found: Collection[str]) -> float:
        """Return the share (0 to 1) of the question that these of its terms are."""
        return sum(self.weights[term] for term in found)

    def gain(self, text: str) -> float:
        """Return the factor by which a sentence counts more because it has what the question asks for."""
        return 1 + self._value_gain(text) + _DEFINITION_GAIN * definition_share(self._defined, text)

    def has_asked_value(self, text: str) -> bool:
        """Whether the question asks for a value, and the text has one that may be it."""
        return self._asks_value and any(map(self._is_asked, quantities.parse(text)))

    def _value_gain(self, text: str) -> float:
        return _VALUE_GAIN if self.has_asked_value(text) else 0.0

    def _is_asked(self, value: Quantity) -> bool:
        if value.unit.startswith("第") or any(map(value.is_same, self._values)):  # a value of the question is no answer
            return False
        is_frequency = self._asks_frequency and (value.per is not None or value.unit == "回")
        is_unit = value.unit in self._units or (value.per is not None and value.per[0] in self._units)
        return is_frequency or is_unit or not (self._units or self._asks_frequency)


def _item_codes(text: str) -> frozenset[str]:
    return frozenset(_ITEM_CODE.findall(unicodedata.normalize("NFKC", text).casefold()))


def terms_of(text: str) -> frozenset[str]:
    return frozenset(terms.extract_terms(text)) | _item_codes(text)


def rank_sentences(question: str, passages: Sequence[Passage]) -> tuple[SoughtAnswer, list[RankedSentence]]:
    """Return what the question asks for, and all sentences in the order of the passages.

    A sentence that has nothing to do with the question has the score 0.
    """
    parts = [(number, part) for number, passage in enumerate(passages, start=1) for part in _parts(passage)]
    having = [terms_of(part.text) for _, part in parts]
    sought = SoughtAnswer(question, having)
    found_in = functools.cache(lambda text: sought.terms_in(terms_of(text)))
    ranked: list[RankedSentence] = []
    for (number, part), own in zip(parts, having, strict=True):
        words = sought.terms_in(own)
        last = ranked[-1] if ranked and ranked[-1].number == number else None
        about = dict.fromkeys(last.terms, _BEFORE_SHARE) if last and last.part.section is part.section else {}
        about |= dict.fromkeys(found_in(" ".join(part.section.heading)), _HEADING_SHARE)
        about |= dict.fromkeys(found_in(part.header), _HEADER_SHARE)
        about |= dict.fromkeys(words, 1.0)
        score = 0.0
        if not sought.informative.isdisjoint(about):
            score = sum(share * sought.weights[term] for term, share in about.items())
            score *= sought.gain(part.text) * _fitness(part)
            score /= 1 + (number - 1) / _RANK_HALVES
            score *= _NAMED_FACTOR if passages[number - 1].named == "clause" else 1.0
        ranked.append(RankedSentence(number, part, words, score))
    return sought, ranked


def _fitness(part: Part) -> float:
    """Return a factor for the form of a sentence: 1 for a short whole sentence or a table row."""
    length = 1 / (1 + max(0, len(part.text) - _LENGTH_FREE) / _LENGTH_HALVES)
    return length * _LITTLE_FACTOR if part.says_little else length


def _is_nominal(text: str) -> bool:
    """Whether a text has no predicate, topic or colon, as a title, a caption or an entry of a list of literature."""
    has_predicate = re.search(r"[ぁ-ゖ][」』）)]*[。．.、，,]*$|[:：]", text.strip()) is not None
    return not has_predicate and TOPIC.search(text) is None


def defined_word(question: str) -> str:
    """Return the word whose definition a question asks for (堰とは何ですか), or "".

    Of several lines the last one counts; those before it are earlier questions, to which it refers back.
    """
    asked = _DEFINED.match(question.strip().rpartition("\n")[2])
    return asked["word"].strip() if asked else ""


def definition_share(word: str, text: str) -> float:
    """Return how much a sentence looks like the definition of a word, from 0 to 1."""
    if not word or word not in text or _ASKS.search(text):
        return 0.0
    named = f"{re.escape(word)}{_BRACKETED}"
    if re.search(f"{_NO_WORD_BEFORE}{named}とは", text) or re.match(rf"[^ぁ-ゖ]{{0,6}}{named}[　 ].*をいう", text):
        return 1.0
    if re.search(f"{_NO_WORD_BEFORE}{named}(?:である)?と(?:い[うい]|言う|呼[ぶば]|称|総称|定義|規定)", text):
        return 0.8
    return 0.4 if re.match(f"[「『]?{named}は", text) else 0.0


def _parts(passage: Passage) -> Iterator[Part]:
    """Yield the sentences and rows of a passage that may be quoted, without headings and table headers."""
    text = passage.section.text
    headers = sentences.find_table_headers(text)
    extents = source_citations.part_extents(passage)
    found = sentences.split_sentences(text)
    is_row = [sentences.is_table_row(text[one.start : one.end]) for one in found]
    is_limit = [_LIMITS.match(text, one.start) is not None for one in found]
    row = row_section = 0
    for at, one in enumerate(found):
        extent = next((extent for extent in extents if extent[1] <= one.start < extent[2]), None)
        header = next((header for header in headers if header.start <= one.start < header.last_line), None)
        shown = text[header.start : header.end] if header else ""
        is_header = header is not None and (one.start < header.end or text[one.start : one.end] == shown.strip())
        if extent is None or is_header:  # a table that continues in another section has its header there too
            row = 0
            continue
        section, begins, ends = extent
        row, row_section = (row if begins == row_section else 0) + 1 if is_row[at] else 0, begins
        if at and is_limit[at] and begins <= found[at - 1].start:
            continue  # it belongs to the sentence before
        end = one.end
        for following, limits in zip(found[at + 1 :], is_limit[at + 1 :], strict=True):
            if not limits or following.start >= ends or following.end - one.start >= _LIMITED_MOST:
                break
            end = following.end
        is_before_row = at + 1 < len(found) and is_row[at + 1]
        says_little = not is_row[at] and (
            _is_nominal(text[one.start : end])
            or (is_before_row and sentences.announces_items(text, one.start, one.end))
        )
        yield Part(text[one.start : end], one.start, end, section, ends, row, shown, says_little)
