"""Suggest questions that documents answer: those just read, or the clauses next to an answer's sources.

They are made from headings, definitions and values, and of documents just read each was tried.
"""

import collections
import functools
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from app.base.lazy_pattern import lazy_pattern
from app.base.paths import Paths
from app.base.wording import phrase, phrases
from app.documents import collection_lookup, lexicon
from app.documents.document_tables import heading_of, text_of
from app.documents.grounding import evidence, sentences
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Passage
from app.documents.retrieval import excerpts, passage_search, retrieved_passages

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
_ENGLISH_QUESTION = lazy_pattern(r"(?i)(?:who|whose|what|which|when|where|why|how|can|may|is|are|do|does)\s.*")
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


class _Candidate(Struct, frozen=True):
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
        if _QUESTION.search(title):
            question = title
        elif _ENGLISH_QUESTION.fullmatch(title):
            question = f"{title}?"
        else:
            question = _form("heading", title + text, subject=title)
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


QUESTIONS_MAX = 3
_REACH = 8  # clauses before and after that of the source
_BLOCK = 2_000  # clauses of a document among which titles are compared, so that a huge one takes no longer
_SHORT = 4  # characters; a shorter title is understood only below another one
_TOPIC = lazy_pattern(r"(?=.*(?:[一-鿿ァ-ヺ]{2}|[A-Za-z]{3}))[一-鿿ぁ-ゖァ-ヺーA-Za-zＡ-Ｚａ-ｚ・々]{2,20}$")
# Titles below which a document says something about itself, or anything.
SAYS_NOTHING = lazy_pattern(
    "(?:総[説論則]|概[説論]|目次|索引|序文?|はじめに|おわりに|まとめ|参考.*|関連.*|付[録則属].*|附則.*"
    "|別[表紙添].*|様式.*|[図表].?|例示?|標準|推奨|必須|注|備考|解説|凡例|雑則|罰則|施行期日|経過措置.*|その他.*|改[正訂].*|表紙|奥付|一般"
    "|.*(?:一覧|目次|構成)|(?:基本(?:的な)?)?(?:事項|方針|考え方)|[上下前]記.*|以下.*|次.*|前.*|同.*)$"
)
_ASKS = lazy_pattern("(?:には|とは|ときは)$")  # モデルを追加するには


class _Clauses:
    """The clauses of a document in its order, and below which headings each title occurs."""

    def __init__(self, paths: Sequence[tuple[str, ...]]) -> None:
        self.paths = paths
        self._titles: dict[str, str] = {}  # of each heading, most of which are those of many clauses
        self._parents: dict[str, set[tuple[str, ...]]] = {}
        for path in self.paths:
            titles = tuple(map(self.title, path))
            for depth, title in enumerate(titles):
                self._parents.setdefault(title, set()).add(titles[:depth])

    def title(self, heading: str) -> str:
        """Return a heading without its number."""
        if heading not in self._titles:
            self._titles[heading] = excerpts.title_of(heading)
        return self._titles[heading]

    def topics_near(self, here: tuple[str, ...]) -> Iterator[str]:
        """Yield what the clauses around one are about, outwards from it."""
        if here not in self.paths:
            return
        at, own = self.paths.index(here), set(map(self.title, here))
        for step in itertools.chain.from_iterable((distance, -distance) for distance in range(1, _REACH + 1)):
            path = self.paths[at + step] if 0 <= at + step < len(self.paths) else ()
            if path and path[:1] == here[:1] and self.title(path[-1]) not in own and (topic := self._topic(path)):
                yield topic

    def _topic(self, path: Sequence[str]) -> str:
        """Return a clause's title, below the heading that tells it from others of that title; "" if it says nothing."""
        *outer, title = map(self.title, path)
        if not _is_topic(title):
            return ""
        if self._is_unique(title) and len(title) >= _SHORT:
            return title
        subjects = (one for one in reversed(outer) if self._is_unique(one) and title not in one and _is_topic(one))
        subject = "" if _ASKS.search(title) else next(subjects, "")
        return phrase("documents.topic_of", subject=subject, topic=title) if subject else ""

    def _is_unique(self, title: str) -> bool:
        return len(self._parents[title]) == 1


def follow_up_questions(library: Library, passages: Sequence[Passage], asked: Sequence[str]) -> tuple[str, ...]:
    """Return at most three questions, on none of the subjects `asked`, from headings next to the best passages."""

    def clauses_around(passage: Passage) -> _Clauses:
        paths, here = paths_of(passage.document_id), passage.section.heading
        block = paths.index(here) // _BLOCK if here in paths else 0
        return clauses_in(passage.document_id, block)

    paths_of = functools.cache(library.headings_of)
    clauses_in = functools.cache(
        lambda document_id, block: _Clauses(
            paths_of(document_id)[max(0, block * _BLOCK - _REACH) : (block + 1) * _BLOCK + _REACH]
        )
    )
    said = [evidence.content_terms(question) for question in asked]
    near = itertools.chain.from_iterable(
        clauses_around(passage).topics_near(passage.section.heading) for passage in passages[:QUESTIONS_MAX]
    )
    is_new = (topic for topic in dict.fromkeys(near) if not any(evidence.content_terms(topic) <= one for one in said))
    return tuple(
        phrase("documents.asks_how" if _ASKS.search(topic) else "documents.asks_about", topic=topic)
        for topic in itertools.islice(is_new, QUESTIONS_MAX)
    )


def _is_topic(title: str) -> bool:
    if _TOPIC.match(title) is None or SAYS_NOTHING.match(title) is not None:
        return False
    last = lexicon.tokenize(title)[-1]
    return _ASKS.search(title) is not None or last.is_noun or last.is_suffix
