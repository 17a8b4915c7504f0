"""A bundle's engine, built for processors of every generation, against the one built for this machine alone.

    python -m tests.benchmarks.processor_builds BUNDLE MODEL.gguf [--rounds 15] [--threads 1]

BUNDLE: dist/Kotae/Kotae. Both run the bare loop (`app.inference.engine.bare`) on the same text, in turn; above 1 the
bundle is the faster one. Of the ratios of the rounds the middle one is told, and those that a quarter of them are below
and above.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.base import programs

TEXT = "橋梁の点検では、部材の損傷の程度を確かめ、記録する。" * 40
ANSWER_TOKENS = 64
CONTEXT_TOKENS, BATCH_TOKENS = 2048, 512


class Loop:
    def __init__(self, program: list[str], model: Path, threads: int, *, repack: bool) -> None:
        sizes = [str(CONTEXT_TOKENS), str(BATCH_TOKENS), str(threads), "1" if repack else "0"]
        self._process = subprocess.Popen(
            [*program, "--bare-loop", str(model), *sizes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        self._read()

    def measure(self) -> tuple[float, float]:
        """Tokens a second: of the prompt, of the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"text": TEXT, "answer_tokens": ANSWER_TOKENS}).encode() + b"\n")
        self._process.stdin.flush()
        told = self._read()
        return told["prompt_tokens"] / told["prompt_s"], (told["answer_tokens"] - 1) / told["answer_s"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for repack in (False, True):
        loops = [
            Loop([str(options.bundle.resolve())], options.model, options.threads, repack=repack),
            Loop(programs.own_program(), options.model, options.threads, repack=repack),
        ]
        for loop in loops:
            loop.measure()  # the first one reads the file
        rounds = []
        for number in range(options.rounds):
            order = loops if number % 2 == 0 else loops[::-1]
            told = {loop: loop.measure() for loop in order}
            rounds.append([told[loops[0]][part] / told[loops[1]][part] for part in (0, 1)])
        for loop in loops:
            loop.close()
        for part, name in enumerate(("prompt", "answer")):
            low, middle, high = statistics.quantiles([ratios[part] for ratios in rounds], n=4)
            layout = "repacked" if repack else "as stored"
            sys.stdout.write(f"{layout}, {name}: {middle:.3f} ({low:.3f}-{high:.3f}), {options.rounds} rounds\n")


if __name__ == "__main__":
    main()
