"""Programs of this machine, found where the system keeps them and never in the folder that somebody stands in.

Windows looks for a bare name in the current folder first, and a PATH may name relative folders. What lies there may
have come with a memory stick or a download.

The command lines of our own child processes: the same program in another role, frozen or not.
"""

import os
import shutil
import sys
from pathlib import Path

# Set by tests/benchmarks/start.py: the window prints when it takes input, and closes.
REPORT_START_VARIABLE = "KOTAE_REPORT_START"


def own_program() -> list[str]:
    """What starts this program again. A frozen bundle is its own interpreter.

    -P: the folder that the user stands in is not searched for code; a folder named `app` there would replace ours.
    """
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", "app"]


def prepare_child_environment() -> None:
    """For all children of this process: where our code is, and UTF-8 whatever the locale says."""
    if getattr(sys, "frozen", False):
        _drop_bundle_variables()
        return
    root = str(Path(__file__).resolve().parents[2])
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *others])
    os.environ.setdefault("PYTHONUTF8", "1")


def _drop_bundle_variables() -> None:
    """What a bundle's start has set for its own libraries: other programs (browser, file manager, a Python) would
    load ours instead of theirs. This process has read it; a child of ours sets it anew."""
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", "")
    os.environ.pop("LD_LIBRARY_PATH", None)
    if original:
        os.environ["LD_LIBRARY_PATH"] = original
    for name in ("QT_PLUGIN_PATH", "QML2_IMPORT_PATH"):  # Qt knows them from its wheel
        os.environ.pop(name, None)


def downloader_command() -> list[str]:
    """The only child that may use the network; started when the user asks for a download."""
    return [*own_program(), "--download"]


def remote_engine_command(address: str) -> list[str]:
    """Asks a model of another machine. It may use the network for that one address (`app.inference.local_model`)."""
    return [*own_program(), "--remote-engine", address]


def remote_check_command(address: str) -> list[str]:
    """Says which models the server there has, and ends."""
    return [*remote_engine_command(address), "--check"]


def reader_command(database: Path) -> list[str]:
    """The child that opens foreign documents; it writes into that database (`app.documents.library`)."""
    return [*own_program(), "--read-documents", str(database)]


def training_setup_command() -> list[str]:
    """Told its job by a line; it fetches packages where the job says so, and has no network after that."""
    return [*own_program(), "--make-training-environment"]


def find_program(name: str) -> str | None:
    """Return the whole path of a program in one of PATH's absolute folders; None: it is not installed."""
    file = f"{name}.exe" if os.name == "nt" else name
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    return next((found for folder in folders if folder.is_absolute() and (found := shutil.which(folder / file))), None)
