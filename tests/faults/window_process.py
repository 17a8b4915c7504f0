"""The parent's side of `scripted_window`: start it, hear its facts, tell it what to do, end it or kill it."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import pytest

from app.base.paths import Paths
from app.chat.store import Store
from app.inference.local_model import LocalModel
from tests import forked_program
from tests import model_files as models
from tests.forked_program import Program

ROOT = Path(__file__).resolve().parents[2]
MARK = "KOTAE_TEST_MARK"  # in the environment of everything a window starts, so that orphans can be found
LIMIT_S = 120  # of a command, on a busy machine
SCRIPT = [sys.executable, "-m", "tests.faults.scripted_window"]

Fact = dict[str, Any]


def environment(**changes: str | None) -> dict[str, str]:
    """This process's, without a screen and with the fake engine; None removes a variable."""
    values: dict[str, str | None] = dict(os.environ)
    values |= {"QT_QPA_PLATFORM": "offscreen", "KOTAE_ENGINE": "echo", "KOTAE_DATA_DIR": None} | changes
    return {name: value for name, value in values.items() if value is not None}


def kotae(
    *arguments: str,
    data: Path | None = None,
    before: Sequence[str] = (),
    cwd: Path = ROOT,
    umask: int = -1,
    **changes: str | None,
) -> "subprocess.CompletedProcess[str]":
    """The unchanged program, until it ends; without arguments a window. `changes`: of the environment."""
    command = [*before, sys.executable, "-m", "app", *(["--data-dir", str(data)] if data else []), *arguments]
    return forked_program.run(command, env=environment(**changes), cwd=cwd, umask=umask, timeout=LIMIT_S)


class WindowProcess:
    """`with WindowProcess(folder) as window:` waits until it takes input; leaving the block closes it.

    `before` stands in front of the command (strace, unshare, setpriv).
    """

    def __init__(
        self,
        data: Path | str,
        *,
        talk: int | None = None,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        cwd: Path = ROOT,
        limit_s: float = 60.0,
    ) -> None:
        self.mark = uuid.uuid4().hex
        self.limit_s = limit_s
        self.facts: list[Fact] = []
        self._is_over = False
        self._changed = threading.Condition()
        talking = ["--talk", str(talk)] if talk is not None else []
        self.process = Program(
            [*before, *SCRIPT, *talking, "--data-dir", str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**(env or environment()), MARK: self.mark},
            cwd=cwd,
        )
        self._stderr: list[bytes] = []
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "WindowProcess":
        try:
            self.wait_for("ready")
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self.process.poll() is None:
                self.close()
        finally:
            self.end()

    # ------------------------------------------------------------------------ talk

    def tell(self, command: str, *words: Any) -> int:
        """Sends a command. Gives the number of facts heard so far, for `wait_for(since=…)`."""
        assert self.process.stdin is not None
        heard = len(self.facts)
        self.process.stdin.write(json.dumps([command, *words]).encode("ascii") + b"\n")
        self.process.stdin.flush()
        return heard

    def wait_for(self, name: str, since: int = 0, **values: Any) -> Fact:
        """The first fact of this name with these values. Raises AssertionError when the window ends without it."""
        found: list[Fact] = []

        def is_there() -> bool:
            found[:] = [f for f in self.facts[since:] if f["fact"] == name and values.items() <= f.items()][:1]
            return bool(found) or self._is_over or bool(self.named("script_broke"))

        with self._changed:
            self._changed.wait_for(is_there, self.limit_s)
        assert found, f"no fact {name} {values}; exit {self.process.poll()}; {self.facts[-5:]}; {self.stderr()}"
        return found[0]

    def ask(self, text: str) -> Fact:
        """Asks and waits for the end of the answer."""
        return self.wait_for("finished", self.tell("ask", text))

    def named(self, name: str) -> list[Fact]:
        return [fact for fact in self.facts if fact["fact"] == name]

    def stderr(self) -> str:
        """Without what Qt says where there is no screen."""
        lines = b"".join(self._stderr).decode("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("This plugin does not support"))

    # ------------------------------------------------------------------------- end

    def close(self) -> None:
        """As a person closes it; the exit status must be 0."""
        self.tell("close")
        assert self.wait() == 0, self.stderr()

    def wait(self) -> int:
        status = self.process.wait(self.limit_s)
        for thread in self._threads:
            thread.join(self.limit_s)
        return status

    def kill(self) -> float:
        """SIGKILL. Gives the moment just before it (monotonic seconds)."""
        moment = time.monotonic()
        self.process.kill()
        self.wait()
        return moment

    def end(self) -> None:
        """Nothing of it is left afterwards, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
        for orphan in self.orphans():
            orphan.kill()
        self.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:  # the last command was never read
                    continue

    def orphans(self) -> list[psutil.Process]:
        """Children of this window that are alive, also those that init has adopted."""
        return [p for p in psutil.process_iter() if p.pid != self.process.pid and _has_mark(p, self.mark)]

    # --------------------------------------------------------------------- private

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                with self._changed:
                    self.facts.append(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._stderr.extend(self.process.stderr)


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_until(is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    """Whether it came to be so within the limit."""
    deadline = time.monotonic() + limit_s
    pause = threading.Event()
    while not is_so():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.02)
    return True


@contextmanager
def screen(size: str = "1280x800") -> Iterator[str]:
    """An X server of our own that listens on no port: its DISPLAY."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL)
    os.close(theirs)
    try:
        with os.fdopen(ours) as numbers:
            yield ":" + numbers.readline().strip()
    finally:
        server.terminate()
        server.wait(20)


def add_tiny_model(where: Paths, folder: Path) -> LocalModel:
    """The tiny model in the list of a data folder, said to be trained for 32,768 tokens as the fake engine is."""
    path = folder / "tiny.gguf"
    if not path.exists():
        models.tiny_llama(path, metadata={"llama.context_length": 32768})
    model = LocalModel(
        "tiny", "小さなモデル", str(path), path.stat().st_size, "llama", "F32", 32768, 1.0, form_id="llama3"
    )
    store = Store.open(where.database, where.backups)
    store.put_local_model(model)
    store.close()
    return model
