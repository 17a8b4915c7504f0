"""`<trainer python> -m trainer.convert JOB.json`: one conversion. Jobs and events: `trainer.convert_job`."""

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from trainer import offline
from trainer.convert.failure import JobError, LogTail, explained
from trainer.convert.report import Report, peak_rss_bytes
from trainer.convert.target import Target
from trainer.convert_job import (
    EXIT_PARENT_GONE,
    EXIT_UNREADABLE_JOB,
    PROTOCOL,
    Failed,
    Finished,
    GgufToHf,
    HfToGguf,
    Job,
    LoraToGguf,
    Merge,
    Started,
    job_from_json,
)
from trainer.wire import claim_stdout


def main(arguments: list[str]) -> NoReturn:
    """Ends the process itself: torch's threads need not be waited for."""
    report = Report(claim_stdout())
    offline.enforce()
    try:
        (path,) = arguments
        job = job_from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        print(f"convert: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        _exit(EXIT_UNREADABLE_JOB)
    target = Target(job.target)
    threading.Thread(target=_end_with_parent, args=(target,), name="parent", daemon=True).start()
    try:
        _exit(_run(job, target, report))
    except BrokenPipeError:
        target.discard()
        _exit(EXIT_PARENT_GONE)


def _run(job: Job, target: Target, report: Report) -> int:
    started = time.monotonic()
    report.send(Started(PROTOCOL, os.getpid()))
    tail = LogTail()
    logging.basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(sys.stderr), tail])
    try:
        with explained(target.path, tail):
            target.begin()
            notes = _convert(job, target.part, report)
            report.phase("saving")
            target.publish()
    except JobError as error:
        target.discard()
        report.send(Failed(error.code, error.facts))
        return 1
    report.send(Finished(str(target.path), round(time.monotonic() - started, 3), peak_rss_bytes(), notes))
    return 0


def _convert(job: Job, part: Path, report: Report) -> dict[str, Any]:
    """Imports what the job needs: merging needs no torch."""
    match job:
        case HfToGguf():
            from trainer.convert.jobs import hf_to_gguf

            return hf_to_gguf(job, part, report)
        case LoraToGguf():
            from trainer.convert.jobs import lora_to_gguf

            return lora_to_gguf(job, part, report)
        case Merge():
            from trainer.convert.merge import merge

            return merge(job, part, report)
        case GgufToHf():
            from trainer.convert.gguf_folder import gguf_to_hf

            return gguf_to_hf(job, part, report)


def _end_with_parent(target: Target) -> None:
    """os.read, not sys.stdin: a thread inside a buffered reader would stop the interpreter from ending."""
    while os.read(0, 1 << 16):
        pass
    target.discard()
    os._exit(EXIT_PARENT_GONE)  # no flush: the main thread may hold the streams, and nobody reads them


def _exit(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):  # both are the log
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
