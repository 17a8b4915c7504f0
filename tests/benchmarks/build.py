"""`kotae models build` on a safetensors folder with Llama-3-8B's shape: written, built, measured, deleted. Prints JSON.

    python -m tests.benchmarks.build [--layers N] [--quant FORMS] [--folder DIR] [--adapter]

Random bf16 weights, 16 GB in four parts, and a tokenizer with Llama 3's number of entries. 40 GB of disk; ten to
twenty minutes on two cores. `own` memory is what no file stands behind: mapped files can be dropped, that cannot.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil

from tests import hf_models
from tests.hf_models import HfShape

ROOT = Path(__file__).parents[2]
LLAMA_3_8B = HfShape(
    layers=32, embedding=4096, heads=32, heads_kv=8, feed_forward=14_336, vocabulary=128_256, context=8192
)
SHARDS = 4
SAMPLE_EVERY_S = 0.25
ROLES = ("trainer.convert", "--quantize", "--engine")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=LLAMA_3_8B.layers)
    parser.add_argument("--quant", default="Q4_K_M")
    parser.add_argument("--folder")
    parser.add_argument("--adapter", action="store_true")
    options = parser.parse_args()
    shape = replace(LLAMA_3_8B, layers=options.layers)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        began = time.perf_counter()
        source = write(folder / "llama-8b-shape", shape)
        written_s = time.perf_counter() - began
        size = sum(path.stat().st_size for path in source.iterdir())
        print(f"written: {size:,} bytes in {written_s:.0f} s", file=sys.stderr, flush=True)
        command = [str(source), "--quant", options.quant]
        if options.adapter:
            command += ["--adapter", str(hf_models.adapter(folder / "lora", shape=shape, rank=16, size=0.01))]
        print(json.dumps({"source_bytes": size} | build(command, folder / "data"), ensure_ascii=False, indent=1))


def write(folder: Path, shape: HfShape) -> Path:
    """Part by part, each tensor from one pool of random numbers, so that little memory is needed."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(shape.config()), encoding="utf-8")
    hf_models.tokenizer(folder, shape.vocabulary)
    pool = hf_models.bf16(np.random.default_rng(1).standard_normal(1 << 24, np.float32) * np.float32(0.02))
    ones = hf_models.bf16(np.ones(shape.embedding, np.float32))
    tensors = shape.tensors()
    parts = [[str(name) for name in part] for part in np.array_split(list(tensors), SHARDS)]
    places = {}
    for number, names in enumerate(parts, start=1):
        file_name = f"model-{number:05}-of-{SHARDS:05}.safetensors"
        places |= dict.fromkeys(names, file_name)
        with (folder / file_name).open("wb") as file:
            file.write(hf_models.header({name: ("uint16", tensors[name]) for name in names}))
            for name in names:
                count = int(np.prod(tensors[name]))
                source = ones if len(tensors[name]) == 1 else pool
                for at in range(0, count, source.size):
                    file.write(source[: min(source.size, count - at)].tobytes())
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


@dataclass
class Peaks:
    """Bytes. `own`: without mapped files."""

    disk_bytes: int = 0
    program_bytes: int = 0
    children: dict[str, dict[str, int]] = field(default_factory=dict)

    def sample(self, process: psutil.Process, data: Path) -> None:
        self.disk_bytes = max(self.disk_bytes, disk_bytes(data))
        self.program_bytes = max(self.program_bytes, process.memory_info().rss)
        for child in process.children(recursive=True):
            try:
                role = next((role for role in ROLES if role in child.cmdline()), "")
                memory = child.memory_info()
            except psutil.Error:  # it has just ended
                continue
            if role:
                peak = self.children.setdefault(role, {"rss_bytes": 0, "own_bytes": 0})
                peak["rss_bytes"] = max(peak["rss_bytes"], memory.rss)
                peak["own_bytes"] = max(peak["own_bytes"], memory.rss - memory.shared)


def disk_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:  # just renamed
            continue
    return total


def build(arguments: list[str], data: Path) -> dict[str, object]:
    peaks = Peaks()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "models", "build", *arguments, "--json"],
        env=os.environ | {"KOTAE_DATA_DIR": str(data)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peaks.sample(watched, data)
        except psutil.Error:
            break
        time.sleep(SAMPLE_EVERY_S)
    assert process.stdout is not None
    result = json.loads(process.stdout.read())
    process.wait()
    if "error" in result:
        raise SystemExit(json.dumps(result, ensure_ascii=False))
    return {
        "total_s": round(time.perf_counter() - began, 1),
        "steps": [
            {key: step[key] for key in ("title", "seconds", "peak_rss_bytes", "size_bytes")} for step in result["steps"]
        ],
        "peak_disk_bytes": peaks.disk_bytes,
        "planned_peak_disk_bytes": result["planned_peak_bytes"],
        "program_peak_rss_bytes": peaks.program_bytes,
        "children_peak": peaks.children,
        "models": [{key: model[key] for key in ("name", "size_bytes", "trial")} for model in result["models"]],
    }


if __name__ == "__main__":
    main()
