"""Select passages of a collection, plan the next prompts for the model and judge its replies.

Each passage is one section with enough Japanese text, no table of contents, so a question about it has its answer in
one place and small models have little to read. The order is a shuffle by `seed` in which documents take turns, and
within a document its headings. The same documents and seed give the same passages.

The plan is a pure function of the replies that exist. Passages are used in order. For each the model writes a pair; for
every PARAPHRASE_EVERY-th also a second question with the same answer, for every UNANSWERABLE_EVERY-th a question that
the collection does not answer. As many pairs are requested as are wanted; each rejected one is replaced by a pair from
one of the next passages.

Each rule for a candidate returns the code in REJECTION_REASONS with which it rejects it, or "".
"""

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.documents.grounding import claims, evidence, sentences
from app.documents.library import Library
from app.documents.records import DocumentCollection, Passage, Section
from app.documents.values import quantities
from app.inference.reply_journal import ModelReply, StandalonePrompt
from app.inference.scoring_files import is_looping, japanese_share
from app.training.data import duplicates, quality
from app.training.data.rows import RowMessage, TrainingRow, seeded_key
from app.training.data.split_record import DEFAULT_MEASURE
from app.training.generation import prompts
from app.training.generation.pair_records import (
    ANSWER_MAX,
    PARAPHRASE,
    QUESTION_MAX,
    SCORE_MIN,
    UNANSWERABLE,
    PairCandidate,
    QuestionAnswerPair,
)
from app.training.generation.prompts import QUOTE_MIN

TEXT_MIN = 80  # characters; a question about a shorter section could only ask for all of it
LONGEST = 1200
REPEATED_MAX = 2  # most sections with the same text; more come from a form or disclaimer
LISTED_SHARE = 0.4  # share of list-like lines that makes a text a table of contents or bibliography
QUESTION_MIN, ANSWER_MIN = 8, 2  # minimum characters
JAPANESE_MIN = 0.5  # minimum share of Japanese letters in a passage or question
KEYWORDS = "keywords"  # the style whose questions are search terms
OTHER_WORDS = ("everyday", PARAPHRASE)  # categories whose questions should not use the passage's words
SAME_QUESTION = replace(DEFAULT_MEASURE, part="question")

Lacks = Callable[[str], bool]  # returns whether the collection lacks an answer to a question


def rejection_reason(candidate: PairCandidate, lacks: Lacks) -> str:
    """Return the first reason to reject the candidate that needs neither a model nor other pairs; "" if none."""
    if candidate.category == UNANSWERABLE:
        return _question_rejection(candidate) or ("" if lacks(candidate.question) else "answerable_after_all")
    return (
        _quote_rejection(candidate)
        or _question_rejection(candidate)
        or _answer_rejection(candidate)
        or _support_rejection(candidate)
    )


def _quote_rejection(candidate: PairCandidate) -> str:
    if len(duplicates.normalized(candidate.quote)) < QUOTE_MIN:
        return "quote_too_short"
    return "" if candidate.quote in candidate.passage.section.text else "quote_not_in_passage"


def _question_rejection(candidate: PairCandidate) -> str:
    text = candidate.question
    if not text:
        return "question_empty"
    if len(text) < QUESTION_MIN:
        return "question_too_short"
    if len(text) > QUESTION_MAX:
        return "question_too_long"
    if _is_broken(text, whole=False):
        return "broken"
    if prompts.pattern("refers").search(text):
        return "refers_to_text"
    if _copies_example(candidate):
        return "example_copied"
    if candidate.category not in OTHER_WORDS and not _names_matter(candidate):
        return "off_topic"
    share = japanese_share(text)
    if share is None or share < JAPANESE_MIN:
        return "not_japanese"
    is_asked = candidate.category == KEYWORDS or prompts.pattern("asks").search(text)
    return "" if is_asked else "not_a_question"


def _copies_example(candidate: PairCandidate) -> bool:
    """Return whether the question is about the subject of the prompt's examples although the passage is not."""
    section, example = candidate.passage.section, prompts.pattern("example")
    asked = (candidate.passage.document, *section.heading, section.text)
    return bool(example.search(candidate.question)) and not any(map(example.search, asked))


def _names_matter(candidate: PairCandidate) -> bool:
    """Return whether the question has a content word of the passage, its document's name or its headings."""
    return not evidence.content_terms(candidate.question).isdisjoint(evidence.prepare_passage(candidate.passage).terms)


def _answer_rejection(candidate: PairCandidate) -> str:
    text = candidate.answer
    if len(text) < ANSWER_MIN:
        return "answer_too_short"
    if len(text) > ANSWER_MAX:
        return "answer_too_long"
    if _is_broken(text, whole=True):
        return "broken"
    if prompts.pattern("asks").search(text):
        return "answer_asks"
    if prompts.pattern("answer_refers").search(text):
        return "refers_to_text"
    return "question_has_answer" if _is_given_away(candidate) else ""


def _is_broken(text: str, *, whole: bool) -> bool:
    """Return whether the text has a flaw or loops. `whole`: a missing end counts as a flaw too."""
    flags = set(quality.text_flags(text)) - (set() if whole else {"unfinished"})
    return bool(flags) or is_looping(text)


def _is_given_away(candidate: PairCandidate) -> bool:
    """Return whether the question contains the answer: its text, all of its quantities, or all of its content words."""
    question, answer = candidate.question, candidate.answer
    if duplicates.normalized(prompts.pattern("closing").sub("", answer)) in duplicates.normalized(question):
        return True
    values, asked = quantities.parse(answer), quantities.parse(question)
    if values:
        return all(any(value.is_same(other) for other in asked) for value in values)
    terms = evidence.content_terms(answer)
    return bool(terms) and terms <= evidence.content_terms(question)


def _support_rejection(candidate: PairCandidate) -> str:
    """Return "" if the quote supports the answer's quantities, dates, names and words, otherwise the reason."""
    source = _of_quote(candidate)
    found = evidence.prepare_text(candidate.quote)
    answer = candidate.answer
    if not all(found.holds(value, answer[value.start : value.end]) for value in quantities.parse(answer)):
        return "number_not_in_quote"
    made = claims.check(answer, [source])
    if made:
        return "" if all(claim.is_supported for claim in made) else "not_supported"
    terms = evidence.content_terms(answer)  # the answer is too short to contain a claim
    return "" if terms and terms <= found.terms else "not_supported"


def _of_quote(candidate: PairCandidate) -> Passage:
    """Return the quote as a passage of its own, with the heading, which gives the subject of the sentence."""
    section = replace(candidate.passage.section, text=candidate.quote)
    return replace(candidate.passage, section=section, parts=(section,))


def is_repeated(question: str, others: Sequence[str]) -> bool:
    """Return whether a question is a near-duplicate of one of `others` (Jaccard index of character 5-grams)."""
    if not others:
        return False
    rows = [TrainingRow(0, (RowMessage("user", text), RowMessage("assistant", ""))) for text in (question, *others)]
    ((_, similarity),) = duplicates.nearest_rows(rows, [0], range(1, len(rows)), SAME_QUESTION)
    return similarity >= SAME_QUESTION.threshold


PARAPHRASE_EVERY, UNANSWERABLE_EVERY = 3, 6
PASSAGES_PER_PAIR, PASSAGES_MIN = 4, 20  # how many passages to try per pair, and at least

FAILED = "failed"  # a value of ModelReply.stop_reason

Replies = Mapping[StandalonePrompt, ModelReply]
_Step = QuestionAnswerPair | StandalonePrompt | str  # accepted pair, prompt to send, or reason of a rejection


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """The input of a generation.

    `pair_count`: number of pairs. `not_there`: the answer text for questions that the collection does not answer.
    """

    passages: tuple[Passage, ...]
    pair_count: int
    not_there: str


@dataclass(slots=True)
class GenerationStatus:
    """The state of a generation. `prompts`: those still without a reply; if empty, the generation is finished."""

    pair_count: int
    prompts: list[StandalonePrompt] = field(default_factory=list)
    accepted: list[QuestionAnswerPair] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)  # number for each reason
    passages: int = 0  # number of passages used so far
    expected: int = 0  # paraphrases to request once their first question is accepted

    @property
    def judged_pairs(self) -> int:
        """Return the number of pairs that were accepted or rejected."""
        return len(self.accepted) + self.rejected.total()

    @property
    def has_room(self) -> bool:
        """Return whether pairs would still be missing even if all open prompts gave accepted pairs."""
        return len(self.accepted) + len(self.prompts) + self.expected < self.pair_count

    def enter(self, step: _Step) -> _Step:
        """Record the step and return it; a pair that repeats an accepted one is recorded as a rejection."""
        if isinstance(step, QuestionAnswerPair):
            others = [pair.candidate.question for pair in self.accepted]
            if is_repeated(step.candidate.question, others):
                step = "near_duplicate"
            else:
                self.accepted.append(step)
        if isinstance(step, StandalonePrompt):
            self.prompts.append(step)
        elif isinstance(step, str):
            self.rejected[step] += 1
        return step


def max_passages(pair_count: int) -> int:
    """Return the largest number of passages to try for `pair_count` pairs."""
    return max(PASSAGES_MIN, PASSAGES_PER_PAIR * pair_count)


def compute_status(plan: GenerationPlan, replies: Replies, lacks: Lacks) -> GenerationStatus:
    """Compute the status from the replies. `lacks` must always judge by the same collection."""
    status = GenerationStatus(plan.pair_count)
    used: Counter[str] = Counter()
    for number, passage in enumerate(plan.passages, start=1):
        if not status.has_room:
            break
        status.passages = number
        style = prompts.style_for(passage, used)
        used[style.key] += 1
        step = status.enter(_pair(passage, style.key, prompts.pair_prompt(passage, style), replies, lacks))
        if number % PARAPHRASE_EVERY == PARAPHRASE_EVERY - 1 and status.has_room:
            if isinstance(step, QuestionAnswerPair):
                status.enter(_paraphrase(step, replies, lacks))
            elif isinstance(step, StandalonePrompt):
                status.expected += 1
        if number % UNANSWERABLE_EVERY == 0 and status.has_room:
            status.enter(_unanswerable(passage, plan.not_there, replies, lacks))
    return status


def _pair(passage: Passage, category: str, prompt: StandalonePrompt, replies: Replies, lacks: Lacks) -> _Step:
    written = _reply_fields(prompt, replies, "quote", "question", "answer")
    if not isinstance(written, tuple):
        return written
    return _judged(PairCandidate(passage, category, *written), replies, lacks)


def _paraphrase(pair: QuestionAnswerPair, replies: Replies, lacks: Lacks) -> _Step:
    written = _reply_fields(prompts.paraphrase_prompt(pair.candidate), replies, "question")
    if not isinstance(written, tuple):
        return written
    return _judged(replace(pair.candidate, category=PARAPHRASE, question=written[0]), replies, lacks)


def _unanswerable(passage: Passage, not_there: str, replies: Replies, lacks: Lacks) -> _Step:
    written = _reply_fields(prompts.unanswerable_prompt(passage), replies, "question")
    if not isinstance(written, tuple):
        return written
    candidate = PairCandidate(passage, UNANSWERABLE, "", written[0], not_there)
    return rejection_reason(candidate, lacks) or QuestionAnswerPair(candidate)


def _judged(candidate: PairCandidate, replies: Replies, lacks: Lacks) -> _Step:
    """Apply the rules to a candidate, then the model's score: return the pair, a prompt to send, or a reason."""
    reason = rejection_reason(candidate, lacks)
    if reason:
        return reason
    prompt = prompts.quality_prompt(candidate)
    reply = replies.get(prompt)
    if reply is None or reply.stop_reason == FAILED:
        return prompt if reply is None else "failed"
    score = prompts.reply_score(reply)
    if score is None:
        return "unreadable_score"
    return QuestionAnswerPair(candidate, score) if score >= SCORE_MIN else "low_quality"


def _reply_fields(prompt: StandalonePrompt, replies: Replies, *names: str) -> StandalonePrompt | str | tuple[str, ...]:
    """Return the texts of the named fields in the reply, the prompt if it has no reply yet, or a rejection reason."""
    reply = replies.get(prompt)
    if reply is None or reply.stop_reason == FAILED:
        return prompt if reply is None else "failed"
    return prompts.reply_texts(reply, *names) or "unreadable"


# ------------------------------------------------------------------------- passages


@dataclass(frozen=True, slots=True)
class SelectedPassages:
    """The selected passages.

    `sections`: number of sections in the collection; `suitable`: number of them that are suitable for questions.
    """

    passages: tuple[Passage, ...]
    sections: int
    suitable: int


@dataclass(frozen=True, slots=True)
class _SectionPlace:
    section_id: int
    section: Section
    document: str


def select_passages(library: Library, collection: DocumentCollection, seed: int, limit: int) -> SelectedPassages:
    """Select at most `limit` passages that do not overlap. The order depends on `seed`."""
    places = [
        _SectionPlace(section_id, section, document.name)
        for document in library.documents(collection.id)
        for section_id, section in library.sections(document.id)
    ]
    texts = Counter(duplicates.normalized(place.section.text) for place in places)
    suitable = [place for place in places if _is_suitable(place.section, texts)]
    order = _spread(_distinct(suitable), seed)
    found = map(_cut, library.passages([(place.section_id, 0.0) for place in order]))
    kept = itertools.islice((one for one in found if prompts.quotable_pieces(one)), limit)
    return SelectedPassages(tuple(kept), len(places), len(suitable))


def _is_suitable(section: Section, texts: Counter[str]) -> bool:
    if len(section.text) < TEXT_MIN or texts[duplicates.normalized(section.text)] > REPEATED_MAX:
        return False
    names = (section.tag, *section.heading[-1:])
    if any(prompts.pattern("skipped_heading").search(name.strip(" *\u3000")) for name in names):
        return False
    share = japanese_share(section.text)
    return share is not None and share >= JAPANESE_MIN and not _is_listing(section.text)


def _is_listing(text: str) -> bool:
    """Return whether the text is a table of contents or a bibliography."""
    lines = [line for line in text.splitlines() if line.strip()]
    listed = sum(prompts.pattern("listing_line").search(line) is not None for line in lines)
    return listed >= LISTED_SHARE * len(lines)


def _distinct(places: Iterable[_SectionPlace]) -> list[_SectionPlace]:
    return list({duplicates.normalized(place.section.text): place for place in places}.values())


def _spread(places: Sequence[_SectionPlace], seed: int) -> list[_SectionPlace]:
    """Shuffle the sections so that documents take turns, and within a document its headings."""
    shuffled = sorted(places, key=lambda place: seeded_key(seed, place.document, place.section.text))
    by_heading = _in_turn(shuffled, [(place.document, place.section.heading) for place in shuffled])
    return _in_turn(by_heading, [place.document for place in by_heading])


def _in_turn(places: Sequence[_SectionPlace], keys: Sequence[Hashable]) -> list[_SectionPlace]:
    """Return the first place of each key, then each second place, and so on; within a round the order is kept."""
    seen: Counter[Hashable] = Counter()
    rounds = []
    for key in keys:
        rounds.append(seen[key])
        seen[key] += 1
    return [places[at] for at in sorted(range(len(places)), key=lambda at: rounds[at])]


def _cut(passage: Passage) -> Passage:
    """Cut a section that is too long for a prompt at the end of a sentence."""
    text = passage.section.text
    if len(text) <= LONGEST:
        return passage
    ends = [one.end for one in sentences.split_sentences(text) if one.end <= LONGEST]
    return replace(passage, section=replace(passage.section, text=text[: ends[-1] if ends else LONGEST]))
