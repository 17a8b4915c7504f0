"""Retrieve passages for a question, pack them into the prompt, and check the answer against them.

These are plain functions, because they run in the thread pool. The file is over 450 lines because what one step finds
decides what the next one may answer.
"""

import dataclasses
import functools
import itertools
import time
import types
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from app.base import invisible_characters
from app.base.confidentiality import HIGHEST_LABEL
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.documents import collection_lookup
from app.documents.grounding import (
    answer_markup,
    evidence,
    grounding_record,
    recognized_numbers,
    source_citations,
)
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding, PageRegion
from app.documents.library import Library
from app.documents.records import Document, DocumentCollection, Passage, Section, shown_name
from app.documents.retrieval import (
    clause_references,
    excerpts,
    named_clauses,
    packing,
    passage_search,
    retrieved_passages,
    suggested_questions,
)
from app.documents.retrieval.named_clauses import MissingClause
from app.inference import prompts
from app.inference.local_model import LocalModel
from app.inference.prompts import Segment, SharedStart, Turn, common_length
from app.models import catalogue, local_models

if TYPE_CHECKING:  # its import needs numpy
    from app.documents.retrieval.semantic_index import SemanticQuery

PASSAGES_SEARCHED = 12  # passages that a search returns; the prompt gets as many as fit
NEAREST_OFFERED = 5  # passages to quote from, or to offer when the documents do not contain the answer
PICTURES_SHOWN = 4  # to a model, of one question
PICTURE_CHARACTERS = 4_000  # of the text on a picture


class RetrievalRequest(Struct, frozen=True):
    """The documents to search for the last of `turns`.

    With `given_sources` passages, such as those of an answer to summarize, nothing is searched.

    With `may_quote` False even a small model writes the answer, instead of quotations from the documents.
    """

    documents: Path  # path of the documents' database
    scope: tuple[CollectionRef, ...]
    turns: tuple[Turn, ...]
    given_sources: tuple[CitedSource, ...] = ()
    given_verdict: grounding_record.Verdict = "answered"  # of the answer with `given_sources`
    previous_sources: tuple[CitedSource, ...] = ()  # of the previous answer, to which marks [n] in the turns refer
    may_quote: bool = True
    shows_pictures: bool = False  # True: the model is shown what `PictureAsked` names
    patience_s: float = 0.0  # as in `Embedding.find_meaning`

    @property
    def glossary(self) -> Path:
        """Return the path of the user's glossary, next to the documents' database."""
        return Paths(self.documents.parent).glossary

    @property
    def question(self) -> str:
        """Return the text to search for: the last question, preceded by the one before it if it refers back to that."""
        *earlier, last = self.turns
        before = earlier[-1].question if earlier else ""
        refers_back = evidence.refers_back(last.question) or clause_references.completes(last.question, before)
        return invisible_characters.to_plain_text(f"{before}\n{last.question}" if refers_back else last.question)


class PictureAsked(Struct, frozen=True):
    """A page that the model is shown as a picture: of a picture, or of a PDF file of which the question names pages.

    Only attached files and documents that were chosen one by one are shown. `region`: what the user has selected; it is
    asked about even if the model sees no pictures.
    """

    document: Document
    page: int  # from 1
    region: PageRegion | None = None

    @property
    def name(self) -> str:
        if self.region is not None:
            return self.region.name
        return self.document.name if self.document.is_picture else f"{self.document.name} p.{self.page}"


class FoundPassages(Struct, frozen=True):
    """What a search has found, before the passages to answer from are chosen."""

    passages: tuple[Passage, ...]  # the best first
    grounding: Grounding  # of an answer, without sources and claims
    missing: tuple[MissingClause, ...] = ()
    is_by_words: bool = False  # whether the verdict may be another one with the passages' vectors, as in Answerability
    pictures: tuple[PictureAsked, ...] = ()  # that the model is shown; their text is the first of `passages`


class RetrievedPassages(Struct, frozen=True):
    """The passages to answer from. If `answer` is set, it is shown without running a model, and `grounding` is
    complete; else `grounding` has no claims yet."""

    passages: tuple[Passage, ...]  # the best first
    sources: tuple[CitedSource, ...]  # in the order of `passages`
    grounding: Grounding
    answer: str = ""
    collections: tuple[int, ...] = ()  # as `shareable_collections` returns
    pictures: tuple[PictureAsked, ...] = ()  # that the model is shown


class PackedPrompt(Struct, frozen=True):
    """The passages, the system text and the turns that make up the prompt of the model."""

    passages: tuple[Passage, ...]
    system: str
    turns: tuple[Turn, ...]
    grounding: Grounding  # without claims, which are checked after the answer


def search(
    request: RetrievalRequest, meaning: "SemanticQuery | None" = None, *, is_vector_missing: bool = False
) -> FoundPassages:
    """Search the passages for a request, and judge whether they are enough to answer it.

    `meaning` is the vector of the question; None searches by words only. `is_vector_missing` is True if a vector was
    requested, but did not arrive in time. Raises AppError("collections_gone"), and as the database and a damaged
    embedding model do.
    """
    started = time.monotonic()
    if request.given_sources:
        given = map(grounding_record.passage_of, request.given_sources, itertools.count(1))
        return FoundPassages(tuple(given), Grounding(request.given_verdict))
    with closing(Library.open(request.documents)) as library:  # after an update, no one may have migrated it yet
        ids = collection_lookup.open_scope(library, request.scope)
        searched, by_meaning = _search(library, request, ids, meaning, is_vector_missing=is_vector_missing)
        nearness = retrieved_passages.nearness(library, searched, ids, meaning if by_meaning == "used" else None)
        judged = retrieved_passages.judge_answerability(
            library, request.question, searched, ids, request.glossary, nearness
        )
        is_refused = judged.verdict == "not_in_documents"
        missing = named_clauses.find_clauses(library, request.question, ids).missing
        asked = _pictures_asked(library, request, ids)
        read = (_text_of_picture(library, one, -number) for number, one in enumerate(asked, start=1))
        texts = [text for text in read if text is not None]
        is_shown = request.shows_pictures
        if texts and not is_shown and all(ref.regions for ref in request.scope):  # nothing but selected parts is asked
            searched = [*texts, *(one for one in searched if any(_shares_page(one, text) for text in texts))]
            judged = retrieved_passages.judge_answerability(library, request.question, searched, ids, request.glossary)
    verdict = judged.verdict
    if asked and (is_shown or texts):
        shown = {one.document.id for one in asked if one.document.is_picture}
        kept = [] if is_refused else [one for one in searched if one.document_id not in shown]
        sections = {one.section_id: one for one in (*reversed(kept), *reversed(texts))}  # each is one source
        searched = [*reversed(sections.values())]
        verdict = "answered" if is_shown or verdict == "answered" else "near"
    pictures, unseen = (tuple(asked), ()) if is_shown else ((), tuple(one.name for one in asked))
    seconds, names = time.monotonic() - started, tuple(one.name for one in pictures)
    grounding = Grounding(verdict, retrieval_s=seconds, by_meaning=by_meaning, pictures=names, unseen=unseen)
    return FoundPassages(tuple(searched), grounding, missing, judged.is_by_words and not asked, pictures)


def judge_again(request: RetrievalRequest, found: FoundPassages, nearness: float) -> FoundPassages:
    """Judge passages that had no vectors when they were found. `nearness`: as in `judge_answerability`."""
    started = time.monotonic()
    with closing(Library.open_second(request.documents)) as library:
        ids = collection_lookup.open_scope(library, request.scope)
        verdict = retrieved_passages.judge_answerability(
            library, request.question, found.passages, ids, request.glossary, nearness
        ).verdict
    seconds = found.grounding.retrieval_s + time.monotonic() - started
    return structs.replace(found, grounding=dataclasses.replace(found.grounding, verdict=verdict, retrieval_s=seconds))


def _pictures_asked(library: Library, request: RetrievalRequest, ids: Sequence[int]) -> list[PictureAsked]:
    """Return what the user has selected, before what only a model that sees pictures is asked about."""
    pages = [one.page for one in clause_references.parse_question(request.turns[-1].question).references]
    selected: list[PictureAsked] = []
    found: list[PictureAsked] = []
    for one, ref in collection_lookup.resolve_scope(library.collections(has_attached=True), request.scope):
        if one is not None and one.id in ids and (one.attached or ref.documents):
            documents = library.documents(one.id)
            for part in ref.regions:
                likely = [each for each in documents if each.name == shown_name(PurePath(part.path))]
                likely.sort(key=lambda each: each.path != part.path)  # it may have been moved
                selected += [PictureAsked(each, part.page, part) for each in likely[:1]]
            for each in documents:
                named = pages if each.path.lower().endswith(".pdf") else ()
                shown = [1] if each.is_picture else [page for page in named if 1 <= page <= each.report.pages]
                found += [PictureAsked(each, page) for page in dict.fromkeys(shown)]
    taken = {(one.document.id, one.page) for one in selected}
    rest = [one for one in found if request.shows_pictures and (one.document.id, one.page) not in taken]
    return [*selected, *rest][:PICTURES_SHOWN]


def _shares_page(passage: Passage, other: Passage) -> bool:
    first, last = passage.section.page, passage.section.page_last or passage.section.page
    return passage.document_id == other.document_id and first <= other.section.page <= last


def _text_of_picture(library: Library, picture: PictureAsked, number: int) -> Passage | None:
    """Return the text on a picture or page as one passage; None if it has none.

    `number`: the passage's id if it is only a part of a section, which is a source of its own then. Of a part that was
    selected in another edition of the document the whole page is read, because the words there may be others now.
    """
    document, page, part = picture.document, picture.page, picture.region
    if part is not None and part.sha256 not in ("", document.sha256):
        part = None
    sections = [
        (number, one)
        for number, one in library.sections(document.id)
        if document.is_picture or one.page <= page <= (one.page_last or one.page)
    ]
    text = "\n".join(section.text for _, section in sections)
    lists = [section.recognized for _, section in sections if section.recognized is not None]
    certainties = tuple(one for each in lists for one in each) if lists else None
    if part is not None and part.edges is not None:
        text, certainties = part.text, part.recognized
    if not text:
        return None
    own = [one for one in sections if part is None or one[1].heading == part.heading]
    section_id, first = next(iter(own or sections), (number, Section((), "")))
    section_id = number if part is not None and part.edges is not None else section_id
    heading, last = (part.heading, page) if part is not None else ((), first.page_last)
    whole = dataclasses.replace(
        first, heading=heading, text=text[:PICTURE_CHARACTERS], page=page, page_last=last, boxes=(),
        recognized=certainties,
    )  # fmt: skip
    labelled = {one.id: one for one in library.collections(has_attached=True)}
    collection = labelled[document.collection_id]
    return Passage(
        section_id, whole, document.id, document.name, document.path, collection.name, collection.label, 1.0, 1
    )


def _offered(found: FoundPassages) -> tuple[Passage, ...]:
    """Return the passages to answer from."""
    known = found.grounding
    # Scores that include meaning lie too close together to be cut by a share, and those of a reranker have no share.
    is_ranked = "used" in (known.by_meaning, known.reranked)
    is_chosen = is_ranked or not known.has_answer or bool(found.pictures or known.unseen)
    return found.passages[:NEAREST_OFFERED] if is_chosen else tuple(packing.select_near_best(found.passages))


def _quotes(request: RetrievalRequest, model: LocalModel, found: FoundPassages) -> bool:
    """Whether sentences are quoted instead of generating an answer."""
    return found.grounding.has_answer and not found.pictures and request.may_quote and excerpts.is_too_small(model)


def sentences_to_compare(request: RetrievalRequest, model: LocalModel, found: FoundPassages) -> list[str]:
    """Return the sentences of which meaning decides which is quoted first; [] if words do, or none is quoted.

    Where words alone have answered so far, they do: the model for search need not be read.
    """
    is_by_words = found.grounding.by_meaning != "used" and found.grounding.verdict == "answered"
    if request.given_sources or is_by_words or not _quotes(request, model, found):
        return []
    return excerpts.sentences_to_compare(request.question, _offered(found)[:NEAREST_OFFERED])


def retrieve(
    request: RetrievalRequest,
    model: LocalModel,
    found: FoundPassages,
    near: Mapping[str, float] = types.MappingProxyType({}),
) -> RetrievedPassages:
    """Choose the passages to answer from, and answer at once if no model is needed.

    `near`: how near in meaning each of `sentences_to_compare` is to the question. Raises AppError as the database does.
    """
    if sources := request.given_sources:  # their documents may be gone
        return RetrievedPassages(found.passages, sources, dataclasses.replace(found.grounding, sources=sources))
    known, passages = found.grounding, _offered(found)
    with closing(Library.open_second(request.documents)) as library:
        documents = [library.document(passage.document_id) for passage in passages]
        sources = tuple(
            grounding_record.source_of(passage, document.sha256 if document else "")
            for passage, document in zip(passages, documents, strict=True)
        )
        collections = () if _is_leaving(library, documents) else shareable_collections(library.labelled(), sources)
        asked = [turn.question for turn in request.turns]
        if known.verdict == "answered" and not (found.pictures or known.unseen):  # beside a figure nothing is searched
            follow_ups = suggested_questions.follow_up_questions(library, passages, asked)
            known = dataclasses.replace(known, follow_ups=follow_ups)
            found = structs.replace(found, grounding=known)
    if not found.pictures and not known.has_answer:
        return _not_found(found, passages, sources)
    if _quotes(request, model, found):
        return _answer_from_excerpts(found, passages, sources, request, near)
    grounding = dataclasses.replace(found.grounding, sources=sources)
    return RetrievedPassages(
        passages, sources, grounding, collections=() if found.pictures else collections, pictures=found.pictures
    )


def shareable_collections(collections: Sequence[DocumentCollection], sources: Sequence[CitedSource]) -> tuple[int, ...]:
    """Return the ids of the collections that the sources are from; () if one is confidential now, or unknown.

    `collections`: the result of `Library.labelled`.
    """
    found = [
        collection_lookup.resolve_reference(collections, CollectionRef(0, name))
        for name in {source.collection for source in sources}
    ]
    labels = [source.label for source in sources] + [one.label for each in found for one in each]
    if not all(found) or HIGHEST_LABEL in labels:
        return ()
    return tuple(sorted({one.id for each in found for one in each}))


def shared_start(
    segments: Sequence[Segment], packed: PackedPrompt, own_system: str, collections: tuple[int, ...], since: float
) -> SharedStart | None:
    """Return which beginning a prompt with passages has in common with those of other questions.

    `own_system`, `since`: as for `pack_prompt` and `SharedStart`. Return None if the prompt is not made of the system
    text as it is, as a foreign template may do.
    """
    text = "".join(segment.text for segment in segments)
    system, bare = (
        invisible_characters.to_plain_text(one).strip()
        for one in (packed.system, packing.build_system_text((), own_system))
    )
    start = text.find(system)
    if start < 0 or not collections:
        return None
    return SharedStart((start + common_length(system, bare), start + len(system)), collections, since)


def prompts_to_count(
    retrieved: RetrievedPassages, request: RetrievalRequest, model: LocalModel, own_system: str
) -> tuple[tuple[Segment, ...], ...]:
    """Return the prompts whose tokens `pack_prompt` needs: the prompt without passages, then each passage alone."""
    form = local_models.form_of(model) or catalogue.load().forms[local_models.FALLBACK_FORM]
    rest = prompts.build(form, request.turns, packing.build_system_text((), own_system))
    return (rest, *((Segment(packing.format_passage(passage, 1)),) for passage in retrieved.passages))


def pack_prompt(
    retrieved: RetrievedPassages,
    request: RetrievalRequest,
    counts: Sequence[int],
    context_tokens: int,
    written_tokens: tuple[int, ...],
    own_system: str,
) -> PackedPrompt:
    """Pack the best passages that fit into the prompt. `counts` are the token counts of `prompts_to_count`, in its
    order; `written_tokens` the most of the answer and of its thoughts.

    Raises AppError("context_full") when not even a part of one passage fits.
    """
    rest_tokens, *sizes = counts
    budget = packing.budget_tokens(context_tokens, written_tokens, rest_tokens)
    passages = tuple(packing.pack_passages(retrieved.passages, sizes, budget))
    if not passages:
        needed = rest_tokens + min(sizes)
        raise AppError("context_full", prompt_tokens=needed, context_tokens=context_tokens)
    known = {passage.section_id: source for passage, source in zip(retrieved.passages, retrieved.sources, strict=True)}
    sources = tuple(dataclasses.replace(known[passage.section_id], text=passage.section.text) for passage in passages)
    # The same number in a mark such as [1] refers to another source then.
    is_renumbered = [(one.path, one.text) for one in sources] != [(o.path, o.text) for o in request.previous_sources]
    turns = tuple(map(_without_marks, request.turns)) if is_renumbered else request.turns
    grounding = dataclasses.replace(retrieved.grounding, sources=sources)
    return PackedPrompt(passages, packing.build_system_text(passages, own_system), turns, grounding)


def check_answer(packed: PackedPrompt, question: str, answer: str) -> Grounding:
    """Return the grounding of the answer with its claims. Its verdict records whether the model states that the
    documents do not contain the answer."""
    from app.documents.grounding import claims  # quotations need no check

    found = claims.check(answer, packed.passages, question)
    verdict = "not_in_documents" if claims.states_not_found(answer, found) else packed.grounding.verdict
    unchecked = claims.count_unchecked(answer, found)
    follow_ups = packed.grounding.follow_ups if verdict != "not_in_documents" else ()
    grounding = dataclasses.replace(
        packed.grounding, verdict=verdict, claims=found, unchecked=unchecked, follow_ups=follow_ups
    )
    return source_citations.locate_sources(grounding, packed.passages)


def _search(
    library: Library,
    request: RetrievalRequest,
    ids: Sequence[int],
    meaning: "SemanticQuery | None",
    *,
    is_vector_missing: bool,
) -> tuple[list[Passage], str]:
    """Return the passages, and whether vectors found them besides words.

    "used": they did. "missed": the vector of the question is missing, or those of the documents cannot be read. "": the
    search was by words only, as requested.
    """
    find = functools.partial(passage_search.search, library, request.question, ids, PASSAGES_SEARCHED, request.glossary)
    if meaning is not None:
        try:
            return find(meaning), "used"
        except AppError as error:
            if error.code != "vectors_unusable":
                raise
            is_vector_missing = True
    return find(), "missed" if is_vector_missing else ""


def _is_leaving(library: Library, documents: Sequence[Document | None]) -> bool:
    """Return whether a document's text is about to go; nothing would delete what is kept of it then."""
    removed = library.documents_to_remove()
    return any(one is None or one.id in removed or one.state in ("waiting", "reading") for one in documents)


def _not_found(
    found: FoundPassages, passages: tuple[Passage, ...], sources: tuple[CitedSource, ...]
) -> RetrievedPassages:
    nearest = zip(sources[:NEAREST_OFFERED], passages, strict=False)
    parts = tuple(
        source_citations.source_of_part(one, source_citations.found_part(passage)) for one, passage in nearest
    )
    answer = "\n".join(map(named_clauses.missing_sentence, found.missing)) or phrase("chat.not_in_documents")
    grounding = dataclasses.replace(found.grounding, sources=parts, verdict="not_in_documents", follow_ups=())
    return RetrievedPassages(passages, sources, grounding, answer)


def _answer_from_excerpts(
    found: FoundPassages,
    passages: tuple[Passage, ...],
    all_sources: tuple[CitedSource, ...],
    request: RetrievalRequest,
    near: Mapping[str, float],
) -> RetrievedPassages:
    picked = excerpts.pick_excerpts(request.question, passages[:NEAREST_OFFERED], near=near)
    if not picked and found.grounding.unseen:  # 何と書いてありますか
        picked = excerpts.clause_openings(request.question, passages)
    if not picked:
        return _not_found(found, passages, all_sources)
    with closing(Library.open_second(request.documents)) as library:
        texts_of = functools.cache(lambda document: [one.text for _, one in library.sections(document)])
        picked = excerpts.number_rows(passages, picked, texts_of)
    parts = [(one.number, source_citations.part_at(passages[one.number - 1], one.start)) for one in picked]
    used = list(dict.fromkeys(parts))  # each quoted part becomes one source
    renumbered = [structs.replace(one, number=used.index(part) + 1) for one, part in zip(picked, parts, strict=True)]
    missing = "".join(f"{named_clauses.missing_sentence(one)}\n\n" for one in found.missing)
    answer, quoted = excerpts.answer_from_excerpts(renumbered, missing)
    sources = tuple(source_citations.source_of_part(all_sources[number - 1], part) for number, part in used)
    quoted = tuple(recognized_numbers.mark_uncertain(claim, sources) for claim in quoted)
    grounding = dataclasses.replace(found.grounding, sources=sources, claims=quoted, is_excerpt=True)
    return RetrievedPassages(passages, all_sources, grounding, answer)


def _without_marks(turn: Turn) -> Turn:
    """Return the turn without source marks, whose numbers would now refer to other sources."""
    return turn if turn.answer is None else Turn(turn.question, answer_markup.CITED_MARK.sub("", turn.answer))
