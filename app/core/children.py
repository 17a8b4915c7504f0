"""The command lines of our own child processes: the same program in another role, frozen or not."""

import os
import sys
from pathlib import Path

# Set by `kotae bench start`: the window prints when it takes input, and closes.
REPORT_START_VARIABLE = "KOTAE_REPORT_START"


def program() -> list[str]:
    """What starts this program again. A frozen bundle is its own interpreter.

    -P: the folder that the user stands in is not searched for code; a folder named `app` there would replace ours.
    """
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", "app"]


def prepare_environment() -> None:
    """For all children of this process: where our code is, and UTF-8 whatever the locale says."""
    root = str(Path(__file__).resolve().parents[2])
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *others])
    os.environ.setdefault("PYTHONUTF8", "1")


def engine() -> list[str]:
    """`KOTAE_ENGINE=echo` takes the fake, for tests of whole programs."""
    return [*program(), "--engine", os.environ.get("KOTAE_ENGINE", "llama")]


def template() -> list[str]:
    return [*program(), "--render-template"]


def downloader() -> list[str]:
    """The only child that may use the network; started when the user asks for a download."""
    return [*program(), "--download"]


def quantizer(job: Path) -> list[str]:
    """`job`: a file with a job of `app.engine.quantize_job`."""
    return [*program(), "--quantize", str(job)]


def scorer(job: Path) -> list[str]:
    """`job`: a file with a job of `app.engine.score_job`."""
    return [*program(), "--score", str(job)]


def reader(database: Path) -> list[str]:
    """The child that opens foreign documents; it writes into that database (`app.core.documents.library`)."""
    return [*program(), "--read-documents", str(database)]


def training_setup() -> list[str]:
    """Told its job by a line; what it starts (pip) may use the network where the job says so."""
    return [*program(), "--make-training-environment"]
