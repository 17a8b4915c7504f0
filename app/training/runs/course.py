"""How a run has gone so far, worked out for whoever draws it; read from the journal, also while somebody writes it."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.base import plots
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.plots import CurvePoints
from app.models import base_models
from app.training.runs import journal, runs, standing, watching
from app.training.runs.history import History
from app.training.runs.standing import JOURNAL, Standing
from app.training.runs.watching import Watched
from trainer.events import EvaluationStep, Sample, TrainingStep
from trainer.spec import RunSpec

SMALL_POINTS = 120  # of a curve beside its present value
MARKED_POINTS = 120  # evaluations, each with a mark
# A thread that computes in Python takes turns of 5 ms with the one that draws, which needs hundreds of them: this one
# gives way after a millisecond.
BREATH_LINES, BREATH_POINTS, BREATH_S = 25, 500, 0.001


@dataclass(frozen=True, slots=True)
class Answers:
    """What one question was answered on the way: those that differ from the one before. `reference`: "" where the
    question is none of the validation rows. `last_step`: at which it was answered last."""

    question: str
    reference: str
    answers: tuple[Sample, ...]
    last_step: int


@dataclass(frozen=True, slots=True)
class Course:
    """`state`: as of a run; also ending: whoever began it is gone, and it is saving. `steps` and `evaluations` hold
    all, the curves only as many points as can be told apart."""

    state: str
    standing: Standing = field(default_factory=Standing)
    asked: RunSpec | None = None  # with all that is decided, once it is; None: its file is damaged
    began_at: float = 0.0  # seconds since 1970, of the last start; 0: never
    is_resumed: bool = False  # whether the last start went on from a checkpoint
    is_judged: bool = False
    is_from_elsewhere: bool = False  # as of a run
    has_holdout: bool = False  # whether there is something to judge it by
    steps: tuple[TrainingStep, ...] = ()
    evaluations: tuple[EvaluationStep, ...] = ()
    raw: CurvePoints = ()
    smooth: CurvePoints = ()
    validation: CurvePoints = ()
    rate: CurvePoints = ()
    norm: CurvePoints = ()
    speed: CurvePoints = ()
    memory: CurvePoints = ()
    answers: tuple[Answers, ...] = ()
    watched: tuple[Watched, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.state in ("running", "judging", "ending")

    @property
    def can_go_on(self) -> bool:
        """With its training, or with its judging."""
        waits_for_judge = self.state == "finished" and self.has_holdout and not self.is_judged
        return waits_for_judge or watching.can_go_on(self.state, self.standing.end)


class Follower:
    """Of one run's folder. `look` reads what is new; it takes milliseconds, after hours of training a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0
        self._history = History()
        self._standing = Standing()
        self._references: dict[str, str] | None = None
        self._is_awake = watching.keeps_awake()
        self.course: Course | None = None  # the last one

    def look(self, *, is_ours: bool) -> Course:
        """The same object where nothing has changed. `is_ours`: this program trains or judges it, so that nobody else
        needs to be looked for."""
        told = self._read()
        state = self._state(is_ours=is_ours)
        before = self.course
        if before is None or told or state != before.state:
            self.course = before = self._course(state)
        return before

    # ------------------------------------------------------------------- private

    def _read(self) -> bool:
        """Whole lines only: one that is being written comes with the next look, and one that is torn never."""
        try:
            with open_regular(self._folder / JOURNAL) as file:
                if file.seek(0, 2) < self._offset:  # another journal, brought back from another machine
                    self._offset, self._history, self._standing = 0, History(), Standing()
                file.seek(self._offset)
                block = file.read(strict_json.FILE_BYTES)  # what is more comes with the next look
        except OSError:  # it has not begun
            return False
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        for number, line in enumerate(whole.splitlines(), start=1):
            if number % BREATH_LINES == 0:
                time.sleep(BREATH_S)
            try:
                event = journal.read_line(line)
            except ValueError:  # torn, or of a newer protocol
                continue
            self._history.take(event)
            self._standing = standing.after(self._standing, event)
        return bool(whole)

    def _state(self, *, is_ours: bool) -> str:
        if is_ours:
            return "judging" if self._standing.state == "finished" else "running"
        is_held = runs.is_held(self._folder)
        state = runs.state_of(self._folder, self._standing)
        return "ending" if state == "running" and not is_held else state

    def _course(self, state: str) -> Course:
        history, folder = self._history, self._folder
        steps, evaluations = tuple(history.steps), tuple(history.evaluations)
        losses = plots.finite_points([(one.step, one.loss) for one in steps])
        raw, smooth = _thinned(losses), _thinned(plots.smooth_exponentially(losses))
        started = history.started
        return Course(
            state=state,
            standing=self._standing,
            asked=_asked(folder),
            began_at=started.time if started else 0.0,
            is_resumed=bool(started and started.resumed_step),
            is_judged=(folder / runs.GATE).is_file(),
            is_from_elsewhere=runs.is_from_elsewhere(folder),
            has_holdout=(folder / runs.HOLDOUT).is_file(),
            steps=steps,
            evaluations=evaluations,
            raw=raw,
            smooth=smooth,
            validation=_marked(evaluations),
            rate=_small([(one.step, one.learning_rate) for one in steps]),
            norm=_small([(one.step, one.gradient_norm) for one in steps]),
            speed=_small([(one.step, one.tokens_per_s) for one in steps]),
            memory=_small([(one.step, float(one.memory_bytes)) for one in steps]),
            answers=self._answers(),
            watched=watching.watched(history, self._standing, is_awake=self._is_awake),
        )

    def _answers(self) -> tuple[Answers, ...]:
        if self._history.samples and self._references is None:
            self._references = _references(_asked(self._folder))
        known = self._references or {}
        return tuple(answers_of(told, known) for told in _by_question(self._history.samples))


def answers_of(told: Sequence[Sample], known: Mapping[str, str]) -> Answers:
    """`told`: of one question, oldest first. `known`: question -> reference."""
    differs = [one for number, one in enumerate(told) if not number or one.answer != told[number - 1].answer]
    question = told[0].question
    return Answers(question, known.get(question, ""), tuple(differs), told[-1].step)


def _by_question(samples: Sequence[Sample]) -> Collection[list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for one in samples:
        found.setdefault(one.question, []).append(one)
    return found.values()


def _marked(evaluations: Sequence[EvaluationStep]) -> CurvePoints:
    return plots.thin_points(plots.finite_points([(one.step, one.loss) for one in evaluations]), MARKED_POINTS)


def _small(points: Sequence[tuple[float, float]]) -> CurvePoints:
    return _thinned(plots.finite_points(points), SMALL_POINTS)


def _thinned(points: CurvePoints, most: int = plots.CURVE_POINTS_MAX) -> CurvePoints:
    if len(points) > BREATH_POINTS:
        time.sleep(BREATH_S)
    return plots.thin_points(points, most)


def _asked(folder: Path) -> RunSpec | None:
    return base_models.read_spec(folder / runs.EFFECTIVE) or base_models.read_spec(folder / runs.SPEC)


def _references(asked: RunSpec | None) -> dict[str, str]:
    """Question -> answer of the validation rows, which the questions are taken from."""
    found: dict[str, str] = {}
    try:
        lines = strict_json.read_bytes(Path(asked.validation)).splitlines() if asked else []
    except OSError:  # moved since, or no file of rows
        return found
    for line in lines:
        try:
            messages = strict_json.loads(line)["messages"]
            found.setdefault(messages[-2]["content"], messages[-1]["content"])
        except (ValueError, KeyError, IndexError, TypeError):
            continue
    return found
