"""The frame of a child that does one job and ends with it: the job from a file, events as JSON lines.

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
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from app.base.errors import AppError
from app.base.files.output_file import sync_folder
from app.base.isolation import sandbox
from app.inference import gguf
from trainer import convert_job
from trainer.convert_job import EXIT_PARENT_GONE, EXIT_UNREADABLE_JOB, Failed, Finished, Phase, part_path
from trainer.wire import EventWriter, claim_stdout

Send = Callable[[convert_job.Event], None]
Notes = dict[str, Any]


class HasTarget(Protocol):
    @property
    def target(self) -> str: ...

    def sources(self) -> tuple[str, ...]:
        """Return the files that it reads."""


AnyJob = TypeVar("AnyJob", bound=HasTarget)
Work = Callable[[AnyJob, Path, Send], Notes]  # writes the job's result to the path; gives the notes of `finished`


def run(
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


def _confine(job: HasTarget, parts: list[Path]) -> None:
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
        raise write_failure(target, error.strerror or str(error), 0) from error


def write_failure(target: Path, reason: str, need_bytes: int) -> AppError:
    """llama.cpp does not tell a full disk from others."""
    free_bytes = shutil.disk_usage(target.parent).free if target.parent.is_dir() else sys.maxsize
    if free_bytes < max(need_bytes, 1 << 20):
        return AppError("drive_space", path=str(target.parent), need_bytes=need_bytes, free_bytes=free_bytes)
    return AppError("build_unwritable", path=str(target), reason=reason)
