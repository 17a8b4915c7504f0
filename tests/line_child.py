"""A child process of the program that tests speak to line by line, as its parent does."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psutil

from app.base import json_lines
from tests.forked_program import ROOT, Program


class LineChild:
    """`with LineChild(command, log) as child:` … Its standard error is in `log`."""

    def __init__(self, command: Sequence[str], log: Path, **environment: str) -> None:
        self.log = log
        self._command, self._environment = command, environment
        self._file = log.open("ab")
        self.start()

    def start(self) -> None:
        self.process = Program(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._file,
            cwd=ROOT,
            env=os.environ | self._environment,
        )

    def stop(self) -> None:
        """Close its input, as a parent that ends does, and wait for its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def processor_s(self) -> float:
        """Seconds of processor time so far, of which work beside it takes nothing."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._file.close()

    def send(self, command: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json_lines.encode_line(command))
        self.process.stdin.flush()
