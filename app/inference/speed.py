"""Predict how fast models run on this machine, from measurements that take seconds.

An answer is bound by memory: each token reads the weights in use and the cache once. A prompt is bound by arithmetic:
each token is multiplied with every weight. How many bytes and weights llama.cpp manages in a second is measured with
two layers of the shape of an 8B model (`engine.speed_meter`).
"""

import dataclasses
import json
import math
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from app import __version__
from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.inference import child_commands
from app.inference.memory_estimate import MemoryEstimate
from app.inference.processor_cores import processor_name, usable_cores

Report = Callable[[int, int], None]  # steps done, all steps

FILE_NAME = "speed.json"  # in the data folder

# Tokens per second, below which a model that fits is called slow. People read Japanese at 400 to 600 characters a
# minute, about five tokens a second; at 25 tokens a second a question with four passages, some 1,500 tokens, takes a
# minute to read.
SLOW_ANSWER = 5.0
SLOW_PROMPT = 25.0

QUESTION_TOKENS = 100  # prompt of a short question
DOCUMENTS_TOKENS = 1500  # prompt of a question with four passages
ANSWER_TOKENS = 150  # a short answer
# The trial model's tokenizer has 1.75 in the Japanese answers that it was trained on; smaller vocabularies have fewer.
CHARACTERS_A_TOKEN = 1.6

_MATRIX = 1024
_MULTIPLY_S = 1.0
METER_STEPS = 6  # of the first part of the measurement
_STEPS = 3  # of the second part of the measurement, of a third of a second each
_DEADLINE_S = 120.0  # of the first part, which takes two seconds on two cores


def place() -> str:
    """Return the processor, its usable cores and the engine, on which another measurement would differ."""
    import importlib.metadata

    try:
        engine = importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:  # a bundle, which has one engine for each version of Kotae
        engine = f"Kotae {__version__}"
    return f"{processor_name()}, {usable_cores().fast} cores, {engine}"


def is_plugged_in() -> bool | None:
    """Return whether the machine runs on mains power; None if it has no battery, or that is not known."""
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery.power_plugged if battery is not None else None


@dataclass(frozen=True, slots=True)
class MachineSpeed:
    """Holds the measured speed of this machine."""

    answer_bytes_per_s: float  # bytes of weights that are read for an answer
    prompt_weights_per_s: float  # weights that are multiplied for a prompt
    multiplications_per_s: float  # pairs of a multiplication and an addition, in 32 bits, as training computes
    threads: int
    measured_at: float  # seconds since 1970
    on: str = field(default_factory=place)
    is_plugged_in: bool | None = field(default_factory=is_plugged_in)


class PredictedSpeed(Struct, frozen=True):
    """Holds the predicted or recorded speed of a model, in tokens per second."""

    prompt: float
    answer: float

    @property
    def is_slow(self) -> bool:
        """Return whether answers appear more slowly than a person reads, or the first word takes long."""
        return self.answer < SLOW_ANSWER or self.prompt < SLOW_PROMPT

    @property
    def characters_per_s(self) -> float:
        """Return how many Japanese characters of an answer appear in a second."""
        return self.answer * CHARACTERS_A_TOKEN

    def first_word_s(self, prompt_tokens: int) -> float:
        """Return the seconds until an answer begins."""
        return prompt_tokens / self.prompt + 1 / self.answer

    @property
    def answer_s(self) -> float:
        """Return the seconds from a question with four passages to the end of a short answer."""
        return self.first_word_s(DOCUMENTS_TOKENS) + ANSWER_TOKENS / self.answer


def measure(threads: int | None = None, report: Report = lambda _done, _all: None) -> MachineSpeed:
    """Measure this machine for some seconds on `threads` cores.

    `report` gets the progress about twice a second; what it raises ends the measurement. Raises
    AppError("speed_unmeasured").
    """
    threads = threads or usable_cores().fast
    answer, prompt = _measure_engine(threads, report)
    return MachineSpeed(answer, prompt, _multiplications_per_s(threads, report), threads, time.time())


def _measure_engine(threads: int, report: Report) -> tuple[float, float]:
    """Return the bytes per second of an answer and the weights per second of a prompt, measured in a child."""
    with (
        tempfile.TemporaryDirectory(prefix="kotae-", ignore_cleanup_errors=True) as folder,
        (Path(folder) / "log").open("w+b") as log,
        subprocess.Popen(
            child_commands.speed_meter(Path(folder), threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            creationflags=programs.NO_WINDOW,
        ) as child,
    ):
        deadline = threading.Timer(_DEADLINE_S, child.kill)
        deadline.start()
        try:
            assert child.stdout is not None
            for line in child.stdout:
                found = json_lines.decode_object(line)
                if "done" not in found:
                    return float(found["answer_bytes_per_s"]), float(found["prompt_weights_per_s"])
                report(int(found["done"]), METER_STEPS + _STEPS)
        finally:
            deadline.cancel()
            child.kill()
        log.seek(0)
        raise AppError("speed_unmeasured", reason=log.read().decode("utf-8", "replace").strip()[-300:])


def predict(
    machine: MachineSpeed, estimate: MemoryEstimate, parameters: int, active_share: float = 1.0
) -> PredictedSpeed:
    """Predict a model's speed on as many threads as were measured.

    `parameters`: number of the whole model's weights. `active_share`: share of them (0 to 1) that one token uses.
    """
    read_a_token = estimate.weights_bytes * active_share + estimate.kv_bytes / 2  # on average the cache is half full
    answer = machine.answer_bytes_per_s / max(1.0, read_a_token)
    prompt = machine.prompt_weights_per_s / max(1.0, parameters * active_share)
    return PredictedSpeed(prompt, min(answer, prompt))


def load(path: Path) -> MachineSpeed | None:
    """Read the measurement; None if there is none, it is of another machine or engine, or the file is damaged."""
    try:
        stored = strict_json.load_file(path)
        speed = json_lines.convert(stored, MachineSpeed)
    except (OSError, ValueError):
        return None
    numbers = (
        speed.answer_bytes_per_s,
        speed.prompt_weights_per_s,
        speed.multiplications_per_s,
        speed.threads,
        speed.measured_at,
    )
    is_here = "on" in stored and speed.on == place()
    return speed if is_here and all(0 < number < math.inf for number in numbers) else None


def save(path: Path, speed: MachineSpeed) -> None:
    write_atomically(path, json.dumps(dataclasses.asdict(speed), indent=1).encode("utf-8"))


def as_dict(speed: PredictedSpeed | None) -> dict[str, Any] | None:
    return {"prompt": round(speed.prompt, 1), "answer": round(speed.answer, 1)} if speed else None


def _multiplications_per_s(threads: int, report: Report) -> float:
    """Return the multiplications per second, measured with products of two large matrices in numpy.

    It uses all cores, of which other programs take some; so processor time is counted, not elapsed time.
    """
    import numpy as np  # imported late: a tenth of the window's startup time

    left, right = (np.ones((_MATRIX, _MATRIX), np.float32) for _ in range(2))
    np.matmul(left, right)  # starts the library's threads
    rounds, began, start, part = 0, time.process_time(), time.perf_counter(), 0.0
    while part < 1:
        report(METER_STEPS + int(_STEPS * part), METER_STEPS + _STEPS)
        np.matmul(left, right)
        rounds += 1
        part = (time.perf_counter() - start) / _MULTIPLY_S
    return threads * rounds * _MATRIX**3 / max(1e-9, time.process_time() - began)
