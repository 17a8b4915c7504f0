"""Jobs of `kotae --quantize JOB.json`: weights into a smaller type, and what a text says of which weights matter.

One job a process. Its events, its exit and what the end of its standard input does are those of the conversion
(`trainer.convert_job`), so that one client follows both: `notes` of `finished` say what is written at each job here.

Jobs of `kotae --score JOB.json`: one model, with or without an adapter, on the held-out examples of a training run
or on the reference answers of a question set.

One job a process; its events, its exit and what the end of its standard input does are those of the conversion
(`trainer.convert_job`), so that one client follows both. Progress is in tokens. The result is at `target`:
`app.inference.scoring_files.Scores` as JSON. `notes` of `finished`: tokens, rows, seconds_reading, seconds_writing.

The frame of a child that does one job and ends with it: the job from a file, events as JSON lines.

What a job writes has the name of `part_path` until it is whole and on the disk. When standard input ends, nobody wants
the result any more: it is deleted, whatever is being computed, and the process ends.
"""

import contextlib
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import sync_folder
from app.base.isolation import sandbox
from app.base.settings import Settings
from app.inference import gguf
from app.inference.prompts import ScoredText, Segment
from trainer import convert_job
from trainer.convert_job import EXIT_PARENT_GONE, EXIT_UNREADABLE_JOB, Failed, Finished, Phase, part_path
from trainer.wire import EventWriter, claim_stdout


@dataclass(frozen=True, slots=True)
class Quantize:
    """`notes`: size_bytes, tensors, fallback_tensors (whose rows do not fit the form's type and got another)."""

    source: str
    target: str
    quantization: str  # a name of `app.inference.quantizations.QUANTIZATIONS`
    imatrix: str = ""  # what `Imatrix` has written
    metadata: dict[str, str] = field(default_factory=dict)  # texts that the new file says of itself
    threads: int = 0  # 0: llama.cpp decides; quantizing does not spin, so it takes every core
    requantize: bool = False  # also from weights that are quantized already

    def sources(self) -> tuple[str, ...]:
        return (self.source, self.imatrix)


@dataclass(frozen=True, slots=True)
class Imatrix:
    """`notes`: tokens, tensors."""

    model: str
    text: str  # a file in UTF-8
    target: str
    threads: int = 0  # 0: as many as answers get

    def sources(self) -> tuple[str, ...]:
        return (self.model, self.text)


QuantizeJob = Quantize | Imatrix
_QUANTIZE_JOBS: dict[str, Any] = {kind.__name__: kind for kind in (Quantize, Imatrix)}


def write_quantize_job(job: QuantizeJob, path: Path) -> None:
    path.write_bytes(json_lines.encode_line(job))


def read_quantize_job(path: Path) -> QuantizeJob:
    """Raises OSError, and ValueError for anything that is not a job of these kinds."""
    data = strict_json.load_file(path)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    job: QuantizeJob = json_lines.decode_message(data, _QUANTIZE_JOBS)
    return job


@dataclass(frozen=True, slots=True)
class ChatToScore:
    """A prompt as the program would give it, and the ids that it was trained with.

    `limit`: tokens of its answer; fewer where the model's context ends before.
    """

    segments: tuple[Segment, ...]
    ids: tuple[int, ...]
    limit: int = 128


@dataclass(frozen=True, slots=True)
class Score:
    """`reference`: what f16 thought at each place; written with `makes_reference`, otherwise compared with."""

    model: str
    holdout: str  # see `app.inference.scoring_files`; "": `texts` are measured
    target: str
    adapter: str = ""  # GGUF
    reference: str = ""  # "": neither
    makes_reference: bool = False
    chats: tuple[ChatToScore, ...] = ()  # the hold-out's, in its order; their ids are compared
    answers: bool = False  # each chat is answered, too
    measures: bool = True  # False: nothing but the answers
    speed_tokens: int = 0  # of an answer to the first chat, written to see how fast it writes, where none is wanted
    stop: tuple[str, ...] = ()  # texts that end an answer besides the model's own end
    texts: tuple[ScoredText, ...] = ()
    strength: float = 1.0  # of the adapter
    context_tokens: int = Settings().context_tokens  # with which it will answer: what its memory is told for

    def sources(self) -> tuple[str, ...]:
        return (self.model, self.holdout, self.adapter, self.reference)


_SCORE_JOBS: dict[str, Any] = {"Score": Score}


def write_score_job(job: Score, path: Path) -> None:
    path.write_bytes(json_lines.encode_line(job))


def read_score_job(path: Path) -> Score:
    """Raises OSError, and ValueError for anything that is not a job of this kind."""
    data = strict_json.load_file(path)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    job: Score = json_lines.decode_message(data, _SCORE_JOBS)
    if bool(job.holdout) == bool(job.texts):
        raise ValueError("either a hold-out or texts")
    return job


Send = Callable[[convert_job.Event], None]
Notes = dict[str, Any]


class TargetedJob(Protocol):
    @property
    def target(self) -> str: ...

    def sources(self) -> tuple[str, ...]:
        """Return the files that it reads."""


AnyJob = TypeVar("AnyJob", bound=TargetedJob)
Work = Callable[[AnyJob, Path, Send], Notes]  # writes the job's result to the path; gives the notes of `finished`


def run_job(
    arguments: list[str],
    read: Callable[[Path], AnyJob],
    work: Work[AnyJob],
    others: Callable[[AnyJob], list[str]] = lambda _job: [],
) -> NoReturn:
    """`arguments`: the file with the job. The process ends with the job. `others`: what it writes beside its target."""
    writer = claim_stdout()
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    try:
        job = read(Path(arguments[0]))
    except (OSError, ValueError, IndexError) as error:
        print(f"unreadable job: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        os._exit(EXIT_UNREADABLE_JOB)
    parts = [part_path(target) for target in (job.target, *others(job))]
    _confine(job, parts)
    _delete(parts)
    threading.Thread(target=_watch, args=(parts,), name="watch", daemon=True).start()
    code = 1
    try:
        code = _run(job, parts[0], work, writer)
    except BrokenPipeError:
        code = EXIT_PARENT_GONE
    except BaseException:  # noqa: BLE001  printed, and the process ends
        traceback.print_exc()
    if code:
        _delete(parts)
    sys.stderr.flush()
    os._exit(code)  # without waiting for the watch, which hangs in a read


def _confine(job: TargetedJob, parts: list[Path]) -> None:
    """Leave this process what the job reads and the folders that it writes into: its weights may be a stranger's."""
    sources = [path for name in job.sources() if name for path in gguf.parts_of(Path(name))]
    sandbox.confine([*(part.parent for part in parts), *sandbox.graphics_paths()], reads=sources)


def _watch(parts: list[Path]) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    _delete(parts)
    os._exit(EXIT_PARENT_GONE)


def _delete(parts: list[Path]) -> None:
    for part in parts:
        with contextlib.suppress(OSError):  # Windows: still open; whoever comes next deletes it
            part.unlink(missing_ok=True)


def _run(job: AnyJob, part: Path, work: Work[AnyJob], writer: EventWriter) -> int:
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
    send(Finished(job.target, round(time.perf_counter() - began, 3), peak_resident_bytes(), notes))
    return 0


def peak_resident_bytes() -> int:
    """The most memory that this process has held, mapped files included."""
    if sys.platform.startswith("linux"):  # getrusage would count what the parent held before this program was started
        status = Path("/proc/self/status").read_text("ascii", "replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def put_in_place(part: Path, target: Path) -> None:
    """Raises AppError("build_unwritable" | "drive_space")."""
    try:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise target_write_error(target, error.strerror or str(error), 0) from error


def target_write_error(target: Path, reason: str, need_bytes: int) -> AppError:
    """llama.cpp does not tell a full disk from others."""
    free_bytes = shutil.disk_usage(target.parent).free if target.parent.is_dir() else sys.maxsize
    if free_bytes < max(need_bytes, 1 << 20):
        return AppError("drive_space", path=str(target.parent), need_bytes=need_bytes, free_bytes=free_bytes)
    return AppError("build_unwritable", path=str(target), reason=reason)
