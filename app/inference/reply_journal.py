"""Prompts that stand for themselves (a judge's, a writer's of questions), and a journal of what was replied.

Each reply is kept under a digest of its prompt and of what answered it: the same is never asked twice, whatever has
ended the program, and what was asked otherwise is never taken for it.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import filelock

from app.base.errors import AppError
from app.base.files import output_file, strict_json

JOURNAL_BYTES = 512 << 20  # 100,000 answers of a page each


@dataclass(frozen=True, slots=True)
class StandalonePrompt:
    """`grammar`: GBNF that the reply follows; "": none. `max_tokens`: of the reply."""

    system: str
    question: str
    grammar: str = ""
    max_tokens: int = 512


@dataclass(frozen=True, slots=True)
class ModelReply:
    """`stop_reason`: end | stop | length | context; failed, with `error_code`, where this prompt could not be asked."""

    text: str
    stop_reason: str
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    error_code: str = ""


def max_object_tokens(characters: int) -> int:
    """Of an object with so many characters of text: a tokenizer that knows none of them spells each in its UTF-8 bytes,
    four at most. The rest is for its keys."""
    return 4 * characters + 40


def reply_key(prompt: StandalonePrompt, answered_by: str) -> str:
    """`answered_by`: all else that the reply depends on: the model's file, adapter, sampling."""
    told = json.dumps([dataclasses.astuple(prompt), answered_by], ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:32]


class ReplyJournal:
    """One process at a time. `replies`: by key."""

    def __init__(self, path: Path) -> None:
        """Begins one, or goes on with the one that is there; half a line, from when the power went, is dropped.

        Raises AppError("journal_busy" | "journal_damaged"), and as `whole_file`.
        """
        self.path = path
        self._lock = filelock.FileLock(f"{path}.lock", timeout=0, thread_local=False)
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
            raw = strict_json.read_bytes(path, JOURNAL_BYTES) if path.exists() else b""
            whole = raw.rfind(b"\n") + 1
            self.replies = _replies(raw[:whole])
            self._file = path.open("r+b" if path.exists() else "wb")
            self._file.truncate(whole)
            self._file.seek(whole)
        except filelock.Timeout as error:
            raise AppError("journal_busy", path=str(path)) from error
        except OSError as error:
            self.close()
            raise output_file.export_error(error, path) from error
        except ValueError as error:
            self.close()
            raise AppError("journal_damaged", path=str(path)) from error

    def add(self, key: str, reply: ModelReply) -> None:
        """On the disk when it returns. Raises AppError as `whole_file`."""
        assert self._file is not None
        place = self._file.tell()
        line = json.dumps({"key": key, **dataclasses.asdict(reply)}, ensure_ascii=False)
        try:
            self._file.write(line.encode("utf-8", "replace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self.close()
            with contextlib.suppress(OSError):
                os.truncate(self.path, place)  # half of it, on a full disk
            raise output_file.export_error(error, self.path) from error
        self.replies[key] = reply

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what is buffered fits no better now
                self._file.close()
            self._file = None
        self._lock.release()


def read(path: Path) -> dict[str, ModelReply]:
    """What a journal holds, without holding it; {} where there is none. Raises AppError("journal_damaged")."""
    try:
        raw = strict_json.read_bytes(path, JOURNAL_BYTES)
        return _replies(raw[: raw.rfind(b"\n") + 1])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AppError("journal_damaged", path=str(path)) from error


def _replies(raw: bytes) -> dict[str, ModelReply]:
    return dict(map(_read, raw.split(b"\n")[:-1]))


def _read(line: bytes) -> tuple[str, ModelReply]:
    try:
        data = strict_json.loads(line)
        return str(data.pop("key")), ModelReply(**data)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a reply") from error
