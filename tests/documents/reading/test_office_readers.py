"""Word and Excel files into blocks: as Word and Excel show them. The files are made by python-docx and openpyxl, or as
XML where those know nothing of it."""

import datetime
from pathlib import Path
from typing import Any

import docx as python_docx
import openpyxl
import pytest

from app.documents.reading import docx, sections, spreadsheet
from app.documents.reading.cell_formats import format_value
from app.documents.reading.docx import written_number as number_written
from app.documents.reading.text_blocks import Block, ReadDocument
from tests.documents.driver import silent
from tests.faults.hostile_office import MAIN, paragraph, word


def read_word(folder: Path, made: Any) -> ReadDocument:
    """`made`: a document of python-docx, or a file's bytes."""
    path = folder / "a.docx"
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made.save(str(path))
    return docx.read(path, silent)


def read_excel(folder: Path, book: Any) -> ReadDocument:
    path = folder / "a.xlsx"
    book.save(path)
    return spreadsheet.read(path, silent)


def texts(reading: ReadDocument) -> list[str]:
    return [block.text for block in reading.blocks]


# ------------------------------------------------------------------ Word


def test_styles_of_word_are_headings_lists_and_captions(tmp_path: Path) -> None:
    made = python_docx.Document()
    made.add_paragraph("砂防設計指針", style="Title")
    made.add_heading("第1章 総則", 1)
    body = made.add_paragraph("本章は")
    body.add_run("砂防堰堤").bold = True
    body.add_run("に適用する。")
    made.add_heading("1.1 適用範囲", 2)
    for style, text in (
        ("List Bullet", "点"),
        ("List Number", "番号一"),
        ("List Number", "番号二"),
        ("Caption", "表1 数量"),
    ):
        made.add_paragraph(text, style=style)
    made.sections[0].header.paragraphs[0].text = "ヘッダは毎ページにある"
    reading = read_word(tmp_path, made)
    assert reading.title == "砂防設計指針"
    assert [(block.kind, block.level, block.text) for block in reading.blocks] == [
        ("paragraph", 0, "砂防設計指針"),
        ("heading", 1, "第1章 総則"),
        ("paragraph", 0, "本章は砂防堰堤に適用する。"),
        ("heading", 2, "1.1 適用範囲"),
        ("paragraph", 0, "・点"),
        ("paragraph", 0, "1. 番号一"),
        ("paragraph", 0, "2. 番号二"),
        ("caption", 0, "表1 数量"),
    ]
    assert [section.heading for section in sections.Splitter(reading).cut()][1:] == [
        ("第1章 総則",),
        ("第1章 総則", "1.1 適用範囲"),
    ]


def test_tables_of_word_are_rows_and_merged_cells_are_said_in_each(tmp_path: Path) -> None:
    made = python_docx.Document()
    table = made.add_table(rows=4, cols=3)
    cells = [["部材", "数量", "単位"], ["本堤", "12.5", "m³"], ["", "3", "基"], ["計", "", "式"]]
    for row, line in zip(table.rows, cells, strict=True):
        for cell, text in zip(row.cells, line, strict=True):
            cell.text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 0).merge(table.cell(3, 1))
    frame = made.add_table(rows=1, cols=1)
    frame.cell(0, 0).text = "枠の中の段落。"
    reading = read_word(tmp_path, made)
    assert reading.blocks == [
        Block("row", "部材 | 数量 | 単位", is_head=True),
        Block("row", "本堤 | 12.5 | m³"),
        Block("row", "本堤 | 3 | 基"),
        Block("row", "計 | 式"),
        Block("paragraph", "枠の中の段落。"),
    ]
    assert reading.report.tables == 1


LEVELS = "".join(
    f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/></w:lvl>'
    for level, (kind, text) in enumerate(
        [("decimal", "第%1章"), ("decimal", "%1.%2"), ("decimalFullWidth", "（%3）"), ("aiueo", "%4")]
    )
)
NUMBERING = (
    f'<w:numbering xmlns:w="{MAIN}"><w:abstractNum w:abstractNumId="7">{LEVELS}</w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num></w:numbering>'
)


def numbered(text: str, level: int, outline: str = "") -> str:
    number = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="1"/></w:numPr>'
    return paragraph(text, f"<w:pPr>{number}{outline}</w:pPr>")


def test_numbers_that_word_makes_itself_are_written_out(tmp_path: Path) -> None:
    heading = '<w:outlineLvl w:val="0"/>'
    body = (
        numbered("総則", 0, heading) + numbered("適用", 1) + numbered("条件", 2) + numbered("甲", 3) + numbered("乙", 3)
        + numbered("用語", 1) + numbered("設計", 0, heading) + numbered("荷重", 1)
    )  # fmt: skip
    reading = read_word(tmp_path, word(body, {"word/numbering.xml": NUMBERING}))
    assert texts(reading) == [
        "第1章 総則", "1.1 適用", "（１） 条件", "ア 甲", "イ 乙", "1.2 用語", "第2章 設計", "2.1 荷重",
    ]  # fmt: skip
    assert [block.level for block in reading.blocks if block.kind == "heading"] == [1, 1]


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (12, "japaneseCounting", "十二"), (20, "ideographDigital", "二十"), (3, "decimalEnclosedCircle", "③"),
        (21, "decimalEnclosedCircle", "21"), (4, "lowerRoman", "iv"), (1994, "upperRoman", "MCMXCIV"),
        (2, "iroha", "ロ"), (27, "lowerLetter", "27"), (7, "decimalZero", "07"), (5, "none", ""), (5, "unheardOf", "5"),
    ],
)  # fmt: skip
def test_numbers_are_written_in_words_ways(number: int, kind: str, text: str) -> None:
    assert number_written(number, kind) == text


def test_changes_notes_boxes_and_hidden_text_are_read_as_they_are_seen(tmp_path: Path) -> None:
    def run(text: str, properties: str = "") -> str:
        return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"

    ruby = (
        "<w:r><w:ruby><w:rt><w:r><w:t>えん</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>堰</w:t></w:r></w:rubyBase></w:ruby>"
        "</w:r>"
    )
    deleted = "<w:del><w:r><w:delText>消した文</w:delText></w:r></w:del>"
    note = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    box = f"<w:r><w:pict><w:txbxContent>{paragraph('箱の中。')}</w:txbxContent></w:pict></w:r>"
    contents = (
        '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
        f"<w:sdtContent>{paragraph('1.1 目次の行 3')}</w:sdtContent></w:sdt>"
    )
    control = f"<w:sdt><w:sdtPr/><w:sdtContent>{paragraph('欄の中。')}</w:sdtContent></w:sdt>"
    footnotes = (
        f'<w:footnotes xmlns:w="{MAIN}"><w:footnote w:type="separator" w:id="0">{paragraph("――")}</w:footnote>'
        f'<w:footnote w:id="2">{paragraph("注の文。")}</w:footnote></w:footnotes>'
    )
    changed = f"{run('本堤の')}{deleted}<w:ins>{run('足した')}</w:ins>"
    seen = f"{changed}{run('隠し', '<w:vanish/>')}{ruby}{run('堤')}{note}"
    body = f"{contents}<w:p>{seen}</w:p>{control}<w:p>{run('図の前')}{box}</w:p>"
    reading = read_word(tmp_path, word(body, {"word/footnotes.xml": footnotes}))
    assert texts(reading) == ["本堤の足した堰堤（注1）", "（注1）注の文。", "欄の中。", "図の前", "箱の中。"]
    assert reading.source_letters == len("本堤の足した隠し堰堤注の文欄の中図の前箱の中")


@pytest.mark.fault("S7")
def test_words_are_hidden_by_a_style_too_and_shown_where_the_run_says_so(tmp_path: Path) -> None:
    styles = (
        f'<w:styles xmlns:w="{MAIN}"><w:style w:styleId="A"><w:name w:val="a"/><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:styleId="B"><w:name w:val="b"/><w:basedOn w:val="A"/></w:style>'
        '<w:style w:styleId="C"><w:basedOn w:val="B"/><w:rPr><w:vanish w:val="0"/></w:rPr></w:style></w:styles>'
    )

    def run(text: str, properties: str = "") -> str:
        return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"

    seen = run("見える", '<w:vanish w:val="0"/>')
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{run(style + "の文")}{inside}</w:p>'
        for style, inside in (("A", ""), ("B", seen), ("C", run("偽", '<w:rStyle w:val="A"/>')))
    )
    assert texts(read_word(tmp_path, word(body, {"word/styles.xml": styles}))) == ["見える", "Cの文"]


# ------------------------------------------------------------------ Excel


def test_a_sheet_is_a_heading_and_its_rows_name_their_values(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "数量表"
    rows = [
        ["部材表", None, None, None],
        [],
        ["部材", "寸法", None, "単価"],
        [None, "幅", "高さ", None],
        ["本堤", 12.5, 3, 1500],
        ["副堤", 0.125, 4, 2500],
    ]
    for row in rows:
        sheet.append(row)
    for place in ("A1:D1", "A3:A4", "B3:C3", "D3:D4"):
        sheet.merge_cells(place)
    sheet["B6"].number_format = "0.0%"
    sheet["D5"].number_format = sheet["D6"].number_format = '#,##0"円"'
    reading = read_excel(tmp_path, book)
    assert [(block.kind, block.text) for block in reading.blocks] == [
        ("heading", "数量表"),
        ("paragraph", "部材表"),
        ("row", "部材: 本堤 | 寸法 幅: 12.5 | 寸法 高さ: 3 | 単価: 1,500円"),
        ("row", "部材: 副堤 | 寸法 幅: 12.5% | 寸法 高さ: 4 | 単価: 2,500円"),
    ]
    assert reading.report.tables == 1


def test_hidden_sheets_and_formulas_without_values_are_noted(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["計", "=SUM(B2:B9)", "式"])
    hidden, empty = book.create_sheet("隠し"), book.create_sheet("空")
    hidden.append(["秘密", "1"])
    hidden.sheet_state = "hidden"
    assert empty.title == "空"
    reading = read_excel(tmp_path, book)
    assert texts(reading) == ["Sheet", "計 |  | 式"]
    assert set(reading.report.notes) == {"hidden_sheets", "formulas_without_values"}


def test_a_cell_that_spans_rows_is_said_in_each(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["河川", "観測所", "水位"], ["荒川", "甲", 1.5], [None, "乙", 2], [None, "丙", 3]):
        book.active.append(row)
    book.active.merge_cells("A2:A4")
    assert texts(read_excel(tmp_path, book))[1:] == [
        "河川: 荒川 | 観測所: 甲 | 水位: 1.5",
        "河川: 荒川 | 観測所: 乙 | 水位: 2",
        "河川: 荒川 | 観測所: 丙 | 水位: 3",
    ]


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (datetime.datetime(2025, 4, 1), 'ggge"年"m"月"d"日"', "令和7年4月1日"),
        (datetime.datetime(1989, 1, 7), "gge.m.d", "昭64.1.7"),
        (datetime.datetime(2025, 4, 1), "[$-411]yyyy/mm/dd(aaa)", "2025/04/01(火)"),
        (datetime.datetime(2025, 4, 1, 9, 5), "h:mm AM/PM", "9:05 AM"),
        (datetime.datetime(2025, 4, 1), "General", "2025-04-01"),
        (datetime.time(13, 5), "hh:mm", "13:05"),
        (datetime.timedelta(hours=26, minutes=3), "[h]:mm:ss", "26:03:00"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567.891, "#,##0.0", "1,234,567.9"),
        (0.12345, "0.0%", "12.3%"),
        (1500, '¥#,##0;[Red]-¥#,##0', "¥1,500"),
        (12.50, "0.##", "12.5"),
        (3, '0"基"', "3基"),
        (1e20, "General", "1e+20"),
        (float("inf"), "0.0", "inf"),
        (True, "General", "TRUE"),
        ("0012", "@", "0012"),
        (12_000_000, '#,##0,"千円"', "12,000千円"),
        (12_000_000, "#,##0,", "12,000"),
        (12_345_678, '0.0,,"百万円"', "12.3百万円"),
        (12_000_000, '#,##0"円"', "12,000,000円"),
        (1234.5, "#,##0.00", "1,234.50"),
        (0.25, "# ?/?", "0.25"),
        (12, "0000", "0012"),
        (-12, "0000", "-0012"),
        (1.5, "00.00", "01.50"),
        (12, "#", "12"),
        (3.5, '0.0"円/m"', "3.5円/m"),
        (0.125, "0.0%", "12.5%"),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_its_cell_does(value: object, number_format: str, text: str) -> None:
    assert format_value(value, number_format) == text
