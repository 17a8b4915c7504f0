"""Answer with 抜粋表示: quote the best sentences of the passages instead of generating an answer.

This is for models too small to be trusted. The trial model (0.27 billion parameters) repeats the question or invents;
the smallest models in the catalogue that follow "only from the documents" have 1.2 billion. So nothing is generated
from documents below a billion parameters.
"""

import collections
import itertools
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.wording import phrase
from app.documents import terms
from app.documents.grounding import answer_markup, evidence, sentences, source_citations
from app.documents.grounding.grounding_record import Claim
from app.documents.records import Passage
from app.documents.retrieval import clause_references, named_clauses
from app.documents.values import quantities
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue

PARAMETERS_MIN = 1_000_000_000
EXCERPTS_MAX = 4
OPENINGS_MAX = 2
_OPENING_LONGEST = 160  # characters of the sentences that are quoted from a named clause, after the first one
_SCORE_SHARE = 0.5  # share of the best score; excerpts below it are dropped
_LONGEST = 400  # characters of an excerpt with the limiting sentence after it
_ASKS_VALUE = re.compile(
    "いくつ|いくら|どれ(?:くらい|ほど|だけ)|何[mmcm㎝度年月日時分秒本回人倍割％%キロパ]|何(?:メートル|センチ|ミリ)|値|幅|高さ|基準|以上|以下"
)
_REFERENCE = re.compile(r"(?:vol\.|No\.|pp\.|第\d+[巻号])\s?\d*.*(?:19|20)\d\d", re.IGNORECASE)  # literature
_ITEM_CODE = re.compile(r"(?<![a-z\d])[a-z]+-?\d+(?![a-z\d])")  # D13, SD345: distinguishes the rows of a list
_LIMITS = re.compile("(?:ただし|なお|また、?この場合|この場合)")  # begins a sentence that limits the one before


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A quoted sentence, list or table row.

    `number`: the passage's number, from 1. `start`, `end`: offsets in the passage's text. For a table row, `has` are
    the question's terms in it, and `head` is the header row, or "". `is_cut`: the excerpt ends before the list does
    that its sentence introduces.
    """

    number: int
    text: str
    start: int
    end: int
    score: float
    head: str = ""
    has: frozenset[str] | None = None
    is_cut: bool = False


def is_too_small(model: LocalModel) -> bool:
    """Whether a model is too small to be asked about documents, so that they are quoted.

    Raises AppError for a damaged file.
    """
    card = catalogue.load().card(model.card_id)
    if card is not None and card.is_trial:
        return True
    if model.remote is not None:  # a user who sets up a server wants to ask it
        return False
    return gguf.read_header(Path(model.path)).parameters < PARAMETERS_MIN


def is_known_too_small(model: LocalModel) -> bool:
    """Return `is_too_small`, or False if the file is missing or damaged."""
    try:
        return is_too_small(model)
    except AppError:
        return False


def pick_excerpts(question: str, passages: Sequence[Passage], limit: int = EXCERPTS_MAX) -> list[Excerpt]:
    """Return the best excerpts, grouped by clause; the clause with the best excerpt comes first.

    If the question only names clauses, return the beginning of each of the first two.
    """
    if passages and passages[0].named and not any(passage.named != "clause" for passage in passages):
        return _clause_openings(question, passages)
    wanted = evidence.question_terms(question) | _item_codes(question)
    weights = _weights(wanted, passages)
    asks_value = _ASKS_VALUE.search(question) is not None
    scored = [
        excerpt
        for number, passage in enumerate(passages, start=1)
        for excerpt in _of_passage(passage, number, weights, asks_value)
    ]
    best = sorted(_without_lesser_rows(scored), key=lambda one: -one.score)[:limit]
    kept = [one for one in best if one.score > 0 and one.score >= best[0].score * _SCORE_SHARE]
    return _by_clause([one for one in kept if not any(_is_inside(one, other) for other in kept)], passages)


def _clause_openings(question: str, passages: Sequence[Passage]) -> list[Excerpt]:
    """Return the first sentences of clauses, or of the paragraphs or items in them that the question names."""
    inner = [one.inner[-1] for one in clause_references.parse_question(question).references if one.inner]
    found: list[Excerpt] = []
    for number, passage in enumerate(passages, start=1):
        text = passage.section.text
        begins = [at for one in inner if (at := named_clauses.line_start(text, one)) is not None] or [0]
        for first in begins:
            parts = [part for part in sentences.split_sentences(text) if part.start >= first and part.kind != "heading"]
            extents = source_citations.part_extents(passage)
            parts = [part for part in parts if any(start <= part.start < end for _, start, end in extents)]
            if not parts:
                continue
            end = parts[0].end
            for part in parts[1:]:
                if part.end - parts[0].start > _OPENING_LONGEST or "\n" in text[end : part.start]:
                    break
                end = part.end
            found.append(Excerpt(number, text[parts[0].start : end], parts[0].start, end, 1.0))
    return found[:OPENINGS_MAX]


def answer_from_excerpts(excerpts: Sequence[Excerpt]) -> tuple[str, tuple[Claim, ...]]:
    """Return the excerpts as a list with their citations, and one supported claim for each excerpt."""
    text = head = ""
    found: list[Claim] = []
    for excerpt in excerpts:
        text += ("\n" if text else "") + "- "
        named = _quote(excerpt.head) if excerpt.head and excerpt.head != head else ""
        head = excerpt.head
        line = f"{named}{_quote(excerpt.text)}{'…' if excerpt.is_cut else ''}[{excerpt.number}]"
        found.append(Claim(line, len(text), len(text) + len(line), (excerpt.number,), is_supported=True))
        text += line
    return text, tuple(found)


def _quote(text: str) -> str:
    """Quote a text, without the vertical bars at both ends of a table row."""
    return phrase("documents.quoted", text=" ".join(answer_markup.neutralize_marks(text).split()).strip("| "))


def _without_lesser_rows(scored: Sequence[Excerpt]) -> list[Excerpt]:
    """Drop each table row whose question terms are a proper subset of another row's."""
    rows = [one.has for one in scored if one.has is not None and one.score > 0]
    return [one for one in scored if one.has is None or not any(one.has < has for has in rows)]


def _is_inside(excerpt: Excerpt, other: Excerpt) -> bool:
    """Whether an excerpt is part of the other one, for example an item of its list."""
    is_within = other.start <= excerpt.start and excerpt.end <= other.end
    return excerpt.number == other.number and is_within and excerpt is not other


def _by_clause(excerpts: Sequence[Excerpt], passages: Sequence[Passage]) -> list[Excerpt]:
    """Group excerpts by clause, in text order; the clause with the best one comes first."""
    clause = {one: (one.number, source_citations.part_at(passages[one.number - 1], one.start)) for one in excerpts}
    first = list(dict.fromkeys(clause[one] for one in sorted(excerpts, key=lambda one: -one.score)))
    return sorted(excerpts, key=lambda one: (first.index(clause[one]), one.start))


def _of_passage(passage: Passage, number: int, weights: dict[str, float], asks_value: bool) -> list[Excerpt]:
    text = passage.section.text
    extents = [
        (start, end, _terms_of(" ".join(section.heading)))
        for section, start, end in source_citations.part_extents(passage)
    ]
    heads = sentences.find_table_headers(text)
    parts = sentences.split_sentences(text)
    excerpts: list[Excerpt] = []
    for part, following in itertools.zip_longest(parts, parts[1:]):
        extent = next(((end, heading) for start, end, heading in extents if start <= part.start < end), None)
        if extent is None:
            continue  # a heading between two sections is not quoted
        section_end, about = extent
        if excerpts and _LIMITS.match(text, part.start):
            continue  # the excerpt before includes it
        head = next((one for one in heads if one.start <= part.start < one.last_line), None)
        if head and part.start < head.end:
            continue  # column names are not an answer
        head_text = text[head.start : head.end] if head else ""
        about |= _terms_of(head_text)
        own = _terms_of(text[part.start : part.end]) | _item_codes(text[part.start : part.end])
        score = sum(weight * (1 if term in own else 0.5 if term in about else 0) for term, weight in weights.items())
        if not own & weights.keys():
            score *= 0.5
        if _REFERENCE.search(text[part.start : part.end]):
            score *= 0.3
        if asks_value and quantities.parse(text[part.start : part.end]):
            score *= 1.5
        has_limit = following and _LIMITS.match(text, following.start) and following.end - part.start < _LONGEST
        end = following.end if has_limit else part.end
        items_end, is_cut = sentences.end_of_list(text, part.start, part.end, section_end)
        end = max(end, items_end)
        has = own.intersection(weights) if sentences.is_table_row(text[part.start : part.end]) else None
        score *= 1 / (1 + 0.1 * (number - 1))
        excerpts.append(Excerpt(number, text[part.start : end], part.start, end, score, head_text, has, is_cut))
    return excerpts


def _weights(sentence_terms: frozenset[str], passages: Sequence[Passage]) -> dict[str, float]:
    """Return the weights of the question's terms; terms that few of the passages contain weigh more."""
    texts = [evidence.prepare_passage(passage).terms for passage in passages]
    having = collections.Counter(term for text in texts for term in sentence_terms & text)
    return {term: math.log(1 + (len(passages) + 1) / (having[term] + 0.5)) for term in sentence_terms}


def _item_codes(text: str) -> frozenset[str]:
    return frozenset(_ITEM_CODE.findall(unicodedata.normalize("NFKC", text).casefold()))


def _terms_of(text: str) -> frozenset[str]:
    return frozenset(terms.extract_terms(text))
