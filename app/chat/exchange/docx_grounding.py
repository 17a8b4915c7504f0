"""What an answer rests on, in a Word document: the result of its check, and a table of its sources.

Documents are named without the folder they lie in.
"""

from typing import Any

from docx.document import Document as WordDocument
from docx.oxml import OxmlElement
from docx.shared import Mm, Pt

from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.exchange import docx_styles
from app.chat.exchange.docx_text import legal
from app.chat.records import Message
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import Grounding

_COLUMNS = (("n", 12), ("document", 50), ("heading", 62), ("tag", 18), ("page", 18))  # and widths in mm
SMALL_PT = 9.5


def text_of(answer: str, grounding: Grounding | None) -> str:
    """The answer with the marks of its sources."""
    return source_citations.add_marks(answer, grounding) if grounding is not None else answer


def add_check(document: WordDocument, message: Message) -> None:
    """How the check came out; of an imported answer, that it is one, and what its file names as sources."""
    hearsay = answer_origin.hearsay(message)
    for line in (*answer_origin.lines(message), *([phrase("chat.imported_sources"), *hearsay] if hearsay else ())):
        document.add_paragraph(legal(line))


def add_sources(document: WordDocument, answer: str, grounding: Grounding) -> None:
    """Those that the answer uses; the nearest passages where the documents do not have it."""
    numbers = source_citations.used_sources(answer, grounding)
    rows: list[tuple[str, ...]] = []
    for number in numbers:
        source = grounding.sources[number - 1]
        page = phrase("common.page", page=source.page) if source.page else ""
        rows.append((f"[{number}]", source.document, " ".join(source.heading), source.tag, page))
    add_table(
        document, [phrase(f"common.batch_column.{name}") for name, _ in _COLUMNS], rows, [mm for _, mm in _COLUMNS]
    )


def sources_heading(grounding: Grounding) -> str:
    return phrase("common.sources" if grounding.verdict == "answered" else "common.nearest")


def add_table(document: WordDocument, head: list[str], rows: list[tuple[str, ...]], widths_mm: list[int]) -> None:
    """`head` []: the first column names the rows instead."""
    table = document.add_table(0, len(widths_mm))
    table._tbl.tblStyle_val = "TableGrid"
    table.autofit = False
    for number, row in enumerate([tuple(head), *rows] if head else rows):
        line = table.add_row()
        is_head = bool(head) and number == 0
        for column, (cell, text, width) in enumerate(zip(line.cells, row, widths_mm, strict=True)):
            cell.width = Mm(width)
            _fill(cell, text, is_name=is_head or (not head and column == 0))
        if is_head:
            line._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))  # again on each page
    document.add_paragraph()  # Word joins tables that touch


def _fill(cell: Any, text: str, *, is_name: bool) -> None:
    run = cell.paragraphs[0].add_run(legal(text))
    run.font.size = Pt(SMALL_PT)
    if is_name:
        run.bold = True
        docx_styles.shade(cell._tc.get_or_add_tcPr(), 1)  # behind its width
