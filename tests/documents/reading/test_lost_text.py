"""What a file says and its sections do not: measured in letters, and said."""

import sys
from collections.abc import Iterator
from pathlib import Path

import docx as python_docx
import openpyxl
import pptx as python_pptx
import pytest

from app.documents.reading.text_blocks import count_letters
from app.documents.records import Document
from tests.documents.driver import written
from tests.documents.reading.pdf_maker import Pdf, text
from tests.documents.reading.reading_child import ReadingChild
from tests.faults.hostile_office import paragraph, word

CLAUSE = "堤体の安定を確かめる。"
LONG = f"<p>{CLAUSE * 30}</p>"


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingChild]:
    with ReadingChild(tmp_path_factory.mktemp("reader")) as child:
        yield child


def read(child: ReadingChild, path: Path) -> Document:
    document_id = child.add(path)
    child.index(document_id)
    return child.document(document_id)


@pytest.mark.parametrize(
    ("name", "content", "least"),
    [
        ("a.html", f"<p>{CLAUSE}</p><nav><a href='#'>目次</a>{LONG}", 0.9),  # the end of nav is missing
        ("a.html", f"{LONG}<div role=navigation>{LONG}</div>", 0.45),
        ("a.docx", word(f"<w:tbl><w:tr>{f'<w:tc>{paragraph()}</w:tc>' * 3000}</w:tr></w:tbl>"), 0.6),
        ("a.md", f"{CLAUSE}\n\n```{{=html}}\n{CLAUSE * 20}\n```\n", 0.9),
    ],
)
def test_a_document_that_lost_text_is_doubtful(name, content, least, child, tmp_path):
    document = read(child, written(tmp_path, name, content))
    assert (document.state, document.report.notes) == ("doubtful", ("lost_text",))
    assert least < document.report.lost_share < 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("menu.html", f"<nav><a href='#'>{'索引' * 300}</a></nav>{LONG}<script>let a = '{CLAUSE * 99}'</script>"),
        ("hidden.html", f"{LONG}<div hidden>{LONG}</div>"),
        ("ruby.html", f"<p>{'<ruby>堰<rt>せき</rt></ruby>' * 200}</p>"),
        ("links.md", f"# 総則\n\n{CLAUSE * 9} [出典](https://example.org/{'x' * 300}) <br> {CLAUSE} &nbsp;\n"),
        ("contents.md", f"# 目次\n\n- [第1章 総則 1](#a)\n- [第2章 設計 9](#b)\n\n# 第1章 総則\n\n{CLAUSE * 9}\n"),
        ("lines.txt", f"第1章 総則\n第2章 設計\n第3章 施工\n\n{CLAUSE * 9}\n"),
        ("table.csv", "部材,数量\n本堤,12.5\n副堤,3\n" * 50),
    ],
)
def test_what_is_left_out_on_purpose_is_not_lost(name, content, child, tmp_path):
    report = read(child, written(tmp_path, name, content)).report
    assert "lost_text" not in report.notes
    assert report.lost_share < 0.02


def test_documents_as_programs_write_them_lose_nothing(child, tmp_path):
    made = python_docx.Document()
    made.add_heading("第1章 総則", 1)
    made.add_paragraph(CLAUSE * 20)
    made.add_table(2, 2).cell(0, 0).text = CLAUSE
    made.save(str(tmp_path / "a.docx"))
    book = openpyxl.Workbook()
    for row in range(300):
        book.active.append([f"項目{row}", row * 1.5, None, CLAUSE])
    book.save(tmp_path / "a.xlsx")
    slides = python_pptx.Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "総則", CLAUSE * 20
    slides.save(str(tmp_path / "a.pptx"))
    pdf = Pdf()
    for page in range(1, 6):
        head, foot = text(60, 800, "砂防堰堤の設計要領（案）令和七年版 国土"), text(290, 30, str(page))
        pdf.page(head + foot + "".join(text(60, 700 - 20 * line, f"{line}{CLAUSE * 3}") for line in range(9)))
    pdf.write(tmp_path / "a.pdf")
    for name in ("a.docx", "a.xlsx", "a.pptx", "a.pdf"):
        document = read(child, tmp_path / name)
        assert (name, document.state, document.report.lost_share) == (name, "done", 0.0)


def test_letters_are_what_python_calls_letters_and_digits():
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert count_letters(everything) == sum(map(str.isalnum, everything))
    assert count_letters("堤体 1_a・⑳") == 5
    assert count_letters("堤体") == 2
    assert count_letters("") == 0
