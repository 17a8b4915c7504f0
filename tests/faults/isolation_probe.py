"""Tries to reach another process of the same user from inside a child: `python -m tests.faults.isolation_probe ROLE …`.

The process is set up as the program sets up that role (`app.__main__`, and the role's own start). ROLE: engine | reader
| workbook | job | none. The rest is what `test_isolation` says of the other process, as JSON. Prints what became of
each try.
A script, not a test.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import __main__ as program
from app.base.isolation import sandbox

_NUMBERS = {
    "x86_64": {
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "keyctl": 250,
        "socketpair": 53,
        "prlimit64": 302,
        "shmget": 29,
    },
    "aarch64": {
        "ptrace": 117,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "keyctl": 219,
        "socketpair": 199,
        "prlimit64": 261,
        "shmget": 194,
    },
}
_SOCK_DGRAM, _SOCK_RAW = 2, 3  # the kernel makes the former of the latter
_TIOCSTI = 0x5412
_PTRACE_SEIZE = 0x4206


def _call(number: int, *arguments: int) -> int:
    system = ctypes.CDLL(None, use_errno=True)
    found: int = system.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def _memory(call: str, other: dict[str, Any]) -> int:
    """Reads or writes eight bytes of the other process."""
    own = ctypes.create_string_buffer(b"stolen!!", 8)
    here = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(own), 8))
    there = ctypes.create_string_buffer(struct.pack("PN", other["buffer"], 8))
    number = _NUMBERS[os.uname().machine][call]
    return _call(number, other["pid"], ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)


def _take_socket(other: dict[str, Any]) -> None:
    taken = _call(438, _call(434, other["pid"], 0), other["socket"], 0)
    socket.socket(fileno=taken).sendall(b"stolen")


def _datagram(other: dict[str, Any], kind: int) -> None:
    """One end of a pair has an address of its own kind to send to, without `socket`."""
    pair = (ctypes.c_int * 2)()
    _call(_NUMBERS[os.uname().machine]["socketpair"], socket.AF_UNIX, kind, 0, ctypes.addressof(pair))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM, fileno=pair[0]) as one:
        one.sendto(b"stolen", other["datagrams"])


def _limit(pid: int) -> int:
    """How much it may write into a file; beyond that it dies."""
    limits = ctypes.create_string_buffer(struct.pack("QQ", 1 << 40, (1 << 64) - 1))
    return _call(_NUMBERS[os.uname().machine]["prlimit64"], pid, 1, ctypes.addressof(limits), 0)


def _type(terminal: int) -> None:
    """Into a terminal that was handed down, of a session of its own: whoever comes back to it would run that."""
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(terminal, 0x540E, 0)  # TIOCSCTTY
        try:
            fcntl.ioctl(terminal, _TIOCSTI, b"x")
        except PermissionError:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise PermissionError


def _connect(address: str | bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        client.sendall(b"stolen")


def _rename(path: Path) -> None:
    path.rename(path.with_suffix(".gone"))


def attempts(other: dict[str, Any]) -> dict[str, Callable[[], object]]:
    pid, secret, victim = other["pid"], Path(other["secret"]), Path(other["victim"])
    numbers = _NUMBERS[os.uname().machine]
    return {
        "trace it": lambda: _call(numbers["ptrace"], _PTRACE_SEIZE, pid, 0, 0),
        "read its memory": lambda: _memory("process_vm_readv", other),
        "write its memory": lambda: _memory("process_vm_writev", other),
        "take its socket": lambda: _take_socket(other),
        "open its memory as a file": lambda: Path(f"/proc/{pid}/mem").open("r+b").close(),
        "read what it was started with": lambda: Path(f"/proc/{pid}/environ").read_bytes(),
        "open its files again": Path(f"/proc/{pid}/fd/0").readlink,
        "end it": lambda: os.kill(pid, signal.SIGUSR1),
        "connect to its socket": lambda: _connect(other["path"]),
        "connect to its socket without a file": lambda: _connect(b"\0" + other["abstract"].encode()),
        "send to its socket from a pair": lambda: _datagram(other, _SOCK_DGRAM),
        "send to its socket from a raw pair": lambda: _datagram(other, _SOCK_RAW),
        "limit what it may write": lambda: _limit(pid),
        "find its shared memory": lambda: _call(numbers["shmget"], other["shared"], 0, 0),
        "open its shared memory": lambda: Path(other["memory"]).open("rb").close(),
        "read what is typed into its terminal": lambda: os.open(other["terminal"], os.O_RDONLY | os.O_NOCTTY),
        "type into its terminal": lambda: _type(other["handed_terminal"]),
        "ask for its keys": lambda: _call(numbers["keyctl"], 0, -4, 1),
        "have the kernel connect": lambda: _call(425, 4, 0),
        "read a file of the user": secret.read_text,
        "list a folder of the user": lambda: list(secret.parent.iterdir()),
        "change a file of the user": lambda: victim.write_text("stolen"),
        "show a file of the user to everybody": lambda: victim.chmod(0o666),
        "show a folder of the user to everybody": lambda: victim.parent.chmod(0o777),
        "change the date of a file": lambda: os.utime(victim, (1, 1)),
        "give away a file": lambda: os.chown(victim, os.getuid(), os.getgid()),
        "mark a file": lambda: os.setxattr(victim, "user.kotae", b"1"),
        "cut a file of the user": lambda: os.truncate(victim, 0),
        "make a file": lambda: victim.with_name("made").write_text("stolen"),
        "make a link": lambda: victim.with_name("link").symlink_to(secret),
        "remove a file": lambda: victim.unlink(),
        "rename a file": lambda: _rename(victim),
        "start a program": lambda: subprocess.run([victim.with_name("program")], check=True),
    }


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except PermissionError:
        return "refused"
    except OSError as error:
        return f"failed: {error}"
    return "done"


def main() -> None:
    role, other = sys.argv[1], json.loads(sys.argv[2])

    def tried() -> dict[str, str]:
        return {name: _outcome(attempt) for name, attempt in attempts(other).items()}

    handed_over = [Path(other["handed_over"])]

    def parsed() -> dict[str, str]:
        return {"read what was given": _outcome(handed_over[0].read_text)} | tried()

    if role == "engine":
        program._guard(["--engine"])
        sandbox.confine(sandbox.graphics_paths())
        outcomes = sandbox.run_confined(parsed, handed_over)
    elif role == "reader":
        from app.documents.reading import worker

        program._guard(["--read-documents"])
        worker._confine(Path(other["database"]), None)
        outcomes = sandbox.run_confined(parsed, handed_over)
    elif role == "workbook":
        program._guard(["--read-workbook"])
        sandbox.confine(reads=())
        outcomes = tried()
    elif role == "job":
        from app.inference.engine import model_jobs
        from app.inference.engine.model_jobs import Quantize

        program._guard(["--quantize"])
        target = Path(other["own"], "made.gguf")
        model_jobs._confine(Quantize(str(handed_over[0]), str(target), "Q4_K_M"), [target])
        outcomes = parsed()
    else:
        outcomes = tried()
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
