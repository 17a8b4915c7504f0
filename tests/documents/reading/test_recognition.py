"""Recognition of letters with a stand-in for Tesseract: what is asked of it, and what is made of its answer."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.documents.reading.pdf import ocr, pdf_reader
from app.documents.reading.text_blocks import ReadDocument
from tests.documents.driver import silent
from tests.documents.reading.pdf_maker import Pdf, picture
from tests.documents.reading.reading_child import ReadingChild
from tests.documents.reading.stand_in import LANGUAGES, answering, row

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")


def recognized(path: Path) -> ReadDocument:
    return pdf_reader.read(path, silent, ocr.make_recognizer(None, silent))


def scan(folder: Path) -> Path:
    made = Pdf()
    made.page(picture())
    return made.write(folder / "scan.pdf")


def test_without_japanese_data_it_is_not_offered(install: Callable[[str], None], tmp_path: Path) -> None:
    install(LANGUAGES.format(more=""))
    assert not ocr.has_tesseract()
    with pytest.raises(AppError) as caught:
        recognized(scan(tmp_path))
    assert caught.value.code == "ocr_missing"


def test_a_program_that_breaks_is_not_offered(install: Callable[[str], None]) -> None:
    install("exit 1\n")
    assert not ocr.has_tesseract()


def test_a_slow_program_gets_the_whole_picture(install: Callable[[str], None], tmp_path: Path) -> None:
    """It loads its data first; the picture is larger than what a pipe holds."""
    words = [(1, 1, 90.5, "堤体の", 250), (1, 2, 88, "安定", 380), (1, 3, 3.2, "塵", 470), (2, 1, 96, "3.5m", 250),
             (2, 2, 95, "以上", 420)]  # fmt: skip
    rows = "".join(row(text, certain, block=block, word=at, left=left) for block, at, certain, text, left in words)
    install(answering(rows, f'sleep 1.2\ncat > "{tmp_path}/picture.pgm"\n'))
    reading = recognized(scan(tmp_path))
    assert [block.text for block in reading.blocks] == ["堤体の安定", "3.5m以上"]
    assert (reading.report.pages_without_text, reading.report.notes) == ((), ("recognized",))
    box = reading.blocks[0].boxes[0]
    assert (box.page, box.left, box.top) == (1, 60, 120)
    taken = (tmp_path / "picture.pgm").read_bytes()
    assert taken.startswith(b"P5 2480 3509 255\n")
    assert len(taken) == len(b"P5 2480 3509 255\n") + 2480 * 3509


def test_a_scan_is_doubtful_until_it_is_recognized(install: Callable[[str], None], tmp_path: Path) -> None:
    rows = row("堤体の安定を確かめる。", 90)
    install(answering(rows))
    with ReadingChild(tmp_path) as child:
        document_id = child.add(scan(tmp_path))
        child.index(document_id)
        before = child.document(document_id)
        child.library.read_again([document_id])
        child.index(document_id, ocr=True)
        document = child.document(document_id)
        (section,) = child.sections(document_id)
    assert (before.state, before.report.notes) == ("doubtful", ("pages_without_text", "no_text"))
    assert (document.state, document.report.notes) == ("done", ("recognized",))
    assert (section.text, section.page) == ("堤体の安定を確かめる。", 1)


def test_a_program_that_dies_leaves_the_page_without_text(install: Callable[[str], None], tmp_path: Path) -> None:
    install(LANGUAGES.format(more="jpn\\n") + "exit 1\n")
    reading = recognized(scan(tmp_path))
    assert reading.report.pages_without_text == (1,)
