"""Pictures of pages from the real child: the last one asked for comes, others are not waited for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.errors import AppError
from app.base.paths import Paths
from app.documents.grounding.grounding_record import CitedSource
from app.documents.reading.messages import Rendered
from app.documents.services import reading_child
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_child import PagePicture, PageRequest
from tests.documents.driver import TIMEOUT_MS, DocumentsDriver
from tests.documents.reading.pdf_maker import Pdf, text

SENTENCE = "発電機は毎月一回運転する。"


@pytest.fixture
def documents(where: Paths, qtbot: QtBot) -> Iterator[DocumentLibrary]:
    driver = DocumentsDriver(where, qtbot, programs.reader_command(where.documents))
    driver.open()
    yield driver.documents
    driver.close()


@pytest.fixture
def document_id(documents: DocumentLibrary, tmp_path: Path, qtbot: QtBot) -> int:
    pdf = Pdf()
    for number in range(1, 4):
        pdf.page(
            text(72, 700, f"第{number}節　点検", 14) + text(72, 660, SENTENCE if number == 2 else "別の文である。")
        )
    path = pdf.write(tmp_path / "規程.pdf")
    with qtbot.waitSignal(documents.queue.emptied, timeout=TIMEOUT_MS):
        documents.add_collection("規程", paths=[path])
    (collection,) = documents.collections()
    (document,) = documents.documents(collection.id)
    assert document.state == "done"
    return document.id


@pytest.fixture
def wait_for(documents: DocumentLibrary, qtbot: QtBot) -> Callable[..., list[PagePicture | AppError]]:
    """Asks for these and gives what came until the last one was answered."""

    def wait(*wanted: PageRequest) -> list[PagePicture | AppError]:
        found: list[PagePicture | AppError] = []
        answered: list[PageRequest] = []
        documents.pictures.drawn.connect(lambda one: (found.append(one), answered.append(one.request)))
        documents.pictures.failed.connect(lambda one, error: (found.append(error), answered.append(one)))
        for one in wanted:
            documents.pictures.request(one)
        qtbot.waitUntil(lambda: wanted[-1] in answered, timeout=TIMEOUT_MS)
        documents.pictures.drawn.disconnect()
        documents.pictures.failed.disconnect()
        return found

    return wait


def test_the_last_page_that_was_asked_for_comes_with_the_places_of_what_was_used_and_is_kept(
    document_id, wait_for, documents
):
    wishes = [PageRequest(document_id, page, 600, (SENTENCE,)) for page in (1, 3, 2)]
    (picture,) = wait_for(*wishes)
    assert (picture.request, picture.pages, picture.width, len(picture.places)) == (wishes[-1], 3, 600, 1)
    assert len(picture.rgb) == 3 * picture.width * picture.height
    documents.pictures._reader.stop()
    (again,) = wait_for(wishes[-1])
    assert again is picture
    assert documents.pictures._reader.pid == 0


def test_what_cannot_be_drawn_is_told_with_its_reason(document_id, wait_for, documents):
    (error,) = wait_for(PageRequest(document_id, 9, 500))
    assert (error.code, error.facts) == ("source_no_page", {"page": 9})
    documents.pictures._reader.stop()
    documents.pictures._reader._child._command = ["/nonexistent/kotae"]
    (error,) = wait_for(PageRequest(document_id, 1, 500))
    assert error.code == "source_no_page"


def test_pages_are_drawn_again_after_one_that_was_too_slow_was_given_up_and_none_after_the_end(
    document_id, documents, wait_for, qtbot
):
    pictures = documents.pictures
    pictures._idle_timer.setInterval(0)  # before the child has so much as started
    pictures.request(PageRequest(document_id, 1, 500))
    pictures.forget()
    qtbot.waitUntil(lambda: not pictures._reader.is_working, timeout=TIMEOUT_MS)
    assert not pictures._cache
    (picture,) = wait_for(PageRequest(document_id, 2, 500))
    assert picture.request.page == 2
    pictures.close()
    with qtbot.assertNotEmitted(pictures.drawn, wait=50):
        pictures.request(PageRequest(document_id, 3, 500))
    assert pictures._reader.pid == 0


@pytest.mark.parametrize(
    ("width", "height", "rgb"),
    [(2, 2, "!"), (2, 2, "eJw="), (0, 5, ""), (10**6, 10**6, ""), (2, 2, "eJwLSRRQMAA1ASE=")],
)
def test_what_is_no_picture_is_not_shown(width, height, rgb):
    assert reading_child._picture(PageRequest(1, 1, 1), Rendered("1", 1, 1, width, height, rgb)) is None


def test_only_a_document_of_ones_own_is_found_for_a_source(documents, document_id):
    (document,) = documents.documents(documents.collections()[0].id)
    own = CitedSource("規程", "internal", document.name, document.path, SENTENCE)
    assert documents.documents_of(own) == [document]
    moved = CitedSource("規程", "internal", document.name, "/elsewhere/規程.pdf", SENTENCE, sha256=document.sha256)
    assert documents.documents_of(moved) == [document]
    foreign = CitedSource("規程", "internal", "x", "/etc/passwd", "x")
    assert documents.documents_of(foreign) == []
    documents.remove([document_id])
    assert documents.documents_of(own) == []
