"""Parse the references to places of documents in a question, and the numbers of headings in the same form.

民法第709条第2項, 民法709条, 第七百九条, 調査編の3.2.1, 第3条から第5条まで, 別表第五, 表3-1, p.45, 同条第2項.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

from msgspec import Struct, field, structs

from app.base.lazy_pattern import lazy_pattern
from app.documents.reading.headings import DIGITS, fold, number_value

RANGE_MOST = 20  # clauses of a range (第3条から第5条まで) that are looked up
NAME_LONGEST = 200  # characters before a number that may name its document

_KANJI = DIGITS.removeprefix("0-9")
_N = rf"(?:\d+|[{_KANJI}]+)"
# 第3条の2つの要件, 第162条の20年 and 第90条の一般原則 count or go on; 第3条の2及び and 第3条の2違反 are branches.
_GOES_ON = (
    r"[つ〇ァ-ヶA-Za-zμ℃°%]|か[月所国年]|\.\d|,\d{3}"
    r"|(?![第及又若並乃関中本前後柱違以各規参内解趣概全括但等所何])[一-鿿]"
)
_BRANCH = rf"(?:の{_N}(?!\d|{_GOES_ON})){{0,3}}"
# 709条 needs no 第, but 二条城, 3条件, 第1部門 and 第2号機 are no clauses, nor is the 一節 of a tale.
_NO_CLAUSE = (
    r"(?![件城約例目数]|(?<=部)[門署隊員品]|(?<=号)[機棟車線館室]|(?<=条)植|(?<=[1十][7七]条)の?憲法|(?<=編)[集曲]"
    r"|(?<=章)立て|(?<=節)(?:分の|リンク)|(?<=目)[標的次])"
)
_SINGLE = rf"(?<=[法令則例程款条項編章節])[{DIGITS}]|(?<=[の ])(?!一)[{DIGITS}](?=[章節])"
_LEVEL = (
    rf"(?:第\s?(?P<ordinal>{_N}(?:[-‐ー]\d+|の{_N}){{0,3}})"
    rf"|(?P<bare>(?:\d+(?:-\d+){{0,3}}|[{DIGITS}]{{2,}}|{_SINGLE})(?:の{_N}){{0,3}}))"
    rf"\s?(?P<kind>[編部章節款目条項号])(?P<branch>{_BRANCH})(?!文){_NO_CLAUSE}"
)
_SAME = rf"(?P<same>(?:同じ?|[前次]の?|本|[こそ]の)(?P<same_kind>[編章節款条項号])){_NO_CLAUSE}"
_SUPPLEMENT = r"(?P<supplement>[附付]\s?則)"
_ITEM = rf"[(](?P<item>{_N})[)]"
_NUMBERED = r"(?P<decimal>\d{1,2}(?:\.\d{1,3}){1,5}|\d{1,2}(?:-\d{1,2}){1,3})"
_COUNTED = (  # 図3枚, 代表3名, 発表2年前
    r"[枚つ個冊社行列段割倍%]|[人名](?![口材員体称])|[回件](?!数)|種類|部(?!分)|(?:年|か?月|日|時間|分)(?:[前後]|以[内前後])"
)
_APPENDED = (
    r"(?P<appended>別表|別紙|別図|別記様式|別記|別添|様式|付表|付図|参考図|参考表"
    r"|(?<![意合地指企])図|(?<![代発公年地辞別])表|写真)"
    rf"\s?(?:第\s?|[-‐–―ー](?=\d))?(?P<appended_number>{_N}(?:[-‐ー.]{_N}){{0,4}}"
    rf"(?:の{_N}(?!\d|の?[項号]|{_GOES_ON})){{0,3}}(?![\d{_KANJI}]|{_COUNTED}))?(?:号)?(?:様式)?"
    rf"|第\s?(?P<form_number>{_N})\s?号\s?様式"
)
_PAGE_ENDS = r"(?:$|[\sのをにがはとでやも~〜、,。?？()」-]|から|まで|参照|以降)"
_PAGE = (  # P3 may be a pier, and P.3 a page; p53 may be a protein, and 3P a plug
    rf"(?:(?:(?<![A-Za-z])(?:[pP]{{1,2}}\.|p{{1,2}}(?=\s?\d+{_PAGE_ENDS})|(?<![^\s」』)のに])P(?=\d+(?:$|[?？])))"
    rf"|(?<![\dァ-ヶー])(?:ページ|頁))\s?(?P<page>\d+)(?![\d.a-z以秒]|{_COUNTED})"
    r"|(?<![\d全約計分])(?<!\d,)(?P<page_ja>\d+)\s?"
    rf"(?:(?:ページ|頁)目?(?!数|以内|以上|以下|程度|ほど|くらい|分|印刷|未満|を?超)|(?:p|(?<=\d\d)P)(?={_PAGE_ENDS})))"
)
_STEP = lazy_pattern(
    rf"{_APPENDED}|{_LEVEL}|{_SAME}|{_SUPPLEMENT}|{_PAGE}|(?<![\d.a-z~]){_NUMBERED}(?![\da-z%~]|\.\d)|{_ITEM}"
)
_JOINED = lazy_pattern(r"[\sの、]{0,2}")  # between 第3章 and 第2節 of one reference
_RANGE = lazy_pattern(r"\s?(?:から|~|〜|-|ないし|乃至)\s?")
_LISTED = lazy_pattern(r"[\s、,・]?(?:と|及び|および|並びに|又は|または|や|か|、|,|・)?\s?")
_CLAUSE_KINDS = "編部章節款目条"
_INNER_KINDS = "項号()"
_STEPS = {"前": -1, "次": 1}
_UNIT_FOLLOWS = lazy_pattern(
    r"\s?(?:[A-Za-zμ℃°㎡㎜㎝]|メートル|チャンネル|センチ|ミリ|キロ|倍|割|分|秒|時間|年|月|日|回|度|点|万|億|千|百|以上|以下|未満|程度|パーセント|トン)"
)
# Debian 12.5, R7.3.31, ABC-1-2-3 and 北区1-2-3 are no clauses, but Section 3.2 and guide.pdf 3.2 are.
_NO_DECIMAL = lazy_pattern(r"(?:[A-Za-z]|バージョン|令和|平成|昭和|[-/:区市町村])\s?$")
_NAMES_DECIMAL = lazy_pattern(
    r"(?:\.[a-z]{2,4}|sec|section|chapter|part|clause|annex|appendix|manual|guide|reference|spec)\s?$", re.IGNORECASE
)
_DOCUMENT_ENDS = lazy_pattern(r"[\sの、にはをがで(「『・§]+$|における$|での$|中の$|上の$")
_SAME_DOCUMENT = lazy_pattern(
    r"(?:同じ?|本|当該|この|その)(?:法|法律|令|規則|条例|規程|基準|要領|要綱|指針|契約|契約書|約款|仕様書|書|資料|文書)$"
    r"|^(?:じゃあ?|それでは|それなら|なら|ちなみに|あと|[こそ])$"
)
# How places are written in short. NFKC would make ① a digit of the number before it, so signs are ⟨1⟩ meanwhile.
_SIGN = lazy_pattern("[①-⑳Ⅰ-Ⅻ]")
_SIGN_LEFT = lazy_pattern(r"⟨(\d+)⟩")
_SIGN_TOUCHES = lazy_pattern(r"(?<=[\d⟩])(?=⟨)|(?<=⟩)(?=\d)")  # ①3条 is no 13条
_LONG_NUMBER = lazy_pattern(rf"[\d{_KANJI}]{{10,}}")  # of nothing that has a place
_PARAGRAPH_SIGN = lazy_pattern(rf"(?<=条)((?:の{_N})*)\s?⟨(\d+)⟩")  # 709条①, 362条Ⅳ
_ITEM_SIGN = lazy_pattern(r"(?<=項)⟨(\d+)⟩")
_ARTICLE_ONLY = rf"({_N}(?:の{_N})*)(?=⟨|第?\s?{_N}項|(?:は|って|とは)?[?？。]?$|の(?:内容|条文|規定|要件|趣旨|意味)"
_STATUTE_NUMBER = lazy_pattern(  # 民法709
    rf"(?:(?<=(?<![方工手寸技文製])法)|(?<=法律)|(?<=(?<![命指号司辞])令)|(?<=規則)|(?<=条例))\s?{_ARTICLE_ONLY}|には|を|、|と|及び)"
)
_SHORT_STATUTE = lazy_pattern(
    rf"^(?!令和|平成|昭和|[国市住]民)([^\W\d_a-zA-Zァ-ヶ{DIGITS}第ー]{{1,6}}(?<!法)){_ARTICLE_ONLY})"
)  # 民709, 労基36
_KIND_SHARED = lazy_pattern(  # 第3〜5条, 3・5条, 45~50ページ
    rf"(?<![の{DIGITS}])({_N})"
    r"(\s?(?:[~〜・、と]|,(?!\d{3}\s?(?:頁|ページ))|から|及び|又は)\s?|(?<!第\d)(?<!第\d\d)-(?!\d+[編章節款]))"
    rf"(?=第?\s?{_N}\s?([編章節款条項号頁]|ページ)(?!文){_NO_CLAUSE})"
)
_RANGE_IN_SHORT = lazy_pattern(
    r"((?<![\d.])\d+(?:\.\d+){2,}|(p{1,2}\.?|P{1,2}\.)\s?\d+)\s?[~〜-]\s?(?=\d)"
)  # 3.2.1~3.2.3, p.45-50
_NAME_AND_COMMA = lazy_pattern(r"^([^、。]*[^ぁ-ゖ\s、。])、\s?$")  # 会社法、355条
_SENTENCE_BREAK = lazy_pattern(r"[。！？!?\n;；]|、(?!第)")


class ClauseNumber(Struct, frozen=True):
    """The number of a clause: 条 and (709, 2) for 第709条の2; . and (3, 2, 1) for 3.2.1; () for 別表 alone."""

    kind: str
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        """Return the number as it is written in a sentence."""
        first, *rest = map(str, self.numbers or ("",))
        if self.kind == ".":
            return ".".join((first, *rest))
        if self.kind == "頁":
            return f"{first}ページ"
        if self.kind == "()":
            return f"（{first}）"
        if self.kind in _CLAUSE_KINDS + _INNER_KINDS:
            return f"第{first}{self.kind}" + "".join(f"の{number}" for number in rest)
        return self.kind + "-".join(map(str, self.numbers))


class ClauseReference(Struct, frozen=True):
    """A place that a question names, from its outermost level. `before`: the text before it, perhaps a name.

    `step`: 1 or -1 for 次条 or 前条, whose number is one more or less, but which may be another (27条の2 after 27条).
    """

    levels: tuple[ClauseNumber, ...]
    before: str = ""
    step: int = 0

    @property
    def headings(self) -> tuple[ClauseNumber, ...]:
        """Return the levels that have headings in documents: 第709条, but not 第2項."""
        return tuple(one for one in self.levels if one.kind not in _INNER_KINDS)

    @property
    def inner(self) -> tuple[ClauseNumber, ...]:
        """Return the levels inside an article: 第2項第3号."""
        return tuple(one for one in self.levels if one.kind in _INNER_KINDS)

    @property
    def page(self) -> int:
        """Return the page that it names; 0 for a clause."""
        return self.levels[0].numbers[0] if self.levels[0].kind == "頁" else 0

    def __str__(self) -> str:
        return "".join(map(str, self.levels))


class ParsedQuestion(Struct):
    """The references of a question, and the text without them."""

    references: list[ClauseReference] = field(default_factory=list)
    rest: str = ""


def completes(question: str, earlier: str) -> bool:
    """Whether the references of a question are about a place that an earlier question names: 同条第2項, 第5条は？"""
    before = parse_question(earlier).references
    line = _expand(question)
    return bool(before) and _parse_line(line, before[-1]) != _parse_line(line, None)


@functools.lru_cache(maxsize=4096)
def clause_number(heading: str) -> ClauseNumber | None:
    """Return the number at the beginning of a heading; None if it has none."""
    folded = fold(heading)
    match = _STEP.match(folded)
    return _number(match) if match and not match["same"] and not match["page"] and not match["page_ja"] else None


def to_kanji(value: int) -> str:
    """Return a number in kanji: 百五十六; from 10,000 on in digits."""
    if value >= 10_000:
        return str(value)
    text = ""
    for step, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, step)
        if digit:
            text += ("" if digit == 1 and unit else "〇一二三四五六七八九"[digit]) + unit
    return text or "〇"


def parse_question(question: str) -> ParsedQuestion:
    """Return the references of the last line that has any; lines before it are what 同条 and 第2項 refer to."""
    found = ParsedQuestion()
    for line in map(_expand, question.splitlines()):
        parsed = _parse_line(line, found.references[-1] if found.references else None)
        if not parsed.references:
            found.rest += " " + line
        else:
            found = parsed
    return found


def _expand(line: str) -> str:
    """Return a folded line with places in full that it has in short: 民法第709条第1項 for 民709①."""
    folded = fold(_SIGN.sub(lambda found: f"⟨{unicodedata.numeric(found[0]):.0f}⟩", line))
    folded = _LONG_NUMBER.sub(" ", folded)
    folded = _RANGE_IN_SHORT.sub(lambda found: f"{found[1]}から{found[2] or ''}", folded)
    folded = _STATUTE_NUMBER.sub(r"第\1条", _KIND_SHARED.sub(r"\1\3\2", folded))
    if next(_chains(folded), None) is None:
        folded = _SHORT_STATUTE.sub(r"\1法第\2条", folded)
    folded = _ITEM_SIGN.sub(r"第\1号", _PARAGRAPH_SIGN.sub(r"\1第\2項", folded))
    return _SIGN_LEFT.sub(r"\1", _SIGN_TOUCHES.sub(" ", folded))


def _parse_line(folded: str, antecedent: ClauseReference | None) -> ParsedQuestion:
    parsed = ParsedQuestion()
    at = taken = 0
    before = ""
    for found, start, end in _chains(folded):
        gap = folded[taken:start]
        is_listed = bool(parsed.references) and _LISTED.fullmatch(gap) is not None
        is_range = bool(parsed.references) and _RANGE.fullmatch(gap) is not None
        last = parsed.references[-1] if parsed.references else antecedent
        named = gap if parsed.references else _NAME_AND_COMMA.sub(r"\1", gap)
        before = before if is_listed or is_range else _DOCUMENT_ENDS.sub("", _SENTENCE_BREAK.split(named)[-1].strip())
        before = "" if _SAME_DOCUMENT.search(before) else before[-NAME_LONGEST:]
        levels = _complete(found, last if not before or is_listed or is_range else None)
        if not levels:
            continue
        if is_range:
            parsed.references += _between(parsed.references[-1], levels)
        is_alike = last is not None and {levels[0].kind, last.levels[0].kind} != {"条", "."}
        reference = ClauseReference(levels, last.before if last is not None and is_alike and not before else before)
        if found[0]["same"] and reference.headings and reference.headings[-1].kind == found[0]["same_kind"]:
            reference = structs.replace(reference, step=_STEPS.get(found[0]["same"][0], 0))
        parsed.references.append(reference)
        parsed.rest += " " + gap
        taken = at = end
    parsed.rest = (parsed.rest + " " + folded[at:]).strip()
    return parsed


def _chains(folded: str) -> Iterator[tuple[list[re.Match[str]], int, int]]:
    """Yield the steps of each reference (第3章, 第2節) with its start and end."""
    at = 0
    while match := _STEP.search(folded, at):
        if not _can_begin(match, folded):
            at = match.start() + 1
            continue
        steps = [match]
        while following := _STEP.match(folded, _joined_end(folded, steps[-1].end())):
            if not _can_follow(steps[-1], following):
                break
            steps.append(following)
        yield steps, steps[0].start(), steps[-1].end()
        at = steps[-1].end()


def _joined_end(folded: str, at: int) -> int:
    match = _JOINED.match(folded, at)
    return match.end() if match else at


def _can_begin(match: re.Match[str], folded: str) -> bool:
    """Whether a reference can begin here: 2.5m is a value, and (1) alone says nothing."""
    before, after = folded[max(0, match.start() - 12) : match.start()], folded[match.end() : match.end() + 12]
    if match["item"]:
        return False
    if match["decimal"]:
        is_value = _UNIT_FOLLOWS.match(after) is not None or not all(_number(match).numbers)
        is_value |= _NO_DECIMAL.search(before) is not None and _NAMES_DECIMAL.search(before) is None
        is_long = match["decimal"].count(".") + match["decimal"].count("-") >= 2
        return not is_value and (
            is_long or re.search(r"(?:^|[節編章「 §]|(?<![率数比値度径量])の|[編章節)」]、)$", before) is not None
        )
    if match["kind"] and match["bare"]:
        is_part = re.search(r"[法令則例程書]\s?$", before) or re.match(r"\s?第?\d+章", after)  # not 3編の論文
        is_counted = re.search(r"[\d.東西南北全約]$|\d,$", before) or re.match("以[上内]|未満|ずつ", after)
        return match["kind"] in "条章節編項" and not is_counted and (match["kind"] != "編" or is_part is not None)
    if match["appended"]:
        is_word = match["appended"] == "様式" and re.search("[一-鿿ァ-ヶー]$", before)  # 生活様式
        is_single = is_word or match["appended"] in ("図", "表", "写真")
        return bool(match["appended_number"]) or not (is_single or re.match(r"[一-鿿\d]", after))
    return True


def _can_follow(last: re.Match[str], match: re.Match[str]) -> bool:
    if match["item"]:
        return True
    if match["kind"]:
        return bool(last["kind"] or last["same"] or last["supplement"]) and _depth(match["kind"]) > _depth(
            last["kind"] or last["same_kind"] or ""
        )
    return bool(match["decimal"] and last["kind"] and match["decimal"].count(".") >= 1)


def _depth(kind: str) -> int:
    return (_CLAUSE_KINDS + _INNER_KINDS).find(kind) if kind else -1


def _number(match: re.Match[str]) -> ClauseNumber:
    if match["kind"]:
        main = [number_value(part) for part in re.split(r"[-‐ーの]", match["ordinal"] or match["bare"])]
        return ClauseNumber(match["kind"], (*main, *(number_value(one) for one in match["branch"].split("の") if one)))
    if match["item"]:
        return ClauseNumber("()", (number_value(match["item"]),))
    if match["decimal"]:
        return ClauseNumber(".", tuple(int(part) for part in re.split(r"[.\-]", match["decimal"])))
    if match["appended"]:
        parts = re.split(r"[-‐ー.の]", match["appended_number"] or "")
        return ClauseNumber(match["appended"], tuple(number_value(part) for part in parts if part))
    if match["form_number"]:
        return ClauseNumber("様式", (number_value(match["form_number"]),))
    if match["supplement"]:
        return ClauseNumber("附則", ())
    return ClauseNumber("頁", (int(match["page"] or match["page_ja"]),))


def _complete(steps: list[re.Match[str]], last: ClauseReference | None) -> tuple[ClauseNumber, ...]:
    """Return the levels with those that 同条, 前条 or a missing 条 take from the reference before; () without one."""
    first = steps[0]
    if first["same"]:
        kind = first["same_kind"]
        known = next((place for place, one in enumerate(last.levels) if one.kind == kind), None) if last else None
        if last is None or known is None:
            return ()
        number = last.levels[known]
        moved = structs.replace(
            number, numbers=(*number.numbers[:-1], number.numbers[-1] + _STEPS.get(first["same"][0], 0))
        )
        return (*last.levels[:known], moved, *map(_number, steps[1:]))
    levels = tuple(map(_number, steps))
    depth = _depth(levels[0].kind)
    if levels[0].kind in _INNER_KINDS:
        outer = tuple(one for one in last.levels if _depth(one.kind) < depth) if last else ()
        return (*outer, *levels) if outer else ()
    return levels


def _between(first: ClauseReference, last: tuple[ClauseNumber, ...]) -> list[ClauseReference]:
    """Return the references between both ends of a range."""
    one, other = first.levels[-1], last[-1]
    if one.kind != other.kind or one.numbers[:-1] != other.numbers[:-1] or not one.numbers:
        return []
    inside = range(one.numbers[-1] + 1, min(other.numbers[-1], one.numbers[-1] + RANGE_MOST))
    return [
        structs.replace(first, levels=(*first.levels[:-1], structs.replace(one, numbers=(*one.numbers[:-1], number))))
        for number in inside
    ]
