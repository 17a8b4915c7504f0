"""How many threads: as many as there are free cores, and the fast ones alone for a single token."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from app.inference.engine import threads
from app.inference.engine.threads import ThreadNumbers
from app.inference.processor_cores import ProcessorCores
from tests.waiting import wait_until


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


def test_the_meter_does_not_see_its_own_work(monkeypatch):
    idle = psutil.cpu_times(percpu=True)
    own = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0

    def alone(percpu):  # a machine on which nobody else works
        now = idle[own]._replace(user=idle[own].user + time.process_time())
        return [*idle[:own], now, *idle[own + 1 :]]

    monkeypatch.setattr(psutil, "cpu_times", alone)
    meter = threads.CpuLoadMeter()
    until = time.process_time() + threads.MEASURED_EVERY_S
    while time.process_time() < until:
        pass
    assert meter.busy_cores() < 0.1


def test_the_meter_sees_another_process_at_work_already_while_a_model_is_loaded():
    began = time.monotonic()
    meter = threads.CpuLoadMeter()
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        process = psutil.Process(other.pid)
        wait_until(lambda: process.cpu_times().user > 0.2)
        worked_s = process.cpu_times().user
        assert meter.busy_cores() > 0.9 * worked_s / (time.monotonic() - began)
    finally:
        other.kill()
        other.wait()


def test_work_that_began_during_a_pause_is_seen_within_a_tenth_of_a_second(monkeypatch):
    clock, busy_s = 1_000.0, 0.0
    idle = psutil.cpu_times(percpu=True)
    own = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0

    def times(percpu):
        return [*idle[:own], idle[own]._replace(user=idle[own].user + busy_s), *idle[own + 1 :]]

    monkeypatch.setattr(psutil, "cpu_times", times)
    monkeypatch.setattr(threads.time, "monotonic", lambda: clock)
    meter = threads.CpuLoadMeter()
    clock += 60.0
    busy_s += 1.0
    assert meter.busy_cores() < 0.1
    clock += 0.11
    busy_s += 0.11
    assert meter.busy_cores() > 0.8
