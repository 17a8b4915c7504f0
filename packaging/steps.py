"""Long set-up steps: one line each on the screen, the child's own output in a log file.

Standard library only, like everything in this folder: it runs before anything is installed.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

TAIL_LINES = 15
ONLINE_HINT = "次に: ネットワークを確かめて、もう一度実行してください / check the network and run this again."
LOG_HINT = "次に: 記録の error の行を確かめてください / read the lines with 'error' in the log."


class SetupError(Exception):
    """Set-up cannot go on. The text is for people: what happened, then one next step."""


class Progress:
    """One step's line: redrawn each second on a terminal, repeated every 15 s in a log."""

    def __init__(self, title: str, quiet_interval_s: float = 15.0) -> None:
        self._title = title
        self._is_terminal = sys.stdout.isatty()
        self._interval_s = 1.0 if self._is_terminal else quiet_interval_s
        self._started = self._shown = time.monotonic()
        self._show("…")

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def tick(self) -> None:
        if time.monotonic() - self._shown >= self._interval_s:
            self._shown = time.monotonic()
            self._show(f"… {self.elapsed_s:.0f} s")

    def close(self, outcome: str) -> None:
        self._show(f"{outcome} {self.elapsed_s:.1f} s")
        if self._is_terminal:
            print(flush=True)

    def _show(self, state: str) -> None:
        if self._is_terminal:
            print(f"\r{self._title}  {state}\x1b[K", end="", flush=True)
        else:
            print(f"{self._title}  {state}", flush=True)


def cache_dir() -> Path:
    """The user's cache folder for Kotae; a relative XDG_CACHE_HOME is ignored, as its specification asks."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".cache") / "kotae"


def python_in(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def digest_of(*files: Path) -> str:
    """SHA-256 of the files' contents, with a zero byte between them."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def read_stamp(path: Path) -> dict[str, Any]:
    """What a finished set-up recorded; {} if there is nothing, or a crash cut it short."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(path: Path, stamp: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    part.replace(path)


def run_step(
    title: str,
    argv: Sequence[str | Path],
    *,
    log_name: str,
    next_step: str = LOG_HINT,
    env: Mapping[str, str] | None = None,
    quiet_interval_s: float = 15.0,
) -> None:
    """Runs argv to its end under one progress line.

    `env` is added to this process's environment. Raises SetupError with `next_step` when the child fails or
    cannot be started, after printing the last lines of its log.
    """
    log = cache_dir() / "logs" / f"{log_name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(title, quiet_interval_s)
    with log.open("wb") as sink:
        try:
            code = _wait(_start(argv, sink, env), progress)
        except OSError as error:
            progress.close("✗")
            raise SetupError(f"{error}\n{next_step}") from error
    progress.close("✓" if code == 0 else "✗")
    if code != 0:
        print(_tail(log), flush=True)
        raise SetupError(f"失敗しました（終了コード {code}） / failed. 記録 / log: {log}\n{next_step}")


def _start(argv: Sequence[str | Path], sink: BinaryIO, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,  # a question nobody sees must fail, not wait
        stdout=sink,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )


def _wait(child: subprocess.Popen[bytes], progress: Progress) -> int:
    try:
        while True:
            try:
                return child.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                progress.tick()
    except BaseException:  # Ctrl-C: no build may go on behind the prompt
        child.terminate()
        child.wait()
        raise


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
