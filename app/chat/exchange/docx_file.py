"""A conversation as a Word document: the branch that is shown, with headings, lists, tables and code of the answers.

Links are written out with their address and open nothing: a click in Word would not ask as the window does.
"""

import datetime
import io
import itertools
from collections.abc import Sequence
from typing import Any

from docx.document import Document as WordDocument
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.shared import Mm
from markdown_it.token import Token

from app.base.files.inert_markdown import parse
from app.base.files.output_file import require_zip_date
from app.base.wording import phrase
from app.chat import answer_origin
from app.chat.exchange import docx_grounding, docx_styles, markdown_file
from app.chat.exchange.bundle import Bundle
from app.chat.exchange.docx_styles import BULLETS, CODE, CODE_CHARACTERS, NUMBERS
from app.chat.exchange.docx_text import legal
from app.documents.grounding.grounding_record import Grounding

QUOTE_INDENT_MM = 6
HEADING_MAX = 9
CELLS_MAX = 20_000  # python-docx makes about 3,000 a second

_ALIGNMENTS = {"center": WD_ALIGN_PARAGRAPH.CENTER, "right": WD_ALIGN_PARAGRAPH.RIGHT}


def content(bundle: Bundle) -> bytes:
    document = docx_styles.new_document()
    title = legal(bundle.conversation.title)
    describe(document, title)
    document.add_paragraph(title)._p.style = "Title"
    for fact in markdown_file.facts(bundle):
        document.add_paragraph(legal(fact))
    number = 0
    for message in markdown_file.shown(bundle):
        number += message.role == "question"
        document.add_paragraph(legal(markdown_file.heading(message, number)))._p.style = "Heading1"
        grounding = answer_origin.grounding_of(message)
        if message.role == "answer":
            add_answer(document, docx_grounding.text_of(message.text, grounding))
        else:
            add_typed(document, message.text)
        docx_grounding.add_check(document, message)
        if grounding is not None:
            _add_grounds(document, message.text, grounding)
        if remark := markdown_file.remark(message):
            document.add_paragraph().add_run(remark).italic = True
    file = io.BytesIO()
    require_zip_date()
    document.save(file)
    return file.getvalue()


def add_answer(document: WordDocument, text: str) -> None:
    """With its headings, lists, tables and code; as typed where that would take too long."""
    tokens = parse(legal(text))
    if tokens is None or sum(token.type == "td_open" for token in tokens) > CELLS_MAX:
        add_typed(document, text)
    else:
        _Writer(document).write(tokens)


def _add_grounds(document: WordDocument, answer: str, grounding: Grounding) -> None:
    if grounding.sources:
        document.add_paragraph().add_run(docx_grounding.sources_heading(grounding)).bold = True
        docx_grounding.add_sources(document, answer, grounding)


def describe(document: WordDocument, title: str) -> None:
    about = document.core_properties
    about.title, about.author, about.comments, about.language = (
        title[:255],
        "Kotae",
        "",
        phrase("common.export_language"),
    )
    about.created = about.modified = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def add_typed(document: WordDocument, text: str) -> None:
    for line in legal(text).split("\n"):
        document.add_paragraph(line)


class _Writer:
    """Walks over the tokens of one answer."""

    def __init__(self, document: WordDocument) -> None:
        self._document = document
        self._lists: list[int] = []  # those that are open, the innermost last
        self._is_item_new = False  # its mark stands before its first paragraph only
        self._quotes = 0

    def write(self, tokens: Sequence[Token]) -> None:
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "table_open":
                end = next(place for place in range(at, len(tokens)) if tokens[place].type == "table_close")
                self._add_table(tokens[at:end])
                at = end
            else:
                self._add(token, tokens[at + 1] if at + 1 < len(tokens) else token)
            at += 1

    def _add(self, token: Token, following: Token) -> None:
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            start = int(token.attrGet("start") or 1) if kind == "ordered_list_open" else 1
            self._lists.append(
                docx_styles.new_list(self._document, BULLETS if kind == "bullet_list_open" else NUMBERS, start)
            )
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
        elif kind == "list_item_open":
            self._is_item_new = True
        elif kind in ("blockquote_open", "blockquote_close"):
            self._quotes += 1 if kind == "blockquote_open" else -1
        elif kind == "heading_open":
            level = min(HEADING_MAX, int(token.tag[1:]) + 1)
            add_inline(self._paragraph(f"Heading{level}"), following.children or ())
        elif kind == "paragraph_open":
            add_inline(self._paragraph("ListParagraph" if self._lists else "Normal"), following.children or ())
        elif kind in ("fence", "code_block"):
            self._paragraph(CODE).add_run(token.content.rstrip("\n"))
        elif kind == "hr":
            self._paragraph("Normal").add_run("―" * 10)

    def _paragraph(self, style_id: str) -> Any:
        paragraph = self._document.add_paragraph()
        paragraph._p.style = style_id  # python-docx looks through all styles for one by its name
        if self._lists and self._is_item_new:
            docx_styles.put_in_list(paragraph, self._lists[-1], len(self._lists) - 1)
            self._is_item_new = False
        elif self._lists or self._quotes:
            indent = docx_styles.LIST_INDENT_MM * len(self._lists) + QUOTE_INDENT_MM * self._quotes
            paragraph.paragraph_format.left_indent = Mm(indent)
        return paragraph

    def _add_table(self, tokens: Sequence[Token]) -> None:
        rows: list[list[tuple[Token, Token]]] = []
        for token, following in itertools.pairwise(tokens):
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                rows[-1].append((token, following))
        table = self._document.add_table(0, len(rows[0]))
        table._tbl.tblStyle_val = "TableGrid"
        for number, row in enumerate(rows):
            line = table.add_row()
            for cell, (token, inline) in zip(line.cells, row, strict=True):
                _fill(cell, token, inline)
            if number == 0:
                line._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))  # again on each page
        self._document.add_paragraph()  # Word joins tables that touch


def _fill(cell: Any, token: Token, inline: Token) -> None:
    paragraph = cell.paragraphs[0]
    add_inline(paragraph, inline.children or (), is_bold=token.type == "th_open")
    style = str(token.attrGet("style") or "")
    paragraph.alignment = _ALIGNMENTS.get(style.removeprefix("text-align:"))
    if token.type == "th_open":
        docx_styles.shade(cell._tc.get_or_add_tcPr(), 1)  # behind its width


def add_inline(paragraph: Any, tokens: Sequence[Token], *, is_bold: bool = False) -> None:
    """Text with bold, italic, struck and code; links and images as their words with the address behind."""
    depth = {"strong": int(is_bold), "em": 0, "s": 0}
    links: list[tuple[str, int]] = []  # the address, and where its words begin
    written = ""
    for token in tokens:
        name, _, side = token.type.rpartition("_")
        if name in depth:
            depth[name] += 1 if side == "open" else -1
            continue
        text = token.content
        if token.type == "link_open":
            links.append((str(token.attrGet("href") or ""), len(written)))
            continue
        if token.type == "link_close":
            address, start = links.pop()
            text = "" if written[start:] == address else phrase("common.export_address", address=address)
        elif token.type == "image":
            text = token.content + phrase("common.export_address", address=token.attrGet("src"))
        elif token.type in ("softbreak", "hardbreak"):
            text = "\n"
        written += text
        run = paragraph.add_run(text)
        if token.type == "code_inline":
            run._r.style = CODE_CHARACTERS
        for is_on, name in ((depth["strong"], "bold"), (depth["em"], "italic"), (depth["s"], "strike")):
            if is_on:
                setattr(run.font, name, True)
