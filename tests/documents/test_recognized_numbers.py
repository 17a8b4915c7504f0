"""Text from recognition (OCR) says so where it is cited, and sentences with its uncertain numbers are to be checked."""

import dataclasses
import json
import os
import sqlite3
from contextlib import closing

import pytest
from PIL import Image

from app.base.wording import phrase
from app.documents.document_tables import SectionTable
from app.documents.grounding import claims, grounding_record, recognized_numbers, source_citations
from app.documents.grounding.grounding_record import Claim, Grounding
from app.documents.library import Library
from app.documents.reading import sections
from app.documents.reading.text_blocks import Block, ReadDocument
from app.documents.records import Passage, Section
from app.documents.retrieval import passage_search, retrieved_passages
from tests.documents import driver
from tests.documents.driver import make_passage, put
from tests.documents.reading.reading_child import ReadingChild
from tests.documents.reading.stand_in import answering, row

TEXT = "設計基準強度は24N/mm²以上とする。鉄筋のかぶりは0.05mとする。"
SURE, UNSURE = (("24", 99), ("0.05", 99)), (("24", 61), ("0.05", 99))
Numbers = tuple[tuple[str, int], ...] | None


def checked(answer: str, *recognized: Numbers, text: str = TEXT) -> Claim:
    """The check of an answer against passages with the same text."""
    passages = [make_passage(text, "3.2.1 材料", number=at, recognized=one) for at, one in enumerate(recognized, 1)]
    (claim,) = claims.check(answer, passages)
    return claim


@pytest.mark.parametrize(
    ("answer", "recognized", "uncertain"),
    [
        ("設計基準強度は24N/mm²以上とする。[1]", SURE, ()),
        ("設計基準強度は24N/mm²以上とする。[1]", None, ()),
        ("設計基準強度は24N/mm²以上とする。[1]", UNSURE, ("24N/mm²",)),
        ("鉄筋のかぶりは0.05mとする。[1]", UNSURE, ()),
        ("鉄筋のかぶりは0.05mとする。[1]", (("0.05", 40),), ("0.05m",)),
        ("鉄筋のかぶりは50mmとする。[1]", (("0.05", 40),), ("50mm",)),  # written in another unit
        ("鉄筋のかぶりは０．０５ｍとする。[1]", (("0.05", 40),), ("０．０５ｍ",)),
    ],
)
def test_a_number_from_uncertain_recognition_is_to_be_checked(answer, recognized, uncertain):
    claim = checked(answer, recognized)
    assert (claim.is_supported, claim.missing) == (not uncertain, uncertain)


def test_another_source_that_has_the_number_for_certain_settles_it():
    assert not checked("設計基準強度は24N/mm²以上とする。[1][2]", UNSURE, UNSURE).is_supported
    assert checked("設計基準強度は24N/mm²以上とする。[1][2]", UNSURE, None).is_supported
    assert checked("設計基準強度は24N/mm²以上とする。[1][2]", UNSURE, SURE).is_supported


def test_the_number_of_the_source_in_the_mark_is_no_number_of_the_sentence():
    assert checked("設計基準強度は24N/mm²以上とする。[1]", (("1", 10), ("24", 99)), text=TEXT + "（1）").is_supported


def test_doubts_and_places_name_the_recognition():
    passage = make_passage(TEXT, "3.2.1 材料", page=4, recognized=UNSURE)
    source = grounding_record.source_of(passage)
    found = claims.check("設計基準強度は24N/mm²以上とする。[1]", [passage])
    grounding = Grounding("answered", (source,), found)
    (message,) = source_citations.check_messages(grounding)
    assert "24N/mm²" in message
    assert message == phrase("documents.doubt.recognized", n=1, claims=1, sentence=found[0].sentence, missing="24N/mm²")
    assert source_citations.describe_place(source).endswith(phrase("common.recognized"))
    plain = dataclasses.replace(source, recognized=None)
    assert phrase("common.recognized") not in source_citations.describe_place(plain)
    assert [one["ocr"] for one in grounding_record.sources_to_json(Grounding(sources=(source, plain)))] == [True, False]
    missing = dataclasses.replace(found[0], missing=("24N/mm²", "99N"))
    assert source_citations.doubt_kind(grounding, [missing]) == "differing"


def test_a_quotation_with_an_uncertain_number_is_to_be_checked_too():
    source = grounding_record.source_of(make_passage(TEXT, recognized=UNSURE))
    quoted = [Claim(sentence, 0, 1, (1,), is_supported=True) for sentence in TEXT.split("。")[:2]]
    marked = tuple(recognized_numbers.mark_uncertain(claim, [source]) for claim in quoted)
    assert [claim.is_supported for claim in marked] == [False, True]
    messages = source_citations.check_messages(Grounding(sources=(source,), claims=marked, is_excerpt=True))
    assert messages[0] == phrase("common.excerpts")
    assert "24N/mm²" in messages[1]


def test_what_is_stored_with_an_answer_keeps_the_certainty():
    source = grounding_record.source_of(make_passage(TEXT, recognized=UNSURE))
    grounding = Grounding(sources=(source, dataclasses.replace(source, recognized=None)))
    stored = json.loads(json.dumps(dataclasses.asdict(grounding)))
    assert grounding_record.from_dict(stored) == grounding
    del stored["sources"][0]["recognized"]  # as an earlier version stored it
    assert grounding_record.from_dict(stored).sources[0].recognized is None
    assert grounding_record.passage_of(source, 1).section.recognized == UNSURE


def test_a_section_has_the_lowest_certainty_of_its_numbers_on_its_recognized_pages():
    blocks = [Block("heading", "3.2.1 材料", 1, page=1), Block("paragraph", "値は24とする。", page=2)]
    blocks += [Block("heading", "3.2.2 値１，０００", 1, page=3), Block("paragraph", "値は24とする。", page=3)]
    pages = {1: {"3.2.1": 99, "24": 50}, 2: {"24": 70, "7": 1}}
    found = list(sections.Splitter(ReadDocument(blocks, recognized=pages)).cut())
    assert [one.recognized for one in found] == [(("24", 70),), None]
    found = list(sections.Splitter(ReadDocument(blocks, recognized={3: {"1000": 80, "24": 90, "3.2.2": 97}})).cut())
    assert [one.recognized for one in found] == [None, (("3.2.2", 97), ("1000", 80), ("24", 90))]


def test_joined_sections_keep_the_lowest_certainty():
    parts = [Section((), "a", recognized=one) for one in (UNSURE, None, (("24", 40), ("7", 99)))]
    joined: Passage = retrieved_passages.join_parts(make_passage("a"), parts)
    assert joined.section.recognized == (("24", 40), ("0.05", 99), ("7", 99))
    assert retrieved_passages.join_parts(make_passage("a"), parts[1:2]).section.recognized is None


def test_the_database_keeps_it(library):
    collection = put(library, Section(("材料",), TEXT, recognized=UNSURE), Section(("材料",), "終。"))
    (document,) = library.documents(collection)
    assert [one.recognized for _, one in library.sections(document.id)] == [UNSURE, None]
    (found,) = passage_search.search(library, "設計基準強度", [collection], 1)
    assert found.section.recognized == UNSURE


def test_a_database_of_an_earlier_version_keeps_its_texts_and_reads_nothing_again(tmp_path):
    path = tmp_path / "documents.sqlite"
    with closing(Library.open(path)) as library:
        for name, notes in (("scan.pdf", ("recognized",)), ("a.md", ())):
            collection = put(library, Section(("材料",), TEXT, page=1), name=name)
            document = next(one for one in library.documents(collection) if one.name == name)
            report = dataclasses.replace(document.report, notes=notes)
            library.put(dataclasses.replace(document, report=report), [Section(("材料",), TEXT)])
    driver.write_as_earlier_version(path, 3)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE document SET report = 'nothing' WHERE name = 'a.md'")
        db.commit()
    with closing(Library.open(path)) as library:
        states = dict(library.database.read("SELECT name, state FROM document"))
        table = SectionTable(library.database)
        ids = dict(library.database.read("SELECT name, id FROM document"))
        found = {name: [(one.text, one.recognized) for _, one in table.of_document(at)] for name, at in ids.items()}
    assert states == {"scan.pdf": "done", "a.md": "done"}
    assert found == {"scan.pdf": [(TEXT, ())], "a.md": [(TEXT, None)]}


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_from_the_picture_to_the_mark(install, tmp_path):
    install(answering(row("強度は24N/mm²とする。", 70) + row("かぶりは0.05mとする。", 97, block=3)))
    Image.new("L", (1240, 1754), 255).save(tmp_path / "図.png")
    with ReadingChild(tmp_path) as child:
        document_id = child.add(tmp_path / "図.png")
        child.index(document_id)
        found = passage_search.search(child.library, "強度とかぶり", [child.collection], 2)
    answer = "強度は24N/mm²とする。かぶりは0.05mとする。"
    assert [claim.is_supported for claim in claims.check(answer, found)] == [False, True]
