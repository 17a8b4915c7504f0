"""Summarize a document or a chapter, and say which sections were read.

A model sums up the parts, then its sentences, each checked against its sections. Without one each clause is quoted.
"""

import itertools
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from app.base import wording
from app.base.errors import AppError
from app.base.lazy_pattern import lazy_pattern
from app.base.paths import resources
from app.base.wording import phrase
from app.documents.grounding import claims, sentences
from app.documents.overview.result_table import (
    CLAUSE_GAP,
    Column,
    LinePair,
    ResultRow,
    ResultTable,
    clause_of,
    place_of,
)
from app.documents.records import Passage, Section, page_ranges
from app.documents.retrieval import excerpts
from app.documents.whole_document import WholeDocument
from app.inference.reply_journal import ModelReply, StandalonePrompt

GROUPS = ("whole", "part")
COLUMNS = (
    Column("part"), Column("summary", "text", 6), Column("clause", "clause", 4), Column("page", "number", 1),
    Column("check", share=2),
)  # fmt: skip
PART_CHARACTERS = 1_600  # of one prompt; about as many tokens
_PART_SENTENCES, _WHOLE_SENTENCES = 2, 5
_WHOLE_CHARACTERS = 1_200  # of sentences that are summed up together
_SOURCES_MOST = 30  # sections that a sentence of the whole is compared with
_REPLY_TOKENS = 400
_LISTED_MOST = 6  # clauses that were not read, by name
_TRIED, _QUOTED_MOST = 3, 300  # sentences of a clause, of which the first that is one is quoted; characters
_SENTENCE = lazy_pattern(r"。\s|[。.!?！？]\s*$")
T = TypeVar("T")
_TAG_ORDER = ("必須", "標準", "推奨", "")


def rows_of_chapter(document: WholeDocument, chapter: str) -> range:
    """Return the indices of the sections below the first heading with this title or path (第3章 > 第1節); all for "".

    Raises AppError("chapter_unknown").
    """
    if not chapter:
        return range(len(document.sections))
    wanted = "".join(chapter.split())
    for at, heading in enumerate(document.outline):
        path = CLAUSE_GAP.join(document.heading_at(heading.row)[: heading.depth + 1])
        if wanted in ("".join(name.split()) for name in (heading.title, excerpts.title_of(heading.title), path)):
            following = document.outline[at + 1 :]
            end = next((one.row for one in following if one.depth <= heading.depth), len(document.sections))
            return range(heading.row, max(end, heading.row + 1))
    raise AppError("chapter_unknown", chapter=chapter, name=document.name)


def quote_clauses(
    document: WholeDocument, rows: range, report: Callable[[int, int], None] = lambda _done, _total: None
) -> ResultTable:
    """Return one sentence of each clause as a table. `report` is called with sections and may raise to cancel."""
    found: list[ResultRow] = []
    silent: list[int] = []
    for _, group in itertools.groupby(rows, key=document.heading_at):
        clause = list(group)
        report(clause[0] - rows.start, len(rows))
        quoted = _quotation(document, clause)
        if quoted is None:
            silent += clause
        else:
            found.append(_row(document, quoted[0], quoted[1], "part", phrase("documents.check.quoted")))
    report(len(rows), len(rows))
    return _table(document, rows, found, {"no_sentence": silent}, phrase("documents.summary_is_quoted"))


def _quotation(document: WholeDocument, clause: Sequence[int]) -> tuple[int, str] | None:
    """Return the sentence of a clause that fits its title best, of what obliges first, and the index of its section."""
    tags = {tag: at for at, tag in enumerate(_TAG_ORDER)}
    ordered = sorted(clause, key=lambda row: tags.get(document.sections[row].tag, len(tags)))
    passages = [_passage(document, row) for row in ordered]
    title = excerpts.title_of(document.heading_at(clause[0])[-1]) if document.heading_at(clause[0]) else document.name
    found = [(ordered[one.number - 1], one.text) for one in excerpts.pick_excerpts(title, passages, _TRIED)]
    for row in ordered:
        text = document.sections[row].text
        parts = (part for part in sentences.split_sentences(text) if part.kind == "text")
        found += [(row, text[part.start : part.end]) for part in itertools.islice(parts, _TRIED)]
    row, text = next((one for one in found if _SENTENCE.search(one[1])), (0, ""))
    return (row, wording.shorten(" ".join(text.split()), _QUOTED_MOST)) if text else None


def _passage(document: WholeDocument, row: int, text: str = "") -> Passage:
    section, collection = document.sections[row], document.collection
    whole = Section(section.heading, text or section.text, section.tag, section.page, section.page)
    name = collection.name if collection else ""
    return Passage(row, whole, 0, document.name, "", name, document.label, 1.0)


@dataclass(frozen=True, slots=True)
class _Part:
    """Texts that are summed up together. `passages`: of the sections that its sentences are checked against."""

    prompt: StandalonePrompt
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    row: int  # index of its section
    sources: tuple[int, ...]  # indices of all its sections
    is_supported: bool
    missing: tuple[str, ...] = ()


class ModelSummary:
    """A summary in rounds, from parts to few sentences: ask `prompts`, and `take` the replies, until there are none."""

    def __init__(self, document: WholeDocument, rows: range) -> None:
        self._document, self._rows = document, rows
        self._parts = list(_document_parts(document, rows))
        self._round: list[_Sentence] = []
        self._by_part: list[_Sentence] = []
        self._unread: dict[str, list[int]] = {}
        self._is_first = True

    @property
    def prompts(self) -> tuple[StandalonePrompt, ...]:
        return tuple(part.prompt for part in self._parts)

    def take(self, replies: Mapping[StandalonePrompt, ModelReply]) -> None:
        """Check the replies of a round, and prepare the next. It takes up to seconds."""
        self._round = []
        for part in self._parts:
            reply = replies[part.prompt]
            text = reply.text[: reply.text.rfind("。") + 1] if reply.stop_reason == "length" else reply.text
            found = list(_checked(text, part.passages))
            self._round += found
            if not found and self._is_first:
                reason = "refused" if reply.stop_reason == "failed" else "no_reply"
                self._unread.setdefault(reason, []).extend(passage.section_id for passage in part.passages)
        if self._is_first:
            self._by_part = self._round
        is_enough = len(self._round) <= _WHOLE_SENTENCES or (not self._is_first and len(self._parts) <= 1)
        self._is_first = False
        sure = [one for one in self._round if one.is_supported]
        self._parts = [] if is_enough or not sure else list(_sentence_parts(self._document, sure))

    def table(self, model: str) -> ResultTable:
        """Return the result. `model`: the name of the model that wrote it."""
        whole = self._round if self._round is not self._by_part else []
        rows = [self._row(one, "whole") for one in whole] + [self._row(one, "part") for one in self._by_part]
        doubtful = sum(not one.is_supported for one in (*whole, *self._by_part))
        facts = (phrase("documents.summary_is_written", model=model, n=f"{len(rows):,}", doubtful=f"{doubtful:,}"),)
        return _table(self._document, self._rows, rows, self._unread, *facts)

    def _row(self, one: _Sentence, group: str) -> ResultRow:
        check = phrase("documents.check.agrees" if one.is_supported else "documents.check.doubtful")
        if one.missing:
            check = phrase("documents.quoted_about", subject=check, quoted=phrase("common.batch_gap").join(one.missing))
        return _row(self._document, one.row, one.text, group, check)


def _grouped(texts: Iterable[T], length: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Yield consecutive texts of together at most `most` characters, or one that is longer."""
    group: list[T] = []
    for one in texts:
        if group and sum(map(length, group)) + length(one) > most:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _document_parts(document: WholeDocument, rows: range) -> Iterator[_Part]:
    passages = (_passage(document, row, text) for row in rows for text in _pieces(document.sections[row].text))
    yield from map(_part, _grouped(passages, lambda one: len(one.section.text), PART_CHARACTERS))


def _part(passages: Sequence[Passage]) -> _Part:
    texts = (f"{' > '.join(one.section.heading)}\n{one.section.text}" for one in passages)
    return _Part(_prompt("part", "\n\n".join(texts), _PART_SENTENCES), tuple(passages))


def _sentence_parts(document: WholeDocument, found: Sequence[_Sentence]) -> Iterator[_Part]:
    for group in _grouped(found, lambda one: len(one.text), _WHOLE_CHARACTERS):
        rows = list(dict.fromkeys(row for each in group for row in each.sources))[:_SOURCES_MOST]
        passages = tuple(_passage(document, row) for row in rows)
        yield _Part(_prompt("whole", "\n".join(each.text for each in group), _WHOLE_SENTENCES), passages)


def _prompt(kind: str, text: str, most: int) -> StandalonePrompt:
    words = tomllib.loads((resources() / "summary.toml").read_text("utf-8"))
    system = words[f"{kind}_{wording.current_language()}"].format(most=most)
    return StandalonePrompt(system, text, max_tokens=_REPLY_TOKENS)


def _pieces(text: str) -> Iterator[str]:
    """Yield a section's text, in pieces that end at sentences if it is longer than one prompt."""
    at = 0
    while len(text) - at > PART_CHARACTERS:
        ends = [one.end for one in sentences.split_sentences(text[at : at + PART_CHARACTERS])][:-1]
        end = at + (ends[-1] if ends else PART_CHARACTERS)
        yield text[at:end]
        at = end
    if text[at:].strip():
        yield text[at:]


def _checked(reply: str, passages: Sequence[Passage]) -> Iterator[_Sentence]:
    """Yield the sentences of a reply that say something, with the sections that they are from."""
    for claim in claims.check(reply, passages):
        rows = tuple(dict.fromkeys(passages[number - 1].section_id for number in claim.sources))
        fallback = passages[0].section_id
        yield _Sentence(
            " ".join(claim.sentence.split()), (rows or (fallback,))[0], rows or (fallback,), claim.is_supported and
            bool(rows), claim.missing,
        )  # fmt: skip


def _row(document: WholeDocument, row: int, text: str, group: str, check: str) -> ResultRow:
    page = document.sections[row].page or ""
    cells = (phrase(f"documents.summary_group.{group}"), text, clause_of(document, row), page, check)
    return ResultRow(cells, group, place_of(document, row), lines=(LinePair(new=((text, ""),)),))


def _table(
    document: WholeDocument, rows: range, found: Sequence[ResultRow], unread: Mapping[str, Sequence[int]], *facts: str
) -> ResultTable:
    """Return the result with what was read: every section, or which not and why."""
    left = {row for missed in unread.values() for row in missed}
    read, total = len(rows) - len(left), len(rows)
    lines = [phrase("documents.sections_read", read=f"{read:,}", total=f"{total:,}"), *facts]
    gap = phrase("common.data_gap")
    for reason, missed in unread.items():
        names = list(dict.fromkeys(clause_of(document, row).rpartition(CLAUSE_GAP)[2] for row in sorted(set(missed))))
        shown = gap.join(names[:_LISTED_MOST]) + ("…" if len(names) > _LISTED_MOST else "")
        if missed:
            lines.append(phrase(f"documents.not_read.{reason}", n=f"{len(set(missed)):,}", clauses=shown))
    report = document.document.report if document.document else None
    if report and report.pages_without_text:
        lines.append(phrase("documents.not_read.pages", pages=gap.join(page_ranges(report.pages_without_text))))
    groups = GROUPS if any(row.group == "whole" for row in found) else ()
    title = document.name
    if len(rows) < len(document.sections):
        both = zip(document.heading_at(rows[0]), document.heading_at(rows[-1]), strict=False)
        title = " ".join([title, *[first for first, last in both if first == last][-1:]])
    ids = (document.document.id,) if document.document else ()
    return replace(
        ResultTable("summary", title, COLUMNS, tuple(found), tuple(lines), ids, groups), coverage=(read, total)
    )
