"""Run the shipped uv, which makes venvs and installs wheels from files, and copy the shipped converter of llama.cpp.

In a bundle, uv lies next to the libraries (`_internal/uv.xz`; on macOS and Windows unpacked), otherwise in the package
`uv`. It never downloads packages. The converter must match the engine's version, so it is never downloaded either.
"""

import lzma
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.base.addresses import host_of
from app.base.errors import AppError
from app.base.files import file_permissions
from app.base.files.output_file import write_atomically
from app.base.paths import resources
from app.models import training_environment
from app.models.training_environment import CONVERTER, DEVELOPMENT_FOLDER, VERSION_FILE
from app.training.environment.folders import EnvironmentFolders

_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|os error (28|112|122)\b")
_REASON_MAX = 300  # characters of uv's message to show
# Prefixes of environment variables that change what uv does.
_DROPPED = ("PYTHON", "PIP_", "UV_", "CONDA_", "VIRTUAL_ENV")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")

_MIRROR = "UV_PYTHON_INSTALL_MIRROR"  # uv's setting for a company's own mirror of the Pythons
PYTHON_HOSTS = ("releases.astral.sh", "github.com")  # uv's default sources


def find_uv(where: EnvironmentFolders) -> Path:
    """Return the path of uv, after unpacking the packed one of a bundle into `where.part_folder`.

    Raises AppError("uv_not_shipped"), OSError.
    """
    name = "uv.exe" if os.name == "nt" else "uv"
    if getattr(sys, "frozen", False):
        found = Path(str(getattr(sys, "_MEIPASS", ""))) / name
        packed = found.with_name(f"{name}.xz")
        if packed.is_file():
            found = where.part_folder / name
            try:
                write_atomically(found, lzma.decompress(packed.read_bytes()))
            except lzma.LZMAError as error:
                raise AppError("uv_not_shipped", path=str(packed)) from error
            found.chmod(0o700)
    else:
        import uv

        try:
            found = Path(uv.find_uv_bin())
        except FileNotFoundError as error:
            raise AppError("uv_not_shipped", path=str(Path(sys.prefix) / name)) from error
    if not found.is_file():
        raise AppError("uv_not_shipped", path=str(found))
    return found


def make_venv(python: Path, where: EnvironmentFolders, logs: Path) -> None:
    """Make a venv in `where.half` from the Python program `python`. Raises AppError."""
    argv = ["venv", "--python", str(python), "--no-project", str(where.half)]
    _run_uv(argv, where, logs / "training-venv.log", _variables(where))


def install_wheels(lock: Path, where: EnvironmentFolders, logs: Path) -> None:
    """Install the packages of `lock` from `where.wheels`; uv checks their hashes again. Raises AppError."""
    python = training_environment.python_in(where.half)
    argv = ["pip", "install", "--python", str(python), "--requirements", str(lock), "--require-hashes", "--no-deps",
            "--only-binary", ":all:", "--no-index", "--find-links", str(where.wheels)]  # fmt: skip
    _run_uv(argv, where, logs / "training-install.log", _variables(where))


def python_hosts() -> tuple[str, ...]:
    """Return the names of the hosts that `fetch_python` connects to."""
    mirror = host_of(os.environ.get(_MIRROR, ""))
    return (mirror,) if mirror else PYTHON_HOSTS


def fetch_python(version: str, where: EnvironmentFolders, logs: Path, proxy: str) -> None:
    """Download a Python of python-build-standalone into `where.pythons`; only here does uv use the network.

    uv has the hashes of these files. `version`: such as "3.12". `proxy`: a URL; "" for the system's settings. Raises
    AppError.
    """
    argv = ["python", "install", version, "--install-dir", str(where.pythons), "--no-bin", "--no-registry"]
    system = {key: value for key, value in os.environ.items() if key.upper() in (*_PROXIES, "NO_PROXY", _MIRROR)}
    variables = _variables(where) | system | ({"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy} if proxy else {})
    for name in ("UV_OFFLINE", "UV_PYTHON_DOWNLOADS"):
        variables.pop(name)
    try:
        _run_uv(argv, where, logs / "training-python.log", variables | {"UV_SYSTEM_CERTS": "1"})
    except AppError as error:
        if error.code != "training_setup_failed":
            raise
        raise AppError("python_unfetched", version=version, host=python_hosts()[-1], **error.facts) from error


def uv_failure(lines: Sequence[str], log: Path, folder: Path) -> AppError:
    """Return the error that uv's output explains. `folder`: the folder into which uv wrote."""
    text = "\n".join(lines)
    if _DISK_FULL.search(text):
        return AppError("training_disk_full", path=str(folder))
    at = next((at for at, line in enumerate(lines) if line.startswith("error:")), max(0, len(lines) - 1))
    messages = [line.strip().removeprefix("error:").removeprefix("cause:").strip() for line in lines[at:]]
    reason = ": ".join(part for part in messages if part)[:_REASON_MAX]
    return AppError("training_setup_failed", reason=reason or "uv", log=str(log))


def _run_uv(arguments: Sequence[str], where: EnvironmentFolders, log: Path, variables: dict[str, str]) -> None:
    """Run uv to its end and write its output to `log`. Raises AppError if it fails."""
    options = ["--no-config", "--color", "never", "--no-progress", "--cache-dir", str(where.cache)]
    lines: list[str] = []
    try:
        with log.open("wb") as sink:
            child = subprocess.Popen(
                [str(find_uv(where)), *arguments, *options],
                stdin=subprocess.DEVNULL,  # no one could answer a prompt, so it must fail
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=where.part_folder,
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
        raise uv_failure([error.strerror or str(error)], log, where.base) from error
    if status != 0:
        raise uv_failure(lines, log, where.base)


def _variables(where: EnvironmentFolders) -> dict[str, str]:
    """Return environment variables for uv, without those of this Python, of pip's and uv's settings and of proxies.

    The variables also keep uv offline.
    """
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(_DROPPED)}
    for name in _PROXIES:
        for spelling in (name, name.lower()):
            kept.pop(spelling, None)
    temporary = str(where.temporary)
    ours = {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}
    return kept | ours | {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}


CONVERTER_SCRIPT = "convert_hf_to_gguf.py"
_ROOT = Path(__file__).resolve().parents[3]


def find_converter() -> tuple[Path, str]:
    """Return the converter's folder and its version: the shipped one, otherwise that of a development build.

    The copy in another environment is not trusted and never used. Raises AppError("converter_not_shipped").
    """
    version = training_environment.engine_version()
    shipped = resources() / CONVERTER
    for folder in (shipped, _ROOT / DEVELOPMENT_FOLDER / CONVERTER):
        if (folder / CONVERTER_SCRIPT).is_file() and (found := _converter_version(folder)) and version in (None, found):
            return folder, found
    for folder in _build_folders(version) if version else []:  # the version is part of the parent folder's name
        if (folder / CONVERTER_SCRIPT).is_file():
            return folder, str(version)
    raise AppError("converter_not_shipped", path=str(shipped), version=version or "?")


def copy_converter(source: Path, version: str, environment: Path) -> None:
    """Copy the converter's folder and its version into the environment. Raises OSError."""
    target = environment / CONVERTER
    file_permissions.copy_folder(source, target)
    (target / VERSION_FILE).write_text(f"{version}\n", encoding="utf-8")


def _converter_version(folder: Path) -> str:
    try:
        return (folder / VERSION_FILE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _build_folders(version: str) -> list[Path]:
    """Return the folders with the converter among packaging/llama_build.py's builds of this version."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    cache = (base if base.is_absolute() else Path.home() / ".cache") / "kotae"
    return sorted(cache.glob(f"build/{version}-*/{CONVERTER}"))
