"""Find the training environment: a separate Python with torch, and llama.cpp's converter beside it.

It takes gigabytes that most users never need, so the program does not include it. Fine-tuning and conversion run in it
as child processes. This process imports nothing of it, and the program's own packages are not visible in it.
"""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import authenticity, settings
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import read_regular
from app.base.files.output_file import create_atomically
from app.base.paths import Paths
from trainer import start

VARIABLE = "KOTAE_TRAINER_PYTHON"
FOLDER = "training-environment"  # below `base_folder`; made by app/training/environment
OLD_FOLDER = f"{FOLDER}.old"  # the previous environment, while a new one is being made
DEVELOPMENT_FOLDER = ".venv-train"  # beside the sources; made by packaging/dev.py
CONVERTER = "llama.cpp"  # below the environment's folder
STAMP = "kotae-environment.json"  # in the environment's folder, once its installation is complete
KEY_FILE = "training-environment.key"  # in the data folder
_KEY_BYTES = 1 << 10
VERSION_FILE = "VERSION"  # in the converter's folder: the version of llama-cpp-python whose source contains it
PROBE_LIMIT_S = 120.0  # long enough to load torch from a slow disk for the first time
PRODUCT_LIMIT = 0.2  # allowed relative error of a 4-bit matrix product; measured 0.09, while a wrong result has 1

MISSING = ("no_training_environment", "training_environment_elsewhere")  # error codes: install an environment

_ROOT = Path(__file__).resolve().parents[2]
_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "safetensors", "gguf")


@dataclass(frozen=True, slots=True)
class TrainingEnvironment:
    """Locates an environment to run `trainer` in. `python`: with unresolved links, which a venv needs."""

    python: Path
    converter: Path | None  # the folder with convert_hf_to_gguf.py; None: missing

    def command(self, module: str, *arguments: str) -> list[str]:
        """Return the command that runs a module of `trainer` like `python -m`: `command("trainer.convert", file)`."""
        return start.command(str(self.python), module, *arguments)


@dataclass(frozen=True, slots=True)
class TrainingDevice:
    """Describes a graphics card that torch can use."""

    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class EnvironmentProbe:
    """Holds the facts that an environment reports about itself."""

    python: str
    versions: dict[str, str]  # library -> version
    cuda: str | None  # CUDA version that torch was built for; None: CPU only
    devices: tuple[TrainingDevice, ...]
    converter: str  # version of the converter
    least_capability: tuple[int, int] = (0, 0)  # smallest compute capability that this torch supports


def base_folder(data: Path) -> Path:
    """Return the folder that contains the environment: the one in the settings, else the data folder."""
    chosen = settings.load(Paths(data).settings).training_folder
    return Path(chosen) if chosen else data


def key(data: Path) -> str:
    """Return the key in the stamp of every environment made on this machine for this data folder. Raises OSError."""
    try:
        own = _own_key(data)
    except FileNotFoundError:
        create_atomically(data / KEY_FILE, secrets.token_hex(16).encode("ascii"))
        own = _own_key(data)
    return authenticity.sign_for_this_machine(FOLDER, own)


def is_ours(folder: Path, data: Path) -> bool:
    """Return whether an environment was made on this machine for this data folder.

    A data folder with programs in it may come from another person, and a path may later lead to another drive: Kotae
    runs an environment only with a stamp that this machine has signed.
    """
    try:
        stamp = strict_json.load_file(folder / STAMP)
        return isinstance(stamp, dict) and authenticity.is_signed_by_this_machine(
            stamp.get("key"), FOLDER, _own_key(data)
        )
    except (OSError, ValueError):
        return False


def _own_key(data: Path) -> bytes:
    """Return the secret of a data folder, from which the key in its environments' stamps is made. Raises OSError."""
    return read_regular(data / KEY_FILE, _KEY_BYTES)


def locate(data: Path) -> TrainingEnvironment:
    """Return the training environment without starting anything.

    The places are searched in this order: $KOTAE_TRAINER_PYTHON, `base_folder`, `data`, the development environment.
    Raises AppError: no_training_environment, training_environment_elsewhere (the only one was made on another machine).
    """
    bases = dict.fromkeys((base_folder(data), data))
    places = [base / name for base in bases for name in (FOLDER, OLD_FOLDER)]
    folders = [folder for folder in places if is_ours(folder, data)] + [_ROOT / DEVELOPMENT_FOLDER]
    named = os.environ.get(VARIABLE)
    pythons = [Path(named).absolute()] if named else [python_in(folder) for folder in folders]
    for python in pythons:
        if python.is_file():
            return TrainingEnvironment(python, _converter([python.parent.parent, *folders]))
    foreign = [python_in(folder) for folder in places if python_in(folder).is_file()]
    if foreign and not named:
        raise AppError("training_environment_elsewhere", path=str(foreign[0].parent.parent))
    raise AppError("no_training_environment", path=str(named or python_in(places[0])))


def python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def check(environment: TrainingEnvironment) -> EnvironmentProbe:
    """Check the environment: its libraries, the converter, and matrix products with 4-bit weights on each device.

    It takes seconds, so do not call it in the window's thread.

    Raises AppError: training_environment_broken (path, reason), training_products_wrong (path, device, reason).
    """
    converter = _converter_version(environment)
    report = _ask(environment)
    missing = [name for name, version in report["versions"].items() if version is None]
    if missing:
        raise _broken(environment, f"missing: {', '.join(missing)}")
    for device, (difference, reason) in report["products"].items():
        if difference is None or not difference <= PRODUCT_LIMIT:  # NaN included
            facts = {"device": device, "reason": reason or f"{difference:.2f}"}
            raise AppError("training_products_wrong", path=str(environment.python), **facts)
    devices = tuple(TrainingDevice(*device) for device in report["devices"])
    major, minor = report["least_capability"]
    return EnvironmentProbe(report["python"], report["versions"], report["cuda"], devices, converter, (major, minor))


def _converter(folders: list[Path]) -> Path | None:
    converters = [folder / CONVERTER for folder in folders]
    return next((folder for folder in converters if (folder / "convert_hf_to_gguf.py").is_file()), None)


def _converter_version(environment: TrainingEnvironment) -> str:
    """Return the converter's version. Raises AppError if it is not the engine's, which might misread its files."""
    if environment.converter is None:
        raise _broken(environment, f"missing: {CONVERTER}")
    try:
        version = (environment.converter / VERSION_FILE).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _broken(environment, f"missing: {CONVERTER}/{VERSION_FILE}") from error
    engine = engine_version()
    if engine is not None and version != engine:
        raise _broken(environment, f"{CONVERTER} {version}, engine {engine}")
    return version


def engine_version() -> str | None:
    """Return the version of llama-cpp-python; None in a bundle without metadata, which is built with its converter."""
    import importlib.metadata  # here, because the window and commands wait for this module

    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return None


def _ask(environment: TrainingEnvironment) -> dict[str, Any]:
    argv = environment.command("trainer.doctor", *_LIBRARIES)
    try:
        run = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=PROBE_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _broken(environment, f"no answer in {PROBE_LIMIT_S:.0f} s") from error
    except OSError as error:
        raise _broken(environment, error.strerror or str(error)) from error
    lines = run.stdout.splitlines()
    if run.returncode != 0 or not lines:
        complaints = run.stderr.strip().splitlines()
        raise _broken(environment, complaints[-1] if complaints else f"exit status {run.returncode}")
    report: dict[str, Any] = json.loads(lines[-1])
    return report


def _broken(environment: TrainingEnvironment, reason: str) -> AppError:
    return AppError("training_environment_broken", path=str(environment.python), reason=reason)
