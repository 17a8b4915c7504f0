"""What a reader makes of a file: pieces of text in reading order, whatever the format was.

Readers know formats, and nothing of clauses; `app.documents.reading.sections` knows clauses, and nothing of formats.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from app.documents.records import Box, Report

Kind = Literal["heading", "paragraph", "row", "caption"]
Tell = Callable[[int, int], None]  # done, in all (pages, sheets, lines; 0 in all: not known): a sign of life


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph or list item, one row of a table, or the caption of a figure or table.

    `text` is whole sentences: lines that only the page's width has broken are joined, without a space between Japanese
    characters. A row's cells are joined by " | "; a table's head row comes first, with `is_head`.
    """

    kind: Kind
    text: str
    level: int = 0  # of a heading, as the format says (1 is the outermost); 0: the format does not say
    is_head: bool = False
    page: int = 0  # from 1; 0: the format has no pages
    boxes: tuple[Box, ...] = ()
    size_pt: float = 0.0  # of the letters, where the format says; headings of PDF files are larger


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as read: its blocks, and what of the report the reader knows (sections and headings come later)."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""  # as the format says; "": none
    report: Report = field(default_factory=Report)
