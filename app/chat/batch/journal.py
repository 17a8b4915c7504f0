"""Write the journal of a batch: each answer is on the disk, next to the file of answers, before the next question is
asked.

The journal is deleted once the file of answers is complete. Until then a batch with the same questions resumes where
the last one stopped, even after a crash.

Other programs and users can write next to the user's files, so with a `Signer` each line ends with a signature that
only this installation can make, and a journal with other lines is refused. Studies keep their journals in the data
folder, unsigned.
"""

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.base import json_lines
from app.base.authenticity import Signer
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.files import output_file, strict_json
from app.base.files.input_file import open_regular
from app.chat import answer_check
from app.chat.presets import Choices
from app.documents.grounding import grounding_record
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding
from app.inference.reply_journal import JOURNAL_BYTES

Verdict = Literal["answered", "near", "not_in_documents", "length", "failed"]


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to the question at `line` (from 1) of a file. `error` is the message that explains a failure, else "".
    Seconds are of this answer; `total_s` also of its waiting for the answers before it."""

    line: int
    verdict: Verdict
    answer: str = ""
    error_code: str = ""
    error: str = ""
    model: str = ""  # id of the model
    label: Label = "internal"  # the highest label of the searched collections and the passages
    seed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    load_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0
    tokens_per_s: float = 0.0
    answered_at: float = 0.0  # seconds since 1970 (UTC)
    grounding: Grounding | None = None  # None: answered without documents

    @property
    def sources(self) -> tuple[CitedSource, ...]:
        return self.grounding.sources if self.grounding else ()

    @property
    def doubts(self) -> int:
        """Return how many sentences have no source that supports them."""
        return sum(not claim.is_supported for claim in self.grounding.claims) if self.grounding else 0


def answer_facts(result: BatchAnswer) -> dict[str, Any]:
    """Return the JSON form of an answer, for files and for `kotae ask --json`."""
    retrieval_s = result.grounding.retrieval_s if result.grounding else 0.0
    return {
        "answer": result.answer,
        **answer_check.check_facts(result.grounding),
        "label": result.label,
        "model": result.model,
        "seed": result.seed,
        "usage": {
            "prompt_tokens": result.prompt_tokens,
            "cached_tokens": result.cached_tokens,
            "answer_tokens": result.answer_tokens,
        },
        "timings": {
            "load_s": round(result.load_s, 4),
            "retrieval_s": round(retrieval_s, 4),
            "first_token_s": round(result.first_token_s, 4),
            "total_s": round(result.total_s, 4),
            "tokens_per_s": round(result.tokens_per_s, 2),
        },
    }


def _answer_from_dict(data: dict[str, Any]) -> BatchAnswer:
    """Return the answer that one line of the journal stores. Raises ValueError for anything else."""
    fields = dict(data)
    grounding = fields.pop("grounding", None)
    answer = json_lines.convert(fields, BatchAnswer)
    return answer if grounding is None else dataclasses.replace(answer, grounding=grounding_record.from_dict(grounding))


JOURNAL_SUFFIX = ".kotae-batch"
JOURNAL_VERSION = 1


@dataclass(frozen=True, slots=True)
class JournalHeader:
    """The questions, model, collections and settings of a batch. `path` is the questions file, for resuming later."""

    path: str
    sha256: str  # hash of the questions file
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
    """An open journal. Its process holds the lock of the file of answers, so no other process writes to the journal."""

    def __init__(
        self,
        path: Path,
        head: JournalHeader,
        answers: Mapping[int, BatchAnswer],
        line_signer: "_LineSigner",
    ) -> None:
        self.path = path
        self._line_signer = line_signer
        self.head = head
        self.results = dict(answers)  # by the line number of the question

    @classmethod
    def open(cls, out: Path, head: JournalHeader, signer: Signer | None = None) -> "BatchJournal":
        """Create a journal, or open an existing one to resume it. Raises AppError as `check_start`."""
        path, stored = journal_path(out), check_start(out, head, signer)
        with _file_errors(out):
            if stored is not None:
                before, answers, size, line_signer = stored
                os.truncate(path, size)  # a power failure can leave an incomplete line at the end
                return cls(path, dataclasses.replace(before, path=head.path), answers, line_signer)
            path.open("wb").close()
        journal = cls(path, head, {}, _LineSigner(signer))
        journal._write({"kotae_batch": JOURNAL_VERSION, **dataclasses.asdict(head), "choices": head.choices.as_dict()})
        return journal

    def add(self, result: BatchAnswer) -> None:
        """Append an answer, and wait until it is on the disk. Raises AppError of `export_error`."""
        self._write(dataclasses.asdict(result))
        self.results[result.line] = result

    def remove(self) -> None:
        """Delete the journal, once the file of answers is complete."""
        self.path.unlink(missing_ok=True)

    def _write(self, data: dict[str, Any]) -> None:
        line = self._line_signer.sign(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
        with _file_errors(self.path):
            output_file.append_line(self.path, line)


class _LineSigner:
    """Signs or verifies the lines of one journal. Each signature covers the first line too, so that a line of another
    journal is refused. Without a `Signer` nothing is signed or verified."""

    def __init__(self, signer: Signer | None) -> None:
        self._signer = signer
        self._first = b""

    def sign(self, body: bytes) -> bytes:
        if self._signer is None:
            return body
        mark = self._signer.mark(self._first, body)
        self._first = self._first or body
        return body + b"\t" + mark  # JSON has no tabs

    def verify(self, line: bytes) -> Any:
        """Return the JSON value of a signed line. Raises ValueError for invalid JSON, and
        AppError("batch_journal_foreign"), without its path, for a wrong signature."""
        if self._signer is None:
            return strict_json.loads(line)
        body, _, mark = line.rpartition(b"\t")
        if not self._signer.is_own(mark, self._first, body):
            raise AppError("batch_journal_foreign")
        self._first = self._first or body
        return strict_json.loads(body)


def interrupted_batch(out: Path, signer: Signer | None = None) -> tuple[JournalHeader, int] | None:
    """Return the header of an interrupted batch and how many of its questions are answered; None when there is no such
    batch.

    Raises AppError("batch_journal_damaged" | "batch_journal_foreign").
    """
    try:
        stored = _read(journal_path(out), signer)
    except OSError:  # for example on a removed drive
        return None
    if stored is None:
        return None
    head, results, *_ = stored
    return head, sum(result.verdict != "failed" for result in results.values())


def journal_answers(out: Path) -> dict[int, BatchAnswer]:
    """Return the answers so far of an unsigned journal, by line. Raises AppError as `check_start`."""
    with _file_errors(out):
        stored = _read(journal_path(out), None)
    return stored[1] if stored is not None else {}


def journal_answer_count(out: Path) -> int:
    """Count the answers of a journal, also repeated ones, without parsing. Raises AppError of `export_error`."""
    path = journal_path(out)
    if not path.exists():
        return 0
    with _file_errors(out), open_regular(path) as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return max(0, lines - 1)


def check_start(out: Path, head: JournalHeader, signer: Signer | None = None) -> "_StoredJournal | None":
    """Return the journal that `BatchJournal.open` would resume, or None if it would create one; write nothing.

    Raises AppError("export_exists") when there are answers without a journal, "batch_journal_damaged",
    "batch_journal_foreign", "batch_other_questions", "batch_other_model", "batch_other_scope" or "batch_other_choices"
    when the journal is of another batch, and as `export_error` returns for a file error.
    """
    with _file_errors(out):
        stored = _read(journal_path(out), signer)
        if stored is None and out.exists():
            raise AppError("export_exists", path=str(out))
    if stored is None:
        return None
    before = stored[0]
    if (before.sha256, before.column) != (head.sha256, head.column):
        raise AppError("batch_other_questions", path=str(out), before=Path(before.path).name)
    if before.model_id != head.model_id:
        raise AppError("batch_other_model", path=str(out), before=before.model_name, now=head.model_name)
    names, now = ([ref.name for ref in one.scope] for one in (before, head))
    if names != now:
        raise AppError("batch_other_scope", path=str(out), before=" / ".join(names) or "-", now=" / ".join(now) or "-")
    if (before.choices, before.context_tokens) != (head.choices, head.context_tokens):
        raise AppError("batch_other_choices", path=str(out))
    return stored


@contextmanager
def _file_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise output_file.export_error(error, out) from error


# Header, answers by line number, bytes of all complete lines, signer for further lines.
_StoredJournal = tuple[JournalHeader, dict[int, BatchAnswer], int, _LineSigner]


def _read(path: Path, signer: Signer | None) -> _StoredJournal | None:
    """Return a journal, or None when there is none or not even its first line is complete.

    Raises AppError("batch_journal_damaged" | "batch_journal_foreign") and OSError.
    """
    if not path.exists():
        return None
    raw = strict_json.read_bytes(path, JOURNAL_BYTES)
    size = raw.rfind(b"\n") + 1
    if not size:
        return None
    try:
        line_signer = _LineSigner(signer)
        first, *rest = [line_signer.verify(line) for line in raw[:size].splitlines()]
        head = _header_from_dict(first)
        answers = [_answer_from_dict(line) for line in rest]
    except AppError as error:
        raise AppError(error.code, path=str(path)) from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise AppError("batch_journal_damaged", path=str(path)) from error
    return head, {result.line: result for result in answers}, size, line_signer


def _header_from_dict(data: dict[str, Any]) -> JournalHeader:
    fields = dict(data)
    if fields.pop("kotae_batch") != JOURNAL_VERSION:
        raise ValueError("version")
    scope = grounding_record.references(fields.pop("scope"))
    choices = Choices.from_dict(fields.pop("choices"))
    return JournalHeader(**fields, scope=scope, choices=choices)
