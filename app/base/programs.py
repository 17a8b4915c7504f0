"""Find programs of this machine, and return the command lines of Kotae's own child processes.

Programs are searched only in absolute folders of PATH. Windows searches the current folder first for a bare name, and a
PATH may name relative folders; a file there may come from a memory stick or a download. A child process is this program
in another role, frozen or not.
"""

import os
import shutil
import sys
from pathlib import Path

# tests/benchmarks/start.py sets it: the window prints a line as soon as it takes input, and closes.
REPORT_START_VARIABLE = "KOTAE_REPORT_START"


def own_program() -> list[str]:
    """Return the command that starts this program again. A frozen bundle is its own interpreter.

    -P: Python does not search the current folder for code, where a folder named `app` would replace Kotae's.
    """
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", "app"]


def prepare_child_environment() -> None:
    """Set the environment of all children of this process: the path of Kotae's code, and UTF-8 for any locale."""
    if getattr(sys, "frozen", False):
        _drop_bundle_variables()
        return
    root = str(Path(__file__).resolve().parents[2])
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *others])
    os.environ.setdefault("PYTHONUTF8", "1")


def _drop_bundle_variables() -> None:
    """Remove the variables that a bundle's start has set for its own libraries.

    Other programs (browser, file manager, a Python) would load the bundle's libraries instead of their own. This
    process has read the variables already, and a child of the bundle sets them again.
    """
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", "")
    os.environ.pop("LD_LIBRARY_PATH", None)
    if original:
        os.environ["LD_LIBRARY_PATH"] = original
    for name in ("QT_PLUGIN_PATH", "QML2_IMPORT_PATH"):  # the Qt of the wheel finds its plugins without them
        os.environ.pop(name, None)


def downloader_command() -> list[str]:
    """Return the command of the child that downloads models, which may use the network."""
    return [*own_program(), "--download"]


def remote_engine_command(address: str) -> list[str]:
    """Return the command of the child that asks a model at this address, the only one it may reach."""
    return [*own_program(), "--remote-engine", address]


def remote_check_command(address: str) -> list[str]:
    """Return the command of the child that lists the models of the server at this address."""
    return [*remote_engine_command(address), "--check"]


def reader_command(database: Path) -> list[str]:
    """Return the command of the child that opens foreign documents and writes into this database."""
    return [*own_program(), "--read-documents", str(database)]


def training_setup_command() -> list[str]:
    """Return the command of the child that makes the training environment. It reads its job from a line.

    It fetches packages where the job says so, and cannot use the network after that.
    """
    return [*own_program(), "--make-training-environment"]


def find_program(name: str) -> str | None:
    """Return the full path of a program in an absolute folder of PATH; None where it is not installed."""
    file = f"{name}.exe" if os.name == "nt" else name
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    return next((path for folder in folders if folder.is_absolute() and (path := shutil.which(folder / file))), None)
