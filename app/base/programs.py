"""Find installed programs, and return the command lines of Kotae's own child processes, which are this program.

Only absolute folders of PATH are searched: a program in the current folder may come from a USB stick or a download.
"""

import os
import sys
from pathlib import Path

NO_WINDOW = 0x0800_0000 if os.name == "nt" else 0  # subprocess.CREATE_NO_WINDOW: Windows would flash a console
# With this variable, which tests/benchmarks/start.py sets, the window prints a line when it accepts input, and closes.
REPORT_START_VARIABLE = "KOTAE_REPORT_START"


def own_program() -> list[str]:
    """Return the command of this program, a bundle or the sources. -P: a folder `app` here does not replace Kotae's."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", "app"]


def prepare_child_environment() -> None:
    """Set environment variables for this process and its children: the path of Kotae's code, UTF-8 mode, and how long
    numpy's threads run without work.

    Each runs for .1 s of processor time at every import of numpy by default (OpenBLAS).
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # the least, as a power of 2 in processor cycles
    if getattr(sys, "frozen", False):
        _drop_bundle_variables()
        return
    root = str(Path(__file__).resolve().parents[2])
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *others])
    os.environ.setdefault("PYTHONUTF8", "1")


def _drop_bundle_variables() -> None:
    """Remove the variables by which other programs (browser, Python) would load the bundle's libraries."""
    original = os.environ.pop("LD_LIBRARY_PATH_ORIG", "")
    os.environ.pop("LD_LIBRARY_PATH", None)
    if original:
        os.environ["LD_LIBRARY_PATH"] = original
    for name in ("QT_PLUGIN_PATH", "QML2_IMPORT_PATH"):  # PySide6's Qt finds its plugins without these
        os.environ.pop(name, None)


def downloader_command() -> list[str]:
    """Return the command of the child that downloads models, which may use the network."""
    return [*own_program(), "--download"]


def remote_engine_command(address: str) -> list[str]:
    """Return the command of the child that uses a model at this address. The child can reach no other address."""
    return [*own_program(), "--remote-engine", address]


def remote_check_command(address: str) -> list[str]:
    """Return the command of the child that lists the models of a server at this address."""
    return [*remote_engine_command(address), "--check"]


def reader_command(database: Path) -> list[str]:
    """Return the command of the child that reads foreign documents and writes their text into this database."""
    return [*own_program(), "--read-documents", str(database)]


def training_setup_command() -> list[str]:
    """Return the command of the child that makes the training environment; after downloads it has no network."""
    return [*own_program(), "--make-training-environment"]


def find_program(name: str) -> str | None:
    """Return the full path of a program in an absolute folder of PATH; None if it is in none. `name`: without .exe."""
    import shutil  # here, because every process imports this module and few look for a program

    file = f"{name}.exe" if os.name == "nt" else name
    folders = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    return next((path for folder in folders if folder.is_absolute() and (path := shutil.which(folder / file))), None)
