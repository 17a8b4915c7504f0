"""Conversions that a run starts, each in a process of its own: a GGUF base as a folder, and the adapter as GGUF.

llama.cpp's converter changes the libraries that it runs with, and the trial model in float32 is memory that the
training needs; both are gone when that process ends.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trainer import convert_job, disk, start
from trainer.channel import Journal
from trainer.convert_job import Failed, GgufToHf, LoraToGguf
from trainer.events import Phase, RunError

_LOOK_INTERVAL_S = 0.5


def base_folder(gguf: Path, bases: Path, journal: Journal, *, is_maker: bool) -> Path:
    """The GGUF base as a folder, made once for a file: `bases`/<the first digits of its hash>.

    Of the processes of a distributed run only the first is its maker. Where it fails, their launcher ends the others.
    """
    if not gguf.is_file():
        raise RunError("base_missing", path=str(gguf))
    with gguf.open("rb") as file:
        folder = bases / hashlib.file_digest(file, "sha256").hexdigest()[:16]
    while not is_maker and not folder.is_dir():
        time.sleep(_LOOK_INTERVAL_S)
    if folder.is_dir():
        return folder
    with disk.writing(bases.parent):
        bases.mkdir(parents=True, exist_ok=True)
    failed = _run(GgufToHf(str(gguf), str(folder)), "converting_base", journal)
    if failed is not None and failed.code == "disk_full":
        raise RunError("disk_full", **failed.facts)
    if failed is not None and failed.code != "target_exists":  # made by another run meanwhile
        raise RunError("base_unreadable", path=str(gguf), reason=_reason(failed))
    return folder


def adapter_gguf(adapter: Path, base: Path, target: Path, converter: str, journal: Journal) -> None:
    """Raises RunError("export_failed" | "disk_full")."""
    target.unlink(missing_ok=True)
    failed = _run(LoraToGguf(str(adapter), str(base), str(target), converter), "exporting", journal)
    if failed is not None and failed.code == "disk_full":
        raise RunError("disk_full", **failed.facts)
    if failed is not None:
        raise RunError("export_failed", reason=_reason(failed))


def _run(job: convert_job.Job, phase: str, journal: Journal) -> Failed | None:
    """Run the job and send its progress as `phase`. Return how it failed, or None."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(convert_job.job_to_json(job)), encoding="utf-8")
        command = start.command(sys.executable, "trainer.convert", str(path))
        # Its input stays open as long as we live: at its end the process gives up and cleans up.
        # A session of its own: Ctrl+C in the terminal is a pause of the run, which comes after this.
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            assert process.stdout is not None
            last: convert_job.Event | None = None
            journal.send(Phase(phase))
            for line in process.stdout:
                last = convert_job.event_from_json(json.loads(line))
                if isinstance(last, convert_job.Progress):
                    journal.send(Phase(phase, last.done_bytes, last.total_bytes))
    if isinstance(last, convert_job.Finished):
        return None
    return last if isinstance(last, Failed) else Failed("converter_failed", {"reason": f"exit {process.returncode}"})


def _reason(failed: Failed) -> str:
    return f"{failed.code}: {json.dumps(failed.facts, ensure_ascii=False)}"[:300]
