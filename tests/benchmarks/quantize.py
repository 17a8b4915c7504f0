"""The quantizing child against llama_model_quantize called bare, on the trial model in f16. Prints JSON.

    python -m tests.benchmarks.quantize [--runs N] [--form FORM]

Taken in turn, ratios of medians. `call`: the child's own time of the job, from its first event to the file being on the
disk for good, against the call alone. `program`: both as whole programs, from start to exit.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.inference import quantizations
from app.inference.engine.model_jobs import Quantize
from app.models import starter
from tests.inference.engine import jobs

BARE = """\
import ctypes, sys, time
from llama_cpp import llama_cpp as api
source, target, form = sys.argv[1:]
quiet = api.llama_log_callback(lambda level, text, data: None)
api.llama_log_set(quiet, None)
api.llama_backend_init()
params = api.llama_model_quantize_default_params()
params.ftype = int(form)
began = time.perf_counter()
assert api.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)) == 0
print(time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--form", default="Q4_K_M")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        f16 = folder / "f16.gguf"
        model = starter.assemble(starter.card(), folder)
        jobs.finished(Quantize(str(model), str(f16), "F16", requantize=True), folder)
        print(json.dumps(_compare(folder, f16, options.form, options.runs)))


def _compare(folder: Path, f16: Path, form: str, runs: int) -> dict[str, object]:
    ours = _ours(folder, f16, form)  # once before, for the caches
    _bare(folder, f16, form)
    calls: dict[str, list[float]] = {"ours": [], "bare": []}
    programs: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(runs):
        for name, measured in (("ours", _ours(folder, f16, form)), ("bare", _bare(folder, f16, form))):
            calls[name].append(measured[0])
            programs[name].append(measured[1])
    assert (folder / "ours.gguf").stat().st_size == (folder / "bare.gguf").stat().st_size
    return {
        "form": form,
        "runs": runs,
        "call_s": {name: round(statistics.median(times), 3) for name, times in calls.items()},
        "call_ratio": round(statistics.median(calls["ours"]) / statistics.median(calls["bare"]), 3),
        "program_s": {name: round(statistics.median(times), 3) for name, times in programs.items()},
        "program_ratio": round(statistics.median(programs["ours"]) / statistics.median(programs["bare"]), 3),
        "peak_rss_bytes": ours[2],
    }


def _ours(folder: Path, f16: Path, form: str) -> tuple[float, float, int]:
    began = time.perf_counter()
    end = jobs.finished(Quantize(str(f16), str(folder / "ours.gguf"), form), folder)
    return end.seconds, time.perf_counter() - began, end.peak_rss_bytes


def _bare(folder: Path, f16: Path, form: str) -> tuple[float, float, int]:
    number = str(quantizations.QUANTIZATIONS[form].file_type)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(f16), str(folder / "bare.gguf"), number], capture_output=True, check=True
    )
    return float(done.stdout), time.perf_counter() - began, 0


if __name__ == "__main__":
    main()
