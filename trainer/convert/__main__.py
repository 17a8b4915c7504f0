"""Run one conversion: `<trainer python> -m trainer.convert JOB.json`. `trainer.convert_job` defines jobs and events."""

import contextlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from trainer import convert_job, offline, storage
from trainer.convert.converter import gguf_to_hf, hf_to_gguf, lora_to_gguf
from trainer.convert.report import ConversionReport, JobError, LogTail, as_job_errors
from trainer.wire import claim_stdout, end_with_parent, exit_at_once


class ConversionTarget:
    """The file or folder that a job makes, which exists only in complete form.

    It is written as `part` next to the final path. `begin` deletes a `part` that a killed process left.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.part = convert_job.part_path(path)

    def begin(self) -> None:
        if not self.path.parent.is_dir():
            raise JobError("source_missing", path=str(self.path.parent))
        self.discard()

    def publish(self) -> None:
        """Flush everything to the disk, then rename, so that after a power cut the result is complete or missing."""
        files = [path for path in self.part.rglob("*") if path.is_file()] if self.part.is_dir() else [self.part]
        for file in files:
            storage.sync_path(file)
        if self.part.is_dir():
            storage.sync_path(self.part)
        self.part.replace(self.path)
        storage.sync_path(self.path.parent)

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # on Windows this process may have it open; the program deletes it later
            storage.discard(self.part)


def main(arguments: list[str]) -> NoReturn:
    """Run the conversion and end the process without waiting for torch's threads."""
    os.umask(0o077)  # as in trainer/__main__.py
    report = ConversionReport(claim_stdout())
    offline.enforce()
    try:
        (path,) = arguments
        job = convert_job.job_from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        print(f"convert: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        exit_at_once(convert_job.EXIT_UNREADABLE_JOB)
    target = ConversionTarget(job.target)
    end_with_parent(target.discard, convert_job.EXIT_PARENT_GONE)
    try:
        exit_at_once(_run(job, target, report))
    except BrokenPipeError:
        target.discard()
        exit_at_once(convert_job.EXIT_PARENT_GONE)


def _run(job: convert_job.Job, target: ConversionTarget, report: ConversionReport) -> int:
    started = time.monotonic()
    report.send(convert_job.Started(convert_job.PROTOCOL, os.getpid()))
    tail = LogTail()
    logging.basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(sys.stderr), tail])
    try:
        with as_job_errors(target.path, tail):
            target.begin()
            notes = _convert(job, target.part, report)
            report.phase("saving")
            target.publish()
    except JobError as error:
        target.discard()
        report.send(convert_job.Failed(error.code, error.facts))
        return 1
    report.send(
        convert_job.Finished(
            str(target.path), round(time.monotonic() - started, 3), convert_job.peak_rss_bytes(), notes
        )
    )
    return 0


def _convert(job: convert_job.Job, part: Path, report: ConversionReport) -> dict[str, Any]:
    """Run the job and return what the converter decided, for the event `Finished`.

    numpy is imported here, so that `as_job_errors` reports a failed import.
    """
    match job:
        case convert_job.HfToGguf():
            return hf_to_gguf(job, part, report)
        case convert_job.LoraToGguf():
            return lora_to_gguf(job, part, report)
        case convert_job.GgufToHf():
            return gguf_to_hf(job, part, report)
        case convert_job.Merge():
            from trainer.convert.lora_merge import merge_lora

            return merge_lora(job, part, report)


if __name__ == "__main__":
    main(sys.argv[1:])
