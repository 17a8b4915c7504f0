"""Spreadsheets of all formats, and sheets used as graph paper. Real programs and libraries wrote the files, but for
.xlsb, which only Excel writes."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.base.errors import AppError
from app.documents.reading import spreadsheet
from app.documents.reading.cell_formats import format_value
from tests.documents.driver import silent
from tests.faults.hostile_office import OFFICE, RELATIONS, SHEETS, binary_workbook, cell, excel

FILES = Path(__file__).with_name("files")
ROWS: dict[tuple[int, int], str | float] = {
    (0, 0): "部材",
    (0, 1): "数量",
    (1, 0): "本堤",
    (1, 1): 12.5,
    (2, 0): "副堤",
    (2, 1): 3.0,
}


def texts(path: Path, file_format: str = "xlsx") -> list[str]:
    return [block.text for block in spreadsheet.read(path, silent, file_format).blocks]


def saved(folder: Path, book: Any) -> Path:
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


# ------------------------------------------------------------------ formats


def test_an_xls_file_is_read_with_dates_and_merged_cells_and_without_number_formats():
    reading = spreadsheet.read(FILES / "prices.xls", silent, "xls")
    assert [block.text for block in reading.blocks] == [
        "単価表",
        "部材: 本堤 | 数量: 12.5 | 率: 0.125 | 日付: 2025-04-01",
        "部材: 本堤 | 数量: 3 | 率: 1 | 日付: 2025-04-02",
    ]
    assert reading.report.notes == ("number_formats_unread", "hidden_sheets")


def test_an_ods_file_is_read():
    assert texts(FILES / "prices.ods", "ods") == [
        "単価表",
        "部材: 本堤 | 数量: 12.5 | 率: 0.125",
        "部材: 副堤 | 数量: 3 | 率: 1",
    ]


def test_an_xlsb_file_is_read(tmp_path):
    path = tmp_path / "a.xlsb"
    path.write_bytes(binary_workbook(ROWS))
    assert texts(path, "xlsb") == ["単価表", "部材: 本堤 | 数量: 12.5", "部材: 副堤 | 数量: 3"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(14, "2024/4/1"), (31, "2024年4月1日"), (57, "R6.4.1"), (58, "令和6年4月1日"), (55, "2024年4月"), (20, "12:00")],
)
def test_a_format_that_is_only_a_number_has_its_japanese_meaning(number, text, tmp_path):
    styles = f'<styleSheet xmlns="{SHEETS}"><cellXfs><xf numFmtId="0"/><xf numFmtId="{number}"/></cellXfs></styleSheet>'
    listing = (
        f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/worksheet"'
        f' Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{OFFICE}/styles" Target="styles.xml"/>'
        "</Relationships>"
    )
    path = tmp_path / "a.xlsx"
    cells = '<row><c s="1"><v>45383.5</v></c></row>'  # without places, which other programs leave out
    path.write_bytes(excel(cells, {"xl/styles.xml": styles, "xl/_rels/workbook.xml.rels": listing}))
    assert texts(path) == ["表", text]


def test_the_pronunciation_of_a_name_is_no_part_of_it(tmp_path):
    cell = '<c r="A1" t="inlineStr"><is><t>堰堤</t><rPh sb="0" eb="2"><t>エンテイ</t></rPh></is></c>'
    (tmp_path / "a.xlsx").write_bytes(excel(f'<row r="1">{cell}</row>'))
    assert texts(tmp_path / "a.xlsx") == ["表", "堰堤"]


def test_formats_are_those_of_their_cells_whatever_is_empty_before_them(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["C3"], sheet["D3"], sheet["C5"] = 0.5, 0.5, 1234
    sheet["C3"].number_format, sheet["C5"].number_format = "0%", "#,##0"
    assert texts(saved(tmp_path, book))[1:] == ["50% | 0.5", "1,234"]


def test_a_formula_without_a_value_is_found_where_a_piece_of_the_sheet_ends(tmp_path, monkeypatch):
    book = openpyxl.Workbook()
    for _ in range(200):
        book.active.append(["名称", 1, 2.5, "備考"])
    book.active["E199"] = "=SUM(B1:B9)"
    path = saved(tmp_path, book)
    for size in (101, 997, 5_003):
        monkeypatch.setattr(spreadsheet, "PIECE_BYTES", size)
        reading = spreadsheet.read(path, silent)
        assert (len(reading.blocks), reading.report.notes) == (201, ("formulas_without_values",))


@pytest.mark.parametrize("file_format", ["xls", "xlsb", "ods", "xlsx"])
def test_broken_files_of_every_format_fail_in_words(file_format, tmp_path):
    made = binary_workbook(ROWS)
    whole = {
        "xls": (FILES / "prices.xls").read_bytes(),
        "ods": (FILES / "prices.ods").read_bytes(),
        "xlsb": made,
        "xlsx": excel('<row r="1"><c r="A1"><v>1</v></c></row>'),
    }[file_format]
    path = tmp_path / f"a.{file_format}"
    for content in (whole[: len(whole) // 2], whole[:600], b"PK\3\4" + bytes(500), bytes(2000)):
        path.write_bytes(content)
        with pytest.raises(AppError) as caught:
            spreadsheet.read(path, silent, file_format)
        assert caught.value.code in ("document_damaged", "document_bomb")
    read = failed = 0
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            spreadsheet.read(path, silent, file_format)
            read += 1
        except AppError:
            failed += 1
    assert read + failed > 100


def test_a_sheet_with_one_cell_far_away_is_refused_before_it_takes_memory(tmp_path):
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="900000"><c r="CV900000"><v>1</v></c></row>'
    (tmp_path / "a.xlsx").write_bytes(excel(rows))
    with pytest.raises(AppError) as caught:
        spreadsheet.read(tmp_path / "a.xlsx", silent)
    assert caught.value.code == "document_many_cells"


def test_a_web_page_in_an_embedded_object_is_no_document_type(tmp_path):
    page = {"xl/embeddings/oleObject1.bin": b"\xd0\xcf\x11\xe0" + b"<!DOCTYPE html><p>x</p>"}
    (tmp_path / "a.xlsx").write_bytes(excel(f'<row r="1">{cell("A1", "本堤")}</row>', page))
    assert texts(tmp_path / "a.xlsx") == ["表", "本堤"]


def test_a_text_that_is_longer_than_a_row_may_be_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(spreadsheet, "PIECE_MOST_BYTES", 2_000_000)
    (tmp_path / "a.xlsx").write_bytes(excel(f'<row r="1">{cell("A1", "a" * 9_500_000)}</row>'))
    with pytest.raises(AppError) as caught:
        texts(tmp_path / "a.xlsx")
    assert (caught.value.code, caught.value.facts) == ("document_damaged", {"detail": "long text"})


def test_a_part_that_is_larger_than_the_archive_says_is_refused(tmp_path):
    strings = f'<sst xmlns="{SHEETS}">{"<si><t>x</t></si>" * 9999}</sst>'
    whole = bytearray(excel('<row r="1"><c r="A1"><v>1</v></c></row>', {"xl/sharedStrings.xml": strings}))
    with zipfile.ZipFile(io.BytesIO(bytes(whole))) as archive:
        entry = archive.getinfo("xl/sharedStrings.xml")
    directory = whole.rindex(b"xl/sharedStrings.xml") - 46
    whole[directory + 24 : directory + 28] = struct.pack("<I", 1000)
    assert entry.file_size > 1000
    (tmp_path / "a.xlsx").write_bytes(bytes(whole))
    with pytest.raises(AppError) as caught:
        spreadsheet.read(tmp_path / "a.xlsx", silent)
    assert caught.value.code == "document_damaged"


def test_a_number_has_the_format_of_its_first_section_only():
    assert format_value(-5, '0.0;"△"0.0') == "-5.0"


def test_a_number_whose_format_depends_on_its_value_is_shown_in_full():
    assert format_value(1234.5, '[>=100000000]0,,"億円";[>=10000]0,"千円";0') == "1234.5"


# ------------------------------------------------------------------ graph paper


def graph_paper(columns: int = 60, width: float = 2.5) -> Any:
    book = openpyxl.Workbook()
    for column in range(1, columns + 1):
        book.active.column_dimensions[openpyxl.utils.get_column_letter(column)].width = width
    return book


def put(sheet: Any, place: str, text: str) -> None:
    """`place`: a cell, or cells that become one."""
    if ":" in place:
        sheet.merge_cells(place)
    sheet[place.partition(":")[0]] = text


def test_a_form_on_graph_paper_becomes_lines(tmp_path):
    book = graph_paper()
    put(book.active, "B2:BG2", "施工計画書")
    put(book.active, "B4:H4", "工事名")
    put(book.active, "I4:AF4", "荒川砂防堰堤工事")
    put(book.active, "AG4:AM4", "工期")
    put(book.active, "AN4:BG4", "令和7年4月1日から")
    put(book.active, "C6", "本工事では、堤体の安定を確かめるため、基礎の")
    put(book.active, "C7", "支持力を試験で確認する。")
    put(book.active, "C8", "・変更は協議する。")
    assert texts(saved(tmp_path, book)) == [
        "Sheet",
        "施工計画書",
        "工事名 荒川砂防堰堤工事 工期 令和7年4月1日から",
        "本工事では、堤体の安定を確かめるため、基礎の支持力を試験で確認する。",
        "・変更は協議する。",
    ]


def test_a_form_of_ordinary_columns_is_known_by_its_merged_cells(tmp_path):
    book = graph_paper(24, 9.0)
    for row, (name, value) in enumerate((("工事名", "荒川砂防堰堤工事"), ("工期", "令和7年4月から")), start=2):
        put(book.active, f"A{row}:D{row}", name)
        put(book.active, f"E{row}:X{row}", value)
    assert texts(saved(tmp_path, book))[1:] == ["工事名 荒川砂防堰堤工事", "工期 令和7年4月から"]


def test_one_character_a_cell_is_one_sentence(tmp_path):
    book = graph_paper(40)
    for row, line in enumerate(("堤高は十五メートル未満とし、基礎の地盤は岩盤と", "する。"), start=2):
        for column, character in enumerate(line, start=3):
            book.active.cell(row, column, character)
    assert texts(saved(tmp_path, book)) == ["Sheet", "堤高は十五メートル未満とし、基礎の地盤は岩盤とする。"]


def test_a_table_on_graph_paper_keeps_its_rows_without_empty_columns(tmp_path):
    book = graph_paper()
    rows = [("部材", "規格", "数量"), ("本堤", "", "12.5 m3"), ("副堤", "18-8-40", "3 m3")]
    for number, row in enumerate(rows, start=5):
        for (first, last), text in zip((("B", "K"), ("L", "Z"), ("AA", "AJ")), row, strict=True):
            put(book.active, f"{first}{number}:{last}{number}", text)
    reading = spreadsheet.read(saved(tmp_path, book), silent)
    assert [(block.kind, block.text, block.is_head) for block in reading.blocks[1:]] == [
        ("row", "部材 | 規格 | 数量", True),
        ("row", "本堤 |  | 12.5 m3", False),
        ("row", "副堤 | 18-8-40 | 3 m3", False),
    ]


def test_a_cell_that_spans_rows_of_graph_paper_is_said_once(tmp_path):
    book = graph_paper()
    put(book.active, "B2:F4", "注意事項")
    put(book.active, "G2:BG2", "出水期の施工を避ける。")
    put(book.active, "G3:BG3", "濁水を流さない。")
    assert texts(saved(tmp_path, book))[1:] == ["注意事項 出水期の施工を避ける。", "濁水を流さない。"]


def test_narrow_columns_alone_and_wide_tables_are_no_graph_paper(tmp_path):
    schedule = graph_paper(34)
    schedule.active.append(["工種", "担当", *range(1, 32)])
    for row, name in enumerate(("掘削", "型枠", "打設"), start=2):
        schedule.active.cell(row, 1, name)
        schedule.active.cell(row, 2 + row, "●")
    reading = spreadsheet.read(saved(tmp_path, schedule), silent)
    assert [block.kind for block in reading.blocks] == ["heading", "row", "row", "row", "row"]
    wide_columns = graph_paper(30, 12.0)
    for row in range(1, 6):
        wide_columns.active.cell(row, 1, f"項目{row}")
        wide_columns.active.cell(row, 30, row)
    assert spreadsheet.read(saved(tmp_path, wide_columns), silent).report.tables == 1
    table = graph_paper(25)
    table.active.append([f"列{number}" for number in range(25)])
    table.active.append(list(range(25)))
    assert texts(saved(tmp_path, table))[1].startswith("列0: 0 | 列1: 1 | ")
