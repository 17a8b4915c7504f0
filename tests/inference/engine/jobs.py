"""Runs one job of the quantizing or the scoring child, as the program does, and gives its events."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from app.inference.engine import model_jobs
from app.inference.engine.model_jobs import Imatrix, Quantize, Score
from tests.forked_program import ROOT, Program
from trainer import convert_job
from trainer.convert_job import Event, Failed, Finished

Job = Quantize | Imatrix | Score


def command(role: str) -> list[str]:
    return [sys.executable, "-m", "app", role]


def run(
    job: Job, folder: Path, watch: Callable[[Event, "subprocess.Popen[bytes]"], None] = lambda _event, _process: None
) -> tuple[int, list[Event]]:
    """Exit status and events. `watch` sees each event as it comes, with the process."""
    path = folder / "job.json"
    model_jobs.write_job(job, path)
    role = "--score" if isinstance(job, Score) else "--quantize"
    with (folder / "job.log").open("wb") as log:
        process = Program(
            [*command(role), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        events = []
        try:
            for line in process.stdout:
                events.append(convert_job.event_from_json(json.loads(line)))
                watch(events[-1], process)
            status = process.wait(60)
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
    return status, events


def finished(job: Job, folder: Path) -> Finished:
    status, events = run(job, folder)
    assert isinstance(events[-1], Finished), (events[-1], (folder / "job.log").read_text("utf-8")[-2000:])
    assert status == 0
    return events[-1]


def failure(job: Job, folder: Path) -> Failed:
    status, events = run(job, folder)
    assert isinstance(events[-1], Failed), events[-1]
    assert status == 1
    return events[-1]
