"""Time the questions of a file, answered by `kotae ask --batch`, in turn with the code of another checkout.

    python -m tests.benchmarks batch DATA QUESTIONS CHECKOUT [--model ID] [--max-tokens N] [--runs N] [--json]

Answers are greedy. It prints the median seconds of both, and how many answers are the same.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.base.cli.commands import Output

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks batch")
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("questions", metavar="QUESTIONS", type=Path)
    parser.add_argument("checkout", metavar="CHECKOUT", type=Path)
    parser.add_argument("--model", metavar="ID", default="starter")
    parser.add_argument("--max-tokens", metavar="N", type=int, default=64)
    parser.add_argument("--runs", metavar="N", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found: dict[str, list[float]] = {"here": [], "beside": []}
    said: dict[str, list[str]] = {}
    command = [sys.executable, "-P", "-m", "app", "ask", "--batch", str(options.questions.absolute())]
    command += ["--data-dir", options.data, "--model", options.model, "--temperature", "0"]
    command += ["--max-tokens", str(options.max_tokens)]
    with tempfile.TemporaryDirectory(prefix="kotae-bench-") as folder:
        for run in range(options.runs):
            for name, root in (("here", ROOT), ("beside", options.checkout.absolute())):
                out = Path(folder, f"{name}{run}.jsonl")
                began = time.perf_counter()
                subprocess.run(
                    [*command, "--out", str(out)], cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=True,
                    capture_output=True,
                )  # fmt: skip
                found[name].append(time.perf_counter() - began)
                said[name] = [json.loads(line)["answer"] for line in out.read_text("utf-8").splitlines()]
    here, beside = (statistics.median(found[name]) for name in ("here", "beside"))
    same = sum(one == other for one, other in zip(said["here"], said["beside"], strict=True))
    data = {"here_s": here, "beside_s": beside, "ratio": beside / here, "same": same, "questions": len(said["here"])}
    line = (
        f"{here:.1f} s, beside {beside:.1f} s: {beside / here:.2f} times as fast; {same} of {len(said['here'])} equal"
    )
    Output(options.json).result(data, line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
