"""Recognition of letters with a stand-in for Tesseract: what is asked of it, and what is made of its answer."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.documents.reading.pdf import ocr, pdf_reader
from tests.documents.driver import silent
from tests.documents.reading.pdf_maker import Pdf, picture
from tests.documents.reading.reading_child import ReadingChild

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")

LANGUAGES = '[ "$1" = --list-langs ] && printf "List of available languages:\\neng\\n{more}" && exit 0\n'
ROW = "5\\t1\\t{block}\\t1\\t1\\t{word}\\t250\\t500\\t417\\t42\\t{certain}\\t{text}\\n"


def scan(folder: Path) -> Path:
    made = Pdf()
    made.page(picture())
    return made.write(folder / "scan.pdf")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a shell script in Tesseract's place; nothing else of that name is found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(script: str) -> None:
        (folder / "tesseract").write_text("#!/bin/sh\n" + script, "utf-8")
        (folder / "tesseract").chmod(0o755)
        ocr.is_available.cache_clear()

    yield put
    ocr.is_available.cache_clear()


def test_without_japanese_data_it_is_not_offered(install: Callable[[str], None], tmp_path: Path) -> None:
    install(LANGUAGES.format(more=""))
    assert not ocr.is_available()
    with pytest.raises(AppError) as caught:
        pdf_reader.read(scan(tmp_path), silent, ocr=True)
    assert caught.value.code == "ocr_missing"


def test_a_program_that_breaks_is_not_offered(install: Callable[[str], None]) -> None:
    install("exit 1\n")
    assert not ocr.is_available()


def test_a_slow_program_gets_the_whole_picture(install: Callable[[str], None], tmp_path: Path) -> None:
    """It loads its data first; the picture is larger than what a pipe holds."""
    rows = "".join(
        ROW.format(block=block, word=word, certain=certain, text=text)
        for block, word, certain, text in [
            (1, 1, 90.5, "堤体の"), (1, 2, 88, "安定"), (1, 3, 3.2, "塵"), (2, 1, 96, "3.5m"), (2, 2, 95, "以上")
        ]
    )  # fmt: skip
    install(LANGUAGES.format(more="jpn\\n") + f'sleep 1.2\ncat > "{tmp_path}/picture.pgm"\nprintf "{rows}"\n')
    reading = pdf_reader.read(scan(tmp_path), silent, ocr=True)
    assert [block.text for block in reading.blocks] == ["堤体の安定", "3.5m以上"]
    assert (reading.report.pages_without_text, reading.report.notes) == ((), ("recognized",))
    box = reading.blocks[0].boxes[0]
    assert (box.page, box.left, box.top) == (1, 60, 120)
    taken = (tmp_path / "picture.pgm").read_bytes()
    assert taken.startswith(b"P5 2480 3509 255\n")
    assert len(taken) == len(b"P5 2480 3509 255\n") + 2480 * 3509


def test_a_scan_is_doubtful_until_it_is_recognized(install: Callable[[str], None], tmp_path: Path) -> None:
    row = ROW.format(block=1, word=1, certain=90, text="堤体の安定を確かめる。")
    install(LANGUAGES.format(more="jpn\\n") + f'cat > /dev/null\nprintf "{row}"\n')
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
    reading = pdf_reader.read(scan(tmp_path), silent, ocr=True)
    assert reading.report.pages_without_text == (1,)
