"""How many threads: as many as there are free cores, and the fast ones alone for a single token."""

import subprocess
import sys
import time

import pytest

from app.inference.engine import threads
from app.inference.engine.threads import ThreadNumbers
from app.inference.processor_cores import ProcessorCores


@pytest.mark.parametrize(
    ("requested", "busy", "cores", "expected"),
    [
        (None, 0.0, ProcessorCores(8, 8), ThreadNumbers(8, 8)),
        (None, 0.4, ProcessorCores(8, 8), ThreadNumbers(8, 8)),
        (None, 3.0, ProcessorCores(8, 8), ThreadNumbers(5, 5)),
        (None, 9.0, ProcessorCores(8, 8), ThreadNumbers(1, 1)),
        (None, 0.0, ProcessorCores(6, 14), ThreadNumbers(6, 14)),
        (None, 2.0, ProcessorCores(6, 14), ThreadNumbers(6, 12)),
        (None, 10.0, ProcessorCores(6, 14), ThreadNumbers(4, 4)),
        (None, 0.0, ProcessorCores(1, 1), ThreadNumbers(1, 1)),
        (4, 9.0, ProcessorCores(8, 8), ThreadNumbers(4, 4)),
        (0, 0.0, ProcessorCores(8, 8), ThreadNumbers(1, 1)),
    ],
)
def test_the_number_follows_cores_and_load(requested, busy, cores, expected):
    assert threads.choose_threads(requested, busy, cores) == expected


def test_the_meter_sees_another_process_at_work_and_not_its_own():
    meter = threads.CpuLoadMeter()
    until = time.monotonic() + threads.MEASURED_EVERY_S + 0.1
    while time.monotonic() < until:
        pass
    own = meter.busy_cores()
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(threads.MEASURED_EVERY_S + 0.2)
        busy = meter.busy_cores()
    finally:
        other.kill()
        other.wait()
    assert busy > 0.4  # a whole core, unless the machine itself is short of time
    assert busy > own + 0.2
