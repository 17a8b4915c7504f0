"""Write Word documents (.docx) of a conversation (the branch that is shown) or of one answer with its sources.

Answers keep their headings, lists, tables and code. Links become text with their address, because a click in Word would
open them without the question that the window asks first. Sources are named without the folder of the document. The
layout (Japanese fonts, sizes, lists, page numbers) starts from the template of python-docx.
"""

import datetime
import io
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from markdown_it.token import Token

from app.base.files.inert_markdown import parse
from app.base.files.output_file import require_clock_fit_for_zip
from app.base.invisible_characters import remove  # Word cannot open a file with some of them
from app.base.wording import phrase
from app.chat.answer_check import AnswerRecord, check_lines, grounding_of, origin_marks
from app.chat.exchange import markdown_file
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.records import Message
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import Grounding

# Yu Gothic comes with Windows and with Word for Mac; elsewhere the language setting selects a Japanese font.
FONT, CODE_FONT = "Yu Gothic", "MS Gothic"
CODE, CODE_CHARACTERS = "KotaeCode", "KotaeCodeCharacters"
BULLETS, NUMBERS = 0, 1  # ids of the two list definitions of a document
LIST_LEVELS = 9
LIST_INDENT_MM = 7.4  # in Word's unit: 420 twentieths of a point

# Styles of the template that are kept. The others (130 for tables alone) would only make each document slower.
_KEPT = ("Normal", "DefaultParagraphFont", "TableNormal", "NoList", "Title", "TitleChar", "ListParagraph", "TableGrid")
_KEPT_KINDS = ("Heading", "Header", "Footer")
_GREY = "F0F2F5"
_INK = RGBColor(0x1A, 0x21, 0x2B)
_SIZES = {"Normal": 10.5, "Title": 20, "Heading 1": 14, "Heading 2": 13, "Heading 3": 12, "Heading 4": 11}


def new_document() -> WordDocument:
    """Return an empty A4 document with Kotae's styles and page numbers in the footer."""
    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(25)
    for style in list(document.styles.element.style_lst):
        if style.styleId not in _KEPT and not style.styleId.startswith(_KEPT_KINDS):
            document.styles.element.remove(style)
    _set_fonts(document)
    _add_code_styles(document)
    _add_lists(document)
    _number_pages(section.footer.paragraphs[0])
    return document


def shade(properties: Any, child_index: int) -> None:
    """Add a grey background to the properties of a style or cell, at the place `child_index` that Word requires."""
    properties.insert(child_index, parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="{_GREY}"/>'))


def _set_fonts(document: WordDocument) -> None:
    for style in document.styles:
        if style.type in (WD_STYLE_TYPE.PARAGRAPH, WD_STYLE_TYPE.CHARACTER) and style.element.rPr is not None:
            fonts = style.element.rPr.find(qn("w:rFonts"))
            if fonts is not None:
                _name_fonts(fonts, FONT)
    defaults = document.styles.element.find(f"{qn('w:docDefaults')}/{qn('w:rPrDefault')}/{qn('w:rPr')}")
    _name_fonts(defaults.find(qn("w:rFonts")), FONT)
    defaults.find(qn("w:lang")).set(qn("w:eastAsia"), "ja-JP")
    for name, size in _SIZES.items():
        style = document.styles[name]
        style.font.size = Pt(size)
        style.font.color.rgb = _INK
    for level in range(5, 10):
        document.styles[f"Heading {level}"].font.color.rgb = _INK


def _name_fonts(fonts: Any, name: str) -> None:
    """Set one font for all scripts, and remove the theme's fonts, which would take precedence and are not Japanese."""
    fonts.attrib.clear()
    for script in ("ascii", "hAnsi", "eastAsia", "cs"):
        fonts.set(qn(f"w:{script}"), name)


def _add_code_styles(document: WordDocument) -> None:
    for name, kind in ((CODE, WD_STYLE_TYPE.PARAGRAPH), (CODE_CHARACTERS, WD_STYLE_TYPE.CHARACTER)):
        style = document.styles.add_style(name, kind)
        style.font.size = Pt(9.5)
        _name_fonts(style.element.get_or_add_rPr().get_or_add_rFonts(), CODE_FONT)
    paragraph = document.styles[CODE]
    paragraph.base_style = document.styles["Normal"]
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(4)
    shade(paragraph.element.get_or_add_pPr(), 0)


def _add_lists(document: WordDocument) -> None:
    lists = document.part.numbering_part.element
    for template in list(lists):  # they belong to the styles that were removed
        lists.remove(template)
    for kind, number_format, text in ((NUMBERS, "decimal", "%{level}."), (BULLETS, "bullet", "・")):
        levels = "".join(
            f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{number_format}"/>'
            f'<w:lvlText w:val="{text.format(level=level + 1)}"/><w:lvlJc w:val="left"/>'
            f'<w:pPr><w:ind w:left="{420 * (level + 1)}" w:hanging="420"/></w:pPr></w:lvl>'
            for level in range(LIST_LEVELS)
        )
        lists.insert(
            0,
            parse_xml(
                f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{kind}">'
                f'<w:multiLevelType w:val="multilevel"/>{levels}</w:abstractNum>'
            ),
        )


def _number_pages(paragraph: Any) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text in ("PAGE", " / ", "NUMPAGES"):
        if text.isupper():
            field = OxmlElement("w:fldSimple")
            field.set(qn("w:instr"), text)
            field.append(parse_xml(f"<w:r {nsdecls('w')}><w:t>1</w:t></w:r>"))  # shown until Word counts the pages
            paragraph._p.append(field)
        else:
            paragraph.add_run(text)


_SOURCE_COLUMNS = (("n", 12), ("document", 50), ("heading", 62), ("tag", 18), ("page", 18))  # and widths in mm
TABLE_FONT_PT = 9.5


def add_check(document: WordDocument, message: Message) -> None:
    for line in check_lines(message):
        document.add_paragraph(remove(line))


def add_sources(document: WordDocument, answer: str, grounding: Grounding) -> None:
    """Add a table of the sources that the answer uses, or of the nearest passages."""
    rows = [[phrase(f"common.batch_column.{name}") for name, _ in _SOURCE_COLUMNS]]
    for number in source_citations.used_sources(answer, grounding):
        source = grounding.sources[number - 1]
        page = phrase("common.page", page=source.page) if source.page else ""
        rows.append([f"[{number}]", source.document, " ".join(source.heading), source.tag, page])
    add_table(document, rows, [mm for _, mm in _SOURCE_COLUMNS], has_header=True)


def add_table(
    document: WordDocument, rows: Sequence[Sequence[str]], widths_mm: Sequence[int], *, has_header: bool
) -> None:
    """Add a table. Its first row is the header; without `has_header` its first column contains the row names."""

    def fill(cell: Any, text: str, row: int, column: int) -> None:
        cell.width = Mm(widths_mm[column])
        run = cell.paragraphs[0].add_run(remove(text))
        run.font.size = Pt(TABLE_FONT_PT)
        if (row if has_header else column) == 0:
            run.bold = True
            shade(cell._tc.get_or_add_tcPr(), 1)  # place 1: after the width

    _add_grid(document, rows, fill, has_header=has_header).autofit = False


def _add_grid(
    document: WordDocument,
    rows: Sequence[Sequence[Any]],
    fill: Callable[[Any, Any, int, int], None],
    *,
    has_header: bool,
) -> Any:
    """Add a table and return it. `fill` gets a cell with its content, row and column."""
    table = document.add_table(0, len(rows[0]))
    table._tbl.tblStyle_val = "TableGrid"
    for number, row in enumerate(rows):
        line = table.add_row()
        for column, (cell, content) in enumerate(zip(line.cells, row, strict=True)):
            fill(cell, content, number, column)
        if has_header and number == 0:
            line._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))  # repeated on each page
    document.add_paragraph()  # Word would join adjacent tables
    return table


QUOTE_INDENT_MM = 6
HEADING_MAX = 9
CELLS_MAX = 20_000  # python-docx makes about 3,000 cells a second

_ALIGNMENTS = {"center": WD_ALIGN_PARAGRAPH.CENTER, "right": WD_ALIGN_PARAGRAPH.RIGHT}


def conversation_docx(bundle: Bundle) -> bytes:
    document = new_document()
    title = remove(bundle.conversation.title)
    set_properties(document, title)
    document.add_paragraph(title)._p.style = "Title"
    for fact in markdown_file.conversation_facts(bundle):
        document.add_paragraph(remove(fact))
    number = 0
    for message in markdown_file.shown_branch(bundle):
        number += message.role == "question" and not message.is_action
        _add_heading(document, markdown_file.turn_heading(message, number))
        if message.is_action:
            continue
        grounding = grounding_of(message)
        if message.role == "answer":
            add_answer(document, source_citations.add_marks(message.text, grounding))
        else:
            add_typed(document, message.text)
        add_check(document, message)
        if grounding is not None and grounding.sources:
            document.add_paragraph().add_run(source_citations.sources_heading(grounding)).bold = True
            add_sources(document, message.text, grounding)
        _add_remark(document, markdown_file.ending_remark(message))
    return _saved(document)


def add_answer(document: WordDocument, text: str) -> None:
    """Add an answer with its formatting, or as plain text when that would take too long."""
    tokens = parse(remove(text))
    if tokens is None or sum(token.type == "td_open" for token in tokens) > CELLS_MAX:
        add_typed(document, text)
    else:
        _Writer(document).write(tokens)


def set_properties(document: WordDocument, title: str) -> None:
    about = document.core_properties
    about.title, about.author, about.comments = title[:255], "Kotae", ""
    about.language = phrase("common.export_language")
    about.created = about.modified = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def add_typed(document: WordDocument, text: str) -> None:
    for line in remove(text).split("\n"):
        document.add_paragraph(line)


class _Writer:
    """Writes the Markdown tokens of one answer into a document."""

    def __init__(self, document: WordDocument) -> None:
        self._document = document
        self._lists: list[int] = []  # ids of the open lists, the innermost last
        self._is_item_new = False  # only the first paragraph of an item gets the bullet or number
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
            lists = self._document.part.numbering_part.element
            number = lists.add_num(BULLETS if kind == "bullet_list_open" else NUMBERS)
            for level in range(LIST_LEVELS):
                number.add_lvlOverride(level).add_startOverride(start if level == 0 else 1)
            self._lists.append(int(number.numId))
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
        paragraph._p.style = style_id  # by id, because python-docx searches all styles for a name
        if self._lists and self._is_item_new:
            properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
            properties.get_or_add_ilvl().val = min(len(self._lists), LIST_LEVELS) - 1
            properties.get_or_add_numId().val = self._lists[-1]
            self._is_item_new = False
        elif self._lists or self._quotes:
            indent = LIST_INDENT_MM * len(self._lists) + QUOTE_INDENT_MM * self._quotes
            paragraph.paragraph_format.left_indent = Mm(indent)
        return paragraph

    def _add_table(self, tokens: Sequence[Token]) -> None:
        rows: list[list[tuple[Token, Token]]] = []
        for token, following in itertools.pairwise(tokens):
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                rows[-1].append((token, following))
        _add_grid(self._document, rows, _fill_inline, has_header=True)


def _fill_inline(cell: Any, tokens: tuple[Token, Token], _row: int, _column: int) -> None:
    token, inline = tokens
    paragraph = cell.paragraphs[0]
    add_inline(paragraph, inline.children or (), is_bold=token.type == "th_open")
    style = str(token.attrGet("style") or "")
    paragraph.alignment = _ALIGNMENTS.get(style.removeprefix("text-align:"))
    if token.type == "th_open":
        shade(cell._tc.get_or_add_tcPr(), 1)  # place 1: after the width


def add_inline(paragraph: Any, tokens: Sequence[Token], *, is_bold: bool = False) -> None:
    """Add text with its styles. Links and images become text followed by their address."""
    depth = {"strong": int(is_bold), "em": 0, "s": 0}
    links: list[tuple[str, int]] = []  # (address, position in `written` where the link text begins) of each open link
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


FACT_WIDTHS_MM = [45, 115]


def answer_docx(answered: AnswerRecord) -> bytes:
    document = new_document()
    grounding, answer = answered.grounding, answered.answer
    set_properties(document, phrase("chat.answer_title"))
    mark = document.add_paragraph()
    mark.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    mark.add_run(phrase(f"common.label.{answered.highest_label}")).bold = True
    document.add_paragraph(phrase("chat.answer_title"))._p.style = "Title"

    _add_heading(document, phrase("chat.answer_question"))
    add_typed(document, answered.question.text)
    _add_heading(document, phrase("chat.answer_answer"))
    add_answer(document, source_citations.add_marks(answer.text, grounding))
    _add_remark(document, markdown_file.ending_remark(answer))
    origin = origin_marks(answer)
    if grounding is None and not origin:
        _add_remark(document, phrase("chat.batch_without_documents"))
    else:
        _add_heading(document, phrase("chat.answer_check"))
        add_check(document, answer)
        if grounding is not None and not grounding.has_answer:
            document.add_paragraph(phrase("chat.not_in_documents"))
        if grounding is not None and grounding.sources:
            _add_heading(document, source_citations.sources_heading(grounding))
            add_sources(document, answer.text, grounding)
    _add_heading(document, phrase("chat.answer_facts"))
    add_table(document, answered.facts(), FACT_WIDTHS_MM, has_header=False)
    return _saved(document)


def _add_heading(document: WordDocument, text: str) -> None:
    document.add_paragraph(remove(text))._p.style = "Heading1"


def _add_remark(document: WordDocument, text: str) -> None:
    if text:
        document.add_paragraph().add_run(text).italic = True


def _saved(document: WordDocument) -> bytes:
    file = io.BytesIO()
    require_clock_fit_for_zip()
    document.save(file)
    return file.getvalue()
