"""Where in Markdown the clauses of a contract or regulation begin: no lists of Markdown's, and often no blank line."""

import itertools
import re
import unicodedata
from collections.abc import Sequence

from app.documents.reading import articles, headings

# 1 …, １　…, （１）…, ①… and 一　….
_CLAUSE = re.compile(r"[ 　]{0,3}[（(]?(\d{1,2}|[①-⑳]|[一二三四五六七八九十]{1,3})(?:[）)．、 　]|(?<=[①-⑳]))")
_ITEM = re.compile(r"[ 　]{0,3}(?:[ア-ヲ]|[一二三四五六七八九十]{1,3})[ 　]+\S")  # no sentence has a space behind one
_PARAGRAPH = re.compile(
    r"[ 　]{0,3}(?:\d{1,2}　+|[０-９]{1,2} +|[0-9]{1,2} +(?![回度人名日月年週時分秒件個箇か本枚台種点倍割歳組m%％]))\S"
)
_REACH = 50  # lines back to the clause before, over the items of that


def begins(lines: Sequence[str], at: int) -> bool:
    """Whether a line begins an article, an item, or a number that goes on with one before it or follows what has ended
    there."""
    line, before = lines[at], lines[at - 1].rstrip()
    if _ITEM.match(line) or articles.begins(line, is_sure=True):
        return True
    if articles.begins(line) or articles.is_heading(line):
        has_ended = before.endswith(articles.ENDED) or _is_clause(before) or articles.is_heading(before)
        return has_ended or (articles.is_title(line.strip()) and articles.begins("".join(lines[at + 1 : at + 2])))
    kind, number = _clause(line)
    if not number:
        return False
    if before.endswith(articles.ENDED) or (_PARAGRAPH.match(line) and _is_clause(before)):
        return True
    if number == 1:  # below a title in brackets, or another clause
        return before.endswith(("）", ")")) or _is_clause(before)
    block = itertools.takewhile(str.strip, reversed(lines[max(0, at - _REACH) : at]))
    return (kind, number - 1) in map(_clause, block)


def _is_clause(line: str) -> bool:
    return bool(_clause(line)[1] or _ITEM.match(line) or articles.begins(line))


def _clause(line: str) -> tuple[str, int]:
    """The kind of number that a line begins with, and its value; 0: it begins with none."""
    found = _CLAUSE.match(line)
    if not found:
        return "", 0
    number = unicodedata.normalize("NFKC", found[1])
    signs = unicodedata.normalize("NFKC", found[0].replace(found[1], "")).strip()
    kind = "digits" if found[1].isdecimal() else "circled" if number.isdecimal() else "kanji"
    return f"{kind}{signs}", headings.value_of(number)
