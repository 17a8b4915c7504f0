"""The Python that the training environment is made from: the running one's base, an installed one, one of our own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import programs
from app.models.package_locks import Python

PROBE_LIMIT_S = 20.0

_PROBE = """\
import ctypes, json, ssl, sys, sysconfig, zlib
is_usual = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
if not is_usual or sys.maxsize < 2**32:
    sys.exit("no wheel of a lock is for this one")
print(json.dumps([sys.executable, list(sys.version_info[:3])]))
"""


@dataclass(frozen=True, slots=True)
class BasePython:
    path: Path
    version: tuple[int, int, int]


def find(versions: Sequence[Python], own: Sequence[Path] = ()) -> BasePython | None:
    """Of one of these versions. `own`: programs of our own, for a machine that has none."""
    return first(candidates(versions), versions) or first([[str(path)] for path in own], versions)


def first(commands: Iterable[list[str]], versions: Sequence[Python]) -> BasePython | None:
    """Return the first that starts and is of one of these versions. Starts them in turn."""
    for command in commands:
        python = probe(command)
        if python is not None and python.version[:2] in versions:
            return python
    return None


def candidates(versions: Sequence[Python]) -> list[list[str]]:
    """Commands that start a Python of this machine, best first."""
    names = [f"{major}.{minor}" for major, minor in versions]
    found = []
    if not getattr(sys, "frozen", False):
        found.append([getattr(sys, "_base_executable", sys.executable)])
    launcher = programs.find_program("py") if os.name == "nt" else None
    if launcher:
        found += [[launcher, f"-{name}"] for name in names]
    installed = [programs.find_program(name) for name in (*(f"python{name}" for name in names), "python3", "python")]
    return found + [[program] for program in installed if program]


def probe(command: list[str]) -> BasePython | None:
    """None: it does not start (the Microsoft Store's stand-in, a broken link), or is none that libraries are built for.

    Those are for CPython of 64 bits with its lock on threads.
    """
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        run = subprocess.run(
            [*command, "-I", "-X", "utf8", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_LIMIT_S,
            check=True,
            creationflags=hidden,
        )
        path, version = json.loads(run.stdout.decode("utf-8"))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    major, minor, micro = version
    return BasePython(Path(path), (major, minor, micro))
