"""Run one benchmark by its name: `python -m tests.benchmarks engine --json` is tests/benchmarks/engine.py.

`docs` and `train` are the short names of `retrieval` and `train_speed`.
"""

import runpy
import sys
from pathlib import Path

SHORT_NAMES = {"docs": "retrieval", "train": "train_speed"}
NOT_BENCHMARKS = {"__main__", "bare_loop"}


def main() -> None:
    names = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - NOT_BENCHMARKS)
    name = SHORT_NAMES.get(sys.argv[1], sys.argv[1]) if sys.argv[1:] else ""
    if name not in names:
        sys.exit(f"usage: python -m tests.benchmarks NAME [ARGUMENT ...]\n{', '.join(sorted([*names, *SHORT_NAMES]))}")
    del sys.argv[1]
    runpy.run_module(f"tests.benchmarks.{name}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
