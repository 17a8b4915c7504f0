"""The Markdown of questions and answers: how it is parsed, and how it is kept inside a document of ours."""

import itertools
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

CHARACTERS_MAX = 100_000  # the worst text of this length takes seconds; beyond it a text is shown as typed
NESTING_MAX = 100  # the parser leaves out what is nested deeper
HEADING_MAX = 6

_TAG = r"<(?=[A-Za-z/!?])(?![A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*>)"  # not <https://…>
_HTML = re.compile(rf"(?<!\\)((?:\\\\)*){_TAG}")  # behind a backslash it is escaped already
_HTML_FIRST = re.compile(rf"^([\s>]*){_TAG}")  # starts a block, even where a code span goes on from the line above
_DEFINITION = re.compile(r"^((?:\s{0,3}>)*\s{0,3})\[(?=[^\]]+\]:)")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)


def parse(text: str) -> list[Token] | None:
    """As the window shows answers: HTML is text. None when the text is beyond what anybody could mean."""
    if len(text) > CHARACTERS_MAX:
        return None
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTING_MAX}).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    return None if any(token.level >= NESTING_MAX - 2 for token in tokens) else tokens


def contained(text: str, depth: int) -> str:
    """`text` with the same look, but so that nothing in it reaches what follows or stands above it in the outline.

    Headings go down by `depth`, an unclosed code block is closed, raw HTML and link definitions are escaped. Code and
    tables stay as they are.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").rstrip("\n")
    tokens = parse(text)
    if tokens is None:
        return fenced(text)
    lines = text.split("\n")
    for number in _prose(tokens, len(lines)):
        lines[number] = _HTML_FIRST.sub(r"\1\\<", _DEFINITION.sub(r"\1\\[", lines[number]))
    for token, inline in itertools.zip_longest(tokens, tokens[1:]):
        if token.map is None:
            continue
        if token.type == "heading_open":
            _demote(lines, token, inline.content, depth)
        elif token.type == "inline":
            _escape_html(lines, *token.map)
    if tokens and _is_open_fence(tokens[-1], lines):
        lines.append(tokens[-1].markup)
    return "\n".join(line for line in lines if line is not _GONE)


def fenced(text: str) -> str:
    """As it was typed, whatever is in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


_GONE = "\0"  # a line that is left out; NUL stands in no line


def _prose(tokens: Sequence[Token], count: int) -> list[int]:
    """The lines outside code blocks."""
    code: set[int] = set()
    for token in tokens:
        if token.type in ("fence", "code_block") and token.map:
            code.update(range(*token.map))
    return [number for number in range(count) if number not in code]


def _demote(lines: list[str], heading: Token, content: str, depth: int) -> None:
    first, last = heading.map or (0, 0)
    marks = "#" * min(HEADING_MAX, int(heading.tag[1:]) + depth)
    if heading.markup.startswith("#"):
        lines[first] = lines[first].replace(heading.markup, marks, 1)
        return
    # Underlined with = or -: only two levels can be written so.
    at = lines[first].find(content.split("\n")[0])
    lines[first] = f"{lines[first][: max(at, 0)]}{marks} {content.replace(chr(10), ' ')}"
    lines[first + 1 : last] = [_GONE] * (last - first - 1)


def _escape_html(lines: list[str], first: int, last: int) -> None:
    block = "\n".join(lines[first:last])
    parts, at = [], 0
    for span in _CODE_SPAN.finditer(block):
        parts += [_HTML.sub(r"\1\\<", block[at : span.start()]), span.group()]
        at = span.end()
    parts.append(_HTML.sub(r"\1\\<", block[at:]))
    lines[first:last] = "".join(parts).split("\n")


def _is_open_fence(token: Token, lines: Sequence[str]) -> bool:
    """A code block that only the end of the text has ended: a stopped answer, often."""
    if token.type != "fence" or token.level or token.map is None or token.map[1] < len(lines):
        return False
    end = lines[token.map[1] - 1].strip()
    is_closed = token.map[1] - token.map[0] > 1 and len(end) >= len(token.markup) and not end.strip(token.markup[0])
    return not is_closed
