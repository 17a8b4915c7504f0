"""The file or folder that a job makes: complete under its own name, or not there at all."""

import contextlib
import shutil
from pathlib import Path

from trainer import disk
from trainer.convert.failure import JobError
from trainer.convert_job import part_path


class Target:
    """Written as `part`, beside where it will be. What an earlier, killed process left under that name goes first."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.part = part_path(path)

    def begin(self) -> None:
        if not self.path.parent.is_dir():
            raise JobError("source_missing", path=str(self.path.parent))
        self.discard()

    def publish(self) -> None:
        """Everything on the disk, then the name: after a power cut there is the whole result or none."""
        files = [path for path in self.part.rglob("*") if path.is_file()] if self.part.is_dir() else [self.part]
        for file in files:
            disk.flush(file)
        if self.part.is_dir():
            disk.flush(self.part)
        self.part.replace(self.path)
        disk.flush(self.path.parent)

    def discard(self) -> None:
        if self.part.is_dir():
            shutil.rmtree(self.part, ignore_errors=True)
            return
        with contextlib.suppress(OSError):  # Windows: still open in this process; the program deletes it afterwards
            self.part.unlink()
