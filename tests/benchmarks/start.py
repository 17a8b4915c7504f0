"""Measure the time from the start of the process to a window one can type in, with many stored conversations.

    python -m tests.benchmarks start [--conversations N] [--runs N] [--json]
    python -m tests.benchmarks start --commands DATA COLLECTION [--beside CHECKOUT] [--runs N] [--json]

The exit status is 1 when the window takes more than 1.5 s or 200 MB. The data folder is temporary.

With --commands it measures commands as processes over a data folder with that collection, in turn with the code of
another checkout, beside a bare Python, and how long the documents' database takes to open and to check.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.base import paths, programs
from app.base.cli.commands import Output
from app.chat.records import AnswerDetails
from app.chat.store import Store
from tests.benchmarks.engine import texts


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks start")
    parser.add_argument("--conversations", metavar="N", type=int, default=1000)
    parser.add_argument("--runs", metavar="N", type=int, default=5)
    parser.add_argument("--commands", metavar=("DATA", "COLLECTION"), nargs=2)
    parser.add_argument("--beside", metavar="CHECKOUT", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.commands:
        return _commands(*options.commands, options.beside, options.runs, Output(options.json))
    folder = Path(tempfile.mkdtemp(prefix="kotae-bench-"))
    try:
        _fill(folder, options.conversations)
        runs = [_measure(folder) for _ in range(options.runs + 1)][1:]  # the first fills the disk cache
    finally:
        shutil.rmtree(folder)
    usable = statistics.median(one["usable_s"] for one in runs)
    resident = statistics.median(one["resident_bytes"] for one in runs)
    checks = {"usable_s <= 1.5": usable <= 1.5, "resident_bytes <= 200 MB": resident <= 200e6}
    data = {
        "usable_s": usable,
        "resident_bytes": resident,
        "conversations": options.conversations,
        "runs": [one["usable_s"] for one in runs],
        "checks": checks,
    }
    Output(options.json).result(data, f"{usable:.2f} s\t{resident / 1e6:.0f} MB\t{checks}")
    return 0 if all(checks.values()) else 1


ROOT = Path(__file__).resolve().parents[2]
QUESTION = "堤防の余裕高は"
OPEN = """
import sys, time
from pathlib import Path
from app.documents.library import Library
began = time.perf_counter()
library = Library.open(Path(sys.argv[1]))
opened = time.perf_counter()
if sys.argv[2:]:
    library.database.read("PRAGMA quick_check(1)")
print((time.perf_counter() if sys.argv[2:] else opened) - (opened if sys.argv[2:] else began))
"""


def _commands(data: str, collection: str, beside: Path | None, runs: int, output: Output) -> int:
    """Print the median of each command's wall time in seconds, with this code and with that of `beside`."""
    app = ["-P", "-m", "app"]
    file = str(paths.locate(data).documents)
    cases = {
        "python -c pass": ["-c", "pass"],
        "--version": [*app, "--version"],
        "docs list": [*app, "docs", "list"],
        "docs search": [*app, "docs", "search", collection, QUESTION],
        "ask --collection": [*app, "ask", "--collection", collection, QUESTION],
        "opening the database": ["-P", "-c", OPEN, file],
        "checking the database": ["-P", "-c", OPEN, file, "check"],
    }
    checkouts = {"here": ROOT} | ({"beside": beside.absolute()} if beside else {})
    found: dict[str, dict[str, list[float]]] = {case: {name: [] for name in checkouts} for case in cases}
    for run in range(runs + 1):  # the first fills the disk cache
        for case, arguments in cases.items():
            for name, root in checkouts.items():
                environment = os.environ | {"PYTHONPATH": str(root), "KOTAE_DATA_DIR": data}
                began = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, check=True
                )
                seconds = float(done.stdout) if OPEN in arguments else time.perf_counter() - began
                found[case][name] += [seconds] if run else []
    medians = {
        case: {name: round(statistics.median(all_s), 3) for name, all_s in by.items()} for case, by in found.items()
    }
    lines = [
        "\t".join([case, *(f"{name} {median:.3f} s" for name, median in by.items())]) for case, by in medians.items()
    ]
    output.result(medians, "\n".join(lines))
    return 0


def _fill(folder: Path, conversations: int) -> None:
    where = paths.locate(str(folder))
    start = time.time() - conversations * 3600
    words = texts()
    numbers = iter(range(10 * conversations))
    store = Store.open(where.database, where.backups, clock=lambda: start + next(numbers) * 600)
    for number in range(conversations):
        question = store.add_question(words["stored_question"].format(number=number))
        answer = store.add_answer(question.id, AnswerDetails(model_name=words["stored_model"]))
        details = AnswerDetails(model_name=words["stored_model"], stop_reason="end")
        store.finish_answer(answer.id, words["stored_answer"] * 10, "done", details)
    store.close()


def _measure(folder: Path) -> dict[str, float]:
    environment = os.environ | {programs.REPORT_START_VARIABLE: "1"}
    if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    began = time.perf_counter()
    process = subprocess.Popen(
        [*programs.own_program(), "--data-dir", str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    usable_s = time.perf_counter() - began
    process.wait()
    return {"usable_s": usable_s, "resident_bytes": json.loads(line)["resident_bytes"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
