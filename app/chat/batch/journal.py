"""What is answered so far, beside the file of answers: one line each, on the disk before the next question is asked.

The journal leaves when the file of answers is written whole; until then the same questions go on where they stopped,
whatever has ended the program.

It lies beside the user's files, where others can write: with a `Signer` each line has a mark of this installation behind
it, and a record without them is refused. Studies keep theirs in the data folder, without one.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.base.authenticity import Signer
from app.base.errors import AppError
from app.base.files import output_file, strict_json
from app.base.files.input_file import open_regular
from app.chat.batch import results
from app.chat.batch.results import Result
from app.chat.presets import Choices
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CollectionRef
from app.inference.reply_journal import JOURNAL_BYTES

SUFFIX = ".kotae-batch"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Head:
    """What is asked of what with what. `path`: of the questions, for those who go on with it later."""

    path: str
    sha256: str  # of the file of questions
    column: int
    model_id: str
    model_name: str
    scope: tuple[CollectionRef, ...]
    choices: Choices
    context_tokens: int
    started_at: float


def path_of(out: Path) -> Path:
    return out.with_name(out.name + SUFFIX)


class Journal:
    """Belongs to one process: whoever opens it holds the lock of the file of answers."""

    def __init__(
        self, path: Path, head: Head, found: Mapping[int, Result], file: BinaryIO, lines: "_Lines | None" = None
    ) -> None:
        self.path = path
        self._lines = lines or _Lines(None)
        self.head = head
        self.results = dict(found)  # by the line of the question
        self._file = file

    @classmethod
    def open(cls, out: Path, head: Head, seal: Signer | None = None) -> "Journal":
        """Begins one, or goes on with the one that is there.

        Raises AppError as `check_start`, and as `whole_file`.
        """
        path = path_of(out)
        file: BinaryIO
        try:
            stored = _startable(out, head, seal)
            if stored is not None:
                before, found, size, lines = stored
                file = path.open("r+b")
                file.truncate(size)  # half a line, from when the power went
                file.seek(size)
                return cls(path, dataclasses.replace(before, path=head.path), found, file, lines)
            file = path.open("wb")
        except OSError as error:
            raise output_file.export_error(error, out) from error
        journal = cls(path, head, {}, file, _Lines(seal))
        journal._write({"kotae_batch": VERSION, **dataclasses.asdict(head), "choices": head.choices.as_dict()})
        return journal

    def add(self, result: Result) -> None:
        """On the disk when it returns. Raises AppError as `whole_file`."""
        self._write(results.as_dict(result))
        self.results[result.line] = result

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """All of it is in the file of answers."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _write(self, data: dict[str, Any]) -> None:
        place = self._file.tell()
        try:
            self._file.write(self._lines.sealed(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._take_back(place)
            raise output_file.export_error(error, self.path) from error

    def _take_back(self, place: int) -> None:
        """What is half written on a full disk: the next line must not follow it."""
        with contextlib.suppress(OSError):  # what is buffered fits no better now
            self._file.close()
        with self.path.open("r+b") as file:
            file.truncate(place)
        self._file = self.path.open("r+b")
        self._file.seek(place)


class _Lines:
    """The lines of one journal, each marked together with the first, so that none of another journal fits in."""

    def __init__(self, seal: Signer | None) -> None:
        self._seal = seal
        self._first = b""

    def sealed(self, body: bytes) -> bytes:
        if self._seal is None:
            return body + b"\n"
        mark = self._seal.mark(self._first, body)
        self._first = self._first or body
        return body + b"\t" + mark + b"\n"  # JSON has no tabs

    def opened(self, line: bytes) -> Any:
        """Raises AppError("batch_journal_foreign"), without a path, and ValueError."""
        if self._seal is None:
            return strict_json.loads(line)
        body, _, mark = line.rpartition(b"\t")
        if not self._seal.is_own(mark, self._first, body):
            raise AppError("batch_journal_foreign")
        self._first = self._first or body
        return strict_json.loads(body)


def standing_of(out: Path, seal: Signer | None = None) -> tuple[Head, int] | None:
    """Of a batch that was interrupted, with how many questions are answered; None where there is none.

    Raises AppError("batch_journal_damaged" | "batch_journal_foreign").
    """
    try:
        stored = _read(path_of(out), seal)
    except OSError:  # a drive that was pulled out
        return None
    if stored is None:
        return None
    head, results, *_ = stored
    return head, sum(result.verdict != "failed" for result in results.values())


def results_of(out: Path) -> dict[int, Result]:
    """What is answered so far, by the question's line. Raises AppError: batch_journal_damaged, and as `whole_file`."""
    try:
        stored = _read(path_of(out), None)
    except OSError as error:
        raise output_file.export_error(error, out) from error
    return stored[1] if stored is not None else {}


def count_of(out: Path) -> int:
    """How many results the journal has, a question's every one. Reads no JSON. Raises AppError as `whole_file`."""
    try:
        with open_regular(path_of(out)) as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise output_file.export_error(error, out) from error
    return max(0, lines - 1)


def check_start(out: Path, head: Head, seal: Signer | None = None) -> None:
    """Whether `Journal.open` would begin or go on; writes nothing.

    Raises AppError("export_exists") where there are answers without a journal, "batch_journal_damaged",
    "batch_journal_foreign", those of `check`, and as `whole_file`.
    """
    try:
        _startable(out, head, seal)
    except OSError as error:
        raise output_file.export_error(error, out) from error


def check(before: Head, head: Head, out: Path) -> None:
    """Raises AppError("batch_other_questions" | "batch_other_model" | "batch_other_scope" | "batch_other_choices")."""
    if (before.sha256, before.column) != (head.sha256, head.column):
        raise AppError("batch_other_questions", path=str(out), before=Path(before.path).name)
    if before.model_id != head.model_id:
        raise AppError("batch_other_model", path=str(out), before=before.model_name, now=head.model_name)
    names, now = ([ref.name for ref in one.scope] for one in (before, head))
    if names != now:
        raise AppError("batch_other_scope", path=str(out), before=" / ".join(names) or "-", now=" / ".join(now) or "-")
    if (before.choices, before.context_tokens) != (head.choices, head.context_tokens):
        raise AppError("batch_other_choices", path=str(out))


def _startable(out: Path, head: Head, seal: Signer | None) -> tuple[Head, dict[int, Result], int, _Lines] | None:
    """As `_read`, of what may be gone on with. Raises as `check_start`, and OSError."""
    stored = _read(path_of(out), seal)
    if stored is not None:
        check(stored[0], head, out)
    elif out.exists():
        raise AppError("export_exists", path=str(out))
    return stored


def _read(path: Path, seal: Signer | None) -> tuple[Head, dict[int, Result], int, _Lines] | None:
    """The head, the results, how many bytes of the file are whole lines, and what more of them are sealed with.

    None where not even the head is whole.
    """
    if not path.exists():
        return None
    raw = strict_json.read_bytes(path, JOURNAL_BYTES)
    size = raw.rfind(b"\n") + 1
    if not size:
        return None
    try:
        within = _Lines(seal)
        first, *rest = [within.opened(line) for line in raw[:size].splitlines()]
        head = _head(first)
        found = [results.from_dict(line) for line in rest]
    except AppError as error:
        raise AppError(error.code, path=str(path)) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise AppError("batch_journal_damaged", path=str(path)) from error
    return head, {result.line: result for result in found}, size, within


def _head(data: dict[str, Any]) -> Head:
    fields = dict(data)
    if fields.pop("kotae_batch") != VERSION:
        raise ValueError("version")
    scope = grounding_record.references(fields.pop("scope"))
    choices = Choices.from_dict(fields.pop("choices"))
    return Head(**fields, scope=scope, choices=choices)
