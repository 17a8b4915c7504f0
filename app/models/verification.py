"""Verify that a model is unchanged (its structure, and the hash of every byte), and record the last result.

The results are one small JSON file.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import write_atomically
from app.inference import gguf
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import local_models

Report = Callable[[int, int], None]  # bytes done and in total; an exception from it ends the verification

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of verifying a model.

    `state`: sound; first (structure sound, no hash known before: now it is); changed (modified since it was added);
    damaged; missing. `model`: the model with the hashes known now, to be stored. `problem`: what is wrong; None if
    nothing is.
    """

    model: LocalModel
    state: str
    problem: AppError | None = None

    @property
    def is_good(self) -> bool:
        return self.problem is None


def verify_model(model: LocalModel, report: Report = lambda _done, _total: None) -> VerifyResult:
    """Read all files of a model and compare them. Nothing is written; the caller stores the result."""
    try:
        header = gguf.check_model(Path(model.path))
    except AppError as error:
        is_gone = error.code in ("file_missing", "split_part_missing")
        return VerifyResult(model, "missing" if is_gone else "damaged", error)
    try:
        fingerprints = _fingerprints([Path(model.path), *header.parts], header.file_bytes, report)
    except OSError as error:
        reason = error.strerror or str(error)
        return VerifyResult(model, "missing", AppError("file_unreadable", path=model.path, reason=reason))
    before = {fingerprint.name: fingerprint for fingerprint in model.files}
    expected = {path: _expected(model, path, before.get(path.name)) for path in fingerprints}
    found = (_difference(path, expected[path], before.get(path.name), now) for path, now in fingerprints.items())
    problems = [problem for problem in found if problem]
    if problems:
        worst = next((problem for problem in problems if problem.code == "model_file_damaged"), problems[0])
        return VerifyResult(model, "damaged" if worst.code == "model_file_damaged" else "changed", worst)
    is_known = all(expected.values())
    kept = dataclasses.replace(model, files=tuple(fingerprints.values()))
    return VerifyResult(kept, "sound" if is_known else "first")


def _expected(model: LocalModel, path: Path, before: FileFingerprint | None) -> str:
    return (before.sha256 if before else "") or local_models.promised_sha256(model, path)


def _difference(path: Path, expected: str, before: FileFingerprint | None, now: FileFingerprint) -> AppError | None:
    """Return the problem with a file; None if there is none.

    "changed" if its time or size differs from when it was added, "damaged" if only the hash differs.
    """
    is_touched = before is not None and (before.size_bytes, before.modified_ns) != (now.size_bytes, now.modified_ns)
    if expected == now.sha256 or (not expected and not is_touched):
        return None
    return AppError("model_file_changed" if is_touched else "model_file_damaged", path=str(path))


def _fingerprints(paths: list[Path], total: int, report: Report) -> dict[Path, FileFingerprint]:
    done, fingerprints = 0, {}
    for path in paths:
        fingerprints[path], done = _fingerprint_of(path, report, done, total)
    return fingerprints


def _fingerprint_of(path: Path, report: Report, done: int, total: int) -> tuple[FileFingerprint, int]:
    """Return a file's fingerprint, and the bytes done including it. Raises OSError."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            report(min(done, total), total)
    status = path.stat()
    return FileFingerprint(path.name, status.st_size, status.st_mtime_ns, digest.hexdigest()), done


VERIFIED_FILE = "verified.json"

_STATES = ("sound", "first", "changed", "damaged", "missing")


@dataclass(frozen=True, slots=True)
class LastVerified:
    """`state` as in `VerifyResult`; `at`: seconds since 1970."""

    state: str
    at: float
    problem: AppError | None = None


def load_verifications(path: Path) -> dict[str, LastVerified]:
    """Return the recorded results by model id; what cannot be read counts as never verified."""
    try:
        data = strict_json.load_file(path)
    except (OSError, ValueError):
        return {}
    entries = data.items() if isinstance(data, dict) else ()
    return {key: found for key, entry in entries if (found := _read_entry(entry)) is not None}


def record_verifications(path: Path, verdicts: Sequence[VerifyResult], at: float) -> dict[str, LastVerified]:
    """Add results to the file and return all. If the file cannot be written, the result is still returned."""
    known = load_verifications(path) | {
        verdict.model.id: LastVerified(verdict.state, at, verdict.problem) for verdict in verdicts
    }
    data = {key: _entry_json(entry) for key, entry in known.items()}
    try:
        write_atomically(path, json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
    except OSError:
        return known
    return known


def _read_entry(entry: Any) -> LastVerified | None:
    if not isinstance(entry, dict):
        return None
    state, at, code, facts = (entry.get(name) for name in ("state", "at", "code", "facts"))
    if state not in _STATES or not isinstance(at, int | float):
        return None
    problem = AppError(code, **facts) if isinstance(code, str) and isinstance(facts, dict) else None
    return LastVerified(state, at, problem)


def _entry_json(entry: LastVerified) -> dict[str, Any]:
    written: dict[str, Any] = {"state": entry.state, "at": entry.at}
    if entry.problem is not None:
        facts = {
            key: value if isinstance(value, int | float) else str(value) for key, value in entry.problem.facts.items()
        }
        written |= {"code": entry.problem.code, "facts": facts}
    return written
