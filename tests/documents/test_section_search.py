"""The sections that contain words, found as one types them, and a document as a whole."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.paths import Paths
from app.documents import section_search, whole_document
from app.documents.grounding import source_citations
from app.documents.library import Library
from app.documents.records import Section
from app.documents.whole_document import Heading, ReadingPlace, WordCounter

SECTIONS = (
    Section(("第1章 総則", "1.1 目的"), "この基準は、橋脚の設計について定める。", page=1),
    Section(("第1章 総則", "1.1 目的"), "洗掘の影響も考える。", page=2),
    Section(("第1章 総則", "1.2 橋脚の形"), "円形を標準とする。", "標準", 2),
    Section(("第2章 施工",), "會社は、記録を残す。", page=4),
    Section(("第2章 施工", "2.1 検査"), "橋 脚 を検査する。𠮟られても残す。", page=4),
)


def fill(library: Library, name: str = "規準", label: str = "internal", file: str = "/a/橋梁.pdf") -> int:
    collection = library.add_collection(name, label)
    (document_id,) = library.add_documents(collection, [Path(file)])
    document = library.document(document_id)
    assert document is not None
    library.put(replace(document, state="done"), SECTIONS)
    return document_id


@pytest.fixture
def library(where: Paths):
    library = Library.open(where.documents)
    yield library
    library.close()


def texts(library: Library, query: str) -> list[str]:
    return [hit.text for hit in section_search.find_sections(library, query).hits]


def test_a_word_of_two_characters_is_found_and_a_heading_comes_first(library: Library) -> None:
    fill(library)
    found = section_search.find_sections(library, "橋脚")
    assert [hit.heading[-1] for hit in found.hits] == ["1.2 橋脚の形", "2.1 検査", "1.1 目的"]
    assert found.count == 3
    (first, *_) = found.hits
    assert (first.document, first.collection, first.label, first.page) == ("橋梁.pdf", "規準", "internal", 2)


def test_every_word_must_be_there_in_any_spelling(library: Library) -> None:
    fill(library)
    assert texts(library, "検査 𠮟られ") == [SECTIONS[4].text]
    assert texts(library, "円形 洗掘") == []
    assert texts(library, "会社") == texts(library, "會社") == [SECTIONS[3].text]
    assert texts(library, "") == texts(library, "、") == []


def test_more_than_are_returned_are_counted(library: Library) -> None:
    fill(library)
    found = section_search.find_sections(library, "橋脚", limit=1)
    assert (len(found.hits), found.count) == (1, 3)


def test_what_is_being_removed_is_not_found(library: Library) -> None:
    document_id = fill(library)
    fill(library, "別", file="/b/別.md")
    assert section_search.find_sections(library, "橋脚").count == 6
    library.exclude([document_id])
    assert section_search.find_sections(library, "橋脚").count == 3
    library.begin_collection_removal(library.collection("別").id)
    assert section_search.find_sections(library, "橋脚").count == 0


def test_a_search_that_nobody_waits_for_ends(library: Library) -> None:
    fill(library)
    statement = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    timer = threading.Timer(0.2, library.database.interrupt)
    timer.start()
    with pytest.raises(AppError):
        library.database.read(statement)
    timer.join()
    assert section_search.find_sections(library, "橋脚").count == 3
    closed = Library.open_second(library.path)
    closed.close()
    closed.database.interrupt()  # too late, and harmless


# ----------------------------------------------------------------------- whole


def test_a_document_is_read_in_order_with_its_outline(library: Library) -> None:
    whole = whole_document.load(library.path, fill(library))
    assert [section.text for section in whole.sections] == [section.text for section in SECTIONS]
    assert whole.outline == (
        Heading("第1章 総則", 0, 0),
        Heading("1.1 目的", 1, 0, 0),
        Heading("1.2 橋脚の形", 1, 2, 0),
        Heading("第2章 施工", 0, 3),
        Heading("2.1 検査", 1, 4, 3),
    )
    assert whole.sections[0].shown.split("\n") == ["第1章 総則", "1.1 目的", SECTIONS[0].text]
    assert whole.sections[1].shown == SECTIONS[1].text  # it continues the same clause
    assert (whole.name, whole.label) == ("橋梁.pdf", "internal")
    assert whole_document.load(library.path, 99) is None


def test_reading_a_document_can_be_cancelled(library: Library) -> None:
    document_id = fill(library)

    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        whole_document.load(library.path, document_id, cancel)


def test_a_place_is_found_by_its_section_its_quote_or_its_page(library: Library) -> None:
    document_id = fill(library)
    whole = whole_document.load(library.path, document_id)
    last = whole.sections[4]
    assert whole.row_of(ReadingPlace(document_id, last.id)) == 4
    assert whole.row_of(ReadingPlace(document_id, quote="橋脚を検査\nする。")) == 4
    assert whole.row_of(ReadingPlace(document_id, quote="書かれていない", page=2)) == 1
    assert [whole.row_of_page(page) for page in (0, 1, 2, 3, 4, 9)] == [0, 0, 1, 2, 3, 4]
    assert whole.row_of(ReadingPlace(document_id, 999)) == 0


def test_words_are_counted_in_headings_and_text(library: Library) -> None:
    whole = whole_document.load(library.path, fill(library))
    assert whole is not None
    counter = WordCounter(whole)
    assert counter.count(["橋脚"]) == [1, 0, 1, 0, 0]
    assert counter.count(["総則", "目的"]) == [2, 0, 0, 0, 0]
    assert counter.count([]) == [0, 0, 0, 0, 0]


def test_a_section_is_cited_with_document_clause_and_page(library: Library) -> None:
    whole = whole_document.load(library.path, fill(library))
    source = whole.source_of(2, "円形")
    assert source_citations.describe_place(source) == "橋梁.pdf　第1章 総則 1.2 橋脚の形（標準）　p.2"
    assert (source.text, whole.source_of(2).text) == ("円形", "円形を標準とする。")
