"""Imported answers are compared with the user's own documents, as if they had just been given.

What a file quotes proves nothing: it may be invented together with the answer. A source counts as at hand where a
document of the user's holds the quoted lines, one after the other; the answer is then checked against the document's
own text, clause by clause, and that text becomes the source. Where one source is missing, nothing is checked.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.base.errors import AppError
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.records import Message
from app.documents.grounding import claims, grounding_record, source_citations
from app.documents.grounding.grounding_record import CitedSource, Grounding
from app.documents.library import Library
from app.documents.records import DocumentSection, Passage
from app.documents.retrieval import retrieved_passages

# Beyond these an answer is taken over unchecked: our own passages have 1,200 characters, and a model gets 12 of them.
SOURCES_MAX = 20
QUOTE_CHARACTERS_MAX = 8_000
ANSWER_CHARACTERS_MAX = 10_000
# Characters of an answer times those of its sources. Only an estimate of the time, for the check has no deadline and is
# not interrupted: at this limit text as people write it took half a second on two cores, text made to cost a minute.
WORK_MAX = 30_000_000
CHECKING_S = 300.0  # of one file, after which the rest of its answers stays unchecked
TEXTS_MAX = 8  # documents that are kept in memory
DOCUMENT_SECTIONS_MAX = 50_000
QUOTED_SHARE_MIN = 0.4  # of the sections it is from: a word that stands somewhere in a document is no passage of it
_SLACK_CHARACTERS = 400  # between two quoted lines that follow each other in the document
_STARTS_MAX = 50  # places at which a first line is looked at


@contextmanager
def open_checker(documents: Path | None, pulse: Callable[[], None]) -> "Iterator[ImportedAnswerChecker]":
    """With the library at `documents`; without one where there is none or it cannot be read.

    `pulse` is called before each check; what it raises ends the work.
    """
    library: Library | None = None
    if documents is not None and documents.is_file():
        try:
            library = Library.beside(documents)
        except AppError:
            library = None
    try:
        yield ImportedAnswerChecker(library, pulse)
    finally:
        if library is not None:
            library.close()


class ImportedAnswerChecker:
    """Of one file."""

    def __init__(self, library: Library | None, pulse: Callable[[], None]) -> None:
        self._library = library
        self._pulse = pulse
        self._left_s = CHECKING_S
        self._texts: dict[int, _Text | None] = {}  # by the document's id, in the order in which they were read

    def checked(self, bundle: Bundle) -> Bundle:
        """The conversation with what could be compared; its other answers as they are."""
        by_id = {message.id: message for message in bundle.messages}
        messages = tuple(
            self._checked(one, by_id[one.parent_id]) if one.role == "answer" and one.parent_id is not None else one
            for one in bundle.messages
        )
        return dataclasses.replace(bundle, messages=messages)

    def _checked(self, answer: Message, question: Message) -> Message:
        details = answer.details
        if (
            details is None
            or self._library is None
            or not details.quoted
            or self._left_s <= 0
            or not _is_bearable(answer, details.quoted)
        ):
            return answer
        self._pulse()
        started = time.monotonic()
        try:
            kept = self._grounding(answer.text, question.text, details.quoted)
        except AppError:  # the documents' database
            return answer
        finally:
            self._left_s -= time.monotonic() - started
        if kept is None:
            return answer
        return dataclasses.replace(answer, details=dataclasses.replace(details, grounding=kept, quoted=()))

    def _grounding(self, answer: str, question: str, quoted: Sequence[CitedSource]) -> Grounding | None:
        """None where a source is not at hand, or the answer says that the documents do not have it: that would have to
        be looked for in all of them."""
        found: list[Passage] = []
        for source in quoted:
            passage = self._passage(source)
            if passage is None:
                return None
            found.append(passage)
        claimed = claims.check_claims(answer, found, question)
        if not claimed or claims.states_not_found(answer, claimed):
            return None
        own = tuple(grounding_record.source_of(passage, self._sha256(passage)) for passage in found)
        left_out = claims.count_unchecked(answer, claimed)
        return source_citations.locate_sources(Grounding("answered", own, claimed, unchecked=left_out), found)

    def _sha256(self, passage: Passage) -> str:
        document = self._library.document(passage.document_id) if self._library is not None else None
        return document.sha256 if document else ""

    def _passage(self, quoted: CitedSource) -> Passage | None:
        """The sections of a document of the user's that hold the quoted lines, from the first to the last."""
        library = self._library
        lines = [line for line in map(_bare, quoted.text.split("\n")) if line]
        if library is None or not lines:
            return None
        for document_id in library.namesakes(quoted.document, quoted.sha256):
            text = self._text(library, document_id)
            extent = text.extent(lines) if text is not None else None
            if text is None or extent is None:
                continue
            ids, sections = zip(*text.sections[extent[0] : extent[1]], strict=True)
            first = next(iter(library.passages([(ids[0], quoted.score)])), None)
            if first is not None:
                return retrieved_passages.join_parts(first, sections)
        return None

    def _text(self, library: Library, document_id: int) -> "_Text | None":
        """None where it is too long. The sources of answers are often of the same documents."""
        if document_id not in self._texts:
            if len(self._texts) >= TEXTS_MAX:
                self._texts.pop(next(iter(self._texts)))
            sections = library.sections(document_id)
            self._texts[document_id] = _Text(sections) if len(sections) <= DOCUMENT_SECTIONS_MAX else None
        return self._texts[document_id]


class _Text:
    """The text of a document without spaces, and where in it each section ends."""

    def __init__(self, sections: Sequence[tuple[int, DocumentSection]]) -> None:
        self.sections = sections
        bare = [_bare(section.text) for _, section in sections]
        self._all = "".join(bare)
        self._ends: list[int] = []
        for one in bare:
            self._ends.append((self._ends[-1] if self._ends else 0) + len(one))
        self._openings = {_bare(line) for _, section in sections for line in (*section.heading, f"＜{section.tag}＞")}

    def extent(self, lines: Sequence[str]) -> tuple[int, int] | None:
        """From which section to before which they stand; None where they do not, one after the other."""
        wanted = [line for line in lines if line in self._all or line not in self._openings]
        if not wanted:
            return None
        start = self._all.find(wanted[0])
        for _ in range(_STARTS_MAX):
            if start < 0:
                return None
            end = self._end(start, wanted)
            if end is not None:
                first, last = self._section_at(start), self._section_at(end - 1)
                length = self._ends[last] - (self._ends[first - 1] if first else 0)
                if sum(map(len, wanted)) >= QUOTED_SHARE_MIN * length:
                    return first, last + 1
            start = self._all.find(wanted[0], start + 1)
        return None

    def _end(self, start: int, wanted: Sequence[str]) -> int | None:
        """Where the last line ends, with the first at `start`; headings that a passage repeats may stand between."""
        at = start + len(wanted[0])
        for line in wanted[1:]:
            found = self._all.find(line, at, at + len(line) + _SLACK_CHARACTERS)
            if found >= 0:
                at = found + len(line)
            elif line not in self._openings:
                return None
        return at

    def _section_at(self, place: int) -> int:
        return next(number for number, end in enumerate(self._ends) if place < end)


def _is_bearable(answer: Message, quoted: Sequence[CitedSource]) -> bool:
    return (
        len(quoted) <= SOURCES_MAX
        and len(answer.text) <= ANSWER_CHARACTERS_MAX
        and all(len(source.text) <= QUOTE_CHARACTERS_MAX for source in quoted)
        and len(answer.text) * sum(len(source.text) for source in quoted) <= WORK_MAX
    )


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)
