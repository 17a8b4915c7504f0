"""Suggest questions that the clauses next to an answer's source can answer, made from their headings."""

import functools
import itertools
from collections.abc import Iterator, Sequence

from app.base.lazy_pattern import lazy_pattern
from app.base.wording import phrase
from app.documents import lexicon
from app.documents.grounding import evidence
from app.documents.library import Library
from app.documents.records import Passage
from app.documents.retrieval import excerpts

QUESTIONS_MAX = 3
_REACH = 8  # clauses before and after that of the source
_BLOCK = 2_000  # clauses of a document among which titles are compared, so that a huge one takes no longer
_SHORT = 4  # characters; a shorter title is understood only below another one
_TITLE = lazy_pattern(r"(?=.*(?:[一-鿿ァ-ヺ]{2}|[A-Za-z]{3}))[一-鿿ぁ-ゖァ-ヺーA-Za-zＡ-Ｚａ-ｚ・々]{2,20}$")
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
    if _TITLE.match(title) is None or SAYS_NOTHING.match(title) is not None:
        return False
    last = lexicon.tokenize(title)[-1]
    return _ASKS.search(title) is not None or last.is_noun or last.is_suffix
