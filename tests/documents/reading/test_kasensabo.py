"""A real domain: eight volumes of standards (8 MB), with questions and where their answers stand."""

import dataclasses
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.documents.library import Library
from app.documents.reading import markdown, sections
from app.documents.records import Section
from app.documents.retrieval import passage_search, retrieved_passages
from app.evaluation import question_files
from app.evaluation.judge import rule_scoring as measuring


@pytest.fixture(scope="module")
def cut(kasensabo: Path) -> dict[str, list[Section]]:
    files = sorted((kasensabo / "standards_md").glob("*.md"))
    return {
        file.name: list(sections.Splitter(markdown.read(file.read_text("utf-8"), lambda *_: None)).cut())
        for file in files
    }


@pytest.fixture(scope="module")
def texts(cut: dict[str, list[Section]]) -> dict[str, list[str]]:
    """The texts of the sections, as quotes are compared with them."""
    return {name: [retrieved_passages.normalize_quote(one.text) for one in found] for name, found in cut.items()}


@pytest.fixture(scope="module")
def library(cut: dict[str, list[Section]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    opened = Library.open(tmp_path_factory.mktemp("index") / "documents.sqlite")
    collection = opened.add_collection("基準")
    for document_id, found in zip(opened.add_documents(collection, map(Path, cut)), cut.values(), strict=True):
        document = opened.document(document_id)
        assert document is not None
        opened.put(dataclasses.replace(document, state="done"), found)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def golds(kasensabo: Path) -> list[dict[str, str]]:
    rows = (kasensabo / "eval" / "grounded_dev.jsonl").read_text("utf-8").splitlines()
    return [gold for row in rows for gold in json.loads(row)["gold"]]


def test_every_quote_stands_whole_in_one_section(texts, golds):
    missing = [
        gold["quote_clean"]
        for gold in golds
        if not any(retrieved_passages.normalize_quote(gold["quote"]) in text for text in texts[gold["file"]])
    ]
    assert missing == []


def test_clauses_and_tags_are_those_of_the_standards(cut, texts, golds):
    """The innermost heading of the label is in the path, and the tag is the label's."""
    right, wrong = 0, []
    for gold in golds:
        quote = retrieved_passages.normalize_quote(gold["quote"])
        place = next(place for place, text in enumerate(texts[gold["file"]]) if quote in text)
        section = cut[gold["file"]][place]
        innermost = _key(gold["heading"].split(" > ")[-1])
        has_heading = any(innermost in _key(heading) for heading in section.heading)
        if has_heading and gold.get("status_tag", section.tag) == section.tag.replace(" ", ""):
            right += 1
        else:
            wrong.append((gold["heading"], section.heading, section.tag))
    assert right / (right + len(wrong)) >= 0.95, wrong


def test_recall_is_what_the_readme_says(library, kasensabo):
    questions = question_files.read(kasensabo / "eval" / "grounded_dev.jsonl").questions
    ids = [one.id for one in library.collections()]
    outcomes = measuring.measure_retrieval(
        questions, lambda query, limit: passage_search.search(library, query, ids, limit)
    )
    figures = measuring.retrieval_summary(outcomes)
    assert figures["recall_at_5"] >= 0.90, figures
    assert figures["recall_at_20"] >= 0.97, figures
    assert figures["passage_characters_median"] <= 1200, figures


def test_no_section_is_longer_than_a_passage_but_for_one_row(cut):
    longest = max((one for found in cut.values() for one in found), key=lambda one: len(one.text))
    assert len(longest.text) <= 1.25 * sections.LONGEST


def _key(heading: str) -> str:
    return unicodedata.normalize("NFKC", heading).replace(" ", "")
