"""Compare a bundle's llama.cpp, built for processors of every generation, with the one built for this machine alone.

    python -m tests.benchmarks.processor_builds BUNDLE MODEL.gguf [--rounds 15] [--threads 1]

BUNDLE: dist/Kotae/Kotae. `tests.benchmarks.bare_loop` runs with either library on the same text, in turn; above 1 the
bundle's is the faster one. Printed are the median and the quartiles of the rounds' ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

TEXT = "橋梁の点検では、部材の損傷の程度を確かめ、記録する。" * 40
ANSWER_TOKENS = 64
CONTEXT_TOKENS, BATCH_TOKENS = 2048, 512


class Loop:
    """The plain decode loop with the llama.cpp libraries of a folder, or those installed if there is none."""

    def __init__(self, libraries: Path | None, model: Path, threads: int, *, repack: bool) -> None:
        sizes = [str(CONTEXT_TOKENS), str(BATCH_TOKENS), str(threads), "1" if repack else "0"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.bare_loop", str(model), *sizes],
            env=os.environ | ({"LLAMA_CPP_LIB_PATH": str(libraries)} if libraries else {}),
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
        found = self._read()
        return found["prompt_tokens"] / found["prompt_s"], (found["answer_tokens"] - 1) / found["answer_s"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    bundled = options.bundle.resolve().parent / "_internal" / "llama_cpp" / "lib"
    if not bundled.is_dir():
        parser.error(f"no libraries in {bundled}")
    for repack in (False, True):
        loops = [Loop(place, options.model, options.threads, repack=repack) for place in (bundled, None)]
        for loop in loops:
            loop.measure()  # the first one reads the file
        rounds = []
        for number in range(options.rounds):
            order = loops if number % 2 == 0 else loops[::-1]
            speeds = {loop: loop.measure() for loop in order}
            rounds.append([speeds[loops[0]][part] / speeds[loops[1]][part] for part in (0, 1)])
        for loop in loops:
            loop.close()
        for part, name in enumerate(("prompt", "answer")):
            low, middle, high = statistics.quantiles([ratios[part] for ratios in rounds], n=4)
            layout = "repacked" if repack else "as stored"
            sys.stdout.write(f"{layout}, {name}: {middle:.3f} ({low:.3f}-{high:.3f}), {options.rounds} rounds\n")


if __name__ == "__main__":
    main()
