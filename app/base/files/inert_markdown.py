"""Parse foreign Markdown, and write it into Kotae's files so that nothing in it is active.

Editors and wikis load images, follow links and run HTML, and each parses Markdown somewhat differently. So the whole
text is written again from its parsed tokens in one fixed form, escaped, with addresses as code.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

CHARACTERS_MAX = 100_000  # parsing a text of this length takes seconds at worst; a longer text is shown unparsed
NESTING_MAX = 100  # the parser drops content that is nested deeper
HEADING_MAX = 6
_LIVE = frozenset(("link_open", "image", "html_block", "html_inline"))
# Languages whose code blocks programs only colour. Others, such as mermaid, dataviewjs and {r}, they run or draw.
_LANGUAGES = re.compile(
    r"bash|bat|c|cmake|cpp|cs|csharp|css|csv|diff|dockerfile|f90|fortran|go|html|ini|java|javascript|js|json|julia"
    r"|kotlin|lua|makefile|matlab|md|markdown|perl|php|plaintext|powershell|properties|ps1|py|python|r|ruby|rust|sh"
    r"|shell|sql|st|swift|text|toml|ts|txt|typescript|vb|vba|xml|yaml|yml"
)

# Inline code that Dataview, knitr or Quarto evaluates.
_COMPUTED = re.compile(r"\s*(?:\$?=\s*[^\s=<>~]|r[ #]|\{\.?[a-z]+\})", re.IGNORECASE)

_END = r"[^\s<>`\"'　、。，．「」『』（）()\[\]]"  # a character that continues an address
_TOP = (
    "com|net|org|edu|gov|mil|info|biz|name|pro|shop|dev|app|io|ai|jp|cn|kr|us|uk|eu|xyz|site|online|top|xn--[a-z0-9-]+"
)
_ADDRESS = re.compile(
    rf"(?:https?|ftps?|file|wss?)://{_END}*"
    rf"|(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{{0,31}}:(?://|\\\\){_END}*"
    rf"|\b(?:mailto|javascript|vbscript|data|file|tel|xmpp|blob|view-source):{_END}+"
    rf"|www\.{_END}+"
    rf"|(?:\\\\|//)[a-z0-9._-]{{1,253}}[\\/]{_END}*"  # a shared folder of another machine
    rf"|[a-z0-9.!#$%&'*+/=?^_{{|}}~-]{{1,64}}@[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}}){{1,10}}"
    rf"|\b(?:[a-z0-9-]{{1,63}}\.){{1,10}}(?:{_TOP})\b(?:[:/?#]{_END}*)?"
    rf"|\b(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?::\d+)?/{_END}*",
    re.IGNORECASE,
)
# The group `kept` is not escaped: source marks such as [1], which become no link without a target or a definition, and
# the _ of snake_case, which begins no emphasis.
_SPECIAL = re.compile(
    r"(?P<kept>(?<!!)\[\d{1,3}(?: ?[,、-] ?\d{1,3})*\](?![(:])|(?<=[A-Za-z0-9])_(?=[A-Za-z0-9]))"
    r"|[`*_\[\]~|${}]"
    r"|<(?=[A-Za-z/!?])"
    r"|%(?=%)|(?<=[<%\\{])%"
    r"|&(?=#?\w+;)"
    r"|\\(?=[!-/:-@\[-`{-~]|$)"
)
_LINE_START = re.compile(r"^(?:([-+=#>@!%^])|(:)(?=:)|(\d{1,9})([.)])(?=\s|$))")


def parse(text: str) -> list[Token] | None:
    """Return the tokens of a text, with HTML as text; None if it is over CHARACTERS_MAX or as deep as NESTING_MAX."""
    if len(text) > CHARACTERS_MAX:
        return None
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTING_MAX}).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    return None if any(token.level >= NESTING_MAX - 2 for token in tokens) else tokens


def make_inert(text: str, depth: int, behind: str = "（{}）") -> str:
    """Return Markdown that looks like `text`, has no active content and does not affect what follows it.

    `depth`: number of levels by which headings are lowered. `behind`: the format in which the address of a link or an
    image follows its text. A text that cannot be written this way is returned unchanged in a code block.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").rstrip("\n")
    tokens = parse(text)
    if tokens is None:
        return fence_code(text)
    for token in tokens:  # inline tokens stay out of the tree: emphasis may be nested too deeply for recursion
        token.meta, token.children = {"words": token.children or []}, None
    written = "\n".join(_Writer(depth, behind).blocks(SyntaxTreeNode(tokens)))
    return fence_code(text) if has_active_content(written) else written


def has_active_content(markdown: str) -> bool:
    """Return whether the text contains a link, an image or HTML for a program that parses Markdown with HTML."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    return any(token.type in _LIVE for top in tokens for token in (top, *(top.children or ())))


def fence_code(text: str, language: str = "") -> str:
    """Return the text as a fenced code block, whose fence is longer than any run of backticks in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def escape_line(text: str) -> str:
    """Return the text as one line of Markdown in which everything is escaped. Line breaks are removed."""
    return _escape_line_start(_plain(re.sub(r"[\0\r\n]", "", text)))


class _Writer:
    """A writer of one parsed text as inert Markdown. `depth`, `behind`: as for `make_inert`."""

    def __init__(self, depth: int, behind: str) -> None:
        self._depth, self._text_behind = depth, behind

    def blocks(self, parent: SyntaxTreeNode) -> list[str]:
        """Return the lines of the blocks in a document, a quotation or a list item."""
        lines: list[str] = []
        before, is_other = "", False
        for node in parent.children:
            is_other = node.type == before and not is_other  # adjacent lists with the same mark would become one list
            if lines and not (node.type != "paragraph" and _is_tight(parent)):
                lines.append("")
            lines += self._block(node, is_other=is_other)
            before = node.type
        return lines

    def _block(self, node: SyntaxTreeNode, *, is_other: bool) -> list[str]:
        kind = node.type
        if kind == "heading":
            text = _one_line(self._inline(node))
            marks = "#" * min(HEADING_MAX, int(node.tag[1:]) + self._depth)
            return [f"{marks} {re.sub(r'(#+)$', lambda found: chr(92) + found[0], text)}"]
        if kind == "paragraph":
            return [_escape_line_start(line) for line in self._inline(node).split("\n")]
        if kind in ("fence", "code_block"):
            language = node.info.strip().lower() if kind == "fence" else ""
            return fence_code(node.content.rstrip("\n"), language if _LANGUAGES.fullmatch(language) else "").split("\n")
        if kind == "blockquote":
            return [f"> {line}".rstrip() for line in self.blocks(node)]
        if kind in ("bullet_list", "ordered_list"):
            return list(self._list(node, is_other=is_other))
        return self._table(node) if kind == "table" else ["---"]

    def _list(self, node: SyntaxTreeNode, *, is_other: bool) -> Iterator[str]:
        number = int(node.attrs.get("start", 1))
        for count, item in enumerate(node.children):
            mark = (
                "-*"[is_other] if node.type == "bullet_list" else f"{min(number + count, 999_999_999)}{'.)'[is_other]}"
            )
            if count and not _is_tight(item):
                yield ""
            for at, line in enumerate(self.blocks(item) or [""]):
                yield f"{' ' * (len(mark) + 1) if at else mark + ' '}{line}".rstrip()

    def _table(self, node: SyntaxTreeNode) -> list[str]:
        rows = [row for part in node.children for row in part.children]
        styles = [str(cell.attrs.get("style", "")).removeprefix("text-align:") for cell in rows[0].children]
        rules = [{"left": ":---", "right": "---:", "center": ":---:"}.get(style, "---") for style in styles]
        lines = [[_one_line(self._inline(cell, in_table=True)) for cell in row.children] for row in rows]
        return [f"| {' | '.join(cells)} |" for cells in (lines[0], rules, *lines[1:])]

    def _inline(self, block: SyntaxTreeNode, *, in_table: bool = False) -> str:
        """Return the Markdown of the text in a heading, a paragraph or a table cell."""
        words: list[Token] = [word for inline in block.children for word in inline.meta["words"]]
        open_ones: list[list[str]] = [[]]  # the pieces in each open emphasis or link, the innermost last
        links: list[str] = []
        for word in words:
            if word.nesting == 1:
                open_ones.append([])
                links += [str(word.attrs["href"])] if word.type == "link_open" else []
            elif word.nesting == -1:
                inside = _joined(open_ones.pop())
                target = links.pop() if word.type == "link_close" else ""
                open_ones[-1].append(self._wrapped(word, inside, target, in_table=in_table))
            else:
                open_ones[-1].append(self._word(word, in_table=in_table))
        return _joined(open_ones[0])

    def _word(self, word: Token, *, in_table: bool) -> str:
        if word.type == "code_inline" and not _COMPUTED.match(word.content):
            return _code(word.content, in_table=in_table)
        if word.type in ("softbreak", "hardbreak"):
            return "\n" if word.type == "softbreak" else "\\\n"
        if word.type == "image":
            return _plain(word.content, in_table=in_table) + self._address(str(word.attrs["src"]), in_table=in_table)
        return _plain(word.content, in_table=in_table)

    def _wrapped(self, close: Token, inside: str, target: str, *, in_table: bool) -> str:
        """Return `inside` as emphasis, or followed by the link target. `close`: the token that ends the span."""
        if close.type == "link_close":
            is_shown = inside == _code(target, in_table=in_table)
            return inside if is_shown else inside + self._address(target, in_table=in_table)
        mark = {"strong_close": "**", "em_close": "*", "s_close": "~~"}.get(close.type, "")
        return f"{mark}{inside}{mark}" if inside.strip() else inside

    def _address(self, address: str, *, in_table: bool) -> str:
        """Return an address as code in the format `behind`."""
        return self._text_behind.replace("{}", _code(address, in_table=in_table))


def _one_line(text: str) -> str:
    """Replace the line breaks of Markdown text by spaces."""
    return text.replace("\\\n", " ").replace("\n", " ")


def _is_tight(item: SyntaxTreeNode) -> bool:
    """Return whether a list item belongs to a tight list, one without blank lines: the parser hides its paragraphs."""
    return item.type == "list_item" and all(one.hidden for one in item.children if one.type == "paragraph")


def _joined(pieces: Iterable[str]) -> str:
    """Join pieces of Markdown, with a space between two that would join their backticks into one run."""
    text = ""
    for piece in pieces:
        text += f" {piece}" if text.endswith("`") and piece.startswith("`") else piece
    return text


def _code(text: str, *, in_table: bool) -> str:
    """Return the text as inline code, in several spans if backticks, or | and \\ in a table, would end a span early."""
    text = re.sub(r"\s+", " ", text)
    pieces = re.split(r"(``+|[|\\]+)" if in_table else "(``+)", text)
    return _joined(_escaped(one) if at % 2 or not one.strip() else _span(one) for at, one in enumerate(pieces))


def _span(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _plain(text: str, *, in_table: bool = False) -> str:
    """Return the text on one line and escaped, with addresses as code."""
    text = re.sub(r"\s", lambda found: "　" if found[0] == "　" else " ", text)
    parts: list[str] = []
    at = 0
    for found in _ADDRESS.finditer(text):
        parts += [_escaped(text[at : found.start()]), _code(found[0], in_table=in_table)]
        at = found.end()
    return _joined([*parts, _escaped(text[at:])])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: found["kept"] or f"\\{found[0]}", text)


def _escape_line_start(line: str) -> str:
    """Escape the start of a paragraph's line, so that the line does not become a heading, list or quotation."""
    return _LINE_START.sub(lambda found: f"{found[3]}\\{found[4]}" if found[3] else f"\\{found[0]}", line.lstrip(" \t"))


def quote_lines(lines: Sequence[str]) -> str:
    """Return the lines as a Markdown quotation. Two spaces at the end of each line keep the line breaks."""
    return "\n".join(f"> {line}  " if line.strip() else ">" for line in lines)
