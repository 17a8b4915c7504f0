"""What is still to be asked, and what came of what was asked: a pure function of the replies there are.

Passages come in their order. Each is asked for a pair; every PARAPHRASE_EVERY-th for a second question with the same
answer, every UNANSWERABLE_EVERY-th for a question that the collection does not answer. So much is asked as is wanting
if all of it were good; then what was rejected is asked for anew, of the passages that follow.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.documents.records import Passage
from app.inference.reply_journal import ModelReply, StandalonePrompt
from app.training.generation import checks, prompts
from app.training.generation.checks import Lacks
from app.training.generation.records import PARAPHRASE, SCORE_MIN, UNANSWERABLE, Candidate, Pair

PARAPHRASE_EVERY, UNANSWERABLE_EVERY = 3, 6
PASSAGES_PER_PAIR, PASSAGES_MIN = 4, 20  # tried at most

FAILED = "failed"  # as of Reply.stop_reason

Replies = Mapping[StandalonePrompt, ModelReply]
_Step = Pair | StandalonePrompt | str  # accepted; still to be asked; the reason why it is rejected


@dataclass(frozen=True, slots=True)
class Plan:
    """`wanted`: pairs. `not_there`: the answer to what the collection does not answer."""

    passages: tuple[Passage, ...]
    wanted: int
    not_there: str


@dataclass(slots=True)
class Standing:
    """`prompts`: still to be asked; without any it is over. Then all that was asked for is accepted or rejected."""

    wanted: int
    prompts: list[StandalonePrompt] = field(default_factory=list)
    accepted: list[Pair] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)  # by reason
    passages: int = 0  # asked about
    expected: int = 0  # second questions that will be asked for if the first one is accepted

    @property
    def asked(self) -> int:
        """Pairs that were asked for and have been decided on."""
        return len(self.accepted) + self.rejected.total()

    @property
    def has_room(self) -> bool:
        """Whether more would be asked for if all that is open were accepted."""
        return len(self.accepted) + len(self.prompts) + self.expected < self.wanted

    def enter(self, step: _Step) -> _Step:
        """Gives the step as it counts: a pair may repeat an earlier one."""
        if isinstance(step, Pair):
            others = [pair.candidate.question for pair in self.accepted]
            if checks.is_repeated(step.candidate.question, others):
                step = "near_duplicate"
            else:
                self.accepted.append(step)
        if isinstance(step, StandalonePrompt):
            self.prompts.append(step)
        elif isinstance(step, str):
            self.rejected[step] += 1
        return step


def passages_most(wanted: int) -> int:
    """How many are tried for so many pairs."""
    return max(PASSAGES_MIN, PASSAGES_PER_PAIR * wanted)


def standing(plan: Plan, replies: Replies, lacks: Lacks) -> Standing:
    """`lacks`: of the same collection each time."""
    found = Standing(plan.wanted)
    used: Counter[str] = Counter()
    for number, passage in enumerate(plan.passages, start=1):
        if not found.has_room:
            break
        found.passages = number
        style = prompts.style_for(passage, used)
        used[style.key] += 1
        step = found.enter(_pair(passage, style.key, prompts.pair(passage, style), replies, lacks))
        if number % PARAPHRASE_EVERY == PARAPHRASE_EVERY - 1 and found.has_room:
            if isinstance(step, Pair):
                found.enter(_paraphrase(step, replies, lacks))
            elif isinstance(step, StandalonePrompt):
                found.expected += 1
        if number % UNANSWERABLE_EVERY == 0 and found.has_room:
            found.enter(_unanswerable(passage, plan.not_there, replies, lacks))
    return found


def _pair(passage: Passage, category: str, prompt: StandalonePrompt, replies: Replies, lacks: Lacks) -> _Step:
    written = _written(prompt, replies, "quote", "question", "answer")
    if not isinstance(written, tuple):
        return written
    return _judged(Candidate(passage, category, *written), replies, lacks)


def _paraphrase(pair: Pair, replies: Replies, lacks: Lacks) -> _Step:
    written = _written(prompts.paraphrase(pair.candidate), replies, "question")
    if not isinstance(written, tuple):
        return written
    return _judged(replace(pair.candidate, category=PARAPHRASE, question=written[0]), replies, lacks)


def _unanswerable(passage: Passage, not_there: str, replies: Replies, lacks: Lacks) -> _Step:
    written = _written(prompts.unanswerable(passage), replies, "question")
    if not isinstance(written, tuple):
        return written
    candidate = Candidate(passage, UNANSWERABLE, "", written[0], not_there)
    return checks.reason(candidate, lacks) or Pair(candidate)


def _judged(candidate: Candidate, replies: Replies, lacks: Lacks) -> _Step:
    """By the rules, then by the model."""
    reason = checks.reason(candidate, lacks)
    if reason:
        return reason
    prompt = prompts.quality(candidate)
    reply = replies.get(prompt)
    if reply is None or reply.stop_reason == FAILED:
        return prompt if reply is None else "failed"
    score = prompts.score(reply)
    if score is None:
        return "unreadable_score"
    return Pair(candidate, score) if score >= SCORE_MIN else "low_quality"


def _written(prompt: StandalonePrompt, replies: Replies, *names: str) -> StandalonePrompt | str | tuple[str, ...]:
    """The fields of the reply."""
    reply = replies.get(prompt)
    if reply is None or reply.stop_reason == FAILED:
        return prompt if reply is None else "failed"
    return prompts.texts(reply, *names) or "unreadable"
