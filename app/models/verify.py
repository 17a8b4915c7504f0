"""Whether a model is still what it was: its structure, and the hash of every byte."""

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.inference import gguf
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import local_models

Report = Callable[[int, int], None]  # bytes done, of how many; what it raises ends the work

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """`state`: sound; first (sound in structure, and nothing was known to compare with: now it is); changed (by
    somebody, since it was added); damaged; missing.

    `model` is what to keep in the list, with the hashes that are known now. `problem`: what is wrong, None for nothing.
    """

    model: LocalModel
    state: str
    problem: AppError | None = None

    @property
    def is_good(self) -> bool:
        return self.problem is None


def verify(model: LocalModel, report: Report = lambda _done, _total: None) -> Verdict:
    """Reads all of the model's files. Nothing is written; to keep what was learned is the caller's."""
    try:
        header = gguf.check_model(Path(model.path))
    except AppError as error:
        is_gone = error.code in ("file_missing", "split_part_missing")
        return Verdict(model, "missing" if is_gone else "damaged", error)
    try:
        marks = _marks([Path(model.path), *header.parts], header.file_bytes, report)
    except OSError as error:
        reason = error.strerror or str(error)
        return Verdict(model, "missing", AppError("file_unreadable", path=model.path, reason=reason))
    before = {mark.name: mark for mark in model.files}
    expected = {path: _expected(model, path, before.get(path.name)) for path in marks}
    found = (_difference(path, expected[path], before.get(path.name), now) for path, now in marks.items())
    problems = [problem for problem in found if problem]
    if problems:
        worst = next((problem for problem in problems if problem.code == "model_file_damaged"), problems[0])
        return Verdict(model, "damaged" if worst.code == "model_file_damaged" else "changed", worst)
    is_known = all(expected.values())
    kept = dataclasses.replace(model, files=tuple(marks.values()))
    return Verdict(kept, "sound" if is_known else "first")


def _expected(model: LocalModel, path: Path, before: FileFingerprint | None) -> str:
    return (before.sha256 if before else "") or local_models.promised_sha256(model, path)


def _difference(path: Path, expected: str, before: FileFingerprint | None, now: FileFingerprint) -> AppError | None:
    """A file that was written to since it was added has another time or size; one that decayed has not."""
    is_touched = before is not None and (before.size_bytes, before.modified_ns) != (now.size_bytes, now.modified_ns)
    if expected == now.sha256 or (not expected and not is_touched):
        return None
    return AppError("model_file_changed" if is_touched else "model_file_damaged", path=str(path))


def _marks(paths: list[Path], total: int, report: Report) -> dict[Path, FileFingerprint]:
    done, marks = 0, {}
    for path in paths:
        marks[path], done = _mark_of(path, report, done, total)
    return marks


def _mark_of(path: Path, report: Report, done: int, total: int) -> tuple[FileFingerprint, int]:
    """Also gives how many bytes are done with it. Raises OSError."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            report(min(done, total), total)
    status = path.stat()
    return FileFingerprint(path.name, status.st_size, status.st_mtime_ns, digest.hexdigest()), done
