"""Articles of contracts and regulations: 第４条　… with the sentence on the same line, and （契約の保証） above it."""

import itertools
import re
from collections.abc import Collection, Sequence

from app.documents.reading import headings

_DIGITS = f"{headings.DIGITS}０-９"
_BRANCH = rf"(?:の[{_DIGITS}]{{1,3}}){{0,3}}"
_IN_BRACKETS = r"[（(](?:[^（）()。]|[（(][^（）()。]{1,20}[）)]){1,60}[）)]"
_TITLED = rf"\s?{_IN_BRACKETS}"
_RUNNING = re.compile(rf"(第\s?[{_DIGITS}]{{1,8}}\s?条{_BRANCH}(?:{_TITLED})?)(\s{{0,3}})(?=\S)")
_LINE = re.compile(
    rf"\s{{0,3}}第\s?[{_DIGITS}]{{1,8}}\s?[編章節款目条項]{_BRANCH}(?P<title>{_TITLED})?(?P<gap>\s{{0,3}})"
)
_PROSE = re.compile(r"。|[はがをにでと]、")
# What a reference inside a sentence goes on with: 第1条及び第2条は.
_REFERRED = re.compile(
    rf"[のにをはがでともへ、，・（(~～〜-]|から|まで|及び|並びに|又は|若しくは|第\s?[{_DIGITS}]+\s?[項号]"
    r"|中[「、]|各号|ただし書|本文|前段|後段|柱書|違反(?!者|行為)|関係(?!者|人|[諸各]|法|行政|官|機関|書類|図書|資料)"
)
# The same behind a full-width space, where an article's sentence may well begin with a particle's letter.
_REFERRED_WIDE = re.compile(
    rf"の規定|に規定|に定め|、|及び|並びに|又は|若しくは|から第|各号|ただし書|中「|第\s?[{_DIGITS}]+\s?[項号]の"
)
_SUPPLEMENT = re.compile(rf"({headings.SUPPLEMENT})(\s{{1,3}})(?=\S)(?!第\s?[{_DIGITS}]+\s?[条項号])")
_TITLE = re.compile(_IN_BRACKETS)
_NO_TITLE = re.compile(
    rf"[（(](?:[前中後以下]*略|注\s?[{_DIGITS}]*|印|案|続き|[{_DIGITS}]+)[）)]"
    rf"|.*(?:(?:昭和|平成|令和|[（(、・][昭平令])\s?[{_DIGITS}元]|[0-9０-９]{{4}}年"
    rf"|[{_DIGITS}]\s?(?:号|規則|条例|法律|政令|省令|告示|訓令|要綱)|[条項号表式]関係|参照[）)]"
    r"|一部改正|追加[・、）)]|繰[上下]|余白|単位(?:[:：\s]|[百千万億]*[円人a-zA-Zａ-ｚＡ-Ｚ㎡㎜㎝％%]))"
)
_APPENDED = re.compile(
    rf"(?:別表|別紙|別記|別添|別図|付録|様式|参考資料|巻末資料)(?:$|(?=[\s（(第{_DIGITS}]|様式|\S{{1,30}}特記事項$))"
    rf"(?!(?:\s?様式)?\s?(?:第?\s?[{_DIGITS}]+\s?号?\s?)?(?:の(?![{_DIGITS}])|[にをはがでと、，・]|及び|又は|から))"
    rf"|第\s?[{_DIGITS}]+\s?号\s?様式(?=$|[\s（(])"
)
_APPENDED_LONGEST = 50
ENDED = ("。", "：", ":")  # what a line before a clause ends in


def running(text: str) -> str:
    """第４条 or 第４条（契約の保証） where a paragraph begins with it and goes on with its sentence; "": no article."""
    found = _RUNNING.match(text)
    if found is None:
        return ""
    article, gap = found.groups()
    rest = text[found.end() :]
    if not (_PROSE.search(rest) or headings.is_spoken(rest.rstrip())):
        return ""
    return article if (gap or is_titled(article)) and not _is_reference(gap, rest) else ""


def running_supplement(text: str) -> str:
    """附則 where a paragraph begins with it and goes on with its sentence; "": it does not."""
    found = _SUPPLEMENT.match(text)
    if found is None:
        return ""
    supplement, gap = found.groups()
    rest = text[found.end() :]
    is_prose = bool(_PROSE.search(rest)) or headings.is_spoken(rest.rstrip())
    return supplement if is_prose and not _is_reference(gap, rest) else ""


def is_appended(folded: str) -> bool:
    """Whether a line is only 別表第1(第2条関係) or the like, which is below the last article and no part of it."""
    is_short = len(folded) <= _APPENDED_LONGEST and not headings.is_spoken(folded) and not folded.endswith("とおり")
    return is_short and bool(_APPENDED.match(folded))


def paragraphs(text: str) -> list[str]:
    """A paragraph of several lines, cut at articles, chapters and what is below the last article."""
    lines = text.split("\n")
    starts = [at for at in range(1, len(lines)) if _is_start(lines, at)]
    return ["\n".join(lines[start:end]).strip() for start, end in itertools.pairwise([0, *starts, len(lines)])]


def _is_start(lines: Sequence[str], at: int) -> bool:
    line, before = lines[at].strip(), lines[at - 1].strip()
    folded = headings.fold(line)
    if headings.is_supplement(folded) or running_supplement(line) or is_appended(folded):
        return True
    if is_title(line):
        return begins("".join(lines[at + 1 : at + 2]).strip())
    if is_appended(headings.fold(before)) or (is_heading(before) and not is_title(before)):
        return True
    has_ended = not before or before.endswith(ENDED) or is_heading(before)
    return begins(line, is_sure=not has_ended)


def _is_reference(gap: str, rest: str) -> bool:
    """Whether what is behind 第4条 goes on a sentence that only names it; few have a full-width space there."""
    return bool((_REFERRED_WIDE if gap.startswith("\u3000") else _REFERRED).match(rest))


def begins(line: str, *, is_sure: bool = False) -> bool:
    """Whether a line begins with an article, a chapter or a paragraph by its number, and not with a reference to it.

    `is_sure`: also where the line before has not ended; prose that a width has broken may go on with 第3章 水文解析.
    """
    found = _LINE.match(line)
    if found is None:
        return False
    rest = line[found.end() :]
    if _is_reference(found["gap"], rest):
        return False
    if found["gap"].startswith("\u3000") or found["title"]:
        return True
    return not is_sure and (not rest or bool(found["gap"]))


def is_heading(line: str) -> bool:
    """Whether a line is only 第2章 総則, 第4条, 第4条（契約の保証）, （契約の保証） or 附則: no prose goes on."""
    text = line.strip()
    if not text or len(text) > headings.LONGEST:
        return False
    folded = headings.fold(text)
    number = headings.number_of(folded)
    if is_title(text) or headings.is_supplement(folded):
        return True
    if number is None or number.rank > headings.ARTICLE or not headings.is_strong(folded):
        return False
    title = folded[number.length :].strip()
    if number.rank < headings.ARTICLE:
        return not re.search("[、,]|第[0-9]", title)  # a reference to several, which prose goes on with
    return not title or bool(_TITLE.fullmatch(title))


def is_alone(folded: str) -> bool:
    """Whether a line is only 第4条."""
    number = headings.number_of(folded)
    return number is not None and number.rank == headings.ARTICLE and number.length == len(folded)


def is_titled(article: str) -> bool:
    return article.endswith(("）", ")"))


def is_title(text: str) -> bool:
    """Whether a line is only （契約の保証）, which titles the article below it."""
    return bool(_TITLE.fullmatch(text)) and not _NO_TITLE.match(text) and headings.item_of(headings.fold(text)) is None


class Count:
    """The numbers of a document's articles, by which its own are told from those that it quotes from a law."""

    def __init__(self) -> None:
        self.has_any = False  # in the whole document
        self._seen: set[int] = set()  # since the last 第1条
        self._last = 0

    def clear(self) -> None:
        """The main text has ended; what follows is counted from 第1条."""
        self._seen.clear()
        self._last = 0

    def take(self, ordinal: int, ranks: Collection[int]) -> None:
        """An article that is a heading. `ranks`: of the numbered headings that it stands under."""
        if self._seen or ordinal == 1 or not ranks:
            if ordinal == 1:
                self._seen.clear()
            self._seen.add(ordinal)
            self.has_any = True
            self._last = ordinal

    def goes_on(self, article: str, ranks: Collection[int]) -> bool:
        """Whether a running article is the document's own. `ranks`: of the numbered headings in force."""
        number = headings.number_of(headings.fold(article))
        if number is None or not number.ordinal:  # 第〇条: a form that nobody has filled in
            return False
        if headings.ARTICLE not in ranks and any(rank > headings.ARTICLE for rank in ranks):
            return False  # a document of 1.1 and 1.2 has no articles
        ordinal = number.ordinal
        if ordinal == 1 or not self._seen:
            return ordinal == 1 or not ranks
        is_missing = ordinal - 1 in self._seen and ordinal not in self._seen
        return ordinal > self._last or is_missing or ("条の" in article and ordinal in self._seen)
