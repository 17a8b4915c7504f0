"""Several evaluations of the same questions as one, so that their systems stand in one table."""

import dataclasses
from collections.abc import Sequence

from app.base import confidentiality
from app.base.errors import AppError
from app.base.wording import phrase
from app.evaluation.results import Evaluation, Judge, SystemResult


def combined(found: Sequence[Evaluation]) -> Evaluation:
    """The first one's name and first system stand first; the label is the highest of all.

    Judges' scores stay only where one judge gave them all, and it is trusted as far as where it was trusted least.

    Raises AppError("evaluation_other_questions").
    """
    first = found[0]
    for other in found[1:]:
        if other.questions.questions != first.questions.questions:
            raise AppError("evaluation_other_questions", id=other.id, first=first.id)
    judges = {(one.judge.model_name, one.judge.preset) if one.judge else None for one in found}
    is_judged = len(judges) == 1
    systems: list[SystemResult] = []
    for one in found:
        for result in one.systems:
            system = dataclasses.replace(result.system, id=f"s{len(systems) + 1}", name=_free(result, systems, one))
            kept = result if is_judged else _unjudged(result)
            systems.append(dataclasses.replace(kept, system=system))
    seeds = tuple(dict.fromkeys(seed for one in found for seed in one.seeds))
    told = [one.judge for one in found if one.judge is not None]
    judge = min(told, key=_trust) if is_judged and told else None
    questions = dataclasses.replace(
        first.questions, label=confidentiality.highest_label(one.questions.label for one in found)
    )
    return dataclasses.replace(first, questions=questions, systems=tuple(systems), seeds=seeds, judge=judge)


def _trust(judge: Judge) -> tuple[int, float]:
    return (False, None, True).index(judge.is_trusted), -1.0 if judge.kappa is None else judge.kappa


def _free(result: SystemResult, taken: Sequence[SystemResult], of: Evaluation) -> str:
    names = {one.system.name for one in taken}
    name = result.system.name
    told = (phrase("evaluation.system_of_evaluation", name=name, evaluation=which) for which in (of.name, of.id))
    return next((one for one in (name, *told) if one not in names), name)


def _unjudged(result: SystemResult) -> SystemResult:
    return dataclasses.replace(result, rows=tuple(dataclasses.replace(row, judgement=None) for row in result.rows))
