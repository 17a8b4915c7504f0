"""Define the jobs of `kotae --quantize JOB.json` and `kotae --score JOB.json`, and run a child that does one of them.

A quantize job writes weights in a smaller type, or measures an importance matrix; a score job measures a model, with or
without an adapter, on the held-out examples of a training run or the reference answers of a question set. Its result at
`target` is `app.inference.scoring_files.Scores` as JSON, its progress is in tokens, and its notes are tokens, rows,
card_layers (layers on graphics cards), seconds_reading, seconds_writing.

One process runs one job. Events, exit codes and the meaning of a closed standard input are those of the conversion
(`trainer.convert_job`), so that one client handles both. Results are written to `part_path` until they are complete and
on the disk. When the parent closes standard input, the unfinished result is deleted, and the process ends at once.
"""

import contextlib
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import sync_folder
from app.base.isolation import sandbox
from app.base.settings import Settings
from app.inference import gguf
from app.inference.prompts import ScoredText, Segment
from trainer import convert_job
from trainer.convert_job import (
    EXIT_PARENT_GONE,
    EXIT_UNREADABLE_JOB,
    Failed,
    Finished,
    Phase,
    part_path,
    peak_rss_bytes,
)
from trainer.wire import EventWriter, claim_stdout, end_with_parent, exit_at_once


@dataclass(frozen=True, slots=True)
class Quantize:
    """Quantize a model.

    The `notes` of its Finished event: "size_bytes", "tensors" (their number), and "fallback_tensors" (the
    number of tensors whose rows do not fit the quantization's type and got another one).
    """

    source: str
    target: str
    quantization: str  # a name of `app.inference.quantizations.QUANTIZATIONS`
    imatrix: str = ""  # a file that an `Imatrix` job has written
    metadata: dict[str, str] = field(default_factory=dict)  # texts for the new file
    threads: int = 0  # 0: llama.cpp decides; quantizing does not spin, so it takes every core
    requantize: bool = False  # also from weights that are quantized already

    def sources(self) -> tuple[str, ...]:
        return (self.source, self.imatrix)


@dataclass(frozen=True, slots=True)
class Imatrix:
    """Measure an importance matrix from the text in a file.

    The `notes` of its Finished event: "tokens" (number of tokens used) and "tensors" (number of tensors measured).
    """

    model: str
    text: str  # a UTF-8 file
    target: str

    def sources(self) -> tuple[str, ...]:
        return (self.model, self.text)


@dataclass(frozen=True, slots=True)
class ChatToScore:
    """Pairs a prompt as the program renders it with the token ids that training used for it.

    `limit`: the most tokens to generate; the model's context may end earlier.
    """

    segments: tuple[Segment, ...]
    ids: tuple[int, ...]
    limit: int = 128


@dataclass(frozen=True, slots=True)
class Score:
    """Score a model.

    `reference`: a file with the probabilities that the f16 model gives at each trained token. It is written if
    `makes_reference`, else read to compare with.
    """

    model: str
    holdout: str  # see `app.inference.scoring_files`; "": measure `texts`
    target: str
    adapter: str = ""  # GGUF
    reference: str = ""  # "": neither write nor compare
    makes_reference: bool = False
    chats: tuple[ChatToScore, ...] = ()  # the hold-out's chats in its order; their token ids are compared
    answers: bool = False  # also answer each chat
    measures: bool = True  # False: only answer
    speed_tokens: int = 0  # tokens of an answer that is written alone, only to measure the speed
    stop: tuple[str, ...] = ()  # stop strings besides the model's own end
    texts: tuple[ScoredText, ...] = ()
    lines: tuple[int, ...] = ()  # the only lines of the hold-out to measure; (): all
    strength: float = 1.0  # strength of the adapter
    packs: tuple[str, ...] = ()  # these and `cpu_reason` as in `messages.Load`
    cpu_reason: str = "no_backend"
    context_tokens: int = Settings().context_tokens  # context length for which the memory need is reported

    def sources(self) -> tuple[str, ...]:
        return (self.model, self.holdout, self.adapter, self.reference, *self.packs)


Job = Quantize | Imatrix | Score
Send = Callable[[convert_job.Event], None]
Notes = dict[str, Any]
Work = Callable[[Any, Path, Send], Notes]  # writes a job's result to the path; returns the notes of `finished`


def write_job(job: Job, path: Path) -> None:
    path.write_bytes(json_lines.encode_line(job))


def read_job(path: Path, *kinds: type[Job]) -> Job:
    """Read a job of one of these kinds. Raises OSError, and ValueError for anything else."""
    job = json_lines.decode(strict_json.read_bytes(path), {kind.__name__: kind for kind in kinds})
    if isinstance(job, Score) and bool(job.holdout) == bool(job.texts):
        raise ValueError("either a hold-out or texts")
    return job


def run_job(
    arguments: list[str], kinds: Sequence[type[Job]], work: Work, others: Callable[[Any], list[str]] = lambda _job: []
) -> NoReturn:
    """Run the job in the file `arguments[0]`, then end the process. `others`: files written besides the target."""
    writer = claim_stdout()
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    try:
        job = read_job(Path(arguments[0]), *kinds)
    except (OSError, ValueError, IndexError) as error:
        print(f"unreadable job: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        os._exit(EXIT_UNREADABLE_JOB)
    parts = [part_path(target) for target in (job.target, *others(job))]
    _confine(job, parts)
    _delete(parts)
    end_with_parent(lambda: _delete(parts), EXIT_PARENT_GONE)
    code = 1
    try:
        code = _run(job, parts[0], work, writer)
    except BrokenPipeError:
        code = EXIT_PARENT_GONE
    except BaseException:  # noqa: BLE001  printed, and the process ends
        traceback.print_exc()
    if code:
        _delete(parts)
    exit_at_once(code)


def _confine(job: Job, parts: list[Path]) -> None:
    """Restrict this process to the files that the job reads and the folders it writes, since weights are untrusted."""
    sources = [path for name in job.sources() if name for path in gguf.parts_of(Path(name))]
    sandbox.confine([*(part.parent for part in parts), *sandbox.graphics_paths()], reads=sources)


def _delete(parts: list[Path]) -> None:
    for part in parts:
        with contextlib.suppress(OSError):  # on Windows it may be open; the next job deletes it
            part.unlink(missing_ok=True)


def _run(job: Job, part: Path, work: Work, writer: EventWriter) -> int:
    def send(event: convert_job.Event) -> None:
        writer.send(convert_job.event_to_json(event))

    began = time.perf_counter()
    send(convert_job.Started(convert_job.PROTOCOL, os.getpid()))
    try:
        notes = work(job, part, send)
        send(Phase("saving"))
        put_in_place(part, Path(job.target))
    except AppError as error:
        send(Failed(error.code, error.facts))
        return 1
    except MemoryError:
        send(Failed("out_of_memory"))
        return 1
    send(Finished(job.target, round(time.perf_counter() - began, 3), peak_rss_bytes(), notes))
    return 0


def put_in_place(part: Path, target: Path) -> None:
    """Sync the part and move it to the target. Raises AppError: build_unwritable, drive_space."""
    try:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise target_write_error(target, error.strerror or str(error), 0) from error


def target_write_error(target: Path, reason: str, need_bytes: int) -> AppError:
    """Return the error for a failed write; llama.cpp does not distinguish a full disk from other errors."""
    free_bytes = shutil.disk_usage(target.parent).free if target.parent.is_dir() else sys.maxsize
    if free_bytes < max(need_bytes, 1 << 20):
        return AppError("drive_space", path=str(target.parent), need_bytes=need_bytes, free_bytes=free_bytes)
    return AppError("build_unwritable", path=str(target), reason=reason)
