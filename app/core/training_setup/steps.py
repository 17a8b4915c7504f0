"""The steps, each a child process with its log: venv, libraries, converter, check."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from app.core import training_environment
from app.core.errors import AppError
from app.core.training_environment import CONVERTER, TrainingEnvironment
from app.core.training_setup import base_python, converter, folders, need, place
from app.core.training_setup.folders import Folders
from app.core.training_setup.messages import Event, Host, Job, Phase
from app.core.training_setup.pip_output import PipOutput

Report = Callable[[Event], None]

_OFFLINE = Path(__file__).resolve().parents[3] / "trainer" / "offline.py"

# With the same guard as every process of ours: a wheel may name an address for what it needs, and pip would go there
# even with --no-index.
_PIP_OFFLINE = """\
import importlib.util, runpy, sys
spec = importlib.util.spec_from_file_location("offline", sys.argv.pop(1))
offline = importlib.util.module_from_spec(spec)
spec.loader.exec_module(offline)
offline.enforce()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""

# How pip reaches an index, as the user has set it up for all programs; the rest (target, user) would break a venv.
_PIP_SETTINGS = (
    "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_DEFAULT_TIMEOUT", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS",
    "PIP_INDEX_URL", "PIP_NO_INDEX", "PIP_PROXY", "PIP_RETRIES", "PIP_TRUSTED_HOST",
)  # fmt: skip


def make(job: Job, report: Report) -> Path:
    """All of it; gives the folder that it is below. Raises AppError; what was there before is as it was then."""
    data = Path(job.data)
    chosen = Path(job.base) if job.base else folders.proposed(data)
    wheels = Path(job.wheels) if job.wheels else None
    place.require_usable(chosen)
    place.require_free(chosen, data)
    where = Folders(place.known_as(chosen, data))
    with folders.held(where):
        report(Phase("prepare"))
        folders.note_attempt(data, where.base)
        base = base_python.find()
        earlier = Folders(training_environment.base_folder(data))
        source, version = converter.find((where.final, where.old, earlier.final))
        needed = need.estimate(where.base, wheels)
        folders.begin(where)
        need.require_room(where, needed)
        report(Phase("venv"))
        _make_venv(base.path, where, Path(job.logs))
        _install(job, where, wheels, report)
        report(Phase("check"))
        try:
            converter.copy(source, version, where.half)
            training_environment.check(_environment(where.half))
            folders.write_stamp(where.half)
        except OSError as error:
            raise folders.unwritable(error, where.half) from error
        folders.take_place(where)
    return where.base


def _environment(folder: Path) -> TrainingEnvironment:
    return TrainingEnvironment(training_environment.python_in(folder), folder / CONVERTER)


def _make_venv(base: Path, where: Folders, logs: Path) -> None:
    log = logs / "training-venv.log"
    argv = [str(base), "-I", "-X", "utf8", "-m", "venv", str(where.half)]
    last = ""

    def note(line: str) -> None:
        nonlocal last
        last = line.strip() or last

    if _run(argv, _environment_variables(where), log, note) != 0:
        output = PipOutput(folders.requirements(), where.base)
        output.note(last)
        raise output.failure(log, where.base)


def _install(job: Job, where: Folders, wheels: Path | None, report: Report) -> None:
    output = PipOutput(folders.requirements(), wheels)
    shown = Phase("fetch")
    report(shown)

    def note(line: str) -> None:
        nonlocal shown
        known = len(output.hosts)
        output.note(line)
        for host in output.hosts[known:]:
            report(Host(host))
        now = Phase("install" if output.is_unpacking else "fetch", "" if output.is_unpacking else output.package)
        if now != shown:
            shown = now
            report(now)

    log = Path(job.logs) / "training-pip.log"
    variables = _environment_variables(where)
    if wheels is not None:
        variables = {key: value for key, value in variables.items() if not key.startswith("PIP_")}
        variables["PIP_CONFIG_FILE"] = os.devnull
    elif job.proxy:
        variables["PIP_PROXY"] = job.proxy
    if _run(pip_command(where, wheels), variables, log, note) != 0:
        raise output.failure(log, where.base)


def pip_command(where: Folders, wheels: Path | None) -> list[str]:
    """Wheels only: nothing is compiled, and no package's own program is run while it is installed."""
    python = [str(training_environment.python_in(where.half)), "-I", "-X", "utf8"]
    install = ["install", "--requirement", str(folders.requirements()), "--only-binary", ":all:", "--no-input",
               "--disable-pip-version-check", "--progress-bar", "off", "--no-warn-script-location"]  # fmt: skip
    if wheels is not None:
        source = ["--no-index", "--no-cache-dir", "--retries", "0", "--find-links", str(wheels)]
        return [*python, "-c", _PIP_OFFLINE, str(_OFFLINE), *install, *source]
    return [*python, "-m", "pip", *install, "--cache-dir", str(where.cache)]


def _environment_variables(where: Folders) -> dict[str, str]:
    """Nothing of our own Python's; a bundle's libraries are not for other programs."""
    kept = {key: value for key, value in os.environ.items() if _is_kept(key)}
    if getattr(sys, "frozen", False):
        original = kept.pop("LD_LIBRARY_PATH_ORIG", "")  # as PyInstaller's start has found it
        kept.pop("LD_LIBRARY_PATH", None)
        if original:
            kept["LD_LIBRARY_PATH"] = original
    temporary = str(where.temporary)
    return kept | {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}


def _is_kept(key: str) -> bool:
    return not key.startswith(("PYTHON", "PIP_")) or key in _PIP_SETTINGS


def _run(argv: list[str], variables: dict[str, str], log: Path, note: Callable[[str], None]) -> int:
    """To its end. What it says goes to `log` and, line by line, to `note`. Raises AppError where it cannot start."""
    try:
        with log.open("wb") as sink:
            return _follow(argv, variables, sink, note)
    except OSError as error:
        raise AppError("training_setup_failed", reason=error.strerror or str(error), log=str(log)) from error


def _follow(argv: list[str], variables: dict[str, str], sink: BinaryIO, note: Callable[[str], None]) -> int:
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,  # a question nobody sees must fail, not wait
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=variables,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            sink.write(line)
            sink.flush()
            note(line.decode("utf-8", "replace").rstrip())
    return child.wait()
