"""The tags and texts of an HTML file in one pass, whatever is left open in it: no place is looked at twice.

The standard library's parser looks for the end of each unclosed tag anew: a file of 1 MB can keep it busy for hours.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_KIND = re.compile(r"<(?:([!?]|/[^a-zA-Z])|/?[a-zA-Z])")  # group 1: of a comment, or what browsers take for one
# A quote begins a value only behind an equals sign; elsewhere (title=don't) it is a letter.
_TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*+)((?:=\s*+(?:"[^"]*+"|'[^']*+')|[^>=]|=)*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>]*+))?+""")
_END_OF_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style")}
_HUGE_NUMBER = re.compile(r"&#0*+\d{8,};?")  # of a character: there are none so high, and Python counts their digits


@dataclass(frozen=True, slots=True)
class Start:
    """`is_whole`: it ends itself (<br/>). Names are in lower case; what an attribute says may be ""."""

    name: str
    is_whole: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    name: str


def tags_and_texts(page: str) -> Iterator[Start | End | str]:
    """Comments, declarations and what stands in scripts are left out; a tag that is never closed is text."""
    at = 0
    while (start := page.find("<", at)) >= 0:
        if start > at:
            yield unescaped(page[at:start])
        kind = _KIND.match(page, start)
        if kind is None:
            yield "<"
            at = start + 1
        elif kind[1]:
            at = _end_of_comment(page, start)
        elif tag := _TAG.match(page, start):
            at = tag.end()
            yield _event(tag)
            raw = _END_OF_RAW.get(tag[2].lower())
            if raw is not None and not tag[1] and not tag[3].endswith("/"):
                end = raw.search(page, at)
                at = end.start() if end else len(page)
        else:
            yield unescaped(page[start:])
            return
    if at < len(page):
        yield unescaped(page[at:])


def unescaped(text: str) -> str:
    """With the characters that entities stand for."""
    return html.unescape(_HUGE_NUMBER.sub("\ufffd", text)) if "&" in text else text


def _end_of_comment(page: str, start: int) -> int:
    is_comment = page.startswith("<!--", start)
    end = page.find("-->" if is_comment else ">", start + 4 if is_comment else start)
    return len(page) if end < 0 else end + (3 if is_comment else 1)


def _event(tag: re.Match[str]) -> Start | End:
    name = tag[2].lower()
    if tag[1]:
        return End(name)
    said: dict[str, str] = {}
    for attribute in _ATTRIBUTE.finditer(tag[3]):
        value = attribute[2] or ""
        said.setdefault(attribute[1].lower(), unescaped(value.strip("\"'") if value[:1] in ("'", '"') else value))
    return Start(name, tag[3].endswith("/"), said)
