"""Two answers side by side: which one a judge prefers, asked in both orders, of the first system and each other one.

A judge tends to prefer what stands first (Zheng et al. 2023, section 3.4): what it prefers in one order only is a tie.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from app.base.wording import phrase
from app.evaluation.judge import comparing, judging
from app.evaluation.judge.comparing import Comparison
from app.evaluation.judge.judging import JudgePrompt, Preference
from app.evaluation.records import QuestionSet
from app.evaluation.report import tables
from app.evaluation.report_parts import Section, Table
from app.evaluation.results import Preferred, System
from app.evaluation.study import steps
from app.evaluation.study.study import Study
from app.inference.reply_journal import ModelReply, StandalonePrompt

Place = tuple[str, int, int]  # system, seed, number of the question from 1
Pair = tuple[JudgePrompt, JudgePrompt] | Preference
GAINS = {"a": -1.0, "tie": 0.0, "b": 1.0}


def asked(study: Study, folder: Path, questions: QuestionSet) -> dict[Place, Pair]:
    """Both orders of each pair, by the other system; or who wins where nobody need be asked.

    Raises AppError("batch_journal_damaged").
    """
    found: dict[Place, Pair] = {}
    systems = [one.system.id for one in study.contenders]
    for seed in study.seeds:
        for other in systems[1:]:
            before = steps.answers_of(folder, systems[0], seed)
            after = steps.answers_of(folder, other, seed)
            for number, question in enumerate(questions.questions, start=1):
                one, two = before[number], after[number]
                passages = [] if question.gold else judging.cited([one, two])
                found[other, seed, number] = judging.pair_requests(question, one.answer, two.answer, passages)
    return found


def prompts(pairs: Mapping[Place, Pair]) -> Iterator[JudgePrompt]:
    for pair in pairs.values():
        if not isinstance(pair, Preference):
            yield from pair


def preferred(
    pairs: Mapping[Place, Pair], questions: QuestionSet, replies: Mapping[StandalonePrompt, ModelReply]
) -> tuple[Preferred, ...]:
    """`replies`: to all of `prompts`."""
    found = []
    for (system, seed, number), pair in pairs.items():
        one = pair if isinstance(pair, Preference) else judging.pair_read(*(replies[prompt].text for prompt in pair))
        question = questions.questions[number - 1].id
        found.append(Preferred(system, question, seed, one.winner, one.is_consistent, one.is_known))
    return tuple(found)


def section(
    found: Sequence[Preferred], systems: Sequence[System], questions: QuestionSet, *, is_trusted: bool
) -> Section:
    """How often each system is preferred to the first one, over the seeds. `systems`: all, the first one first."""
    head = tuple(
        phrase(f"evaluation.pairs_{name}") for name in ("system", "wins", "ties", "losses", "turned", "unread", "gain")
    )
    rows, told, undecided = list[tuple[str, ...]](), list[str](), list[str]()
    comparisons = list[Comparison]()
    for system in systems[1:]:
        preferences = [one for one in found if one.system_id == system.id]
        compared = comparing.compare_votes("pairs", _gains(preferences), questions.questions)
        rows.append(_row(preferences, system, compared))
        if compared is not None:
            said = comparing.sentence(compared, systems[0].name, system.name)
            told.append(said if is_trusted else tables.doubted(said))
            comparisons.append(compared)
        undecided += _undecided(preferences, systems[0].name, system.name)
    note = phrase("evaluation.pairs_note", first=systems[0].name)
    told = [*tables.in_short(comparisons, told), *undecided]
    return Section(phrase("evaluation.pairs_title"), tuple(told), (), (Table(head, tuple(rows), (note,)),))


def _undecided(found: Sequence[Preferred], first: str, second: str) -> list[str]:
    """What is to be said where nobody could be asked, and where no reply could be read at all."""
    unknown = sum(not one.is_known for one in found)
    said = [phrase("evaluation.pairs_unknown", first=first, second=second, count=unknown)] if unknown else []
    asked = [one for one in found if one.is_known]
    if asked and all(one.winner is None for one in asked):
        said.append(phrase("evaluation.pairs_undecided", first=first, second=second, count=len(asked)))
    return said


def _row(found: Sequence[Preferred], system: System, compared: Comparison | None) -> tuple[str, ...]:
    winners = [one.winner for one in found]
    turned, unread = (
        sum(not one.is_consistent for one in found),
        sum(one.winner is None and one.is_known for one in found),
    )
    counts = [winners.count(winner) for winner in ("b", "tie", "a")]
    gain = f"{compared.second:+.2f}" if compared else "-"
    return (system.name, *map(str, (*counts, turned, unread)), gain)


def _gains(found: Sequence[Preferred]) -> dict[str, float]:
    """Of each question the mean over seeds: 1 where the system is preferred, -1 where the first one is."""
    by_question: dict[str, list[float]] = {}
    for one in found:
        if one.winner is not None:
            by_question.setdefault(one.question_id, []).append(GAINS[one.winner])
    return {question: sum(values) / len(values) for question, values in by_question.items()}
