"""Whether what a model has written is a pair to be kept, by rules alone: each returns a reason of `REASONS`, or ""."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.documents.grounding import claims, evidence
from app.documents.records import Passage
from app.documents.values import quantities
from app.inference.scoring_files import is_looping, japanese_share
from app.training.data import duplicates, quality
from app.training.data.rows import Message, Row
from app.training.generation import words
from app.training.generation.quotes import QUOTE_MIN
from app.training.generation.records import ANSWER_MAX, PARAPHRASE, QUESTION_MAX, UNANSWERABLE, Candidate

QUESTION_MIN, ANSWER_MIN = 8, 2  # characters
JAPANESE_MIN = 0.5  # share of a question's letters
KEYWORDS = "keywords"  # the style whose questions are no sentences
OTHER_WORDS = ("everyday", PARAPHRASE)  # what asks in other words than the passage's
ALIKE = replace(duplicates.DEFAULT, part="question")

Lacks = Callable[[str], bool]  # whether the collection has no answer to this question


def reason(candidate: Candidate, lacks: Lacks) -> str:
    """Of everything that can be said without a model and without the other pairs."""
    if candidate.category == UNANSWERABLE:
        return _question(candidate) or ("" if lacks(candidate.question) else "answerable_after_all")
    return _quote(candidate) or _question(candidate) or _answer(candidate) or _grounds(candidate)


def _quote(candidate: Candidate) -> str:
    if len(duplicates.normalized(candidate.quote)) < QUOTE_MIN:
        return "quote_too_short"
    return "" if candidate.quote in candidate.passage.section.text else "quote_not_in_passage"


def _question(candidate: Candidate) -> str:
    text = candidate.question
    if not text:
        return "question_empty"
    if len(text) < QUESTION_MIN:
        return "question_too_short"
    if len(text) > QUESTION_MAX:
        return "question_too_long"
    if _is_broken(text, whole=False):
        return "broken"
    if words.pattern("refers").search(text):
        return "refers_to_text"
    if _is_of_example(candidate):
        return "example_copied"
    if candidate.category not in OTHER_WORDS and not _names_matter(candidate):
        return "off_topic"
    share = japanese_share(text)
    if share is None or share < JAPANESE_MIN:
        return "not_japanese"
    is_asked = candidate.category == KEYWORDS or words.pattern("asks").search(text)
    return "" if is_asked else "not_a_question"


def _is_of_example(candidate: Candidate) -> bool:
    """Whether the question is about what the examples in the prompt are about, and the passage is not."""
    section, example = candidate.passage.section, words.pattern("example")
    asked = (candidate.passage.document, *section.heading, section.text)
    return bool(example.search(candidate.question)) and not any(map(example.search, asked))


def _names_matter(candidate: Candidate) -> bool:
    """Whether the question has a word of the passage, or of where it is from."""
    return not evidence.content_terms(candidate.question).isdisjoint(evidence.of_passage(candidate.passage).terms)


def _answer(candidate: Candidate) -> str:
    text = candidate.answer
    if len(text) < ANSWER_MIN:
        return "answer_too_short"
    if len(text) > ANSWER_MAX:
        return "answer_too_long"
    if _is_broken(text, whole=True):
        return "broken"
    if words.pattern("asks").search(text):
        return "answer_asks"
    if words.pattern("answer_refers").search(text):
        return "refers_to_text"
    return "question_has_answer" if _is_given_away(candidate) else ""


def _is_broken(text: str, *, whole: bool) -> bool:
    """`whole`: its end counts too."""
    flags = set(quality.flags(text)) - (set() if whole else {"unfinished"})
    return bool(flags) or is_looping(text)


def _is_given_away(candidate: Candidate) -> bool:
    """Whether the question holds the answer: its text, all of its values, or all of its words."""
    question, answer = candidate.question, candidate.answer
    if duplicates.normalized(words.pattern("closing").sub("", answer)) in duplicates.normalized(question):
        return True
    values, asked = quantities.parse(answer), quantities.parse(question)
    if values:
        return all(any(value.is_same(other) for other in asked) for value in values)
    told = evidence.content_terms(answer)
    return bool(told) and told <= evidence.content_terms(question)


def _grounds(candidate: Candidate) -> str:
    """Whether the quote says what the answer says: its values with units and bounds, its dates, names and words."""
    source = _of_quote(candidate)
    found = evidence.of_text(candidate.quote)
    answer = candidate.answer
    if not all(found.holds(value, answer[value.start : value.end]) for value in quantities.parse(answer)):
        return "number_not_in_quote"
    made = claims.check_claims(answer, [source])
    if made:
        return "" if all(claim.is_supported for claim in made) else "not_supported"
    told = evidence.content_terms(answer)  # too few words for a claim
    return "" if told and told <= found.terms else "not_supported"


def _of_quote(candidate: Candidate) -> Passage:
    """The quote as a passage by itself. The heading belongs to it: it says what the sentence is about."""
    section = replace(candidate.passage.section, text=candidate.quote)
    return replace(candidate.passage, section=section, parts=(section,))


def is_repeated(question: str, others: Sequence[str]) -> bool:
    """Whether a question is nearly one of the others (Jaccard index of character 5-grams)."""
    if not others:
        return False
    rows = [Row(0, (Message("user", text), Message("assistant", ""))) for text in (question, *others)]
    ((_, similarity),) = duplicates.nearest(rows, [0], range(1, len(rows)), ALIKE)
    return similarity >= ALIKE.threshold
