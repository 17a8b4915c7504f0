"""What tests of trainings do again and again: run folders with a journal, refusals, and data that are split."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.base.errors import AppError
from app.models import training_environment
from app.models.training_environment import VARIABLE
from app.training.data.rows import PARTS
from app.training.runs.run_journal import JOURNAL_FILE
from trainer import events
from trainer.events import Event

ROW = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'
ROOT = Path(__file__).parents[2]
TRANSCRIPTS = ROOT / "tests" / "transcripts"


def refused(call: Callable[..., object], *arguments: Any, **options: Any) -> AppError:
    """Return the error with which a call is refused."""
    with pytest.raises(AppError) as caught:
        call(*arguments, **options)
    return caught.value


def code_of(call: Callable[..., object], *arguments: Any, **options: Any) -> str:
    """Return the code of the error with which a call is refused."""
    return refused(call, *arguments, **options).code


def tell(folder: Path, *told: Event) -> None:
    """Add events to the journal of a run."""
    with (folder / JOURNAL_FILE).open("a", encoding="utf-8") as journal:
        journal.writelines(json.dumps(events.to_json(event)) + "\n" for event in told)


def replay(folder: Path, transcript: str) -> None:
    """Give a run the journal of a recorded one."""
    shutil.copyfile(TRANSCRIPTS / f"{transcript}.jsonl", folder / JOURNAL_FILE)


def write_parts(folder: Path) -> Path:
    """Write the three files of a split, of one, two and three rows, without its record."""
    folder.mkdir(parents=True, exist_ok=True)
    for count, part in enumerate(PARTS, start=1):
        (folder / f"{part}.jsonl").write_text(ROW * count, "utf-8")
    return folder


def write_split(folder: Path) -> Path:
    """Write the three files of a split and its record, as `kotae data split` leaves them."""
    write_parts(folder)
    files = {
        part: {"file": f"{part}.jsonl", "rows": count, "sha256": hashlib.sha256((ROW * count).encode()).hexdigest()}
        for count, part in enumerate(PARTS, start=1)
    }
    (folder / "split.json").write_text(json.dumps({"version": 1, "files": files}), "utf-8")
    return folder


@contextlib.contextmanager
def small_drive(folder: Path, options: str) -> Iterator[Path]:
    """Mount a drive in memory at a folder, or skip the test."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user cannot mount a drive")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def without_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's: neither an environment nor pip's settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")] + [VARIABLE, "HTTP_PROXY", "http_proxy"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")


def processes_below(folder: Path) -> list[list[str]]:
    """Return the command lines of what runs with a folder among its words."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(words)
    return found
