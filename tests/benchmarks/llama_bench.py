"""Kotae's engine beside llama-bench of the same llama.cpp, one thread each, in turn, in processor time.

    python -m tests.benchmarks llama_bench PROGRAM [MODEL.gguf] [--prompt N] [--answer N] [--rounds N]

PROGRAM is built from the sources in the archive of llama-cpp-python (`vendor/llama.cpp`, target llama-bench) with the
flags of `packaging/llama_build.py`. By default the trial model. Prints tokens per second of Kotae's defaults and of
llama-bench's settings, all of which repack weights, and the ratio to the best of these.
"""

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from app.inference.engine.llama_backend import LlamaBackend
from app.models import starter
from tests.benchmarks.threads import loaded, read

SETTINGS = {
    f"flash attention {flash}, batch {batch}": ["-fa", flash, "-ub", batch]
    for flash in ("0", "1")
    for batch in ("128", "512")
}
REPEATS = 3  # of llama-bench; what it takes to load the model is in one repeat as in so many


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--answer", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = asked.model or starter.assemble(starter.card(), Path(folder))
        backend = loaded(model, 1)
        for kind, option, tokens in (("prompt", "-p", asked.prompt), ("answer", "-n", asked.answer)):
            found: dict[str, list[float]] = {name: [] for name in ("Kotae", *SETTINGS)}
            for _ in range(asked.rounds):
                found["Kotae"].append(_ours(backend, tokens, is_answer=kind == "answer"))
                for name, settings in SETTINGS.items():
                    command = [str(asked.program), "-m", str(model), "-t", "1", "-p", "0", "-n", "0", *settings]
                    found[name].append(_theirs([*command, option, str(tokens), "--no-warmup"], tokens))
            speeds = {name: statistics.median(each) for name, each in found.items()}
            best = max(speeds[name] for name in SETTINGS)
            listed = ", ".join(f"{name}: {speed:.1f}" for name, speed in speeds.items())
            print(f"{kind}: {listed}; Kotae / best: {speeds['Kotae'] / best:.2f}", flush=True)


def _ours(backend: LlamaBackend, tokens: int, *, is_answer: bool) -> float:
    backend._clear()
    ids = [100 + 37 * at % 20_000 for at in range(tokens)]
    began = time.process_time()
    for part in [[one] for one in ids] if is_answer else [ids]:
        read(backend, part)
    return tokens / (time.process_time() - began)


def _theirs(command: list[str], tokens: int) -> float:
    once, often = (_processor_s([*command, "-r", str(number)]) for number in (1, 1 + REPEATS))
    return REPEATS * tokens / (often - once)


def _processor_s(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
