"""Blind comparisons as sheets of a workbook: each vote with the names behind A and B, and what the votes come to."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindComparison, Outcome
from app.evaluation.report.blind_file import BlindFile
from app.evaluation.report_parts import Section, Table
from app.evaluation.results import Evaluation

_VOTE_COLUMNS = ("id", "question", "a", "b", "vote", "preferred", "when")
_SUM_COLUMNS = (
    "first", "second", "votes", "first_wins", "second_wins", "same", "both_wrong", "open", "difference", "low",
    "high", "verdict", "kappa",
)  # fmt: skip


def sections(found: Evaluation, folder: Path) -> tuple[Section, ...]:
    """None where nobody has voted. `folder`: of the study. Takes a moment, as `blind.outcome` does.

    Of two systems whose names are still hidden nothing is told but that: whoever goes on must not know them.
    """
    try:
        compared = list(_compared(found, BlindFile(folder)))
    except AppError as error:  # the rest of the workbook is as good as before
        return (
            Section(phrase("evaluation.blind_sheet"), tables=(_table(_VOTE_COLUMNS, (), str(describe_error(error))),)),
        )
    if not compared:
        return ()
    told = [one for one in compared if one.is_revealed]
    note = phrase("evaluation.blind_hidden") if len(told) < len(compared) else ""
    votes = _table(_VOTE_COLUMNS, tuple(row for one in told for row in _votes(one)), note)
    if not told:
        return (Section(phrase("evaluation.blind_sheet"), tables=(votes,)),)
    sums = _table(_SUM_COLUMNS, tuple(_sum(blind.outcome(one.pairing, one.votes)) for one in told))
    return (
        Section(phrase("evaluation.blind_sheet"), tables=(votes,)),
        Section(phrase("evaluation.blind_sheet_sum"), tables=(sums,)),
    )


def _compared(found: Evaluation, kept: BlindFile) -> Iterator[BlindComparison]:
    for one, other in itertools.combinations([result.system.id for result in found.systems], 2):
        if kept.votes(one, other):
            comparison = BlindComparison(blind.pairing(found, one, other), kept)
            if comparison.votes:
                yield comparison


def _table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], note: str = "") -> Table:
    return Table(tuple(phrase(f"evaluation.blind_column.{key}") for key in columns), rows, (note,) if note else ())


def _votes(one: BlindComparison) -> Iterator[tuple[str, ...]]:
    """In the order in which they were given."""
    names = {system.id: system.name for system in (one.pairing.first, one.pairing.second)}
    texts = {pair.question.id: pair.question.text for pair in one.pairing.pairs}
    for voted in one.votes:
        preferred = {"a_better": names[voted.a], "b_better": names[voted.b]}.get(voted.vote, "")
        yield (
            voted.question,
            texts[voted.question],
            names[voted.a],
            names[voted.b],
            phrase(f"evaluation.blind_vote.{voted.vote}"),
            preferred,
            phrase("evaluation.blind_when_open" if voted.is_open else "evaluation.blind_when_blind"),
        )


def _sum(found: Outcome) -> tuple[str, ...]:
    names = {"first": found.first.name, "second": found.second.name}
    counts = (found.n, found.first_wins, found.second_wins, found.same, found.both_wrong, found.when_open)
    is_told = found.difference is not None and found.verdict != "few"
    interval = (found.difference.mean, found.difference.low, found.difference.high) if is_told else ()  # type: ignore[union-attr]
    kappa = found.agreement.kappa
    return (
        *names.values(),
        *map(str, counts),
        *([f"{value:.2f}" for value in interval] or [""] * 3),
        phrase(f"evaluation.blind_verdict.{found.verdict}", name=names.get(found.verdict, "")),
        "" if kappa is None else f"{kappa:.2f}",
    )
