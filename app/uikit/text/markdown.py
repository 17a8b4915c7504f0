"""Parse foreign Markdown into a document that loads no resources, opens no links by itself and is laid out quickly.

All stays readable: raw HTML and images as text, links with their address. `document_style` styles it.
"""

import re
from typing import Any

from PySide6.QtCore import QSizeF
from PySide6.QtGui import QPainter, QPyTextObject, QTextBlock, QTextCharFormat, QTextCursor, QTextDocument, QTextFormat

from app.base.wording import phrase
from app.uikit import untrusted_text
from app.uikit.localization import join_facts

PAGE_CHARACTERS = 20_000  # a text of this length is laid out in less than 100 ms
PAGE_LINES = 600
CELLS_MAX = 800  # a cell takes about 0.1 ms; a text with a larger table is shown unparsed
NESTING_MAX = 8
ENTITIES_MAX = 2_000

_FEATURES = QTextDocument.MarkdownFeature.MarkdownNoHTML | QTextDocument.MarkdownFeature.MarkdownDialectGitHub
_FENCE = re.compile(r"\s{0,3}(?:[-*+>]\s+|\d{1,9}[.)]\s+)*(```+|~~~+)")
_STRUCTURE = re.compile(r"\s*(?:[-*+]\s|\d{1,9}[.)]\s|#{1,6}\s|```|~~~|[-=*_\s]+$)")
_QUOTE = re.compile(r"(?:\s{0,3}>)*")
_DEFINITION = re.compile(r"(\s{0,3}(?:>\s?)*)\[(?=[^\]]+\]:)")
_NESTED = re.compile(rf"\s*(?:(?:[-*+>]|\d{{1,9}}[.)])\s*){{{NESTING_MAX + 1},}}(?![-*\s])\S")


class SafeDocument(QTextDocument):
    """A document that loads no image, style sheet or file."""

    def __init__(self) -> None:
        super().__init__()
        self.is_plain = False  # True: its blocks are unparsed lines
        self.setUndoRedoEnabled(False)
        self.setDocumentMargin(0)

    def loadResource(self, _type: int, _name: Any) -> Any:
        return None

    def block_images(self) -> None:
        """Replace Qt's painter, which would read image files, in a complete document, as it starts the layout."""
        self._no_images = _NoImages(self)
        self.documentLayout().registerHandler(QTextFormat.ObjectTypes.ImageObject.value, self._no_images)


class _NoImages(QPyTextObject):
    """A handler of image objects that draws nothing."""

    def intrinsicSize(self, _document: QTextDocument, _position: int, _format: QTextFormat) -> QSizeF:
        return QSizeF(0, 0)

    def drawObject(
        self, _painter: QPainter, _rect: Any, _document: QTextDocument, _position: int, _format: QTextFormat
    ) -> None:
        pass


def parse(text: str) -> SafeDocument:
    """Parse a Markdown text into a document without layout. A text that is not `is_bounded` becomes plain text."""
    text = untrusted_text.make_harmless(text)
    if not is_bounded(text):
        return parse_plain(text)
    document = SafeDocument()
    document.setMarkdown(_adapt_to_qt(text), _FEATURES)
    _disarm(document)
    return document


def parse_plain(text: str) -> SafeDocument:
    """Return a document that shows a text unparsed."""
    document = SafeDocument()
    document.setPlainText(untrusted_text.make_harmless(text))
    document.is_plain = True
    return document


def is_bounded(text: str) -> bool:
    """Return whether a text is small and shallow enough to be parsed and laid out quickly."""
    rows = [line.count("|") for line in text.split("\n") if "|" in line]
    return (
        len(text) <= PAGE_CHARACTERS
        and text.count("\n") <= PAGE_LINES
        and (not rows or max(rows) * len(rows) <= CELLS_MAX)
        and text.count("&") <= ENTITIES_MAX
        and not any(
            len(line) - len(line.lstrip()) > 8 * NESTING_MAX or _NESTED.match(line) for line in text.split("\n")
        )
    )


def pages(text: str) -> list[str]:
    """Cut a text into pages of at most PAGE_CHARACTERS and PAGE_LINES, at line ends where possible."""
    pieces, start = [], 0
    while len(text) - start > PAGE_CHARACTERS or text.count("\n", start, start + PAGE_CHARACTERS) >= PAGE_LINES:
        end = _page_end(text, start)
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]


def first_page(text: str) -> str:
    return text if len(text) < PAGE_LINES else pages(text[: PAGE_CHARACTERS + 1])[0]


def _page_end(text: str, start: int) -> int:
    """Return the index in `text` where the page that begins at `start` ends."""
    end = start
    for _ in range(PAGE_LINES):
        following = text.find("\n", end, start + PAGE_CHARACTERS) + 1
        if not following:
            break
        end = following
    else:
        return end
    return end if end > start + PAGE_CHARACTERS // 2 else start + PAGE_CHARACTERS


def is_fence(line: str) -> str:
    """Return the fence (such as "```") with which a line opens or closes a code block; "" for none."""
    match = _FENCE.match(line)
    return match[1] if match else ""


def _adapt_to_qt(text: str) -> str:
    """Change Markdown so that Qt shows its line breaks (`untrusted_text.LINE_BREAK`), front matter and definitions."""
    lines = text.split("\n")
    prepared = []
    fence = ""
    for number, line in enumerate(lines):
        mark = is_fence(line)
        if fence:
            fence = "" if mark.startswith(fence) else fence
        elif mark:
            fence = mark
        else:
            line = _DEFINITION.sub(r"\1\\[", line)
            if _breaks(line, lines[number + 1] if number + 1 < len(lines) else ""):
                line += untrusted_text.LINE_BREAK + "  "
        prepared.append(line)
    return "\n" + "\n".join(prepared)


def _breaks(line: str, following: str) -> bool:
    """Return whether the end of `line` is inside a paragraph, so that Markdown would turn it into a space."""
    depth = _QUOTE.match(line)[0].count(">")  # type: ignore[index]
    depth_after = _QUOTE.match(following)[0].count(">")  # type: ignore[index]
    if not line.strip() or not following.strip() or "|" in line + following or depth != depth_after:
        return False
    return not line.lstrip().startswith("#") and not _STRUCTURE.match(following.lstrip("> "))


def _disarm(document: SafeDocument) -> None:
    """Replace images by text, add addresses of links, remove links that must not open, replace unsafe characters."""
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    for block in reversed(blocks(document)):
        for start, end, replacement, style in reversed(_links_and_images(block)):
            cursor.setPosition(start)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            if style is not None:
                cursor.setCharFormat(style)
                cursor.setPosition(end)
            cursor.insertText(replacement, QTextCharFormat())
        _replace_characters(cursor, block)
    cursor.endEditBlock()


def blocks(document: QTextDocument) -> list[QTextBlock]:
    result = []
    block = document.begin()
    while block.isValid():
        result.append(block)
        block = block.next()
    return result


def _links_and_images(block: QTextBlock) -> list[tuple[int, int, str, QTextCharFormat | None]]:
    """Return edits (start, end, text, format) of a block: text in place of it, or with a format behind it."""
    edits: list[tuple[int, int, str, QTextCharFormat | None]] = []
    shown = ""
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        iterator += 1
        style = fragment.charFormat()
        start, end = fragment.position(), fragment.position() + fragment.length()
        if style.isImageFormat():
            edits.append((start, end, _image_text(style) + untrusted_text.link_suffix(style.anchorHref(), ""), None))
        elif style.isAnchor():
            href = style.anchorHref()
            following = None if iterator.atEnd() else iterator.fragment().charFormat()
            shown += fragment.text()
            is_last = following is None or following.anchorHref() != href or following.isImageFormat()
            suffix = untrusted_text.link_suffix(href, shown) if is_last else ""
            edits.append((start, end, suffix, style if untrusted_text.is_openable_link(href) else _without_link(style)))
            shown = "" if is_last else shown
    return edits


def _image_text(style: QTextCharFormat) -> str:
    alternative = style.property(QTextFormat.Property.ImageAltText.value) or ""
    address = style.toImageFormat().name()
    return untrusted_text.make_harmless(phrase("uikit.image_what", what=join_facts(alternative, address)))


def _without_link(style: QTextCharFormat) -> QTextCharFormat:
    plain = QTextCharFormat()
    plain.setFontWeight(style.fontWeight())
    plain.setFontItalic(style.fontItalic())
    plain.setFontFixedPitch(style.fontFixedPitch())
    return plain


def _replace_characters(cursor: QTextCursor, block: QTextBlock) -> None:
    """Make a block's marked line breaks and unsafe characters (&#x202e;) visible; outside code add display helpers."""
    text = block.text()
    edits = [] if is_code(block) else untrusted_text.display_helpers(text)
    edits += untrusted_text.find_unsafe(text)
    has_next = block.next().isValid()
    for position, length, replacement in sorted(edits, reverse=True):
        start = block.position() + untrusted_text.utf16_offset(text, position)
        cursor.setPosition(start)
        end = start + len(text[position : position + length].encode("utf-16-le")) // 2
        if text[position : position + length] == untrusted_text.LINE_BREAK and position == len(text) - 1 and has_next:
            replacement = "\u2028"
            end += 1
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(replacement)


def is_code(block: QTextBlock) -> bool:
    style = block.blockFormat()
    return style.nonBreakableLines() or style.hasProperty(QTextFormat.Property.BlockCodeFence.value)
