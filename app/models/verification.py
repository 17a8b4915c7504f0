"""Verify that a model is undamaged, by its structure and the hash of every byte, and record the last result.

The results are stored in one small JSON file.
"""

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import CopyProgress, ReportBytes, hash_file, write_atomically
from app.inference import gguf
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import local_models

VerifyState = Literal["sound", "first", "changed", "damaged", "missing"]


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Holds the result of verifying a model.

    `state`: sound; first (the structure is sound, and its hash is computed for the first time); changed (modified since
    it was added); damaged; missing. `model`: the model with its hashes, to be stored. `problem`: None if sound or
    first.
    """

    model: LocalModel
    state: VerifyState
    problem: AppError | None = None

    @property
    def is_good(self) -> bool:
        return self.problem is None


def verify_model(model: LocalModel, report: ReportBytes = lambda _done, _total: None) -> VerifyResult:
    """Read all files of a model and compare their hashes. Nothing is written; the caller stores the result.

    `report` gets the bytes done and the total; an exception from it ends the verification.
    """
    try:
        header = gguf.check_model(Path(model.path))
    except AppError as error:
        is_gone = error.code in ("file_missing", "split_part_missing")
        return VerifyResult(model, "missing" if is_gone else "damaged", error)
    try:
        meter = CopyProgress(report, header.file_bytes)
        fingerprints = {path: _fingerprint_of(path, meter) for path in (Path(model.path), *header.parts)}
    except OSError as error:
        reason = error.strerror or str(error)
        return VerifyResult(model, "missing", AppError("file_unreadable", path=model.path, reason=reason))
    before = {fingerprint.name: fingerprint for fingerprint in model.files}
    problems: list[AppError] = []
    is_known = True
    for path, now in fingerprints.items():
        was = before.get(path.name)
        expected = (was.sha256 if was else "") or local_models.promised_sha256(model, path)
        is_known = is_known and expected != ""
        problem = _difference(path, expected, was, now)
        problems += [problem] if problem else []
    if problems:
        worst = next((problem for problem in problems if problem.code == "model_file_damaged"), problems[0])
        return VerifyResult(model, "damaged" if worst.code == "model_file_damaged" else "changed", worst)
    kept = dataclasses.replace(model, files=tuple(fingerprints.values()))
    return VerifyResult(kept, "sound" if is_known else "first")


def _difference(path: Path, expected: str, before: FileFingerprint | None, now: FileFingerprint) -> AppError | None:
    """Return the problem with a file; None if there is none.

    The code is model_file_changed if size or time differ from `before`, model_file_damaged if only the hash differs.
    """
    is_touched = before is not None and (before.size_bytes, before.modified_ns) != (now.size_bytes, now.modified_ns)
    if expected == now.sha256 or (not expected and not is_touched):
        return None
    return AppError("model_file_changed" if is_touched else "model_file_damaged", path=str(path))


def _fingerprint_of(path: Path, meter: CopyProgress) -> FileFingerprint:
    """Return a file's fingerprint, whose bytes are read from the drive. Raises OSError."""
    sha256, status = hash_file(path, meter), path.stat()
    return FileFingerprint(path.name, status.st_size, status.st_mtime_ns, sha256)


VERIFIED_FILE = "verified.json"


@dataclass(frozen=True, slots=True)
class LastVerified:
    """Holds a result as the file records it. `state` as in `VerifyResult`; `at`: seconds since 1970."""

    state: VerifyState
    at: float
    code: str | None = None  # code of the problem; None: no problem
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> AppError | None:
        return AppError(self.code, **self.facts) if self.code else None


def load_verifications(path: Path) -> dict[str, LastVerified]:
    """Return the recorded results by model id; unreadable entries are left out."""
    known: dict[str, LastVerified] = {}
    try:
        data = strict_json.load_file(path)
    except (OSError, ValueError):
        return known
    for key, entry in data.items() if isinstance(data, dict) else ():
        with contextlib.suppress(ValueError):
            known[key] = json_lines.convert(entry, LastVerified)
    return known


def record_verifications(path: Path, verdicts: Sequence[VerifyResult], at: float) -> dict[str, LastVerified]:
    """Add results to the file; return all by model id, even if it cannot be written. `at`: seconds since 1970."""
    known = load_verifications(path)
    for verdict in verdicts:
        problem = verdict.problem
        code, facts = (problem.code, problem.facts) if problem else (None, {})
        known[verdict.model.id] = LastVerified(verdict.state, at, code, facts)
    data = json.dumps({key: dataclasses.asdict(entry) for key, entry in known.items()}, ensure_ascii=False, default=str)
    with contextlib.suppress(OSError):
        write_atomically(path, data.encode("utf-8", "replace"))
    return known
