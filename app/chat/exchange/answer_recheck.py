"""Compare imported answers with the user's own documents, as if the program had just written them.

The passages that a file quotes prove nothing: they may be invented together with the answer. A source counts only when
one of the user's documents contains the quoted lines in the same order. The answer is then checked, clause by clause,
against the text of that document, which becomes the source. If one source is missing, the answer stays unchecked.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from app.base.errors import AppError
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.records import Message
from app.documents.grounding import claims, grounding_record, source_citations
from app.documents.grounding.grounding_record import CitedSource, Grounding
from app.documents.library import Library
from app.documents.records import Passage, Section
from app.documents.retrieval import retrieved_passages

# An answer beyond these limits stays unchecked. Kotae's own passages have 1,200 characters, and a model gets 12 of
# them.
SOURCES_MAX = 20
QUOTE_CHARACTERS_MAX = 8_000
ANSWER_CHARACTERS_MAX = 10_000
# The characters of an answer times those of its sources, an estimate of the time, because a check cannot be
# interrupted. At this limit ordinary text took half a second on two cores, and text constructed to be slow took a
# minute.
WORK_MAX = 30_000_000
CHECKING_S = 300.0  # seconds of checking for one file; later answers stay unchecked
TEXTS_MAX = 8  # documents whose text is kept in memory
DOCUMENT_SECTIONS_MAX = 50_000
QUOTED_SHARE_MIN = 0.4  # share of the sections' text that the quote must cover: one word is no passage
_SLACK_CHARACTERS = 400  # characters of the document that may lie between two consecutive quoted lines
_STARTS_MAX = 50  # occurrences of the first quoted line that are tried


@contextmanager
def open_checker(documents: Path | None, pulse: Callable[[], None]) -> Iterator[Callable[[Bundle], Bundle]]:
    """Yield `ImportedAnswerChecker.check_answers` with the library of the database `documents`.

    Without a readable library the function checks nothing. `pulse` is called before each check; an exception that it
    raises ends the work.
    """
    try:
        library = Library.open_second(documents) if documents is not None and documents.is_file() else None
    except AppError:
        library = None
    if library is None:
        yield lambda bundle: bundle
        return
    with closing(library):
        yield ImportedAnswerChecker(library, pulse).check_answers


class ImportedAnswerChecker:
    """Checks the answers of one imported file, for at most `CHECKING_S` in all."""

    def __init__(self, library: Library, pulse: Callable[[], None]) -> None:
        self._library = library
        self._pulse = pulse
        self._left_s = CHECKING_S
        self._texts: dict[int, _DocumentText | None] = {}  # by document id, the first read first; None: too long

    def check_answers(self, bundle: Bundle) -> Bundle:
        """Return the conversation with every answer checked for which this is possible; the others stay unchanged."""
        by_id = {message.id: message for message in bundle.messages}
        messages = tuple(
            self._checked(one, by_id[one.parent_id]) if one.role == "answer" and one.parent_id is not None else one
            for one in bundle.messages
        )
        return dataclasses.replace(bundle, messages=messages)

    def _checked(self, answer: Message, question: Message) -> Message:
        details = answer.details
        if details is None or not details.quoted or self._left_s <= 0 or not _is_within_limits(answer, details.quoted):
            return answer
        self._pulse()
        started = time.monotonic()
        try:
            grounding = self._grounding(answer.text, question.text, details.quoted)
        except AppError:  # an error of the documents' database
            return answer
        finally:
            self._left_s -= time.monotonic() - started
        if grounding is None:
            return answer
        return dataclasses.replace(answer, details=dataclasses.replace(details, grounding=grounding, quoted=()))

    def _grounding(self, answer: str, question: str, quoted: Sequence[CitedSource]) -> Grounding | None:
        """Return the checked sources and claims, or None when a source is not in the user's documents.

        Also return None for an answer that states that the documents contain no answer: checking that would need a
        search of all documents.
        """
        passages: list[Passage] = []
        for source in quoted:
            passage = self._passage(source)
            if passage is None:
                return None
            passages.append(passage)
        claimed = claims.check(answer, passages, question)
        if not claimed or claims.states_not_found(answer, claimed):
            return None
        documents = ((passage, self._library.document(passage.document_id)) for passage in passages)
        own = tuple(grounding_record.source_of(passage, one.sha256 if one else "") for passage, one in documents)
        unchecked = claims.count_unchecked(answer, claimed)
        return source_citations.locate_sources(Grounding("answered", own, claimed, unchecked=unchecked), passages)

    def _passage(self, quoted: CitedSource) -> Passage | None:
        """Return the sections of one of the user's documents that contain the quoted lines, from the first to the last;
        None if no document contains them."""
        lines = [line for line in map(_without_spaces, quoted.text.split("\n")) if line]
        if not lines:
            return None
        for document_id in self._library.ids_with_name_or_content(quoted.document, quoted.sha256):
            text = self._text(document_id)
            extent = text.extent(lines) if text is not None else None
            if text is None or extent is None:
                continue
            ids, sections = zip(*text.sections[extent[0] : extent[1]], strict=True)
            first = next(iter(self._library.passages([(ids[0], quoted.score)])), None)
            if first is not None:
                return retrieved_passages.join_parts(first, sections)
        return None

    def _text(self, document_id: int) -> "_DocumentText | None":
        """Return the text of a document, or None when it is too long. The last `TEXTS_MAX` are kept."""
        if document_id not in self._texts:
            if len(self._texts) >= TEXTS_MAX:
                self._texts.pop(next(iter(self._texts)))
            sections = self._library.sections(document_id)
            self._texts[document_id] = _DocumentText(sections) if len(sections) <= DOCUMENT_SECTIONS_MAX else None
        return self._texts[document_id]


class _DocumentText:
    """The text of a document without white space, with the position where each section ends."""

    def __init__(self, sections: Sequence[tuple[int, Section]]) -> None:
        self.sections = sections
        texts = [_without_spaces(section.text) for _, section in sections]
        self._all = "".join(texts)
        self._ends: list[int] = []
        for one in texts:
            self._ends.append((self._ends[-1] if self._ends else 0) + len(one))
        self._headings = {
            _without_spaces(line) for _, section in sections for line in (*section.heading, f"＜{section.tag}＞")
        }

    def extent(self, lines: Sequence[str]) -> tuple[int, int] | None:
        """Return the range (first section, section after the last) that contains the lines in order, or None."""
        needed = [line for line in lines if line in self._all or line not in self._headings]
        if not needed:
            return None
        start = self._all.find(needed[0])
        for _ in range(_STARTS_MAX):
            if start < 0:
                return None
            end = self._end_of_lines(start, needed)
            if end is not None:
                first, last = self._section_at(start), self._section_at(end - 1)
                length = self._ends[last] - (self._ends[first - 1] if first else 0)
                if sum(map(len, needed)) >= QUOTED_SHARE_MIN * length:
                    return first, last + 1
            start = self._all.find(needed[0], start + 1)
        return None

    def _end_of_lines(self, start: int, needed: Sequence[str]) -> int | None:
        """Return the position where the last line ends if the first begins at `start`, or None when a line is missing.
        Only headings, which a passage repeats, may be missing."""
        at = start + len(needed[0])
        for line in needed[1:]:
            found = self._all.find(line, at, at + len(line) + _SLACK_CHARACTERS)
            if found >= 0:
                at = found + len(line)
            elif line not in self._headings:
                return None
        return at

    def _section_at(self, offset: int) -> int:
        return next(number for number, end in enumerate(self._ends) if offset < end)


def _is_within_limits(answer: Message, quoted: Sequence[CitedSource]) -> bool:
    return (
        len(quoted) <= SOURCES_MAX
        and len(answer.text) <= ANSWER_CHARACTERS_MAX
        and all(len(source.text) <= QUOTE_CHARACTERS_MAX for source in quoted)
        and len(answer.text) * sum(len(source.text) for source in quoted) <= WORK_MAX
    )


def _without_spaces(text: str) -> str:
    return re.sub(r"\s+", "", text)
