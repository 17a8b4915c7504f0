"""A study of the amount of data whose runs have ended, as they would have written it, with losses that are known."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.records import QuestionSet
from app.evaluation.study import scale_plan, scale_results
from app.evaluation.study.scale_results import ScaleResults
from app.evaluation.study.studies import ComparedSystem, Study, Training
from app.training.runs import run_folders, run_journal
from tests.evaluation import driver
from trainer import events
from trainer.events import EvaluationStep, Finished, Started, TrainingStep
from trainer.spec import RunSpec

TOKENS = 20  # of each example
BASE = 3.0  # nats a token
SIZES = (50, 100, 200, 400)

Losses = Mapping[tuple[int, int, bool], float]  # rows, seed, is_control -> nats a token


def law(rows: float, a: float = 1.0, b: float = 8.0, c: float = 0.5) -> float:
    return a + b * math.pow(rows, -c)


@dataclasses.dataclass(frozen=True)
class Folder:
    """A study whose runs have ended. `losses` are hit exactly by the mean over the examples."""

    root: Path
    examples: int = 40
    group_size: int = 0  # 0: no groups
    noise: float = 0.0  # of each example in each run, nats a token

    def study(self, losses: Losses, contenders: tuple[ComparedSystem, ...] = ()) -> Study:
        data = self.root / scale_plan.DATA
        data.mkdir(parents=True)
        groups = [{"group": f"文書{n // self.group_size}"} if self.group_size else {} for n in range(self.examples)]
        (data / "holdout.jsonl").write_text("".join(json.dumps(one) + "\n" for one in groups), encoding="utf-8")
        self.about({"name": "点検", "is_nested": True})
        trainings = tuple(self._run(key, loss, number) for number, (key, loss) in enumerate(losses.items()))
        nobody = QuestionSet("点検", 0, "", ())
        return driver.study(*contenders, asked=nobody, id="1", name="点検", kind="scale", trainings=trainings)

    def about(self, data: Mapping[str, Any]) -> None:
        (self.root / scale_plan.DATA / scale_plan.ABOUT).write_text(json.dumps(data), encoding="utf-8")

    def _run(self, key: tuple[int, int, bool], loss: float, number: int) -> Training:
        rows, seed, is_control = key
        folder = self.root / "runs" / f"{rows}-{seed}-{is_control}"
        asked = RunSpec(
            str(folder), "base", "train", "validation", str(self.root / scale_plan.DATA / "holdout.jsonl"),
            rank=16, learning_rate=2e-4,
        )  # fmt: skip
        run_folders.create(asked)
        noise = np.random.default_rng(number).normal(0, self.noise, self.examples)
        noise -= noise.mean()
        write_holdout(folder, [TOKENS * (loss + one) for one in noise])
        (folder / run_folders.ADAPTER).write_bytes(b"GGUF")
        write_events(folder, course())
        return Training(str(folder), rows, seed, is_control)


def write_holdout(folder: Path, nll: Sequence[float], base: float = BASE) -> None:
    ids = list(range(TOKENS + 1))
    examples = [
        {"line": line, "ids": ids, "labels": [-100, *ids[1:]], "base_nll": base * TOKENS, "adapter_nll": one}
        for line, one in enumerate(nll, start=1)
    ]
    data = {"version": 1, "precision": "f32", "end_ids": [1], "examples": examples}
    (folder / run_folders.HOLDOUT).write_text(json.dumps(data), encoding="utf-8")


def write_events(folder: Path, told: Sequence[events.Event]) -> None:
    lines = "".join(json.dumps(events.to_json(one)) + "\n" for one in told)
    (folder / run_journal.JOURNAL_FILE).write_text(lines, encoding="utf-8")


def course(
    training: Sequence[float] = (2.0, 1.5, 1.2), validation: Sequence[float] = (2.5, 2.0, 1.8), reason: str = "epochs"
) -> list[events.Event]:
    """Two steps before each evaluation, with its training loss; one of the base before all."""
    told: list[events.Event] = [Started(1, 1, 0.0), EvaluationStep(0, 0.0, 3.0, 100, True)]
    for number, (loss, held) in enumerate(zip(training, validation, strict=True), start=1):
        step = 2 * number
        told += [TrainingStep(at, 2 * len(training), 0.0, loss, 1e-4, 1.0, 1.0, 1, 1.0) for at in (step - 1, step)]
        told.append(EvaluationStep(step, 0.0, held, 100, True))
    best = 2 * (1 + min(range(len(validation)), key=lambda at: validation[at]))
    last = 2 * len(training)
    told.append(Finished(reason, last, best, 3.0, min(validation), "adapter", "adapter.gguf", 1.0, 1.0, 1))
    return told


def main(losses: Callable[[int, int], float], sizes: Sequence[int] = SIZES, seeds: Sequence[int] = (42, 43)) -> (
    dict[tuple[int, int, bool], float]
):  # fmt: skip
    return {(rows, seed, False): losses(rows, seed) for seed in seeds for rows in sizes}


def measured(root: Path, losses: Losses, **how: Any) -> ScaleResults:
    return scale_results.measure(Folder(root, **how).study(losses))
