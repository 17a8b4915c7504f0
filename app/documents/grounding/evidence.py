"""Prepare a text for looking up the contents of answers: its terms, values, dates and names.

Names are codes, Latin and katakana words, and names in kanji. With each value the words around it are kept, and nearer
words weigh more: if one sentence has 5m and 0.5m, only these words show that one is the height of a wall and the other
its depth. Grammar is not analysed. The file is over 450 lines because all of it builds or queries `Evidence`.
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct, structs

from app.base import search_text
from app.base.lazy_pattern import lazy_pattern
from app.documents import terms
from app.documents.grounding import modality, sentences
from app.documents.records import Passage
from app.documents.values import notation, quantities, spans
from app.documents.values.notation import Date, Unit
from app.documents.values.quantities import Quantity

_KANJI = "一-鿿々"
_ENDING = (
    "法|令|県|府|都|市|町|村|区|川|湖|沼|港|橋|山|島|駅|省|庁|局|条例|規則|規程|要綱|要領|指針"
    "|協会|学会|大学|会社|事務所|委員会"
)
_NAME = lazy_pattern(
    r"(?P<code>[表図式付録]\s?\d+(?:[-.]\d+)*|(?<![\d.])\d+(?:\.\d+){2,}"
    r"|(?<![A-Za-z\d])[A-Za-z]{1,8}[-.]?\d[\dA-Za-z.-]*)"
    r"|(?P<latin>[A-Za-z][A-Za-z'-]*[A-Za-z])"
    r"|(?P<katakana>[ァ-ヺー][ァ-ヺー・]{2,}[ァ-ヺー])"
    rf"|(?P<kanji>[{_KANJI}]{{1,24}}?(?:{_ENDING})(?![{_KANJI}]))"
)
# Endings of common nouns, which look like those of names.
_COMMON = lazy_pattern(
    "(?:方法|手法|工法|寸法|技法|製法|用法|文法|解法|作法|測法|法令|命令|指令|政令|省令|河川|都市|市町村|地区|区|山地|火山|空港|道路橋|当局"
    "|出水|規則|要領|指針|委員会|会社|事務所|協会)$"
)
_PREFIX = lazy_pattern("^(?:当該|該当|上記|下記|前記|関係|関連|主要|対象|同|本|各|全|両|旧|新|他)")
# Katakana words that explanations of any subject use; they are not names.
_PLAIN_KATAKANA = """ポイント メリット デメリット ケース レベル バランス リスク コスト イメージ プロセス
    システム データ ルール タイプ パターン ステップ チェック リスト グループ テーマ サイズ スペース ベース
    メイン サブ トータル スムーズ シンプル スケジュール タイミング コメント メッセージ マーク ページ ファイル
    タイトル カテゴリ カテゴリー キーワード セクション テキスト ドキュメント マニュアル サポート サービス
    トラブル アドバイス ヒント ニーズ アプローチ エリア ゾーン ライン ルート ステージ フロー モデル ツール
    カバー クリア キープ プラス マイナス センター オプション パラメータ パラメーター"""
# Characters that comparisons of names ignore; spaces between Latin words are kept.
_IGNORED = lazy_pattern(r"(?<![A-Za-z\d])\s+|\s+(?![A-Za-z\d])|[・^{}*]|(?<=[ァ-ヺ])ー(?![ァ-ヺー])")
_PLAIN_WORDS = frozenset(_PLAIN_KATAKANA.split())


class ProperName(Struct, frozen=True):
    """A name in a text. `start`, `end`: offsets in the text. `kind`: code | latin | katakana | kanji."""

    text: str
    start: int
    end: int
    kind: str


def parse_names(text: str) -> list[ProperName]:
    """Return the names of a text, in order, without the words that explanations commonly use."""
    flat, origin = notation.flatten(text)
    capitals = 1 if re.search("[ぁ-んァ-ヶ一-鿿]", flat) else 2  # an English sentence begins with a capital
    return [
        ProperName(found.group(), origin(found.start()), origin(found.end()), found.lastgroup or "")
        for found in _NAME.finditer(flat)
        if _is_name(found, capitals)
    ]


def _is_name(match: re.Match[str], capitals: int) -> bool:
    written = match.group()
    if match.lastgroup == "latin":
        return sum(character.isupper() for character in written) >= capitals
    if match.lastgroup == "katakana":
        return written.strip("・") not in _PLAIN_WORDS
    if match.lastgroup == "kanji":
        return len(_PREFIX.sub("", written)) >= 3 and not _COMMON.search(written)
    return True


def searchable_text(texts: Sequence[str]) -> str:
    """Join texts in the form that `contains_name` searches: flattened, without spaces, in lower case."""
    return "\n".join(_bare_name(notation.flatten(text)[0]) for text in texts)


def contains_name(name: ProperName, source: str) -> bool:
    """Whether a text from `searchable_text` contains the name, or two parts that together form it."""
    bare = _bare_name(name.text)
    if name.kind == "kanji":
        bare = _PREFIX.sub("", bare)
    if name.kind in ("code", "latin"):
        beside = "a-z" if name.kind == "latin" else r"a-z\d"  # 2DF, 1Ec
        return re.search(rf"(?<![{beside}]){re.escape(bare)}(?![{beside}])", source) is not None
    bare = bare.replace("・", "")
    if bare in source or bare.rstrip("ー") in source:
        return True
    return any(bare[:at] in source and bare[at:] in source for at in range(2, len(bare) - 1))


def _bare_name(flat: str) -> str:
    return _IGNORED.sub("", flat).casefold()


WordWeights = Mapping[str, float]  # two adjacent characters (or a single one) -> weight, 0 to 1

WORDS_REACH = 60  # characters on either side of a value
WORDS_MIN = 2.5  # smallest effective number of words for a comparison
_HALF = 8  # distance in characters at which a word weighs half
_BEHIND = 0.6  # words after a value say less about it than words before
_RUN = lazy_pattern(r"[一-鿿々]+|[ァ-ヺー]+|[A-Za-z]+")
_BREAK = lazy_pattern(r"[、,;。|\n]")
# Factors for the weight of a word, if such a separator is between it and the value: before and after the value.
_BREAKS = {"、": (0.9, 0.3), ",": (0.9, 0.3), ";": (0.7, 0.3), "。": (0.5, 0.2), "|": (0.8, 0.3), "\n": (0.3, 0.1)}
_VALUE = (0.5, 0.3)  # the same factors if another value is in between


def words_around(text: str, values: Iterable[tuple[int, int]]) -> list[WordWeights]:
    """Return, for each value, the weights of the words around it. `values`: start and end of each in the text."""
    flat, origin = notation.flatten(text)
    places = {origin(at): at for at in range(len(flat), -1, -1)}
    spans = [(places[start], places[end]) for start, end in values if start in places and end in places]
    others = sorted(spans)
    return [_words_around_one(flat, start, end, others) for start, end in spans]


def word_rarity(values: Sequence[WordWeights]) -> dict[str, float]:
    """Return the weight of each word that is around any of the values; a word that few values have weighs more."""
    having = Counter(word for words in values for word in words)
    return {word: math.log((len(values) + 1) / (count + 0.5)) for word, count in having.items()}


def word_overlap(claimed: WordWeights, source_words: WordWeights, weights: Mapping[str, float]) -> float:
    """Return the weighted share (0 to 1; 0 for too few) of one value's words that are as near the other one."""
    shares = {word: weight * weights.get(word, 0.0) for word, weight in claimed.items()}
    total, squares = sum(shares.values()), sum(weight**2 for weight in shares.values())
    if not squares or total**2 / squares < WORDS_MIN:
        return 0.0
    return (
        sum(min(weight, source_words.get(word, 0.0) * weights.get(word, 0.0)) for word, weight in shares.items())
        / total
    )


def _words_around_one(flat: str, start: int, end: int, others: list[tuple[int, int]]) -> WordWeights:
    first, last = max(0, start - WORDS_REACH), min(len(flat), end + WORDS_REACH)
    signs = [(found.start(), _BREAKS[found.group()]) for found in _BREAK.finditer(flat, first, last)]
    signs += [(one, _VALUE) for one, stop in others if stop > first and one < last and (one, stop) != (start, end)]
    taken = [(one, stop) for one, stop in others if stop > first and one < last]
    words: dict[str, float] = {}
    for run in _RUN.finditer(flat, first, last):
        if any(one < run.end() and run.start() < stop for one, stop in taken):
            continue
        is_before = run.end() <= start
        distance = start - run.end() if is_before else run.start() - end
        weight = (1.0 if is_before else _BEHIND) / (1 + max(0, distance) / _HALF)
        for at, (before, behind) in signs:
            if is_before and run.end() <= at < start:
                weight *= before
            elif not is_before and end <= at < run.start():
                weight *= behind
        for word in _pairs(run.group()):
            words[word] = max(words.get(word, 0.0), weight)
    return words


def _pairs(run: str) -> list[str]:
    if run.isascii():
        return [run.casefold()]
    return [one + other for one, other in pairwise(run)] or [run]


_MEANINGLESS = lazy_pattern(r".?[ぁ-ゖ].?|\d+|.")  # pairs with hiragana, numbers, single characters
# A value counts as exchanged if a different value of the source has at least RIVAL_MIN `word_overlap` (0 to 1) with
# it, and at least RIVAL_LEAD more than the same value has.
# Fitted with tests/benchmarks/claims.py.
RIVAL_MIN, RIVAL_LEAD = 0.5, 0.15
LENIENCE = 0.6  # exponent that raises the overlap of the same value, since paraphrases lower it
STATEMENT_SHARE = 0.8  # smallest share of a sentence's terms in the source sentence that it repeats
CLOSING_SHARE = 0.5  # share of the terms of the source's last clause that the sentence must contain
_END = 40  # characters of a sentence's end, compared separately, since a sentence may join two statements
_STATEMENT_MIN = 6  # terms; fewer are not enough to find that sentence
_BACK = lazy_pattern(
    "^(?:では|じゃあ|また(?![いうえがぐげは])|あと|ほかに|他に|同じ)"
    "|(?:それ(?!ぞれ)|その(?!他|ほか|もの)|これ|この(?!基準|資料|文書|規程|規定|要領|指針|マニュアル|仕様書)|そこ|あの)"
)
# What is left of 杭は？ or 杭はどうですか without its noun.
_FRAGMENT = lazy_pattern(r"[\sはもがのをにでと、。?!]*(?:どう(?:です|でしょう)?か?)?[。?!\s]*")
COMPLEMENTS = ({">", "<="}, {"<", ">="})  # 5m以上は不可: 5m未満は可


class ValueMention(Struct, frozen=True):
    """A value or date with the words around it. `text`: the value as the text writes it."""

    value: Quantity | Date
    words: WordWeights
    text: str
    next_character: str = ""  # the character after a number without a known unit: 住 of 2住戸; "" for none
    is_alone: bool = True  # no counted noun follows, so its unit may be in the table's header


class Evidence(Struct, frozen=True):
    """One source, prepared for looking up answers. `searchable`: its text from `searchable_text`."""

    terms: frozenset[str]
    values: tuple[ValueMention, ...]
    searchable: str
    rarity: Mapping[str, float]  # weights of the words around values, from `word_rarity`
    head_units: frozenset[Unit] = frozenset()  # units in headers and captions: 幅員(m), 単位：mm
    statements: tuple[tuple[frozenset[str], frozenset[str], int], ...] = ()  # for each sentence: its terms,
    # the terms of its last clause, and its polarity
    derived: tuple[Quantity | Date, ...] = ()  # values that follow from others, from app.documents.values.spans

    @property
    def quantities(self) -> list[Quantity]:
        return [one.value for one in self.values if isinstance(one.value, Quantity)]

    @property
    def derived_quantities(self) -> list[Quantity]:
        return [one for one in self.derived if isinstance(one, Quantity)]

    @property
    def dates(self) -> list[Date]:
        return [one.value for one in self.values if isinstance(one.value, Date)]

    def holds(self, quantity: Quantity, value_text: str, behind: str = "") -> bool:
        """Whether the source has this value, and not only with an incompatible bound (以上 for 以下).

        `value_text`: as written in the answer. `behind`: the character after a number without unit, or "".
        """
        factors = self._factors(quantity, value_text)
        same = [
            value.value
            for value in self.values
            if isinstance(value.value, Quantity)
            and not (quantity.per and value.value.is_per)  # 1回の運転は15分 does not say how often
            and _is_same_value(quantity, value.value, factors if value.is_alone else ())
            and not (behind and not quantity.unit and value.next_character and behind != value.next_character)
        ]
        if not same:
            return self._follows(quantity)
        bounds = {bound_of(one) for one in same}
        if not quantity.bound or not bounds - {""}:
            return True
        return quantity.bound in bounds or {quantity.bound} | bounds - {""} in COMPLEMENTS  # 以下とし、超えたときは

    def _follows(self, quantity: Quantity) -> bool:
        """Whether the value follows from others: a length from two dates, or the 1m² of 1m²当たり from 0.4L/m2."""
        if quantity.is_per:  # the base of a rate is compared with the rate
            if quantity.number == 1:
                return True
            if any(one.is_per and one.unit == quantity.unit and one.number != 1 for one in self.quantities):
                return False
            each = {
                value.value.per[0] for value in self.values if isinstance(value.value, Quantity) and value.value.per
            }
            each |= {one.unit.rpartition("/")[2] for one in self.quantities if "/" in one.unit}
            each |= {unit.name.rpartition("/")[2] for unit in self.head_units if "/" in unit.name}
            if quantity.unit in each and (
                quantity.number == 1 or not any(one.is_per and one.unit == quantity.unit for one in self.quantities)
            ):
                return True
        return any(
            quantity.is_same(one) and len({quantity.bound, one.bound} - {""}) < 2 for one in self.derived_quantities
        )

    def holds_date(self, date: Date) -> bool:
        return any(date.is_in(one) for one in (*self.dates, *self.derived) if isinstance(one, Date))

    def contradicts(self, mention: ValueMention, besides: Sequence[ValueMention]) -> bool:
        """Whether the source has another value with these words, which is none of the sentence's (`besides`)."""
        value = mention.value
        if getattr(value, "is_per", False):  # the base of a rate
            return False
        factors = self._factors(value, mention.text) if isinstance(value, Quantity) else ()
        own = other = 0.0
        for one in self.values:
            relation = _compare_values(value, one.value, factors)
            if relation == "other" and any(_compare_values(also.value, one.value) == "same" for also in besides):
                continue
            if relation:
                fit = word_overlap(mention.words, one.words, self.rarity)
                own, other = (max(own, fit**LENIENCE), other) if relation == "same" else (own, max(other, fit))
        return other >= RIVAL_MIN and other - own >= RIVAL_LEAD

    def denies(self, text: str) -> bool:
        """Whether the nearest source sentences have the opposite polarity (negative or affirmative) of `text`."""
        sign, wanted, end = modality.polarity_of(text), content_terms(text), content_terms(text.rstrip()[-_END:])
        if not sign or len(wanted) < _STATEMENT_MIN or not end:
            return False
        near = [
            (min(len(wanted & terms) / len(wanted), len(end & terms) / len(end)), other)
            for terms, closing, other in self.statements
            if not closing or len(wanted & closing) >= CLOSING_SHARE * len(closing)
        ]
        against = max((share for share, other in near if other == -sign), default=0.0)
        otherwise = max((share for share, other in near if other != -sign), default=0.0)
        return against >= STATEMENT_SHARE and against - otherwise >= RIVAL_LEAD

    def _factors(self, quantity: Quantity, value_text: str) -> list[float]:
        """Return factors from a number without unit to this value's, by table headers or units as in the answer."""
        unit = re.sub(r"[\s^{}]", "", notation.flatten(value_text)[0].lstrip("0123456789., +-")).casefold()
        own = [quantity.value / quantity.number] if unit and quantity.number and _names(self.searchable, unit) else []
        size = quantity.per[1] if quantity.per else 1.0
        return [
            *own,
            *(one.factor for one in self.head_units if one.name == quantity.unit),
            *(one.factor * size for one in self.head_units if one.name == quantity.rate.unit),
        ]


def prepare_text(*texts: str) -> Evidence:
    joined = "\n".join(texts)
    found = value_mentions(joined, is_source=True)
    rarity = word_rarity([one.words for one in found])
    return Evidence(
        frozenset(terms.extract_terms(joined)),
        tuple(found),
        searchable_text(texts),
        rarity,
        frozenset(notation.units_of_heads(notation.flatten(joined)[0])),
        derived=tuple(spans.derive_values(joined)),
    )


def value_mentions(text: str, *, is_source: bool = False) -> list[ValueMention]:
    """Return values, then dates (without year also with that before), with their words; `is_source`: implied ones."""
    found: list[Quantity | Date] = [*quantities.parse(text)]
    found += [*spans.parse_intervals(text), *spans.parse_implied_counts(text)] if is_source else []
    found += notation.with_years_filled(notation.parse_dates(text))
    words = words_around(text, [(one.start, one.end) for one in found])
    return [
        ValueMention(
            one,
            around,
            text[one.start : one.end],
            "" if getattr(one, "unit", "") else character_after(text, one.end),
            re.match(r"\s?[A-Za-zぁ-ゖァ-ヺ一-鿿]", text[one.end : one.end + 2]) is None,
        )
        for one, around in zip(found, words, strict=True)
    ]


def character_after(text: str, end: int) -> str:
    """Return the character after a number if it is katakana or kanji, else ""."""
    following = text[end : end + 1]
    return following if re.match("[ァ-ヺ一-鿿]", following) else ""


@functools.lru_cache(maxsize=256)
def prepare_passage(passage: Passage) -> Evidence:
    """Return the evidence of a passage, including its headings, tag, captions, names and page numbers."""
    section = passage.section
    last = max(section.page, min(section.page_last, section.page + 50))
    pages = range(section.page, last + 1) if section.page else ()
    names_of_it = (*section.heading, section.tag, *section.captions, passage.document, passage.collection)
    where = prepare_text(" / ".join(names_of_it), " ".join(f"{page}ページ" for page in pages))
    numbered = tuple(  # keep 第3章, but not a section number such as 3.2
        value for value in where.values if isinstance(value.value, Date) or value.value.unit
    )
    pieces = [
        section.text[one.start : one.end] for one in sentences.split_for_comparison(section.text) if one.kind == "text"
    ]
    statements = tuple(
        (content_terms(piece), _closing(piece), modality.polarity_of(piece)) for piece in pieces if "|" not in piece
    )
    body = structs.replace(prepare_text(section.text), statements=statements)
    return merge_evidence([body, structs.replace(where, values=numbered)])


def merge_evidence(evidence: Sequence[Evidence]) -> Evidence:
    """Merge several sources into one."""
    values = tuple(value for one in evidence for value in one.values)
    return Evidence(
        frozenset().union(*(one.terms for one in evidence)),
        values,
        "\n".join(one.searchable for one in evidence),
        word_rarity([value.words for value in values]),
        frozenset().union(*(one.head_units for one in evidence)),
        tuple(statement for one in evidence for statement in one.statements),
        tuple(value for one in evidence for value in one.derived),
    )


def content_terms(text: str) -> frozenset[str]:
    """Return the terms that carry meaning, without those of values, which are compared separately."""
    values, days = quantities.parse(text), notation.parse_dates(text)
    taken = sorted([*((one.start, one.end) for one in values), *((one.start, one.end) for one in days)])
    kept, at = [], 0
    for start, end in taken:
        kept.append(text[at:start])
        at = max(at, end)
    kept.append(text[at:])
    return frozenset(term for term in terms.extract_terms(" ".join(kept)) if not _MEANINGLESS.fullmatch(term))


def _closing(piece: str) -> frozenset[str]:
    return content_terms(re.split("[、，]", piece)[-1])


def refers_back(question: str) -> bool:
    """Whether a question needs the one before: a short or general word alone (杭は？, 理由は？), but not
    杭とは何ですか."""
    if _BACK.search(question) is not None:
        return True
    words = [*terms.nouns_without_pairs(question), *terms.general_nouns(question)]
    rest = functools.reduce(lambda text, word: text.replace(word.text, ""), words, search_text.fold(question))
    return _FRAGMENT.fullmatch(rest) is not None if words else not content_terms(question)


def _is_same_value(claimed: Quantity, source_value: Quantity, factors: Sequence[float]) -> bool:
    """Whether the values are equal; `factors`: to try for a number without unit."""
    if claimed.is_same(source_value):
        return True
    if not claimed.unit:
        return abs(claimed.number - source_value.number) <= 1e-9 * max(abs(claimed.number), abs(source_value.number))
    return not source_value.unit and any(claimed.has_value(source_value.number * factor) for factor in factors)


def _names(searchable: str, unit: str) -> bool:
    """Whether the unit occurs as a word in `searchable`: g does not occur in kg."""
    return re.search(rf"(?<![a-z]){re.escape(unit)}(?![a-z])", searchable) is not None


def bound_of(value: Quantity) -> str:
    """Return the bound of a source value; the start and end of a range (10～30℃) count as bounds."""
    return value.bound or (">=" if value.is_range_start else "<=" if value.is_range_end else "")


def _compare_values(claimed: Quantity | Date, source_value: Quantity | Date, factors: Sequence[float] = ()) -> str:
    """Return how a value compares with one of the source: same, other (may replace it), or "" (not comparable)."""
    if isinstance(claimed, Date):
        if not isinstance(source_value, Date):
            return ""
        if claimed.is_in(source_value):
            return "same"
        is_as_exact = bool(claimed.year) <= bool(source_value.year) and bool(claimed.month) <= bool(source_value.month)
        return "other" if is_as_exact and bool(claimed.day) <= bool(source_value.day) else ""
    if not isinstance(source_value, Quantity):
        return ""
    if _is_same_value(claimed, source_value, factors):
        bounds = {claimed.bound, source_value.bound} - {""}
        is_bound_same = len(bounds) < 2 or source_value.is_range_start or bounds in COMPLEMENTS
        return "same" if is_bound_same else "other"
    if claimed.unit == source_value.unit:
        return "other"
    has_units = claimed.unit and source_value.unit and not (claimed.unit + source_value.unit).count("第")
    return "other" if has_units and claimed.number == source_value.number else ""


def is_own_count(value: Quantity) -> bool:
    """Whether a value may be the number of items listed in its own text: 以下の3点, 2つの方法. At most 10."""
    return value.unit in ("つ", "点") and value.value <= 10
