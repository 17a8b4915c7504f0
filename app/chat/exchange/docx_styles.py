"""How the Word document looks: Japanese fonts, sizes, lists, page numbers. python-docx's template is the start."""

from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor

# Yu Gothic comes with Windows and with Word for Macintosh; elsewhere the language says that it must be a Japanese font.
FONT, CODE_FONT = "Yu Gothic", "MS Gothic"
CODE, CODE_CHARACTERS = "KotaeCode", "KotaeCodeCharacters"
BULLETS, NUMBERS = 0, 1  # ids of the two kinds of lists
LIST_LEVELS = 9
LIST_INDENT_MM = 7.4  # 420 twentieths of a point

# Ids of what is kept of the template's styles; the rest, 130 for tables alone, would only make each document slow.
_KEPT = ("Normal", "DefaultParagraphFont", "TableNormal", "NoList", "Title", "TitleChar", "ListParagraph", "TableGrid")
_KEPT_KINDS = ("Heading", "Header", "Footer")
_GREY = "F0F2F5"
_INK = RGBColor(0x1A, 0x21, 0x2B)
_SIZES = {"Normal": 10.5, "Title": 20, "Heading 1": 14, "Heading 2": 13, "Heading 3": 12, "Heading 4": 11}


def new_document() -> WordDocument:
    """An empty A4 document with our styles, and page numbers at its foot."""
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


def shade(properties: Any, place: int) -> None:
    """A grey ground, as child number `place` of a style's or cell's properties: Word insists on their order."""
    properties.insert(place, parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="{_GREY}"/>'))


def new_list(document: WordDocument, kind: int, start: int = 1) -> int:
    """A list of its own, so that its numbers do not go on from the list before. `kind`: BULLETS or NUMBERS."""
    number = document.part.numbering_part.element.add_num(kind)
    for level in range(LIST_LEVELS):
        number.add_lvlOverride(level).add_startOverride(start if level == 0 else 1)
    return int(number.numId)


def put_in_list(paragraph: Any, list_id: int, level: int) -> None:
    properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
    properties.get_or_add_ilvl().val = min(level, LIST_LEVELS - 1)
    properties.get_or_add_numId().val = list_id


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
    """Names of the theme would go before, and the theme knows no Japanese font that every machine has."""
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
    for template in list(lists):  # they belong to styles that are gone
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
            field.append(parse_xml(f"<w:r {nsdecls('w')}><w:t>1</w:t></w:r>"))  # until it is counted
            paragraph._p.append(field)
        else:
            paragraph.add_run(text)
