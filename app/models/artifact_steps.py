"""Describe the steps of making model files and their progress, for builds, the checks of a training run, and studies.

A job writes to a temporary name until its result is complete, so a file under its final name is finished, and the
folder shows which steps are left. `services/artifact_runner.py` runs the steps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ArtifactStep:
    """Describes a step that makes a file or folder, or takes measurements.

    `kind`: convert | merge | quantize | score | …, for progress and logs. `path`: the result. `name`: the quantization,
    file or system that the step is for; "" if there is only one step of the kind.

    `job`: a job of `trainer.convert_job` or `model_jobs`, or a `functools.partial` of the former, to which the runner
    adds the converter. A subclass of the runner has the task of a job of any other type.

    `writes_bytes`: estimated size of the result. `drops`: files that may be deleted after this step. `is_shared`: other
    processes may make the same file, so the step takes a lock.
    """

    kind: str
    path: Path
    job: Any
    name: str = ""
    writes_bytes: int = 0
    drops: tuple[Path, ...] = ()
    is_shared: bool = False

    @property
    def title(self) -> str:
        """Return the step's title for logs and errors, such as `quantize Q4_K_M` or `convert`."""
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Reports the progress of a step.

    `done`, `total`: counted in bytes, tokens, questions or training steps, by `kind`; a total of 0 is unknown.
    """

    kind: str  # kind of the step, or a phase of it
    name: str
    done: int
    total: int
    number: int  # the step's position, from 1
    steps: int
    left_s: int | None = None  # seconds left; None: unknown


def peak_bytes(steps: Iterable[ArtifactStep], present: Mapping[Path, int] | None = None) -> int:
    """Return the most bytes that the steps' files take at one moment, beyond the files in `present`.

    `present`: finished file -> its size in bytes.
    """
    sizes = dict(present or {})
    before = now = highest = sum(sizes.values())
    for step in steps:
        sizes[step.path] = step.writes_bytes
        now += step.writes_bytes
        highest = max(highest, now)
        now -= sum(sizes.pop(path, 0) for path in step.drops)
    return highest - before
