"""Measure the engine on a model of the shape of Llama-3.1-8B, Q4_K_M and random weights, which is written and deleted.

    python -m tests.benchmarks.engine_8b [FOLDER] [options of `tests.benchmarks engine`]

4.6 GB of disk and about 6 GB of memory; ten to twenty minutes on two cores.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import model_files as models

ROOT = Path(__file__).parents[2]
OPTIONS = ["--prompt-tokens", "128", "--answer-tokens", "32", "--context", "2048", "--runs", "5"]


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as folder:
        path = Path(folder) / "llama-8b-shape-random-Q4_K_M.gguf"
        began = time.perf_counter()
        models.synthetic_8b(path)
        print(f"written: {path.stat().st_size:,} bytes in {time.perf_counter() - began:.1f} s", file=sys.stderr)
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.benchmarks",
                "engine",
                "--model",
                str(path),
                *OPTIONS,
                *arguments[1:],
                "--json",
            ],
            cwd=ROOT,
            env=os.environ | {"KOTAE_DATA_DIR": folder},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
