"""Articles of contracts and regulations: 第４条　… with the sentence on the same line, and （契約の保証） above it."""

import re
from collections.abc import Collection

from app.documents import headings

_DIGITS = f"{headings.DIGITS}０-９"
_BRANCH = rf"(?:の[{_DIGITS}]{{1,3}})?"
_TITLED = r"\s?[（(][^（）()。]{1,40}[）)]"
_RUNNING = re.compile(rf"(第\s?[{_DIGITS}]{{1,5}}\s?条{_BRANCH}(?:{_TITLED})?)(\s{{0,3}})(?=\S)")
_LINE = re.compile(
    rf"\s{{0,3}}第\s?[{_DIGITS}]{{1,5}}\s?[編章節款目条項]{_BRANCH}(?P<title>{_TITLED})?(?P<gap>\s{{0,3}})"
)
_PROSE = re.compile(r"。|[はがをにでと]、")
# What a reference inside a sentence goes on with: 第1条及び第2条は.
_REFERRED = re.compile(
    rf"[のにをはがでともへ、，・（(~～〜-]|から|まで|及び|並びに|又は|若しくは|第\s?[{_DIGITS}]+\s?[項号]"
)
_TITLE = re.compile(r"[（(](?![前中後以下]*略[）)])[^（）()。]{1,40}[）)]")


def running(text: str) -> str:
    """第４条 or 第４条（契約の保証） where a paragraph begins with it and goes on with its sentence; "": no article."""
    found = _RUNNING.match(text)
    if found is None:
        return ""
    article, gap = found.groups()
    rest = text[found.end() :]
    if not (_PROSE.search(rest) or headings.is_spoken(rest.rstrip())):
        return ""
    if gap.startswith("\u3000"):  # no sentence has one behind 第4条
        return article
    return article if (gap or is_titled(article)) and not _REFERRED.match(rest) else ""


def begins(line: str, *, is_sure: bool = False) -> bool:
    """Whether a line begins with an article, a chapter or a paragraph by its number, and not with a reference to it.

    `is_sure`: also where the line before has not ended; prose that a width has broken may go on with 第3章 水文解析.
    """
    found = _LINE.match(line)
    if found is None:
        return False
    rest = line[found.end() :]
    if found["gap"].startswith("\u3000"):
        return True
    if found["title"]:
        return not _REFERRED.match(rest)
    return not is_sure and (not rest or (bool(found["gap"]) and not _REFERRED.match(rest)))


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
    return bool(_TITLE.fullmatch(text)) and headings.item_of(headings.fold(text)) is None


class Count:
    """The numbers of a document's articles, by which its own are told from those that it quotes from a law."""

    def __init__(self) -> None:
        self._seen: set[int] = set()  # since the last 第1条
        self._last = 0

    def take(self, ordinal: int, ranks: Collection[int]) -> None:
        """An article that is a heading. `ranks`: of the numbered headings that it stands under."""
        if self._seen or ordinal == 1 or not ranks:
            if ordinal == 1:
                self._seen.clear()
            self._seen.add(ordinal)
            self._last = ordinal

    def goes_on(self, article: str, ranks: Collection[int]) -> bool:
        """Whether a running article is the document's own. `ranks`: of the numbered headings in force."""
        number = headings.number_of(headings.fold(article))
        if number is None:
            return False
        if headings.ARTICLE not in ranks and any(rank > headings.ARTICLE for rank in ranks):
            return False  # a document of 1.1 and 1.2 has no articles
        ordinal = number.ordinal
        if ordinal == 1 or not self._seen:
            return ordinal == 1 or not ranks
        is_missing = ordinal - 1 in self._seen and ordinal not in self._seen
        return ordinal > self._last or is_missing or ("条の" in article and ordinal in self._seen)
