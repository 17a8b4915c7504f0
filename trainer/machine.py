"""Read how the machine that trains a job wants it done: `machine.json` beside the spec. Standard library only.

The file is not under the job's seal, because nothing in it changes the result: a step has as many examples as the spec
says. A copy of the spec's folder without the file trains as the spec says.
"""

import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from trainer.events import RunError
from trainer.spec import RunSpec, SpecError

FILE = "machine.json"
LOGGERS = ("tensorboard", "mlflow", "wandb")
LOGS = "logging"  # folder in the run's folder


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """What a machine decides. None: as the spec says."""

    micro_batch: int | None = None  # examples computed at once; it must divide the examples of a step
    device: str | None = None  # one of `trainer.spec.DEVICES`
    report_to: str | None = None  # one of LOGGERS, which also draws the course of the run; nothing is sent


def read(path: Path) -> MachineSettings:
    """Return the settings in a file; those of the spec if there is no file. Raises OSError, SpecError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return MachineSettings()
    except (ValueError, RecursionError) as error:
        raise SpecError(FILE, path.name, "JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise SpecError(FILE, path.name, "a JSON object")
    for name in found.keys() - MachineSettings.__dataclass_fields__.keys():
        raise SpecError(f"{FILE}: {name}", found[name], " | ".join(MachineSettings.__dataclass_fields__))
    here = MachineSettings(**found)
    RunSpec("-", "-", "-", "-", micro_batch=here.micro_batch, device=here.device)  # refuses what a spec cannot have
    if here.report_to not in (None, *LOGGERS):
        raise SpecError("report_to", here.report_to, " | ".join(LOGGERS))
    return here


def require_logger(name: str | None) -> None:
    """Raise RunError("logger_missing") if the training environment lacks the logger."""
    if name is not None and importlib.util.find_spec(name) is None:
        raise RunError("logger_missing", name=name, python=sys.executable)


def prepare_logger(name: str | None, run: Path) -> list[str]:
    """Return the loggers for transformers, set up to write into the run's folder and to send nothing."""
    if name is None:
        return []
    folder = run / LOGS
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "TENSORBOARD_LOGGING_DIR": str(folder),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(folder),
        "WANDB_PROJECT": "kotae",
    }
    return [name]
