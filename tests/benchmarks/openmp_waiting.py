"""Matrix products of a training step with threads of OpenMP that spin while they wait, by those that sleep.

    python -m tests.benchmarks openmp_waiting [--rounds N]

Shapes of the trial model, in the training environment, alone and beside two busy programs, in turn. Prints ratios of
wall and processor time of `OMP_WAIT_POLICY=ACTIVE` to PASSIVE, which `trainer.start` sets.
"""

import argparse
import os
import statistics
import subprocess
from pathlib import Path

from app.models import training_environment
from tests.benchmarks.threads import busy_programs

BUSY = (0, 2)  # other programs, each of which takes a core
PRODUCTS = """
import time, torch
rows = torch.randn(512, 640)
up, down = torch.randn(640, 2048), torch.randn(2048, 640)
for run in range(2):  # the first starts the threads
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(18):
        (rows @ up) @ down
print(time.perf_counter() - wall, time.process_time() - processor)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    python = training_environment.locate(Path("/no-data-folder")).python
    for busy in BUSY:
        with busy_programs(busy):
            pairs = [(_seconds(python, "ACTIVE"), _seconds(python, "PASSIVE")) for _ in range(rounds)]
        wall, processor = (statistics.median(spinning[at] / asleep[at] for spinning, asleep in pairs) for at in (0, 1))
        print(f"{busy} busy: wall time {wall:.2f}, processor time {processor:.2f}", flush=True)


def _seconds(python: Path, policy: str) -> tuple[float, float]:
    """Return wall and processor time of the products."""
    environment = os.environ | {"OMP_WAIT_POLICY": policy}
    done = subprocess.run([python, "-c", PRODUCTS], env=environment, capture_output=True, text=True, check=True)
    wall, processor = map(float, done.stdout.split())
    return wall, processor


if __name__ == "__main__":
    main()
