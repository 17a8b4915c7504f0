"""Headings and pages of real PDF files, against the HTML of the same books and the pages' own text.

`python -m tests.benchmarks.pdf_headings`: Debian's books in Japanese (packages debian-reference-ja and
developers-reference-ja). A sample is the beginning of each section that the HTML has, where it is unique in the book.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdfium2

from app.documents.reading import html, sections
from app.documents.reading.pdf import pdf_reader
from app.documents.records import Section

BOOKS = {
    "debian-reference": (
        Path("/usr/share/doc/debian-reference-common/docs/debian-reference.ja.pdf"),
        Path("/usr/share/doc/debian-reference-common/docs"),
        "ch*.ja.html",
    ),
    "developers-reference": (
        Path("/usr/share/developers-reference/ja/developers-reference.pdf"),
        Path("/usr/share/developers-reference/ja"),
        "*[!e].html",  # not the whole book in one file
    ),
}
SAMPLE = 24  # characters of a paragraph, that it is looked for by
_NUMBER = re.compile(r"^(?:chapter|第|補遺|appendix)?[\d.．]*(?:章|節)?[.．]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sample:
    words: str  # normalized
    title: str  # of the innermost heading, normalized, without its number


@dataclass(frozen=True, slots=True)
class Score:
    samples: int
    headings_right: int
    pages_right: int
    wrong: tuple[str, ...]


def measure(pdf_file: Path, pages_folder: Path, pattern: str) -> Score:
    found = list(sections.Splitter(pdf_reader.read(pdf_file, lambda *_: None)).cut())
    texts = [(_squeezed(section.text), section) for section in found]
    pages = _pages(pdf_file)
    samples = headings = right_pages = 0
    wrong: list[str] = []
    for sample in _samples(pages_folder, pattern):
        section = next((one for text, one in texts if sample.words in text), None)
        on = [number for number, text in enumerate(pages, 1) if sample.words in text]
        if section is None or len(on) != 1:
            continue  # a paragraph that goes over a page, or is set otherwise in print
        samples += 1
        is_right = bool(section.heading) and sample.title in map(_title, section.heading[-1:])
        headings += is_right
        right_pages += section.page <= on[0] <= max(section.page, section.page_last)
        if not is_right:
            wrong.append(f"{sample.title} / {' > '.join(section.heading)}")
    return Score(samples, headings, right_pages, tuple(wrong))


def _samples(folder: Path, pattern: str) -> Iterator[Sample]:
    read = [
        one
        for file in sorted(folder.glob(pattern))
        for one in sections.Splitter(html.read(file, lambda *_: None, "")).cut()
    ]
    beginnings = [(_beginning(section), section) for section in read]
    often = Counter(words for words, _ in beginnings)
    for words, section in beginnings:
        if section.heading and len(words) == SAMPLE and often[words] == 1:
            yield Sample(words, _title(section.heading[-1]))


def _beginning(section: Section) -> str:
    return _squeezed(section.text.splitlines()[0] if section.text else "")[:SAMPLE]


def _pages(file: Path) -> list[str]:
    document = pypdfium2.PdfDocument(file)
    return [_squeezed(page.get_textpage().get_text_range()) for page in document]


def _squeezed(text: str) -> str:
    return re.sub(r"[\s\u00ad•]", "", unicodedata.normalize("NFKC", text)).replace("”", '"').replace("’", "'")


def _title(heading: str) -> str:
    return _NUMBER.sub("", _squeezed(heading)).rstrip("¶#")


def main() -> None:
    for name, (pdf_file, folder, pattern) in BOOKS.items():
        if not pdf_file.exists():
            print(json.dumps({"book": name, "skipped": "not installed"}))
            continue
        score = measure(pdf_file, folder, pattern)
        figures = {
            "book": name,
            "samples": score.samples,
            "headings": round(score.headings_right / max(1, score.samples), 3),
            "pages": round(score.pages_right / max(1, score.samples), 3),
        }
        print(json.dumps(figures, ensure_ascii=False))
        for line in score.wrong[:10]:
            print("   ", line)


if __name__ == "__main__":
    main()
