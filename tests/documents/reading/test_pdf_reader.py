"""PDF files into blocks: order, paragraphs, headings, tables and places, as a person sees the page."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
import pytest

from app.documents.reading.pdf import ocr, pdf_reader
from app.documents.reading.pdf.pdf_page import read_page
from app.documents.reading.text_blocks import Block, ReadDocument, count_letters
from tests.documents.driver import silent
from tests.documents.reading.pdf_maker import Pdf, grid, picture, text

BODY = "堤体の安定は転倒と滑動と支持力とについて確かめるものとする。越流部の天端幅は流出土砂の粒径を考えて定める。"


def read(made: Pdf, folder: Path) -> ReadDocument:
    return pdf_reader.read(made.write(folder / "a.pdf"), silent)


def texts(reading: ReadDocument) -> list[str]:
    return [block.text for block in reading.blocks]


def column(x: float, top: float, lines: Sequence[str], size: float = 10, pitch: float = 16) -> str:
    return "".join(text(x, top - place * pitch, line, size) for place, line in enumerate(lines))


def wrapped(written: str, width: int) -> list[str]:
    return [written[at : at + width] for at in range(0, len(written), width)]


def test_lines_of_a_paragraph_are_joined_without_spaces(tmp_path: Path) -> None:
    made = Pdf()
    made.page(column(60, 780, [*wrapped("　" + BODY[:26] + BODY[26:], 26), "　次の段落である。"]))
    found = texts(read(made, tmp_path))
    assert found == [BODY, "次の段落である。"]


def test_a_parted_latin_word_is_whole_again(tmp_path: Path) -> None:
    made = Pdf()
    lines = [
        "The overflow section of the check dam is deter-",
        "mined by the discharge of the design flood, and",
        "it ends.",
    ]
    made.page("".join(text(60, 780 - 14 * place, line, font="L") for place, line in enumerate(lines)))
    assert texts(read(made, tmp_path)) == [
        "The overflow section of the check dam is determined by the discharge of the design flood, and it ends."
    ]


def test_larger_letters_are_headings_and_the_largest_is_the_outermost(tmp_path: Path) -> None:
    made = Pdf()
    made.page(
        text(60, 790, "第１章　総則", 18)
        + text(60, 750, "適用の範囲", 13)
        + column(60, 720, wrapped(BODY, 40))
        + text(60, 640, "第２章　設計", 18)
        + column(60, 600, wrapped(BODY, 40))
    )
    found = [(block.text, block.level) for block in read(made, tmp_path).blocks if block.kind == "heading"]
    assert found == [("第１章 総則", 1), ("適用の範囲", 2), ("第２章 設計", 1)]


def test_large_letters_are_text_where_no_text_follows_them(tmp_path: Path) -> None:
    made = Pdf()
    made.page(
        text(60, 790, "砂防堰堤の手引き", 18)
        + text(60, 750, "山田 太郎", 13)
        + text(60, 720, "令和七年四月一日", 13)
        + text(60, 680, "第１章　総則", 16)
        + text(60, 650, "この章は総則を定める．", 13)
        + column(60, 620, wrapped(BODY, 40))
    )
    found = [(block.text, block.kind) for block in read(made, tmp_path).blocks]
    assert found[:5] == [
        ("砂防堰堤の手引き", "heading"),
        ("山田 太郎", "paragraph"),
        ("令和七年四月一日", "paragraph"),
        ("第１章 総則", "heading"),
        ("この章は総則を定める．", "paragraph"),
    ]


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    made = Pdf()
    left, right = "左段の文章は" * 20, "右段の文章は" * 20
    made.page(
        text(60, 800, "二段組の表題がここにあり段をまたいでいるのでどちらの段にも属さない", 14)
        + column(60, 760, wrapped(left + "終わり。", 22))
        + column(310, 760, wrapped(right + "終わり。", 22))
    )
    found = texts(read(made, tmp_path))
    assert found[0].startswith("二段組")
    assert found[1] == left + "終わり。"
    assert found[2] == right + "終わり。"


def test_two_columns_below_many_authors_are_read_one_after_the_other(tmp_path: Path) -> None:
    made = Pdf()
    left, right = "左段の文章は" * 20 + "終わり。", "右段の文章は" * 20 + "終わり。"
    authors = [f"著者{n}（砂防研究所の第{n}部で堤体の安定とその照査とを研究する者）" for n in range(1, 8)]
    made.page(
        column(100, 800, authors) + column(60, 640, wrapped(left, 22), 10) + column(310, 640, wrapped(right, 22), 10)
    )
    found = texts(read(made, tmp_path))
    assert found[-2].endswith(left)
    assert found[-1] == right


def test_vertical_japanese_is_read_from_the_right(tmp_path: Path) -> None:
    made = Pdf()
    lines = wrapped(BODY, 20)
    made.page("".join(text(520 - 18 * place, 780, line, font="V") for place, line in enumerate(lines)))
    reading = read(made, tmp_path)
    assert texts(reading) == [BODY]
    first = reading.blocks[0].boxes[0]
    assert 510 < first.right < 530  # on the page as it is displayed
    assert first.left < 490
    assert first.top == pytest.approx(842 - 780, abs=2)


def test_a_table_across_two_columns_parts_them(tmp_path: Path) -> None:
    made = Pdf()
    upper, lower = (([f"{name}段" * 10] * 6 + [f"{name}段。"] for name in names) for names in ("一二", "三四"))
    table = grid((60, 300, 520), (500, 520, 540)) + "".join(
        text(x, y, cell) for x, y, cell in ((70, 525, "項目"), (310, 525, "値"), (70, 505, "幅"), (310, 505, "3"))
    )
    columns = "".join(
        column(x, top, lines)
        for top, pair in ((760, upper), (480, lower))
        for x, lines in zip((60, 310), pair, strict=True)
    )
    made.page(columns + table)
    found = texts(read(made, tmp_path))
    assert [one[:2] for one in found] == ["一段", "二段", "項目", "幅 ", "三段", "四段"]


def test_headers_footers_and_page_numbers_leave(tmp_path: Path) -> None:
    made = Pdf()
    for number in range(1, 7):
        chapter = f"{number}.1. 節の名前 {number + 9}" if number % 2 else f"{number + 9} 第 {number} 章 章の名前"
        made.page(
            text(60, 815, "河川砂防技術基準")
            + column(60, 700, wrapped(f"{number}ページ目の本文。" + BODY, 40))
            + text(60, 40, chapter)
        )
    found = texts(read(made, tmp_path))
    assert found == [f"{number}ページ目の本文。{BODY}" for number in range(1, 7)]


def test_a_page_number_alone_leaves_but_a_number_in_the_text_stays(tmp_path: Path) -> None:
    made = Pdf()
    made.page(column(60, 700, wrapped(BODY, 40)) + text(60, 400, "120") + text(290, 30, "- 7 -"))
    assert texts(read(made, tmp_path)) == [BODY, "120"]


def test_a_sentence_goes_on_over_the_page(tmp_path: Path) -> None:
    made = Pdf()
    lines = wrapped(BODY, 26)
    made.page(column(60, 700, lines[:1]) + column(60, 684, [BODY[:26]] * 0))
    made.page(column(60, 700, lines[1:]))
    reading = read(made, tmp_path)
    assert texts(reading) == [BODY]
    assert [box.page for box in reading.blocks[0].boxes] == [1, 2]


def test_the_outline_makes_headings_of_what_is_printed(tmp_path: Path) -> None:
    made = Pdf()
    made.page(text(60, 700, "第 1 章") + text(60, 680, "総則") + column(60, 640, wrapped(BODY, 40)))
    made.page(text(60, 700, "1.1 適用") + column(60, 660, wrapped(BODY, 40)))
    made.page(column(60, 700, wrapped(BODY, 40)))
    made.outline([("第1章 総則", 0), ("1.1 適用", 1), ("参考資料", 2)])
    blocks = read(made, tmp_path).blocks
    found = [(block.text, block.level, block.page) for block in blocks if block.kind == "heading"]
    assert found == [("第 1 章 総則", 1, 1), ("1.1 適用", 1, 2), ("参考資料", 1, 3)]


def test_a_ruled_table_gives_rows_and_a_merged_cell_is_said_in_each(tmp_path: Path) -> None:
    made = Pdf()
    xs, ys = (60, 160, 260, 360), (600, 620, 640, 660)
    lines = grid(xs, ys).replace("0.5 w 60 620 m 360 620 l S\n", "0.5 w 160 620 m 360 620 l S\n")
    cells = [("区分", "寸法", "単位"), ("", "14.5", "m"), ("本堤", "3.0", "m")]
    written = "".join(
        text(xs[column_] + 5, 645 - 20 * row, cell)
        for row, line in enumerate(cells)
        for column_, cell in enumerate(line)
        if cell
    )
    made.page(text(60, 700, "次の表による。") + lines + written + text(60, 560, "以上とする。"))
    reading = read(made, tmp_path)
    assert texts(reading) == [
        "次の表による。",
        "区分 | 寸法 | 単位",
        "本堤 | 14.5 | m",
        "本堤 | 3.0 | m",
        "以上とする。",
    ]
    rows = [block for block in reading.blocks if block.kind == "row"]
    assert [row.is_head for row in rows] == [True, False, False]
    assert rows[0].boxes[0].top == pytest.approx(842 - 660, abs=2)
    assert reading.report.tables == 1


def test_aligned_text_gives_rows(tmp_path: Path) -> None:
    made = Pdf()
    rows = [("材料", "強度", "備考"), ("鋼材", "235", "一般"), ("コンクリート", "24", "躯体")]
    made.page(
        "".join(
            text(60 + 150 * place, 700 - 16 * row, cell)
            for row, line in enumerate(rows)
            for place, cell in enumerate(line)
        )
    )
    reading = read(made, tmp_path)
    assert texts(reading) == ["材料 | 強度 | 備考", "鋼材 | 235 | 一般", "コンクリート | 24 | 躯体"]
    assert reading.blocks[0].is_head


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_places_are_those_of_the_page_as_it_is_displayed(rotate: int, tmp_path: Path) -> None:
    made = Pdf(rotate=rotate)
    made.page(text(100, 700, "位置"), "/CropBox [20 30 500 800]")
    document = pypdfium2.PdfDocument(made.write(tmp_path / "a.pdf"))
    page = document[0]
    raw = read_page(page)
    x, y = ctypes.c_int(), ctypes.c_int()
    size = (int(raw.width * 10), int(raw.height * 10))
    pypdfium2.raw.FPDF_PageToDevice(page, 0, 0, *size, 0, 105.0, 704.0, ctypes.byref(x), ctypes.byref(y))
    first = raw.glyphs[0]
    document.close()
    assert (raw.width, raw.height) == ((480, 770) if rotate in (0, 180) else (770, 480))
    assert first.left <= x.value / 10 <= first.right
    assert first.top <= y.value / 10 <= first.bottom


@pytest.mark.fault("S7")
def test_words_beside_the_page_are_not_read(tmp_path: Path) -> None:
    pdf = Pdf()
    beside = text(50, 5000, "偽の値は九である。") + text(-900, 700, "偽の値は八である。") + text(50, -300, "偽である。")
    pdf.page(beside + text(50, 700, "本当の値は五である。"))
    assert "".join(texts(read(pdf, tmp_path))) == "本当の値は五である。"


def test_a_page_upside_down_is_read(tmp_path: Path) -> None:
    made = Pdf(rotate=180)
    made.page(column(60, 700, wrapped(BODY, 26)))
    assert texts(read(made, tmp_path)) == [BODY]


def test_a_scan_says_so(tmp_path: Path) -> None:
    made = Pdf()
    made.page(picture())
    made.page(picture() + text(280, 30, "2"))
    made.page("")  # an empty page is no scan
    reading = read(made, tmp_path)
    assert reading.report.pages_without_text == (1, 2)
    assert "pages_without_text" in reading.report.notes


def test_the_contents_are_no_headings(tmp_path: Path) -> None:
    made = Pdf()
    entries = [f"第{n}章　章の名前 {'.' * 40} {n * 10}" for n in range(1, 7)]
    made.page(text(60, 790, "目次", 14) + column(60, 700, entries))
    made.page(text(60, 790, "第1章　章の名前", 14) + column(60, 700, wrapped(BODY, 40)))
    assert [text_ for text_ in texts(read(made, tmp_path)) if "章の名前" in text_] == ["第1章 章の名前"]


def test_dots_to_write_on_are_no_contents(tmp_path: Path) -> None:
    made = Pdf()
    labels = ["氏名", "住所", "電話", "日付"]
    made.page(column(60, 700, [f"{label} {'.' * 40}" for label in labels]))
    found = "".join(texts(read(made, tmp_path)))
    assert [label for label in labels if label in found] == labels


def test_ruby_is_left_out_and_is_no_loss(tmp_path: Path) -> None:
    made = Pdf()
    made.page(text(60, 711, "せき", 5) + text(70, 711, "てい", 5) + column(60, 700, wrapped("堰堤の" + BODY, 40)))
    reading = read(made, tmp_path)
    assert texts(reading) == ["堰堤の" + BODY]
    assert reading.source_letters == count_letters("堰堤の" + BODY)


def test_captions_are_known(tmp_path: Path) -> None:
    made = Pdf()
    made.page(
        column(60, 700, wrapped(BODY, 40)) + text(150, 500, "図 2-1　堤体の断面") + text(150, 300, "表2-1 安全率")
    )
    kinds = {block.text: block.kind for block in read(made, tmp_path).blocks}
    assert kinds["図 2-1 堤体の断面"] == "caption"
    assert kinds["表2-1 安全率"] == "caption"


def test_radicals_and_vertical_signs_become_the_letters_that_they_show(tmp_path: Path) -> None:
    glyphs = pypdfium2.PdfDocument(_radicals().bytes())
    raw = read_page(glyphs[0])
    glyphs.close()
    assert "".join(glyph.text for glyph in raw.glyphs) == "一人"


def _radicals() -> Pdf:
    """A font whose map says radicals: what many converters write."""
    made = Pdf()
    mapped = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def"
        " 1 begincodespacerange <0000> <FFFF> endcodespacerange"
        " 2 beginbfchar <4E00> <2F00> <4EBA> <2F08> endbfchar endcmap end end"
    )
    number = made.stream(mapped.encode())
    made.objects[4] = made.objects[4].replace(b" >>", b" /ToUnicode %d 0 R >>" % number)
    made.page(text(60, 700, "一人"))
    return made


def test_a_character_beyond_unicode_is_an_unknown_one(tmp_path: Path) -> None:
    made = Pdf()
    codes = made.stream(
        b"begincmap 2 begincodespacerange <00> <7F> <E08080> <EFFFFF> endcodespacerange endcmap",
        "/Type /CMap /CMapName /X /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 6 >>",
    )
    made.objects[4] = made.objects[4].replace(b"/UniJIS-UTF16-H", b"%d 0 R" % codes)
    made.page("BT /J 20 Tf 1 0 0 1 60 700 Tm <E0E0E041> Tj ET")
    reading = read(made, tmp_path)
    assert texts(reading) == ["\ufffdA"]
    assert reading.report.garbled_share == 0.5


def test_letters_that_a_file_does_not_map_are_counted(tmp_path: Path) -> None:
    made = Pdf()
    made.objects[4] = b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [6 0 R] >>"
    made.objects[6] = made.objects[6].replace(b"(Japan1)", b"(Identity)")
    made.page(column(60, 700, wrapped(BODY, 40)))
    assert read(made, tmp_path).report.garbled_share > 0.5


@pytest.mark.skipif(not ocr.has_tesseract(), reason="Tesseract with Japanese data is not installed")
def test_letters_of_a_picture_are_recognized_where_tesseract_is_there(tmp_path: Path) -> None:
    page = pypdfium2.PdfDocument(_large_print().bytes())
    bitmap = page[0].render(scale=2, grayscale=True)
    pixels = bitmap.to_numpy()
    height, width = pixels.shape[:2]
    scan = Pdf()
    image = scan.stream(
        pixels.tobytes(),
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 8",
    )
    scan.page("q 595 0 0 842 0 0 cm /I Do Q", f"/Resources << /XObject << /I {image} 0 R >> >>")
    page.close()
    path = scan.write(tmp_path / "scan.pdf")
    assert pdf_reader.read(path, silent).report.pages_without_text == (1,)
    reading = pdf_reader.read(path, silent, ocr.make_recognizer(None, silent))
    assert reading.report.pages_without_text == ()
    assert "recognized" in reading.report.notes
    found: list[Block] = reading.blocks
    assert "12345" in "".join(block.text for block in found).replace(" ", "")
    assert 50 < found[0].boxes[0].left < 90


def _large_print() -> Pdf:
    made = Pdf()
    made.page(text(60, 700, "Concrete 12345", 36, font="L"))
    return made
