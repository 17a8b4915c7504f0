"""What a child that has been taken over by a foreign file can do to other processes and files of the same user."""

import ctypes
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.base.isolation import network_guard, sandbox
from tests.faults.ledger import Tally
from tests.faults.window_process import ROOT, environment

LIMIT_S = 60
# Without Landlock the kernel filter alone refuses these.
BY_FILTER = {
    "trace it", "read its memory", "write its memory", "take its socket", "connect to its socket",
    "connect to its socket without a file", "send to its socket from a pair", "ask for its keys",
    "have the kernel connect", "send to its socket from a raw pair", "limit what it may write",
    "find its shared memory", "show a file of the user to everybody", "show a folder of the user to everybody",
    "change the date of a file", "give away a file", "mark a file", "type into its terminal",
}  # fmt: skip
# The kernel shows an administrator what every process was started with.
ALLOWED = {"read what was given"} | ({"read what it was started with"} if os.geteuid() == 0 else set())


@dataclass
class Other:
    """This very process, as another one of the user."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    heard: list[socket.socket] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    buffer: Any = None
    most_bytes: int = field(default_factory=lambda: resource.getrlimit(resource.RLIMIT_FSIZE)[0])

    def is_untouched(self) -> bool:
        came = [_received(one) for one in self.heard]
        files = {path.name for path in self.folder.iterdir()}
        victim = self.folder / "victim"
        is_kept = victim.exists() and victim.read_text() == "mine"
        is_kept = is_kept and self.buffer.raw == b"private!" and victim.stat().st_mtime > 1
        is_kept = is_kept and stat.S_IMODE(victim.stat().st_mode) == stat.S_IMODE(self.folder.stat().st_mode) & 0o600
        is_kept = is_kept and resource.getrlimit(resource.RLIMIT_FSIZE)[0] == self.most_bytes
        return not any(came) and is_kept and not self.signals and not files & {"made", "link", "victim.gone"}


def _received(endpoint: socket.socket) -> bytes:
    try:
        if endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            came, _ = endpoint.accept()
            with came:
                return came.recv(10)
        return endpoint.recv(10)
    except BlockingIOError:
        return b""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    if not network_guard.is_filter_supported():
        pytest.skip("this system has no such filter")
    for name in ("secret", "victim"):
        (tmp_path / name).write_text("mine")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "handed over").write_text("foreign")
    (tmp_path / "documents.sqlite").touch()
    (tmp_path / "own").mkdir()
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o700)
    buffer = ctypes.create_string_buffer(b"private!", 8)
    abstract = f"kotae-test-{os.getpid()}"
    memory = Path("/dev/shm", abstract)
    memory.write_text("mine")
    shared = ctypes.CDLL(None).shmget(os.getpid(), 4096, 0o1600)  # IPC_CREAT
    terminal, typed = os.openpty()
    os.set_inheritable(typed, True)
    signals: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: signals.append(number))
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        socket.socket(socket.AF_UNIX) as at_path,
        socket.socket(socket.AF_UNIX) as without_file,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
    ):
        accepted, _ = server.accept()
        at_path.bind(str(tmp_path / "s"))
        without_file.bind(b"\0" + abstract.encode())
        datagrams.bind(str(tmp_path / "d"))
        heard = [accepted, at_path, without_file, datagrams]
        for one in (at_path, without_file):
            one.listen()
        for one in heard:
            one.setblocking(False)
        facts = {
            "pid": os.getpid(), "buffer": ctypes.addressof(buffer), "socket": client.fileno(),
            "path": str(tmp_path / "s"), "abstract": abstract, "datagrams": str(tmp_path / "d"),
            "secret": str(tmp_path / "secret"), "victim": str(tmp_path / "victim"),
            "shared": os.getpid(), "memory": str(memory), "terminal": os.ttyname(typed), "handed_terminal": typed,
            "own": str(tmp_path / "own"),
            "handed_over": str(tmp_path / "handed over"), "database": str(tmp_path / "documents.sqlite"),
        }  # fmt: skip
        found = Other(tmp_path, facts, heard, signals, buffer)
        with accepted:
            yield found
    signal.signal(signal.SIGUSR1, before)
    memory.unlink()
    ctypes.CDLL(None).shmctl(shared, 0, None)  # IPC_RMID
    os.close(terminal)
    os.close(typed)
    resource.setrlimit(resource.RLIMIT_FSIZE, (found.most_bytes, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def outcomes(role: str, other: Other) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.isolation_probe", role, json.dumps(other.facts)],
        cwd=ROOT, env=environment(), capture_output=True, encoding="utf-8", timeout=LIMIT_S,
        pass_fds=[other.facts["handed_terminal"]],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.fault("S20")
@pytest.mark.parametrize("role", ["engine", "reader", "workbook", "job"])
def test_a_child_reaches_no_other_process_and_no_other_file(role: str, other: Other, tally: Tally) -> None:
    found = outcomes(role, other)
    done = {name for name, outcome in found.items() if outcome != "refused"} - ALLOWED
    tally.tried(len(found))
    tally.leaked(len(done))
    if sandbox.landlock_version() >= 6:
        assert done == set()
        assert other.is_untouched()
    else:
        assert not done & BY_FILTER
    assert found.get("read what was given", "done") == "done"


def test_without_it_the_same_tries_succeed(other: Other) -> None:
    found = outcomes("none", other)
    done = {name for name, outcome in found.items() if outcome == "done"}
    assert {"end it", "connect to its socket", "send to its socket from a pair", "read a file of the user"} <= done
    assert {"change a file of the user", "start a program", "make a file"} <= done
    assert {"send to its socket from a raw pair", "limit what it may write", "find its shared memory"} <= done
    assert {"open its shared memory", "read what is typed into its terminal"} <= done
    assert {"show a file of the user to everybody", "change the date of a file", "give away a file"} <= done
    assert not other.is_untouched()


def test_what_may_have_a_network_still_reaches_into_nobody(other: Other) -> None:
    """A child that fetches has sockets of its own, and takes none of others."""
    code = (
        "import json, sys; from app.base.isolation import network_guard; from tests.faults import isolation_probe as p;"
        "network_guard.install_socket_filter_for([sys.argv[1]]); tries = p.attempts(json.loads(sys.argv[2]));"
        "print([p._outcome(tries[n]) for n in ('trace it', 'read its memory', 'write its memory', 'take its socket')],"
        "network_guard.can_create_socket(2))"
    )
    for role in network_guard.FETCHING_ROLES:
        done = subprocess.run(
            [sys.executable, "-c", code, role, json.dumps(other.facts)],
            cwd=ROOT, env=environment(), capture_output=True, encoding="utf-8", timeout=LIMIT_S,
        )  # fmt: skip
        assert done.stdout.strip() == f"{['refused'] * 4} True", done.stderr
