"""How many threads: one core is left free, and more while others work."""

import subprocess
import sys
import time

import pytest

from app.inference.engine import runtime_facts


@pytest.mark.parametrize(
    ("requested", "busy", "cores", "expected"),
    [
        (None, 0.0, 8, 7),
        (None, 0.4, 8, 7),
        (None, 3.0, 8, 5),
        (None, 9.0, 8, 1),
        (None, 0.0, 2, 1),
        (None, 0.0, 1, 1),
        (4, 9.0, 8, 4),
        (0, 0.0, 8, 1),
    ],
)
def test_the_number_follows_cores_and_load(requested: int | None, busy: float, cores: int, expected: int) -> None:
    assert runtime_facts.threads_for(requested, busy, cores) == expected


def test_the_meter_sees_another_process_at_work_and_not_its_own() -> None:
    meter = runtime_facts.CpuLoadMeter()
    until = time.monotonic() + runtime_facts.MEASURED_EVERY_S + 0.1
    while time.monotonic() < until:
        pass
    own = meter.busy_cores()
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(runtime_facts.MEASURED_EVERY_S + 0.2)
        busy = meter.busy_cores()
    finally:
        other.kill()
        other.wait()
    assert busy > 0.4  # a whole core, unless the machine itself is short of time
    assert busy > own + 0.2
