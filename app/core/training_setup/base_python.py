"""The Python that the training environment is made from: the running one's base, else one that is installed."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import AppError

SUITABLE = ((3, 11), (3, 12), (3, 13))  # torch and the others publish wheels for these
PROBE_LIMIT_S = 20.0

_PROBE = """\
import json, sys
from importlib.util import find_spec
has_venv = all(find_spec(name) for name in ("venv", "ensurepip"))
print(json.dumps([sys.executable, list(sys.version_info[:3]), has_venv]))
"""


@dataclass(frozen=True, slots=True)
class BasePython:
    path: Path
    version: tuple[int, int, int]
    has_venv: bool  # Debian keeps venv's parts in a package of its own


def find() -> BasePython:
    """Raises AppError: no_base_python, base_python_without_venv."""
    without_venv = None
    for command in candidates():
        python = probe(command)
        if python is None or python.version[:2] not in SUITABLE:
            continue
        if python.has_venv:
            return python
        without_venv = without_venv or python
    if without_venv is not None:
        version = ".".join(str(number) for number in without_venv.version[:2])
        raise AppError("base_python_without_venv", path=str(without_venv.path), version=version)
    raise AppError("no_base_python")


def candidates() -> list[list[str]]:
    """Commands that start a Python, best first."""
    names = [f"{major}.{minor}" for major, minor in reversed(SUITABLE)]
    found = []
    if not getattr(sys, "frozen", False):
        found.append([getattr(sys, "_base_executable", sys.executable)])
    launcher = shutil.which("py") if os.name == "nt" else None
    if launcher:
        found += [[launcher, f"-{name}"] for name in names]
    programs = [shutil.which(name) for name in (*(f"python{name}" for name in names), "python3", "python")]
    return found + [[program] for program in programs if program]


def probe(command: list[str]) -> BasePython | None:
    """None: it does not start (the Microsoft Store's stand-in, a broken link), or is no Python 3."""
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
        path, version, has_venv = json.loads(run.stdout.decode("utf-8"))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    major, minor, micro = version
    return BasePython(Path(path), (major, minor, micro), has_venv)
