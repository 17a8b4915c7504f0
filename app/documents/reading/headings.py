"""Parse the numbers of Japanese headings and articles (第４条 …, with a title above), and derive levels."""

import itertools
import re
import unicodedata
from collections.abc import Collection, Sequence

from msgspec import Struct

from app.base.lazy_pattern import lazy_pattern

# Ranks, from the outermost. Decimal numbers follow: 1 is DECIMAL + 1, 1.1 is DECIMAL + 2.
PART, CHAPTER, SECTION, SUBSECTION, ARTICLE, DECIMAL = 10, 20, 30, 35, 38, 40
ITEM = 60  # （１）, 1), ①, ア: inside a clause
LONGEST = 80  # characters of a heading

_RANKS = {
    "編": PART,
    "部": PART + 2,
    "章": CHAPTER,
    "節": SECTION,
    "款": SUBSECTION,
    "目": SUBSECTION + 1,
    "条": ARTICLE,
}
DIGITS = "0-9〇一二三四五六七八九十百千"
_ORDINAL = lazy_pattern(
    rf"第\s*([{DIGITS}]+(?:\s*[-‐ー]\s*[0-9]+)*)\s*([編部章節款目条])((?:の[{DIGITS}]+){{0,3}})(?=[\s（(「]|[^\s]|$)"
)
_NAMED_PART = lazy_pattern(r"\S{1,18}編(?:\s*[（(][^）)]{1,12}[）)])?")
_APPENDIX = lazy_pattern(r"(?:[附付]\s?則|付録|別表|別紙|別記|参考資料|巻末資料|Appendix\b)")
SUPPLEMENT = r"[附付]\s?則(?:\s?[（(][^（）()。]{1,60}[）)])?(?:\s?抄)?"
_SUPPLEMENT = lazy_pattern(SUPPLEMENT)
_NUMBER = lazy_pattern(
    r"(\d{1,3}(?:[.．]\d{1,3})+|\d{1,3}(?:[.．]\s\d{1,3}){2,}|\d{1,2}(?:[-‐]\d{1,2}){1,3}|\d{1,2})[.．]?(?=\s|[^\d\s.,%％～~/A-Za-z°])"
)
_ITEM = lazy_pattern(
    r"(?:[（(](\d{1,2}|[アイウエオカキクケコa-zivx])[）)]|(\d{1,2})[）)]|([①-⑳])|([アイウエオカキクケコイロハニホヘト])[.．、)）\s])\s*"
)
_SPOKEN = lazy_pattern(r"(?:[、.,，．:：とはがをにでて]|参照|による|ずる|する|れる|こと|である|ない)$")
_UNIT = lazy_pattern(
    # 2.5 倍 and 3.2 メートル are no headings
    r"倍|割|分|秒|時間|年|月|日|回|度|点|万|億|千|百|以上|以下|未満|程度|から|まで|メートル|センチ|ミリ|キロ|パーセント|トン"
    r"|[kcmμ]?m\b|kg\b"
)
_KANJI = {character: value for value, character in enumerate("〇一二三四五六七八九")}
_UNITS = {"十": 10, "百": 100, "千": 1000}


class HeadingNumber(Struct, frozen=True):
    """The number of a heading. `ordinal`: the value of its last part; 0 if it has none (附則, 調査編)."""

    rank: int
    ordinal: int
    length: int  # characters of the number in the folded text


def fold(text: str) -> str:
    """Return the text with half-width characters and single spaces, for parsing numbers."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def parse_number(folded: str) -> HeadingNumber | None:
    """Return the number at the beginning of a folded line; None if there is none that a heading could have."""
    if match := _ORDINAL.match(folded):
        return HeadingNumber(_RANKS[match[2]], number_value(re.split(r"\s*[-‐ー]\s*", match[1])[-1]), match.end())
    if _APPENDIX.match(folded):
        return HeadingNumber(CHAPTER, 0, 0)
    if match := _NUMBER.match(folded):
        parts = [int(part) for part in re.split(r"[-‐.．]", match[1])]
        if all(parts):  # 127.0.1.1 and 1.0 are not clauses
            return HeadingNumber(DECIMAL + len(parts), parts[-1], match.end())
    if _NAMED_PART.fullmatch(folded):
        return HeadingNumber(PART, 0, 0)
    return None


def parse_item(folded: str) -> HeadingNumber | None:
    """Return the item number （１）, 1), ① or ア at the beginning of a line, or None."""
    if match := _ITEM.match(folded):
        kind = next(place for place, group in enumerate(match.groups()) if group is not None)
        return HeadingNumber(ITEM + kind, 0, match.end())
    return None


def reads_like_prose(folded: str) -> bool:
    """Whether a line contains a sentence or ends like one, as no heading does."""
    return "。" in folded or bool(_SPOKEN.search(folded))


def is_certain_heading(folded: str) -> bool:
    """Whether a line of plain text is certainly a heading: 第3章 …, or 3.2.1 … with a title and no sentence."""
    if not folded or len(folded) > LONGEST or reads_like_prose(folded):
        return False
    number = parse_number(folded)
    if number is None or number.ordinal == 0 or number.length == len(folded) > 6:
        return False
    title = folded[number.length :].strip()
    if number.rank < DECIMAL:
        return len(title) <= 50 and not title.startswith(("の", "に", "を", "は", "が", "で", "、", "及び", "から"))
    return number.rank >= DECIMAL + 2 and 0 < len(title) <= 50 and not title[0].isdigit() and not _UNIT.match(title)


def is_supplement(folded: str) -> bool:
    """Whether a line is only the heading of a supplement (附則), after which article numbers restart at 1."""
    return bool(_SUPPLEMENT.fullmatch(folded))


def split_joined_headings(text: str) -> list[str]:
    """Split several headings on one line: 第2章 … 第8節 …."""
    places = [match.start() for match in re.finditer(r"第\s*[0-9０-９]+\s*[編章節](?=[\s　])", text)]
    if len(places) < 2 or places[0] != 0:
        return [text]
    return [text[start:end].strip() for start, end in zip(places, [*places[1:], len(text)], strict=True)]


def number_value(digits: str) -> int:
    """Return the value of 12, 十二, 一〇, 2十 or 百."""
    if digits.isdigit():
        return int(digits)
    value, unit = 0, 0
    for character in digits:
        if character in _KANJI or character.isdigit():
            unit = unit * 10 + (_KANJI[character] if character in _KANJI else int(character))
        else:
            value += max(1, unit) * _UNITS[character]
            unit = 0
    return value + unit


_DIGITS = f"{DIGITS}０-９"
_BRANCH = rf"(?:の[{_DIGITS}]{{1,3}}){{0,3}}"
_IN_BRACKETS = r"[（(](?:[^（）()。]|[（(][^（）()。]{1,20}[）)]){1,60}[）)]"
_TITLED = rf"\s?{_IN_BRACKETS}"
_RUNNING = lazy_pattern(rf"(第\s?[{_DIGITS}]{{1,8}}\s?条{_BRANCH}(?:{_TITLED})?)(\s{{0,3}})(?=\S)")
_ARTICLE_LINE = lazy_pattern(
    rf"\s{{0,3}}第\s?[{_DIGITS}]{{1,8}}\s?[編章節款目条項]{_BRANCH}(?P<title>{_TITLED})?(?P<gap>\s{{0,3}})"
)
_PROSE_CONTINUES = lazy_pattern(r"。|[はがをにでと]、")
# The continuation of a reference inside a sentence: 第1条及び第2条は.
_REFERRED = lazy_pattern(
    rf"[のにをはがでともへ、，・（(~～〜-]|から|まで|及び|並びに|又は|若しくは|第\s?[{_DIGITS}]+\s?[項号]"
    r"|中[「、]|各号|ただし書|本文|前段|後段|柱書|違反(?!者|行為)|関係(?!者|人|[諸各]|法|行政|官|機関|書類|図書|資料)"
)
# The same after a full-width space, where an article's sentence may begin with the character of a particle.
_REFERRED_WIDE = lazy_pattern(
    rf"の規定|に規定|に定め|、|及び|並びに|又は|若しくは|から第|各号|ただし書|中「|第\s?[{_DIGITS}]+\s?[項号]の"
)
_RUNNING_SUPPLEMENT = lazy_pattern(rf"({SUPPLEMENT})(\s{{1,3}})(?=\S)(?!第\s?[{_DIGITS}]+\s?[条項号])")
_TITLE = lazy_pattern(_IN_BRACKETS)
_NO_TITLE = lazy_pattern(
    rf"[（(](?:[前中後以下]*略|注\s?[{_DIGITS}]*|印|案|続き|[{_DIGITS}]+)[）)]"
    rf"|.*(?:(?:昭和|平成|令和|[（(、・][昭平令])\s?[{_DIGITS}元]|[0-9０-９]{{4}}年"
    rf"|[{_DIGITS}]\s?(?:号|規則|条例|法律|政令|省令|告示|訓令|要綱)|[条項号表式]関係|参照[）)]"
    r"|一部改正|追加[・、）)]|繰[上下]|余白|単位(?:[:：\s]|[百千万億]*[円人a-zA-Zａ-ｚＡ-Ｚ㎡㎜㎝％%]))"
)
_APPENDED = lazy_pattern(
    rf"(?:別表|別紙|別記|別添|別図|付録|様式|参考資料|巻末資料)(?:$|(?=[\s（(第{_DIGITS}]|様式|\S{{1,30}}特記事項$))"
    rf"(?!(?:\s?様式)?\s?(?:第?\s?[{_DIGITS}]+\s?号?\s?)?(?:の(?![{_DIGITS}])|[にをはがでと、，・]|及び|又は|から))"
    rf"|第\s?[{_DIGITS}]+\s?号\s?様式(?=$|[\s（(])"
)
_APPENDED_LONGEST = 50
SENTENCE_ENDS = ("。", "：", ":")  # ends of a line before a clause


def running_article(text: str) -> str:
    """Return 第４条 or 第４条（契約の保証） if a paragraph begins with it and continues with its text, else ""."""
    found = _RUNNING.match(text)
    if found is None:
        return ""
    article, gap = found.groups()
    rest = text[found.end() :]
    if not (_PROSE_CONTINUES.search(rest) or reads_like_prose(rest.rstrip())):
        return ""
    return article if (gap or is_titled_article(article)) and not _is_reference(gap, rest) else ""


def running_supplement(text: str) -> str:
    """Return 附則 if a paragraph begins with it and continues with its text, else ""."""
    found = _RUNNING_SUPPLEMENT.match(text)
    if found is None:
        return ""
    supplement, gap = found.groups()
    rest = text[found.end() :]
    is_prose = bool(_PROSE_CONTINUES.search(rest)) or reads_like_prose(rest.rstrip())
    return supplement if is_prose and not _is_reference(gap, rest) else ""


def is_appended(folded: str) -> bool:
    """Whether a line is only the heading of an appendix, 別表第1(第2条関係) or the like, behind the last article."""
    is_short = len(folded) <= _APPENDED_LONGEST and not reads_like_prose(folded) and not folded.endswith("とおり")
    return is_short and bool(_APPENDED.match(folded))


def split_at_articles(text: str) -> list[str]:
    """Split a paragraph of several lines at articles, chapters and the parts after the last article."""
    lines = text.split("\n")
    starts = [at for at in range(1, len(lines)) if _is_start(lines, at)]
    return ["\n".join(lines[start:end]).strip() for start, end in itertools.pairwise([0, *starts, len(lines)])]


def _is_start(lines: Sequence[str], at: int) -> bool:
    line, before = lines[at].strip(), lines[at - 1].strip()
    folded = fold(line)
    if is_supplement(folded) or running_supplement(line) or is_appended(folded):
        return True
    if is_article_title(line):
        return begins_article("".join(lines[at + 1 : at + 2]).strip())
    if is_appended(fold(before)) or (is_article_heading(before) and not is_article_title(before)):
        return True
    has_ended = not before or before.endswith(SENTENCE_ENDS) or is_article_heading(before)
    return begins_article(line, is_sure=not has_ended)


def _is_reference(gap: str, rest: str) -> bool:
    """Whether what follows 第4条 shows a mere reference; few of them have a full-width space (`gap`) behind."""
    return bool((_REFERRED_WIDE if gap.startswith("\u3000") else _REFERRED).match(rest))


def begins_article(line: str, *, is_sure: bool = False) -> bool:
    """Whether a line begins an article, chapter or paragraph; `is_sure`: also as broken prose may go on with 第3章."""
    found = _ARTICLE_LINE.match(line)
    if found is None:
        return False
    rest = line[found.end() :]
    if _is_reference(found["gap"], rest):
        return False
    if found["gap"].startswith("\u3000") or found["title"]:
        return True
    return not is_sure and (not rest or bool(found["gap"]))


def is_article_heading(line: str) -> bool:
    """Whether a line is only a heading: 第2章 総則, 第4条, 第4条（契約の保証）, （契約の保証） or 附則."""
    text = line.strip()
    if not text or len(text) > LONGEST:
        return False
    folded = fold(text)
    number = parse_number(folded)
    if is_article_title(text) or is_supplement(folded):
        return True
    if number is None or number.rank > ARTICLE or not is_certain_heading(folded):
        return False
    title = folded[number.length :].strip()
    if number.rank < ARTICLE:
        return not re.search("[、,]|第[0-9]", title)  # a reference to several, which continues in prose
    return not title or bool(_TITLE.fullmatch(title))


def is_bare_article(folded: str) -> bool:
    """Whether a line is only an article number: 第4条."""
    number = parse_number(folded)
    return number is not None and number.rank == ARTICLE and number.length == len(folded)


def is_titled_article(article: str) -> bool:
    return article.endswith(("）", ")"))


def is_article_title(text: str) -> bool:
    """Whether a line is only the title of the article below it: （契約の保証）."""
    return bool(_TITLE.fullmatch(text)) and not _NO_TITLE.match(text) and parse_item(fold(text)) is None


class ArticleNumbering:
    """The article numbers of a document, which distinguish its own articles from those that it quotes from a law."""

    def __init__(self) -> None:
        self.has_any = False  # whether the document has any article
        self._article_numbers: set[int] = set()  # article numbers since the last 第1条
        self._last = 0

    def clear(self) -> None:
        """Restart the numbers, because the main text has ended and articles after it count from 第1条."""
        self._article_numbers.clear()
        self._last = 0

    def take(self, ordinal: int, ranks: Collection[int]) -> None:
        """Record an article that is a heading. `ranks`: ranks of the numbered headings that contain it."""
        if self._article_numbers or ordinal == 1 or not ranks:
            if ordinal == 1:
                self._article_numbers.clear()
            self._article_numbers.add(ordinal)
            self.has_any = True
            self._last = ordinal

    def continues(self, article: str, ranks: Collection[int]) -> bool:
        """Whether an article belongs to the document, not to a quoted law. `ranks`: of the numbered headings above."""
        number = parse_number(fold(article))
        if number is None or not number.ordinal:  # 第〇条: a form that is not filled in
            return False
        if ARTICLE not in ranks and any(rank > ARTICLE for rank in ranks):
            return False  # a document of 1.1 and 1.2 has no articles
        ordinal = number.ordinal
        if ordinal == 1 or not self._article_numbers:
            return ordinal == 1 or not ranks
        is_missing = ordinal - 1 in self._article_numbers and ordinal not in self._article_numbers
        return ordinal > self._last or is_missing or ("条の" in article and ordinal in self._article_numbers)
