"""The child that makes the environment, or a kit: a job in, events out. With its parent ends all that it started."""

import contextlib
import json
import os
import signal
import sys
import threading
from typing import NoReturn

import psutil

from app.base.errors import AppError
from app.training.environment import kit_steps, steps
from app.training.environment.messages import Done, Event, Failed, event_to_json, job_from_json
from app.training.environment.steps import Fetch


def main(fetch: Fetch) -> NoReturn:
    """One line of standard input is the job; the end of it stops the work at any point."""
    if os.name == "posix" and os.getpgid(0) != os.getpid():
        os.setsid()  # a group of its own, so that all of it can be ended at once
    job = job_from_json(json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        made = kit_steps.write(job, _tell, fetch) if job.kit else steps.make(job, _tell, fetch)
    except AppError as error:
        _tell(Failed(error.code, error.facts))
    else:
        _tell(Done(str(made)))
    os._exit(0)  # the thread sits in a read, which the end of Python would wait for


def _tell(event: Event) -> None:
    line = json.dumps(event_to_json(event)) + "\n"
    with contextlib.suppress(BrokenPipeError):  # the parent is gone; the thread ends all this
        sys.stdout.buffer.write(line.encode("ascii"))
        sys.stdout.buffer.flush()


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    os._exit(1)
