"""The lines and tables of a page in the order in which they are read."""

from dataclasses import dataclass, field

from app.documents.reading.pdf.pdf_lines import Line, Turn
from app.documents.reading.pdf.pdf_tables import Table


@dataclass(slots=True)
class Item:
    """A line or a table in reading order, with the edges of its column."""

    content: Line | Table
    left: float
    right: float
    pitch: float  # usual distance between the middles of the column's lines; 0: it has one


@dataclass(slots=True)
class TextPage:
    """`height`: of the page as it was turned for reading."""

    number: int  # from 1
    turn: Turn
    height: float
    items: list[Item] = field(default_factory=list)
