"""uv, which makes venvs and puts wheels into them. It is shipped, and never fetches a package: it is given files.

Where it is: beside the libraries of a bundle (`_internal/uv`, `uv.exe` on Windows), else where the package `uv` of our
own environment has it.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.base.addresses import host_of
from app.base.errors import AppError
from app.models import training_environment
from app.training.environment.folders import Folders

_FULL = re.compile(r"No space left on device|Disk quota exceeded|os error (28|112|122)\b")
_REASON_MAX = 300  # characters
# What changes what uv does, whoever has set it.
_DROPPED = ("PYTHON", "PIP_", "UV_", "CONDA_", "VIRTUAL_ENV")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")

_MIRROR = "UV_PYTHON_INSTALL_MIRROR"  # a company's own copy of the Pythons, as its users have set it for uv
PYTHON_HOSTS = ("releases.astral.sh", "github.com")  # where uv looks for them otherwise


def program() -> Path:
    """Raises AppError("uv_not_shipped")."""
    name = "uv.exe" if os.name == "nt" else "uv"
    if getattr(sys, "frozen", False):
        found = Path(str(getattr(sys, "_MEIPASS", ""))) / name
    else:
        import uv

        try:
            found = Path(uv.find_uv_bin())
        except FileNotFoundError as error:
            raise AppError("uv_not_shipped", path=str(Path(sys.prefix) / name)) from error
    if not found.is_file():
        raise AppError("uv_not_shipped", path=str(found))
    return found


def make_venv(python: Path, where: Folders, logs: Path) -> None:
    """Raises AppError."""
    argv = ["venv", "--python", str(python), "--no-project", str(where.half)]
    _run(argv, where, logs / "training-venv.log", _variables(where))


def install(lock: Path, where: Folders, logs: Path) -> None:
    """What `lock` names into the venv, out of `where.wheels`. uv compares the hashes once more. Raises AppError."""
    python = training_environment.python_in(where.half)
    argv = ["pip", "install", "--python", str(python), "--requirements", str(lock), "--require-hashes", "--no-deps",
            "--only-binary", ":all:", "--no-index", "--find-links", str(where.wheels)]  # fmt: skip
    _run(argv, where, logs / "training-install.log", _variables(where))


def python_hosts() -> tuple[str, ...]:
    """What `fetch_python` speaks to."""
    mirror = host_of(os.environ.get(_MIRROR, ""))
    return (mirror,) if mirror else PYTHON_HOSTS


def fetch_python(version: str, where: Folders, logs: Path, proxy: str) -> None:
    """python-build-standalone, from its makers, into `where.pythons`: the only time that uv has a network.

    It knows the hashes of what it fetches. Raises AppError.
    """
    argv = ["python", "install", version, "--install-dir", str(where.pythons), "--no-bin", "--no-registry"]
    system = {key: value for key, value in os.environ.items() if key.upper() in (*_PROXIES, "NO_PROXY", _MIRROR)}
    variables = _variables(where) | system | ({"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy} if proxy else {})
    for name in ("UV_OFFLINE", "UV_PYTHON_DOWNLOADS"):
        variables.pop(name)
    try:
        _run(argv, where, logs / "training-python.log", variables | {"UV_SYSTEM_CERTS": "1"})
    except AppError as error:
        if error.code != "training_setup_failed":
            raise
        raise AppError("python_unfetched", version=version, host=python_hosts()[-1], **error.facts) from error


def failure(lines: Sequence[str], log: Path, folder: Path) -> AppError:
    """Why uv has ended with a failure. `folder`: where it has written."""
    text = "\n".join(lines)
    if _FULL.search(text):
        return AppError("training_disk_full", path=str(folder))
    at = next((at for at, line in enumerate(lines) if line.startswith("error:")), max(0, len(lines) - 1))
    said = [line.strip().removeprefix("error:").removeprefix("cause:").strip() for line in lines[at:]]
    reason = ": ".join(part for part in said if part)[:_REASON_MAX]
    return AppError("training_setup_failed", reason=reason or "uv", log=str(log))


def _run(arguments: Sequence[str], where: Folders, log: Path, variables: dict[str, str]) -> None:
    """To its end; what it says goes to `log`."""
    options = ["--no-config", "--color", "never", "--no-progress", "--cache-dir", str(where.cache)]
    lines: list[str] = []
    try:
        with log.open("wb") as sink:
            child = subprocess.Popen(
                [str(program()), *arguments, *options],
                stdin=subprocess.DEVNULL,  # a question nobody sees must fail, not wait
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=where.part,
                env=variables,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            assert child.stdout is not None
            with child.stdout:
                for line in child.stdout:
                    sink.write(line)
                    sink.flush()
                    lines.append(line.decode("utf-8", "replace").rstrip())
            status = child.wait()
    except OSError as error:
        raise AppError("training_setup_failed", reason=error.strerror or str(error), log=str(log)) from error
    if status != 0:
        raise failure(lines, log, where.base)


def _variables(where: Folders) -> dict[str, str]:
    """Nothing of our own Python's, nor of what the user has set up for pip and uv elsewhere; no network."""
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(_DROPPED)}
    for name in _PROXIES:
        for spelling in (name, name.lower()):
            kept.pop(spelling, None)
    temporary = str(where.temporary)
    ours = {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}
    return kept | ours | {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
