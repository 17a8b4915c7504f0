"""What lies between a question to the documents and its answer. Plain functions: they run in the thread pool."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.documents import collection_lookup
from app.documents.grounding import answer_markup, claims, evidence, grounding_record, source_citations
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding
from app.documents.library import Library
from app.documents.records import Passage
from app.documents.retrieval import excerpts, packing, passage_search, retrieved_passages
from app.inference import prompts
from app.inference.local_model import LocalModel
from app.inference.prompts import Segment, Turn
from app.models import catalogue, local_models

if TYPE_CHECKING:  # numpy
    from app.documents.retrieval.semantic_index import SemanticQuery

PASSAGES_SEARCHED = 12  # passages; those that fit into the prompt are chosen among them
NEAREST_OFFERED = 5  # passages that are offered when the documents do not have the answer, or quoted from


@dataclass(frozen=True, slots=True)
class RetrievalRequest:
    """`given`: passages that are there already, as of the answer that is to be summarized; then nothing is searched.

    `may_quote` False: a small model is asked too, where otherwise the documents would be quoted.
    """

    documents: Path  # the database
    scope: tuple[CollectionRef, ...]
    turns: tuple[Turn, ...]
    given: tuple[CitedSource, ...] = ()
    before: tuple[CitedSource, ...] = ()  # of the last answer: its [n] are in the turns
    may_quote: bool = True

    @property
    def glossary(self) -> Path:
        """The user's own, beside the documents."""
        return Paths(self.documents.parent).glossary

    @property
    def question(self) -> str:
        """What is looked for: with the question before it where this one would mean nothing alone."""
        *earlier, last = self.turns
        before = f"{earlier[-1].question}\n" if earlier and evidence.refers_back(last.question) else ""
        return invisible_characters.to_plain_text(before + last.question)


@dataclass(frozen=True, slots=True)
class RetrievedPassages:
    """`answer`: what is said without asking the model, and then `grounding` is complete."""

    passages: tuple[Passage, ...]  # the best first
    sources: tuple[CitedSource, ...]  # the same
    seconds: float
    by_meaning: str = ""  # as in Grounding
    answer: str = ""
    grounding: Grounding | None = None


@dataclass(frozen=True, slots=True)
class PackedPrompt:
    """What the model is asked with."""

    passages: tuple[Passage, ...]
    system: str
    turns: tuple[Turn, ...]
    grounding: Grounding  # still without claims


def retrieve(
    wanted: RetrievalRequest, model: LocalModel, meaning: "SemanticQuery | None" = None, *, is_late: bool = False
) -> RetrievedPassages:
    """`meaning`: of the question; None: it is searched by words alone. `is_late`: it was asked for, and did not come.

    Raises AppError("collections_gone"), and as the database and a damaged model do.
    """
    started = time.monotonic()
    if wanted.given:
        passages = tuple(
            grounding_record.passage_of(source, number) for number, source in enumerate(wanted.given, start=1)
        )
        return RetrievedPassages(passages, wanted.given, 0.0)
    library = Library.beside(wanted.documents)
    try:
        searched, by_meaning = _search(library, wanted, meaning, is_late=is_late)
        is_enough = retrieved_passages.judge_answerability(
            library, wanted.question, searched, wanted.glossary
        ).is_enough
        is_ranked = by_meaning == "used"  # scores are of ranks then, and say nothing of how well a passage fits
        passages = tuple(searched[:NEAREST_OFFERED] if is_ranked or not is_enough else packing.near_best(searched))
        sources = tuple(grounding_record.source_of(passage, _sha256(library, passage)) for passage in passages)
    finally:
        library.close()
    found = RetrievedPassages(passages, sources, time.monotonic() - started, by_meaning)
    if not is_enough:
        return _not_found(found)
    return _quoted(found, wanted.question) if wanted.may_quote and excerpts.is_too_small(model) else found


def prompts_to_count(
    found: RetrievedPassages, wanted: RetrievalRequest, model: LocalModel, own_system: str
) -> tuple[tuple[Segment, ...], ...]:
    """Prompts whose tokens `pack` needs: the one without passages, then each passage by itself."""
    form = local_models.form_of(model) or catalogue.load().forms[local_models.FALLBACK_FORM]
    rest = prompts.build(form, wanted.turns, packing.system_text((), own_system))
    return (rest, *((Segment(packing.block(passage, 1)),) for passage in found.passages))


def pack_prompt(
    found: RetrievedPassages,
    wanted: RetrievalRequest,
    counts: Sequence[int],
    context_tokens: int,
    max_tokens: int,
    own_system: str,
) -> PackedPrompt:
    """Raises AppError("context_full") when not even a part of one passage fits."""
    rest_tokens, *sizes = counts
    budget = packing.budget_tokens(context_tokens, max_tokens, rest_tokens)
    passages = tuple(packing.pack(found.passages, sizes, budget))
    if not passages:
        needed = rest_tokens + min(sizes)
        raise AppError("context_full", prompt_tokens=needed, context_tokens=context_tokens)
    known = {passage.section_id: source for passage, source in zip(found.passages, found.sources, strict=True)}
    sources = tuple(dataclasses.replace(known[passage.section_id], text=passage.section.text) for passage in passages)
    turns = wanted.turns if _are_same(sources, wanted.before) else tuple(map(_uncited, wanted.turns))
    kept = Grounding(sources=sources, retrieval_s=found.seconds, by_meaning=found.by_meaning)
    return PackedPrompt(passages, packing.system_text(passages, own_system), turns, kept)


def check_answer(packed: PackedPrompt, question: str, answer: str) -> Grounding:
    """The grounding with its claims, and whether the model said that the documents do not have it."""
    found = claims.check_claims(answer, packed.passages, question)
    verdict: grounding_record.Verdict = "not_in_documents" if claims.states_not_found(answer, found) else "answered"
    left_out = claims.count_unchecked(answer, found)
    kept = dataclasses.replace(packed.grounding, verdict=verdict, claims=found, unchecked=left_out)
    return source_citations.locate_sources(kept, packed.passages)


def _search(
    library: Library, wanted: RetrievalRequest, meaning: "SemanticQuery | None", *, is_late: bool
) -> tuple[list[Passage], str]:
    """With how meaning was used. Vectors that cannot be read leave the words."""
    ids = _ids(library, wanted.scope)
    if meaning is not None:
        try:
            return passage_search.search(
                library, wanted.question, ids, PASSAGES_SEARCHED, wanted.glossary, meaning
            ), "used"
        except AppError as error:
            if error.code != "vectors_unusable":
                raise
            is_late = True
    return passage_search.search(
        library, wanted.question, ids, PASSAGES_SEARCHED, wanted.glossary
    ), "missed" if is_late else ""


def _ids(library: Library, scope: Sequence[CollectionRef]) -> list[int]:
    """By name; a collection that was renamed is found by its id."""
    found = [one.id for one, _ in collection_lookup.resolve_scope(library.collections(), scope) if one is not None]
    if not found:
        raise AppError("collections_gone", names=" / ".join(ref.name for ref in scope))
    return found


def _sha256(library: Library, passage: Passage) -> str:
    document = library.document(passage.document_id)
    return document.sha256 if document else ""


def _not_found(found: RetrievedPassages) -> RetrievedPassages:
    nearest = list(zip(found.sources, found.passages, strict=True))[:NEAREST_OFFERED]
    sources = tuple(
        source_citations.source_of_part(source, source_citations.found_part(passage)) for source, passage in nearest
    )
    kept = Grounding("not_in_documents", sources, retrieval_s=found.seconds, by_meaning=found.by_meaning)
    return dataclasses.replace(found, answer=phrase("chat.not_in_documents"), grounding=kept)


def _quoted(found: RetrievedPassages, question: str) -> RetrievedPassages:
    picked = excerpts.pick(question, found.passages[:NEAREST_OFFERED])
    if not picked:
        return _not_found(found)
    parts = [(one.number, source_citations.part_at(found.passages[one.number - 1], one.start)) for one in picked]
    used = list(dict.fromkeys(parts))  # each clause is a source
    renumbered = [
        dataclasses.replace(one, number=used.index(part) + 1) for one, part in zip(picked, parts, strict=True)
    ]
    answer, quoted = excerpts.as_answer(renumbered)
    sources = tuple(source_citations.source_of_part(found.sources[number - 1], part) for number, part in used)
    kept = Grounding(
        "answered", sources, quoted, is_excerpt=True, retrieval_s=found.seconds, by_meaning=found.by_meaning
    )
    return dataclasses.replace(found, answer=answer, grounding=kept)


def _are_same(sources: Sequence[CitedSource], before: Sequence[CitedSource]) -> bool:
    """Whether [n] means the same in both."""
    return [(one.path, one.text) for one in sources] == [(one.path, one.text) for one in before]


def _uncited(turn: Turn) -> Turn:
    """Without marks of sources, which are other ones now."""
    return turn if turn.answer is None else Turn(turn.question, answer_markup.CITED_MARK.sub("", turn.answer))
