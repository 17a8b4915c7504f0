"""Keep replies to standalone prompts (of a judge, of a question writer) in a journal, so that none is sent twice.

Each reply is stored under a digest of its prompt and of the model, adapter and sampling that answered it. After any
interruption a run continues from the journal, and a reply to another prompt or of another model is never used.
"""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import output_file, strict_json

JOURNAL_BYTES = 512 << 20  # 100,000 answers of a page each
ABANDONED_S = 2.0  # for as long an abandoned run of this process may still hold the lock until its thread has ended


@dataclass(frozen=True, slots=True)
class StandalonePrompt:
    """Holds a prompt outside of any conversation.

    `grammar`: GBNF that the reply follows; "": none. `max_tokens`: the most tokens of the reply.
    """

    system: str
    question: str
    grammar: str = ""
    max_tokens: int = 512


@dataclass(frozen=True, slots=True)
class ModelReply:
    """Holds the reply to a prompt.

    `stop_reason`: end | stop | length | context, or failed with `error_code` if the prompt could not be answered.
    """

    text: str
    stop_reason: str
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    error_code: str = ""


def max_object_tokens(characters: int) -> int:
    """Return the most tokens that a JSON object with `characters` characters of text can take.

    A tokenizer without these characters encodes each in up to four bytes of UTF-8; 40 more tokens are for the keys.
    """
    return 4 * characters + 40


def reply_key(prompt: StandalonePrompt, answered_by: str) -> str:
    """Return the journal's key of a prompt. `answered_by`: a text naming the model file, adapter and sampling."""
    text = json.dumps([dataclasses.astuple(prompt), answered_by], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


class ReplyJournal:
    """Stores replies in a file that one process writes at a time. `replies`: the stored replies by key."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or begin one; an incomplete last line is dropped.

        Raises AppError: journal_busy, journal_damaged, and the codes of `output_file.export_error`.
        """
        import filelock  # only JOURNAL_BYTES is needed of this module by most

        self.path = path
        self._lock = filelock.FileLock(f"{path}.lock", timeout=ABANDONED_S, thread_local=False)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
            raw = strict_json.read_bytes(path, JOURNAL_BYTES) if path.exists() else b""
            complete_bytes = raw.rfind(b"\n") + 1
            self.replies = _read_replies(raw[:complete_bytes])
            path.touch()
            os.truncate(path, complete_bytes)
        except filelock.Timeout as error:
            raise AppError("journal_busy", path=str(path)) from error
        except OSError as error:
            self.close()
            raise output_file.export_error(error, path) from error
        except ValueError as error:
            self.close()
            raise AppError("journal_damaged", path=str(path)) from error

    def add(self, key: str, reply: ModelReply) -> None:
        """Append a reply and sync it to disk. Raises AppError as `output_file.export_error` makes it."""
        line = json.dumps({"key": key, **dataclasses.asdict(reply)}, ensure_ascii=False)
        try:
            output_file.append_line(self.path, line.encode("utf-8", "replace"))
        except OSError as error:
            raise output_file.export_error(error, self.path) from error
        self.replies[key] = reply

    def close(self) -> None:
        self._lock.release()


def read(path: Path) -> dict[str, ModelReply]:
    """Read a journal without locking it; {} if there is none. Raises AppError("journal_damaged")."""
    try:
        raw = strict_json.read_bytes(path, JOURNAL_BYTES)
        return _read_replies(raw[: raw.rfind(b"\n") + 1])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AppError("journal_damaged", path=str(path)) from error


def _read_replies(raw: bytes) -> dict[str, ModelReply]:
    replies = {}
    for data in map(json_lines.decode_object, raw.split(b"\n")[:-1]):
        if "key" not in data:
            raise ValueError("not a reply")
        key = str(data.pop("key"))
        replies[key] = json_lines.convert(data, ModelReply)
    return replies
