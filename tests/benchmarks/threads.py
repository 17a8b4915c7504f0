"""The number of threads that Kotae chooses, beside each fixed number: idle, and beside busy programs.

`python -m tests.benchmarks.threads [MODEL.gguf] [--rounds N]`: by default the trial model. Prints tokens per second of
prompts and of answers for each number of threads and for Kotae's choice, and the choice's share of the best number.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.inference.engine.backend import Cancellation
from app.inference.engine.llama_backend import LlamaBackend
from app.inference.engine.messages import Load
from app.inference.processor_cores import usable_cores
from app.models import starter

PROMPT_TOKENS, ANSWER_TOKENS = 512, 24
BUSY = (0, 1, 2)  # other programs, each of which takes a core
SETTLING_S = 1.0  # until the choice has seen that others began or ended


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = asked.model or starter.assemble(starter.card(), Path(folder))
        numbers = [*range(1, usable_cores().every + 1), None]
        backends = {number: loaded(path, number) for number in numbers}
        for busy in BUSY:
            with busy_programs(busy):
                rounds = [{number: _speeds(one) for number, one in backends.items()} for _ in range(asked.rounds)]
            for place, kind in enumerate(("prompt", "answer")):
                found = {n: statistics.median(one[n][place] for one in rounds) for n in numbers}
                best = max(speed for number, speed in found.items() if number)
                fixed = ", ".join(f"{number}: {found[number]:.0f}" for number in numbers if number)
                print(f"{busy} busy, {kind}: {fixed}, chosen: {found[None]:.0f} = {found[None] / best:.2f}", flush=True)


def loaded(path: Path, threads: int | None) -> LlamaBackend:
    backend = LlamaBackend()
    command = Load("", str(path), context_tokens=1024, threads=threads, batch_tokens=PROMPT_TOKENS, repack=False)
    backend.load(command, Cancellation(), lambda _event: None)
    return backend


def _speeds(backend: LlamaBackend) -> tuple[float, float]:
    """Return tokens per second of a prompt and of an answer."""
    tokens = [100 + 37 * at % 20_000 for at in range(PROMPT_TOKENS)]
    until = time.monotonic() + SETTLING_S
    while time.monotonic() < until:
        read(backend, tokens[:1])
        time.sleep(0.05)
    backend._clear()
    began = time.perf_counter()
    read(backend, tokens)
    read_s = time.perf_counter() - began
    began = time.perf_counter()
    for token in tokens[:ANSWER_TOKENS]:
        read(backend, [token])
    answer_s = time.perf_counter() - began
    backend._clear()
    return PROMPT_TOKENS / read_s, ANSWER_TOKENS / answer_s


def read(backend: LlamaBackend, tokens: list[int]) -> None:
    """Evaluate tokens after those in the cache, with the logits of the last one."""
    backend._decode([(0, token, at == len(tokens)) for at, token in enumerate(tokens, 1)])


@contextlib.contextmanager
def busy_programs(count: int) -> Iterator[None]:
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


if __name__ == "__main__":
    main()
