"""Style a parsed document: line heights, margins, fonts and colours from the theme.

Qt's Markdown reader ignores style sheets, so each block gets its format; `rich_text` paints what has a KIND.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtGui import (
    QBrush,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextList,
    QTextListFormat,
    QTextTable,
    QTextTableCell,
)

from app.uikit.text import markdown
from app.uikit.theme import Theme

CODE, QUOTE, RULE, BULLET = "code", "quote", "rule", "bullet"
KIND = QTextFormat.Property.UserProperty.value + 1  # the property of a block with one of these values
_QUOTE_LEVEL = QTextFormat.Property.BlockQuoteLevel.value
_RULER = QTextFormat.Property.BlockTrailingHorizontalRulerWidth.value
_BULLETS = (
    QTextListFormat.Style.ListDisc,
    QTextListFormat.Style.ListCircle,
    QTextListFormat.Style.ListSquare,
    QTextListFormat.Style.ListStyleUndefined,
)
_HEADINGS = {1: "heading1", 2: "heading2", 3: "heading3"}


@dataclass(frozen=True, slots=True)
class _Look:
    """The style of one block: role and colour of the theme, margins in pixels at 100 %, and KIND ("": none)."""

    role: str = "reading"
    top: int = 0
    bottom: int = 10
    strong: bool = False
    color: str = "text"
    kind: str = ""


def style_document(document: markdown.SafeDocument, theme: Theme, *, continues: bool = False) -> None:
    """Set every style before the layout. `continues`: the document is appended, so a heading keeps its top margin."""
    document.setDefaultFont(theme.font("reading"))
    document.setIndentWidth(theme.px(22))
    if document.is_plain:
        _style_plain(document, theme)
        return
    tables = [frame for frame in document.rootFrame().childFrames() if isinstance(frame, QTextTable)]
    for table in tables:
        _style_table(table, theme)
    spans = [(table.firstPosition(), table.lastPosition()) for table in tables]
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    lists = set()
    for block in markdown.blocks(document):
        position = block.position()
        in_table = any(first <= position <= last for first, last in spans)
        if not in_table and _is_beside_table(block, spans):
            _collapse(cursor, block)
        else:
            look = _table_look(block) if in_table else _look(block, continues)
            _style_block(cursor, block, look, theme)
            if look.kind == BULLET:
                lists.add(block.textList())
    for bullets in lists:
        _hide_bullets(bullets)
    cursor.endEditBlock()


def _style_plain(document: markdown.SafeDocument, theme: Theme) -> None:
    """Set the same style for all lines of a plain document."""
    look = _Look(bottom=0)
    cursor = QTextCursor(document)
    cursor.select(QTextCursor.SelectionType.Document)
    cursor.setBlockFormat(_block_format(look, theme))
    cursor.setCharFormat(_base_format(look, theme))
    cursor.setBlockCharFormat(_base_format(look, theme))


def style_headings(document: QTextDocument, roles: Sequence[str], theme: Theme) -> None:
    """Set the style of the first lines of a plain document. `roles`: of their fonts."""
    cursor, block = QTextCursor(document), document.begin()
    for role in roles:
        _style_block(cursor, block, _Look(role, bottom=4, strong=True), theme)
        block = block.next()


def _look(block: QTextBlock, continues: bool) -> _Look:
    block_format = block.blockFormat()
    level = block_format.headingLevel()
    if level:
        is_first = block.blockNumber() == 0 and not continues
        return _Look(_HEADINGS.get(level, "heading3"), 0 if is_first else 14, 6, strong=True)
    if markdown.is_code(block):
        starts = not markdown.is_code(block.previous()) if block.previous().isValid() else True
        ends = not markdown.is_code(block.next()) if block.next().isValid() else True
        return _Look("mono", 20 if starts else 0, 20 if ends else 0, kind=CODE)
    if block_format.hasProperty(_RULER):
        return _Look("caption", 0, 10, kind=RULE)
    if block.textList() is not None:
        return _Look(bottom=3 if _list_continues(block) else 10, kind=_bullet(block))
    if block_format.hasProperty(_QUOTE_LEVEL):
        return _Look(color="text2", kind=QUOTE)
    return _Look()


def _hide_bullets(bullets: QTextList) -> None:
    look = bullets.format()
    look.setStyle(QTextListFormat.Style.ListStyleUndefined)
    bullets.setFormat(look)


def _list_continues(block: QTextBlock) -> bool:
    this, following = block.textList(), block.next().textList() if block.next().isValid() else None
    return following is not None and (following is this or this.format().indent() + following.format().indent() > 2)


def _bullet(block: QTextBlock) -> str:
    """Return BULLET for an item with Qt's too large bullet, not for numbers and check boxes, else ""."""
    is_bullet = block.textList().format().style() in _BULLETS
    has_box = block.blockFormat().marker() != QTextBlockFormat.MarkerType.NoMarker
    return BULLET if is_bullet and not has_box else ""


def _table_look(block: QTextBlock) -> _Look:
    cell = QTextCursor(block).currentTable().cellAt(block.position())
    return _Look("reading_table", 0, 0, strong=cell.row() == 0)


def _style_block(cursor: QTextCursor, block: QTextBlock, look: _Look, theme: Theme) -> None:
    cursor.setPosition(block.position())
    merged = _block_format(look, theme)
    merged.setNonBreakableLines(False)
    side = {CODE: 14, QUOTE: 16 * min(3, int(block.blockFormat().property(_QUOTE_LEVEL) or 0))}.get(look.kind, 0)
    merged.setLeftMargin(theme.px(side))
    merged.setRightMargin(theme.px(14 if look.kind == CODE else 0))
    if look.kind:
        merged.setProperty(KIND, look.kind)
    if look.kind == RULE:
        merged.setProperty(_RULER, None)
    if block.blockFormat().indent() > 4:
        merged.setIndent(4)
    cursor.mergeBlockFormat(merged)
    base = _base_format(look, theme)
    cursor.mergeBlockCharFormat(base)  # not set: it holds the spans of a cell, without which Qt crashes
    _style_fragments(cursor, block, base, look, theme)


def _block_format(look: _Look, theme: Theme) -> QTextBlockFormat:
    block_format = QTextBlockFormat()
    block_format.setLineHeight(theme.line_height(look.role), QTextBlockFormat.LineHeightTypes.MinimumHeight.value)
    block_format.setTopMargin(theme.px(look.top))
    block_format.setBottomMargin(theme.px(look.bottom))
    return block_format


def _base_format(look: _Look, theme: Theme) -> QTextCharFormat:
    base = QTextCharFormat()
    base.setFont(theme.font(look.role, 600 if look.strong else None))
    base.setForeground(QBrush(theme.color(look.color)))
    return base


def _style_fragments(cursor: QTextCursor, block: QTextBlock, base: QTextCharFormat, look: _Look, theme: Theme) -> None:
    fragments = []
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        fragments.append((fragment.position(), fragment.length(), fragment.charFormat()))
        iterator += 1
    for position, length, old in fragments:
        cursor.setPosition(position)
        cursor.setPosition(position + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.setCharFormat(_fragment_format(old, base, look, theme))


def _fragment_format(old: QTextCharFormat, base: QTextCharFormat, look: _Look, theme: Theme) -> QTextCharFormat:
    new = QTextCharFormat(base)
    if old.fontWeight() > 500 and look.kind != CODE:
        new.setFontWeight(600)
    if old.fontItalic():
        new.setFontItalic(True)
    if old.fontStrikeOut():
        new.setFontStrikeOut(True)
    if old.fontFixedPitch() and look.kind != CODE:
        mono = theme.font("mono")
        new.setFontFamilies(mono.families())
        new.setProperty(QTextFormat.Property.FontPixelSize.value, mono.pixelSize() + 1)
        new.setBackground(QBrush(theme.color("sunken")))
    if old.isAnchor():
        new.setAnchor(True)
        new.setAnchorHref(old.anchorHref())
        new.setForeground(QBrush(theme.color("accent")))
        new.setFontUnderline(True)
    return new


def _style_table(table: QTextTable, theme: Theme) -> None:
    look = table.format()
    look.setBorder(1)
    look.setBorderBrush(QBrush(theme.color("line")))
    look.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    look.setBorderCollapse(True)
    look.setCellPadding(0)
    look.setCellSpacing(0)
    look.setTopMargin(theme.px(6))
    look.setBottomMargin(theme.px(12))
    look.setHeaderRowCount(1)
    look.setWidth(QTextLength())
    table.setFormat(look)
    _align_headers(table)
    for row in range(table.rows()):
        for column in range(table.columns()):
            _style_cell(table.cellAt(row, column), theme, is_header=row == 0)


def _align_headers(table: QTextTable) -> None:
    """Align each header cell like its column, because Qt's Markdown reader does not."""
    for column in range(table.columns() if table.rows() > 1 else 0):
        below = table.cellAt(1, column).firstCursorPosition().blockFormat()
        aligned = QTextBlockFormat()
        aligned.setAlignment(below.alignment())
        table.cellAt(0, column).firstCursorPosition().mergeBlockFormat(aligned)


def _style_cell(cell: QTextTableCell, theme: Theme, *, is_header: bool) -> None:
    look = cell.format().toTableCellFormat()
    look.setLeftPadding(theme.px(10))
    look.setRightPadding(theme.px(10))
    look.setTopPadding(theme.px(4))
    look.setBottomPadding(theme.px(4))
    if is_header:
        look.setBackground(QBrush(theme.color("raised")))
    cell.setFormat(look)


def _is_beside_table(block: QTextBlock, spans: list[tuple[int, int]]) -> bool:
    """Whether a block is one of the empty ones that Qt adds around tables (`spans`: first and last position)."""
    start, end = block.position(), block.position() + block.length()
    return block.length() == 1 and any(first == end or last + 1 == start for first, last in spans)


def _collapse(cursor: QTextCursor, block: QTextBlock) -> None:
    """Reduce the height of an empty block to 1 px."""
    cursor.setPosition(block.position())
    flat = QTextBlockFormat()
    flat.setLineHeight(1, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
    cursor.setBlockFormat(flat)
    tiny = QTextCharFormat()
    tiny.setProperty(QTextFormat.Property.FontPixelSize.value, 1)
    cursor.setBlockCharFormat(tiny)
