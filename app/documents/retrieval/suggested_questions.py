"""Suggest questions, made from documents just read (headings, definitions, values), that these answer."""

import collections
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from app.base.lazy_pattern import lazy_pattern
from app.base.paths import Paths
from app.base.wording import phrases
from app.documents import collection_lookup
from app.documents.document_tables import heading_of, text_of
from app.documents.grounding import sentences
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.retrieval import excerpts, passage_search, retrieved_passages
from app.documents.retrieval.follow_up_questions import SAYS_NOTHING

SUGGESTED = 3
_KINDS = ("value", "definition", "heading")
_TRIED_MOST = 16  # questions of one kind that are searched for; each takes some 10 ms
_SECTIONS_MOST = 400  # sections that are looked at, spread over the documents
_TEXT_LEAST = 16  # characters of a section that says something
_PASSAGES = 5
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
# Titles that say something only below another one.
_GENERAL = lazy_pattern("概要|目的|適用(?:範囲)?|定義|用語(?:の定義)?")
_JAPANESE = lazy_pattern("[ぁ-ゖァ-ヺ一-鿿]")
_TITLE = lazy_pattern(r"(?=.*[ァ-ヺA-Za-z一-鿿])[^、。，．,;；:：「」『』|()（）\[\]［］]{4,24}")
_QUESTION = lazy_pattern("[?？]$|(?:です|ます|でしょう)か$")  # a heading that is a question is asked as it stands
_WORD = "[一-鿿ァ-ヺーA-Za-z0-9・]"
_NUMBER = r"(?:第\S{1,12}条(?:の\S{1,2})?[\s　]+|\d{1,3}[\s　]+|[（(]\d{1,2}[)）][\s　]*)?"
_DEFINITION = lazy_pattern(
    rf"{_NUMBER}[「『]?(?P<subject>{_WORD}{{2,20}})[」』]?(?:[（(][^（）()]{{0,40}}[）)])?とは、?[^。]{{8,}}"
)
_DIGITS = "[0-9０-９一二三四五六七八九十百千万]"
_VALUE = lazy_pattern(
    rf"{_NUMBER}(?P<subject>{_WORD}+(?:の{_WORD}+)*)は、?[^、。]{{0,30}}?{_DIGITS}[,.．，0-9０-９一二三四五六七八九十百千万]*\s?"
    r"(?P<unit>mm|cm|km|m|kg|円|％|%|パーセント|人)(?![一-鿿A-Za-z²³2/・])"
)
_POINTING = lazy_pattern("[こそ][のれ]|前[条項]|同[条項法]|当該|次|[上下]記|以下|本[章節項編条]|.*(?:又|若しく|及び)$")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A question, and the text of the section or sentence that should answer it."""

    kind: str  # of _KINDS
    subject: str
    question: str
    source: str


def suggest_questions(documents: Path, scope: Sequence[CollectionRef]) -> list[str]:
    """Return up to three questions, of different kinds if possible. Raises AppError("collections_gone")."""
    with closing(Library.open_second(documents)) as library:
        ids = collection_lookup.open_scope(library, scope)
        candidates = _candidates(library, ids)
        glossary = Paths(documents.parent).glossary
        waiting = [iter([one for one in candidates if one.kind == kind][:_TRIED_MOST]) for kind in _KINDS]
        found: list[_Candidate] = []
        while waiting and len(found) < SUGGESTED:
            kind = waiting.pop(0)
            good = next((one for one in kind if _is_answered(library, one, ids, glossary)), None)
            if good is not None:
                waiting.append(kind)
                found += (
                    [] if any(good.subject in one.subject or one.subject in good.subject for one in found) else [good]
                )
        return [one.question for one in found]


def _candidates(library: Library, ids: Sequence[int]) -> list[_Candidate]:
    """Return the questions that can be made, in an order that takes them from all over the documents."""
    rows = library.database.read_as(
        lambda row: (heading_of(row), text_of(row, "text")),
        """SELECT s.heading, s.text FROM section s JOIN document d ON d.id = s.document_id
            WHERE d.collection_id IN (SELECT value FROM json_each(?)) ORDER BY s.document_id, s.position""",
        json.dumps(list(ids)),
    )
    often = collections.Counter(excerpts.title_of(path[-1]) for path in {heading for heading, _ in rows if heading})
    telling = [row for row in rows if len(row[1]) >= _TEXT_LEAST]
    telling = telling[:: 1 + len(telling) // _SECTIONS_MOST]
    order = sorted(range(len(telling)), key=lambda at: (at + 1) * _GOLDEN_RATIO % 1)
    return [one for at in order for one in _questions_of(*telling[at], often)]


def _questions_of(heading: Sequence[str], text: str, often: Mapping[str, int]) -> Iterator[_Candidate]:
    """Yield the questions of a section. `often`: how many headings have the same title."""
    title = excerpts.title_of(heading[-1]) if heading else ""
    is_telling = _TITLE.fullmatch(title) and not (
        SAYS_NOTHING.match(title) or _GENERAL.fullmatch(title) or _POINTING.match(title) or often[title] > 1
    )
    if is_telling and any(one.kind == "text" for one in sentences.split_sentences(text)):
        question = title if _QUESTION.search(title) else _form("heading", title + text, subject=title)
        yield _Candidate("heading", title, question, text)
    for one in sentences.split_sentences(text):
        sentence = text[one.start : one.end]
        for kind, pattern in (("definition", _DEFINITION), ("value", _VALUE)):
            match = pattern.match(sentence) if one.kind == "text" else None
            if match and not _POINTING.match(match["subject"]):
                yield _Candidate(kind, match["subject"], _form(kind, sentence, **match.groupdict()), sentence)


def _form(kind: str, source: str, **facts: str) -> str:
    """Return a question in the language of its source: a heading may be a foreign name, such as Wiki."""
    japanese, english = phrases(f"documents.suggested.{kind}")
    return (japanese if _JAPANESE.search(source) else english).format(**facts)


def _is_answered(library: Library, candidate: _Candidate, ids: Sequence[int], glossary: Path) -> bool:
    """Whether the documents answer a question for certain, and with its source."""
    question = candidate.question
    passages = passage_search.search(library, question, ids, _PASSAGES, glossary)
    judged = retrieved_passages.judge_answerability(library, question, passages, ids, glossary)
    if judged.verdict != "answered":
        return False
    quoted = excerpts.pick_excerpts(question, passages)[: excerpts.SHOWN_FIRST]
    return any(one.text in candidate.source or candidate.source in one.text for one in quoted)
