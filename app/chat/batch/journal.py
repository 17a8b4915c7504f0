"""What is answered so far, beside the file of answers: one line each, on the disk before the next question is asked.

The journal leaves when the file of answers is written whole; until then the same questions go on where they stopped,
whatever has ended the program.

It lies beside the user's files, where others can write: with a `Signer` each line has a mark of this installation
behind it, and a record without them is refused. Studies keep theirs in the data folder, without one.

The answer to one question of a file, and the form in which the journal keeps it.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from app.base.authenticity import Signer
from app.base.confidentiality import LABELS, Label, highest_label
from app.base.errors import AppError
from app.base.files import output_file, strict_json
from app.base.files.input_file import open_regular
from app.chat.presets import Choices
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding
from app.inference.reply_journal import JOURNAL_BYTES

Verdict = Literal["answered", "not_in_documents", "length", "failed"]


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """`line`: where its question stands. `error`: why it failed, in words. Seconds are of this answer alone."""

    line: int
    verdict: Verdict
    answer: str = ""
    error_code: str = ""
    error: str = ""
    model: str = ""  # id
    label: Label = "internal"  # the highest of what was asked
    seed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    load_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0
    tokens_per_s: float = 0.0
    answered_at: float = 0.0  # seconds since 1970 (UTC)
    grounding: Grounding | None = None  # None: not asked of documents

    @property
    def sources(self) -> tuple[CitedSource, ...]:
        return self.grounding.sources if self.grounding else ()

    @property
    def doubts(self) -> int:
        """How many sentences have no source that says the same."""
        return sum(not claim.is_supported for claim in self.grounding.claims) if self.grounding else 0


def answer_to_dict(result: BatchAnswer) -> dict[str, Any]:
    return dataclasses.asdict(result)


def answer_from_dict(data: dict[str, Any]) -> BatchAnswer:
    """Raises ValueError for anything that `as_dict` has not made."""
    fields = dict(data)
    kept = fields.pop("grounding", None)
    if fields.get("verdict") not in get_args(Verdict) or fields.get("label") not in LABELS:
        raise ValueError("verdict or label")
    try:
        result = BatchAnswer(**fields, grounding=grounding_record.from_dict(kept) if kept is not None else None)
    except TypeError as error:
        raise ValueError("not a result") from error
    if not isinstance(result.line, int) or not isinstance(result.answer, str):
        raise ValueError("line or answer")
    return result


def answer_label(scope: Label, kept: Grounding | None) -> Label:
    """Of an answer: the highest of the collections that were asked and of the passages that were found."""
    return highest_label((scope, *(source.label for source in kept.sources))) if kept else scope


JOURNAL_SUFFIX = ".kotae-batch"
JOURNAL_VERSION = 1


@dataclass(frozen=True, slots=True)
class JournalHeader:
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


def journal_path(out: Path) -> Path:
    return out.with_name(out.name + JOURNAL_SUFFIX)


class BatchJournal:
    """Belongs to one process: whoever opens it holds the lock of the file of answers."""

    def __init__(
        self,
        path: Path,
        head: JournalHeader,
        found: Mapping[int, BatchAnswer],
        file: BinaryIO,
        lines: "_Lines | None" = None,
    ) -> None:
        self.path = path
        self._lines = lines or _Lines(None)
        self.head = head
        self.results = dict(found)  # by the line of the question
        self._file = file

    @classmethod
    def open(cls, out: Path, head: JournalHeader, seal: Signer | None = None) -> "BatchJournal":
        """Begins one, or goes on with the one that is there.

        Raises AppError as `check_start`, and as `whole_file`.
        """
        path = journal_path(out)
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
        journal._write({"kotae_batch": JOURNAL_VERSION, **dataclasses.asdict(head), "choices": head.choices.as_dict()})
        return journal

    def add(self, result: BatchAnswer) -> None:
        """On the disk when it returns. Raises AppError as `whole_file`."""
        self._write(answer_to_dict(result))
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


def interrupted_batch(out: Path, seal: Signer | None = None) -> tuple[JournalHeader, int] | None:
    """Of a batch that was interrupted, with how many questions are answered; None where there is none.

    Raises AppError("batch_journal_damaged" | "batch_journal_foreign").
    """
    try:
        stored = _read(journal_path(out), seal)
    except OSError:  # a drive that was pulled out
        return None
    if stored is None:
        return None
    head, results, *_ = stored
    return head, sum(result.verdict != "failed" for result in results.values())


def journal_answers(out: Path) -> dict[int, BatchAnswer]:
    """What is answered so far, by the question's line. Raises AppError: batch_journal_damaged, and as `whole_file`."""
    try:
        stored = _read(journal_path(out), None)
    except OSError as error:
        raise output_file.export_error(error, out) from error
    return stored[1] if stored is not None else {}


def journal_answer_count(out: Path) -> int:
    """How many results the journal has, a question's every one. Reads no JSON. Raises AppError as `whole_file`."""
    try:
        with open_regular(journal_path(out)) as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise output_file.export_error(error, out) from error
    return max(0, lines - 1)


def check_start(out: Path, head: JournalHeader, seal: Signer | None = None) -> None:
    """Whether `Journal.open` would begin or go on; writes nothing.

    Raises AppError("export_exists") where there are answers without a journal, "batch_journal_damaged",
    "batch_journal_foreign", those of `check`, and as `whole_file`.
    """
    try:
        _startable(out, head, seal)
    except OSError as error:
        raise output_file.export_error(error, out) from error


def check_same_batch(before: JournalHeader, head: JournalHeader, out: Path) -> None:
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


def _startable(
    out: Path, head: JournalHeader, seal: Signer | None
) -> tuple[JournalHeader, dict[int, BatchAnswer], int, _Lines] | None:
    """As `_read`, of what may be gone on with. Raises as `check_start`, and OSError."""
    stored = _read(journal_path(out), seal)
    if stored is not None:
        check_same_batch(stored[0], head, out)
    elif out.exists():
        raise AppError("export_exists", path=str(out))
    return stored


def _read(path: Path, seal: Signer | None) -> tuple[JournalHeader, dict[int, BatchAnswer], int, _Lines] | None:
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
        head = _header_from_dict(first)
        found = [answer_from_dict(line) for line in rest]
    except AppError as error:
        raise AppError(error.code, path=str(path)) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise AppError("batch_journal_damaged", path=str(path)) from error
    return head, {result.line: result for result in found}, size, within


def _header_from_dict(data: dict[str, Any]) -> JournalHeader:
    fields = dict(data)
    if fields.pop("kotae_batch") != JOURNAL_VERSION:
        raise ValueError("version")
    scope = grounding_record.references(fields.pop("scope"))
    choices = Choices.from_dict(fields.pop("choices"))
    return JournalHeader(**fields, scope=scope, choices=choices)
