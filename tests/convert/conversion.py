"""The converting process for tests: started as the program starts it, its events read to the end."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from app.models.training_environment import TrainingEnvironment
from tests.trainer.training_runs import ONE_THREAD, RunServer
from trainer import convert_job
from trainer.convert_job import Event, Failed, Finished, Job, Progress


class Conversion:
    """`with Conversion(environment, job, folder) as conversion:` … The log is in `conversion.log`."""

    def __init__(
        self, environment: TrainingEnvironment, job: Job, folder: Path, watched_by: Sequence[str] = ()
    ) -> None:
        self.job_file = folder / "job.json"
        self.job_file.write_text(json.dumps(convert_job.job_to_json(job)), encoding="utf-8")
        self.log = folder / "convert.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*watched_by, *environment.command("trainer.convert", str(self.job_file))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=ONE_THREAD,
            )

    def __enter__(self) -> "Conversion":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def read(self) -> Event | None:
        """The next event; None when the process has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return convert_job.event_from_json(json.loads(line)) if line else None

    def read_all(self) -> list[Event]:
        return list(iter(self.read, None))


def events_of(by: TrainingEnvironment | RunServer, job: Job, folder: Path) -> list[Event]:
    """In a process as the program starts it, or in one that has loaded the libraries."""
    if isinstance(by, TrainingEnvironment):
        with Conversion(by, job, folder) as conversion:
            return conversion.read_all()
    job_file = folder / "job.json"
    job_file.write_text(json.dumps(convert_job.job_to_json(job)), encoding="utf-8")
    by.start(job_file, call="convert")
    status, lines = by.wait(), by.events.read_bytes().splitlines()
    events = [convert_job.event_from_json(json.loads(line)) for line in lines]
    assert status == (0 if isinstance(events[-1], Finished) else 1)
    return events


def convert(by: TrainingEnvironment | RunServer, job: Job, folder: Path) -> Finished:
    """Runs a job that must succeed."""
    events = events_of(by, job, folder)
    last = events[-1]
    assert isinstance(last, Finished), last
    assert Path(job.target).exists()
    assert not convert_job.part_path(job.target).exists()
    progress = [event.done_bytes for event in events if isinstance(event, Progress)]
    assert progress == sorted(progress)
    return last


def failure(by: TrainingEnvironment | RunServer, job: Job, folder: Path) -> Failed:
    """Runs a job that must fail, and leave nothing."""
    last = events_of(by, job, folder)[-1]
    assert isinstance(last, Failed), last
    assert not Path(job.target).is_file()
    assert not convert_job.part_path(job.target).exists()
    assert set(last.facts) <= set(convert_job.FAILURES[last.code])
    return last
