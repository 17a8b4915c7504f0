"""Make questions from the answers that the user has rated in conversations.

The reference of a question is a good answer, or the correction of a bad one, without its source marks. A good answer
資料にありません ("not in the documents") makes an unanswerable question, and so does such a correction.
These rated answers are left out and counted by reason:
* follow_up: the question is not the first of its branch, so that it means nothing without the turns before it.
* no_reference: a bad answer without a correction does not show what is right.
* unfinished: a good answer that was stopped or cut off.
* repeated: an earlier answer to a question that was asked several times; only the last answer is kept.
* unfit: the text cannot be a question of a set, because it has no letter or is too long.
"""

from collections import Counter
from dataclasses import dataclass, replace

from app.base import confidentiality
from app.base.confidentiality import Label
from app.chat import answer_ratings
from app.chat.answer_ratings import GOOD
from app.chat.conversation_privacy import KnownCollections
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.documents.grounding import answer_markup, claims, grounding_record, source_citations
from app.documents.grounding.grounding_record import Grounding
from app.evaluation import question_files
from app.evaluation.records import Gold, Question
from app.inference.engine.messages import CUT_OFF


@dataclass(frozen=True, slots=True)
class CollectedQuestions:
    """Questions made from rated answers, and the number of rated answers left out.

    `label`: the highest label of the conversations used. `left_out`: the number of rated answers left out, by reason.
    """

    questions: tuple[Question, ...]
    label: Label
    left_out: dict[str, int]


def collect_questions(store: Store, known_collections: KnownCollections) -> CollectedQuestions:
    """Return questions from the rated answers of all stored conversations outside the bin, in the order of the answers.

    `known_collections`: the collections that exist now.
    """
    by_text: dict[str, tuple[Question, Label]] = {}  # key: the question's text with single spaces
    left_out: Counter[str] = Counter()
    for question_message, answer, label in answer_ratings.rated_answers(store, known_collections):
        reason = _exclusion_reason(question_message, answer)
        question = None if reason else question_files.as_stored(_question(question_message, answer))
        if question is None:
            left_out[reason or "unfit"] += 1
            continue
        words = " ".join(question.text.split())
        left_out["repeated"] += by_text.pop(words, None) is not None
        by_text[words] = question, label
    questions = question_files.with_ids(question for question, _ in by_text.values())[0]
    return CollectedQuestions(
        questions, confidentiality.highest_label(label for _, label in by_text.values()), dict(+left_out)
    )


def _exclusion_reason(question: Message, answer: Message) -> str:
    if question.parent_id is not None:
        return "follow_up"
    if answer.rating != GOOD:
        return "" if answer.correction else "no_reference"
    is_cut_off = answer.details is not None and answer.details.stop_reason in CUT_OFF
    return "unfinished" if answer.status != "done" or is_cut_off else ""


def _question(question: Message, answer: Message) -> Question:
    details = answer.details or AnswerDetails()
    kept, collections = details.grounding, _collections(details)
    if answer.rating == GOOD and not answer.is_edited and kept is not None and kept.verdict == "not_in_documents":
        return Question("", question.text, is_answerable=False, origin="conversation", collections=collections)
    written = answer.text if answer.rating == GOOD else answer.correction
    reference = answer_ratings.text_without_marks(answer, written)
    gold = _gold(question, answer, kept) if kept is not None else ()
    return Question(
        "",
        question.text,
        answer_markup.plain_answer(reference) if kept is not None else reference,  # else it may be code
        gold=gold,
        group=gold[0].document if gold else "",
        origin="conversation",
        collections=collections,
    )


def _collections(details: AnswerDetails) -> tuple[str, ...]:
    """Return the collections that the question was about, that the answer cites, or that its model was trained on."""
    names = {ref.name for ref in details.scope} | {source.collection for source in details.named_sources}
    return tuple(sorted(names | set(details.learned)))


def _gold(question: Message, answer: Message, grounding: Grounding) -> tuple[Gold, ...]:
    """Return the gold quotes of a question: the sentences of the sources that support its right answer.

    If a source number is cited in the right answer but no sentence of it is found, the whole passage is the quote. The
    right answer is the rated answer if it is good, else the user's correction. `grounding`: the sources of the answer.
    """
    if answer.rating == GOOD and not answer.is_edited:
        found = grounding.claims
        marked = {
            number for mark in source_citations.answer_marks(answer.text, grounding.sources) for number in mark.numbers
        }
    else:
        passages = [
            grounding_record.passage_of(source, number) for number, source in enumerate(grounding.sources, start=1)
        ]
        written = answer.text if answer.rating == GOOD else answer.correction
        found, marked = claims.check(written, passages, question.text), set()
    supported = replace(grounding, claims=tuple(claim for claim in found if claim.is_supported))
    used = marked | {number for claim in supported.claims for number in claim.sources}
    return tuple(
        Gold(source.text[start:end].strip(), source.document, source.heading, source.page)
        for number, source in enumerate(grounding.sources, start=1)
        if number in used
        for start, end in source_citations.places_in_source(supported, number) or [(0, len(source.text))]
    )
