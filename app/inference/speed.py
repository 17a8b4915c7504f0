"""Predict how fast models run on this machine, from two measurements that take seconds.

An answer is bound by memory: each token reads the weights in use and the cache once, so tokens per second <= memory
bandwidth / bytes of weights. A prompt is bound by arithmetic: each token is multiplied with every weight. The share of
both limits that llama.cpp reaches was measured with the models of tests/benchmarks/fit.py.
"""

import dataclasses
import importlib.metadata
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from app import __version__
from app.base import json_lines
from app.base.files import strict_json
from app.base.paths import write_atomically
from app.inference import engine_packs
from app.inference.memory_estimate import MemoryEstimate
from app.inference.processor_cores import processor_name, usable_cores

Report = Callable[[int, int], None]  # steps done, all steps

_BLOCK_BYTES = 512 << 20  # read per thread; far above any cache
_PASSES = 5
_STEPS = 16  # of a measurement, of about a third of a second each: the blocks are filled in 5 and read in 5


def read_bytes_per_s(threads: int, block_bytes: int = _BLOCK_BYTES, report: Report = lambda _done, _all: None) -> float:
    """Return the memory bandwidth in bytes per second, the best of five passes.

    Each thread reads its own block of `block_bytes` (numpy releases the interpreter's lock). `report` may raise, which
    ends the measurement.
    """
    import numpy as np  # imported late: the window imports this module at startup

    blocks = []
    for number in range(threads):
        report(_PASSES * number // threads, _STEPS)
        blocks.append(np.ones(block_bytes // 8, dtype=np.int64))
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for number in range(_PASSES):
            report(_PASSES + number, _STEPS)
            began = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, blocks))
            best = max(best, threads * block_bytes / (time.perf_counter() - began))
    return best


FILE_NAME = "speed.json"  # in the data folder

# Tokens per second, below which a model that fits is called slow. People read Japanese at 400 to 600 characters a
# minute, about five tokens a second; at 25 tokens a second a question with four passages, some 1,500 tokens, takes a
# minute to read.
SLOW_ANSWER = 5.0
SLOW_PROMPT = 25.0

QUESTION_TOKENS = 100  # prompt of a short question
DOCUMENTS_TOKENS = 1500  # prompt of a question with four passages
# The trial model's tokenizer has 1.75 in the Japanese answers that it was trained on; smaller vocabularies have fewer.
CHARACTERS_A_TOKEN = 1.6

_MATRIX = 1024
_MULTIPLY_S = 2.0

# Shares of the measured limits that llama.cpp reached with random models of 4 to 8B, Q4_K_M, at three contexts, on
# one idle core of an AMD EPYC.
# Prompts are multiplied in 8 bits, several times as many numbers per step as in the 32 bits measured here.
ANSWER_SHARE = 0.53
PROMPT_SHARE = 3.1


def place() -> str:
    """Return the processor, its usable cores and the engine, on which another measurement would differ."""
    try:
        engine = importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:  # a bundle, which has one engine for each version of Kotae
        engine = f"Kotae {__version__}"
    folder = engine_packs.folder_in_use()
    packs = [pack.name for pack in engine_packs.installed(folder)] if folder else []
    return ", ".join([processor_name(), f"{usable_cores().fast} cores", engine, *packs])


def is_plugged_in() -> bool | None:
    """Return whether the machine runs on mains power; None if it has no battery, or that is not known."""
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery.power_plugged if battery is not None else None


@dataclass(frozen=True, slots=True)
class MachineSpeed:
    """Holds the measured speed of this machine."""

    read_bytes_per_s: float
    multiplications_per_s: float  # pairs of a multiplication and an addition, in 32 bits
    threads: int
    measured_at: float  # seconds since 1970
    on: str = field(default_factory=place)
    is_plugged_in: bool | None = field(default_factory=is_plugged_in)


@dataclass(frozen=True, slots=True)
class PredictedSpeed:
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


def measure(
    threads: int | None = None, available_bytes: int | None = None, report: Report = lambda _done, _all: None
) -> MachineSpeed:
    """Measure this machine for some seconds on `threads` cores, using at most a quarter of the free memory.

    `report` gets the progress between steps of less than two seconds each; what it raises ends the measurement.
    """
    threads = threads or usable_cores().fast
    free = int(psutil.virtual_memory().available) if available_bytes is None else available_bytes
    block = max(8 << 20, min(_BLOCK_BYTES, free // 4 // threads) // 4096 * 4096)
    read = read_bytes_per_s(threads, block, report)
    multiplications = _multiplications_per_s(threads, report)
    return MachineSpeed(read, multiplications, threads, time.time())


def predict(
    machine: MachineSpeed, estimate: MemoryEstimate, parameters: int, active_share: float = 1.0
) -> PredictedSpeed:
    """Predict a model's speed on as many threads as were measured.

    `parameters`: number of the whole model's weights. `active_share`: share of them (0 to 1) that one token uses.
    """
    read_a_token = estimate.weights_bytes * active_share + estimate.kv_bytes / 2  # on average the cache is half full
    answer = ANSWER_SHARE * machine.read_bytes_per_s / max(1.0, read_a_token)
    prompt = PROMPT_SHARE * machine.multiplications_per_s / max(1.0, parameters * active_share)
    return PredictedSpeed(prompt, min(answer, prompt))


def load(path: Path) -> MachineSpeed | None:
    """Read the measurement; None if there is none, it is of another machine or engine, or the file is damaged."""
    try:
        stored = strict_json.load_file(path)
        speed = json_lines.convert(stored, MachineSpeed)
    except (OSError, ValueError):
        return None
    numbers = (speed.read_bytes_per_s, speed.multiplications_per_s, speed.threads, speed.measured_at)
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
        report(2 * _PASSES + int((_STEPS - 2 * _PASSES) * part), _STEPS)
        np.matmul(left, right)
        rounds += 1
        part = (time.perf_counter() - start) / _MULTIPLY_S
    return threads * rounds * _MATRIX**3 / max(1e-9, time.process_time() - began)
