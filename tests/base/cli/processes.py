"""`kotae` as a program of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.forked_program import Program
from tests.waiting import LIMIT_S

ROOT = Path(__file__).parents[3]
Start = Callable[..., "subprocess.Popen[str]"]


@contextmanager
def programs(data: Path) -> Iterator[Start]:
    """Gives what starts `kotae ARGUMENTS` on the data folder, with further `variables`; all are ended at the end.

    `environment`: instead of this process's. Other options are Popen's.
    """
    started: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str,
        variables: Mapping[str, str],
        environment: Mapping[str, str] = os.environ,
        **options: Any,
    ) -> "subprocess.Popen[str]":
        process = Program(
            [sys.executable, "-m", "app", *arguments],
            env={**environment, "KOTAE_DATA_DIR": str(data), **variables},
            cwd=ROOT,
            encoding="utf-8",
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
        )
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.communicate()


def ended(process: "subprocess.Popen[str]", limit_s: float = LIMIT_S) -> tuple[int, dict[str, Any], str]:
    """Exit status, the object of `--json`, what stood on stderr."""
    out, log = process.communicate(timeout=limit_s)
    return process.returncode, json.loads(out) if out else {}, log
