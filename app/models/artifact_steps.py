"""Describe what has to be made, and how far it is: builds, the gate of a run and studies all plan such steps.

A job writes to a temporary name until its result is complete, so that a file under its own name is a finished one and
what is missing can be told from the folder. `services/artifact_runner.py` carries the steps out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ArtifactStep:
    """A file or folder to be made, or measurements to be taken.

    `kind`: convert | merge | quantize | score | …, for progress and logs. `name`: of the quantization, the measured
    form, the file or the system; "": the kind says it all.

    `job`: one of `trainer.convert_job` or `model_jobs`; a `functools.partial` of the former lacks the converter, which
    the runner knows. Any other value needs a task that is handed to the runner for its type.

    `drops`: files that no later step needs. `is_shared`: other processes make the same file.
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
        """Return the step for logs and facts: `quantize Q4_K_M`, `convert`."""
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class StepProgress:
    """The progress of a step.

    `done`, `total`: in bytes, tokens, questions or training steps, as the kind has it; a total of 0 is unknown.
    """

    kind: str  # of the step, or a phase of it
    name: str
    done: int
    total: int
    number: int  # of the step, from 1
    steps: int
    left_s: int | None = None  # None: unknown


def peak_bytes(steps: Iterable[ArtifactStep], present: Mapping[Path, int] | None = None) -> int:
    """Return the most bytes that the steps take at one moment beyond what exists now.

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
