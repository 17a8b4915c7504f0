"""How far a study is, told by its folder: of each training and each system, whatever works on it meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.chat.batch import journal
from app.evaluation.study import steps
from app.evaluation.study import study as studies
from app.evaluation.study.study import Study


@dataclass(frozen=True, slots=True)
class Headway:
    """Of one system. `answered` of `questions`, with every seed. `is_measured`: nothing of it is left to be done."""

    id: str
    name: str
    answered: int
    questions: int
    is_measured: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """`trained` of `trainings` runs; `done` of `steps`, in which the judge counts as one. `state`: as of Entry."""

    systems: tuple[Headway, ...]
    trained: int
    trainings: int
    done: int
    steps: int
    state: str

    @property
    def answered(self) -> int:
        """Of `answers`, those of all systems together."""
        return sum(one.answered for one in self.systems)

    @property
    def answers(self) -> int:
        return sum(one.questions for one in self.systems)


def of(study: Study, folder: Path) -> Standing:
    """Takes a moment: journals are counted. Raises AppError("evaluation_damaged")."""
    count = len(studies.questions_of(folder, study).questions)
    left = {one.system.id for one in steps.waiting(study, folder, count)}
    return Standing(
        tuple(_systems(study, folder, count, left)),
        sum(steps.is_trained(one) for one in study.trainings),
        len(study.trainings),
        steps.done(study, folder, count),
        steps.total(study) + (study.judge is not None),
        studies.state_of(folder),
    )


def _systems(study: Study, folder: Path, count: int, left: set[str]) -> Iterator[Headway]:
    for one in study.contenders:
        id = one.system.id
        answered = sum(min(count, _count(folder, id, seed)) for seed in study.seeds)
        yield Headway(id, one.system.name, answered, count * len(study.seeds), id not in left)


def _count(folder: Path, id: str, seed: int) -> int:
    try:
        return journal.journal_answer_count(steps.out_of(folder, id, seed))
    except AppError:  # what cannot be read is told when it is gone on with
        return 0
