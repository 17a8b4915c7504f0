"""All trainings in one list: those that are planned, that go on, and that are over. Quick with hundreds of runs.

Of a run's journal only its ends are read, and what was read is kept as long as its files stay as they are. A draft that
a run was begun from has one entry with it, the run's.
"""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.base import authenticity, invisible_characters, search_text
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.day_record import DayRecord
from app.base.files.input_file import open_regular
from app.base.paths import Paths
from app.chat.organizer import BIN_DAYS
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import drafts
from app.training.data import split_record
from app.training.runs import journal, runs, shelf, standing
from app.training.runs.standing import Standing
from trainer import events
from trainer.events import Event, Finished, Started

OPEN = ("waiting", "running", "judging", "paused", "crashed", "exported")  # states of runs that are not over
DAMAGED = "damaged"  # of a draft: it cannot be opened, and can be removed
_VERDICTS = ("adopt", "check", "reject")
_HEAD_BYTES, _TAIL_BYTES = 1 << 13, 1 << 15
_CACHED = 1000  # runs


@dataclass(frozen=True, slots=True)
class Entry:
    """`state`: of a draft, the step (`app.training.plan`) that it goes on at, or DAMAGED; of a run, as `runs.Run` has.

    `verdict`: adopt | check | reject; "": it was not judged. `base`, `data`: what people call them. `draft`: the id of
    the one that the run was begun from.
    """

    kind: str  # draft | run
    id: str  # its folder's name
    name: str  # "": nobody has given one yet
    state: str
    when: float  # seconds since 1970: it began, or was changed last of a draft
    verdict: str = ""
    base: str = ""
    data: str = ""
    note: str = ""
    draft: str = ""
    folder: Path = Path()

    @property
    def is_open(self) -> bool:
        return self.kind == "draft" or self.state in OPEN

    @property
    def words(self) -> str:
        """All that is searched."""
        return "\n".join((self.name, self.note, self.base, self.data))


@dataclass(frozen=True, slots=True)
class Overview:
    """The newest first."""

    in_progress: tuple[Entry, ...] = ()
    history: tuple[Entry, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.in_progress + self.history

    def search(self, query: str) -> "Overview":
        """Those that have every word of the query; all of them where it has none."""
        sought = search_text.split_query(query)

        def kept(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
            return tuple(
                entry
                for entry in entries
                if all(search_text.count_occurrences(search_text.fold(entry.words), [w]) for w in sought)
            )

        return Overview(kept(self.in_progress), kept(self.history))


def read(where: Paths) -> Overview:
    """All that there are now."""
    begun = {Path(draft.run).name: draft for draft in reversed(drafts.listed(where.drafts)) if draft.run}
    found = [
        dataclasses.replace(entry, draft=begun[entry.id].id) if entry.id in begun else entry
        for entry in _runs(where.runs)
    ]
    shown = {entry.draft for entry in found}
    found += (entry for entry in _drafts(where.drafts) if entry.id not in shown)
    found.sort(key=lambda entry: (entry.when, entry.id), reverse=True)
    return Overview(
        tuple(entry for entry in found if entry.is_open),
        tuple(entry for entry in found if not entry.is_open),
    )


def has_finished(folder: Path) -> bool:
    """Whether the run in it was trained to its end; quick, however long its journal is."""
    try:
        with open_regular(folder / standing.JOURNAL) as file:
            end = _last_of(file)
    except OSError:  # it has not begun
        return False
    return isinstance(end, Finished)


# ---------------------------------------------------------------------- the bin


def remove(where: Paths, entry: Entry, models: Collection[LocalModel]) -> None:
    """Into the bin, a run with the draft that it was begun from.

    Raises AppError: run_has_model, run_busy, run_judging, run_ending, run_not_removed, draft_unwritable.
    """
    if entry.kind == "draft":
        drafts.remove(where.drafts, entry.id)
        return
    shelf.remove(runs.read(entry.folder), models)
    if entry.draft:
        with contextlib.suppress(AppError):  # then it is a draft again
            drafts.remove(where.drafts, entry.draft)


def restore(where: Paths, entry: Entry) -> None:
    """What `remove` has taken away. Raises AppError: run_unwritable, draft_unwritable, drive_space."""
    if entry.kind == "draft":
        drafts.restore(where.drafts, entry.id)
        return
    shelf.restore(where.runs, entry.id)
    if entry.draft and not (where.drafts / entry.draft).exists():
        drafts.restore(where.drafts, entry.draft)


def empty_bin(where: Paths, now: float, days: float = BIN_DAYS) -> int:
    """Deletes for good what was removed so many days ago; gives how many. To be called in the background."""
    record = DayRecord(where.data)
    gone = work_folder.empty_bin(where.runs, record, now, days)
    if gone:
        shelf.clear_bases(where.runs, where.bases)
    return len(gone) + len(work_folder.empty_bin(where.drafts, record, now, days))


# ----------------------------------------------------------------------- drafts


def _drafts(folder: Path) -> Iterator[Entry]:
    for id in drafts.ids(folder):
        try:
            draft = drafts.read(folder, id)
        except AppError:
            yield Entry("draft", id, "", DAMAGED, _time(folder / id / drafts.DRAFT), folder=folder / id)
            continue
        data = draft.data.source if draft.data else ""
        base = _base_name(draft.base)
        yield Entry("draft", id, draft.name, draft.step, draft.changed_at, base=base, data=data, folder=folder / id)


# ------------------------------------------------------------------------- runs


def _runs(folder: Path) -> Iterator[Entry]:
    """What is read of each takes a moment; whether somebody works on it is asked each time."""
    for path in runs.folders(folder):
        entry, told = _run(path, tuple(_stamp(path / name) for name in _FILES))
        yield dataclasses.replace(entry, state=runs.state_of(path, told))


_FILES = (runs.SPEC, standing.JOURNAL, runs.GATE, shelf.NOTE)


def _stamp(path: Path) -> tuple[int, int]:
    """Another one as soon as the file is another."""
    try:
        status = path.stat()
        return status.st_mtime_ns, status.st_size
    except OSError:
        return 0, -1


@functools.lru_cache(_CACHED)
def _run(folder: Path, _stamps: tuple[tuple[int, int], ...]) -> tuple[Entry, Standing]:
    told = _ends(folder / standing.JOURNAL)
    asked = base_models.read_spec(folder / runs.SPEC)
    entry = Entry(
        "run", folder.name, (asked.name if asked else "") or invisible_characters.to_single_line(folder.name), "",
        told.started_at or _time(folder / runs.SPEC), _verdict(folder / runs.GATE),
        _base_name(asked.base) if asked else "", _data_name(Path(asked.train)) if asked else "",
        shelf.note_of(folder), folder=folder,
    )  # fmt: skip
    return entry, told


def _ends(path: Path) -> Standing:
    """When it first began, its last process, and how it ended; nothing of the way."""
    try:
        with open_regular(path) as file:
            first = file.read(_HEAD_BYTES).partition(b"\n")[0]
            end = _last_of(file)
    except OSError:  # it has not begun
        return Standing()
    if not isinstance(end, events.TERMINAL):  # it goes on, or has broken off
        return _begun(path)
    began = _event(first, b"started")
    return Standing(started_at=began.time if isinstance(began, Started) else 0.0, end=end)


def _last_of(file: BinaryIO) -> Event | None:
    """The last event that begins or ends something, among the last lines. Raises OSError."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
    last = file.read().splitlines()
    return next((event for line in reversed(last) if (event := _event(line, *_LAST)) is not None), None)


def _begun(path: Path) -> Standing:
    """By which process: that stands anywhere."""
    with contextlib.suppress(OSError):
        found = [_event(line, b"started") for line in strict_json.read_bytes(path).splitlines()]
        began = [event for event in found if isinstance(event, Started)]
        if began:
            return Standing(started_at=began[0].time, pid=began[-1].pid)
    return Standing()


_LAST = (b"started", b"finished", b"paused", b"cancelled", b"failed")


def _event(line: bytes, *kinds: bytes) -> Event | None:
    """None, too, for one that is none of these kinds."""
    if not any(kind in line[:40] for kind in kinds):
        return None
    try:
        return journal.read_line(line)
    except ValueError:  # torn, or of a newer protocol
        return None


def _verdict(path: Path) -> str:
    """Nothing of one that was not measured here."""
    try:
        raw = strict_json.read_bytes(path)
        found = strict_json.loads(raw)["verdict"] if authenticity.is_registered(path.name, raw) else ""
    except (OSError, ValueError, TypeError, LookupError):
        return ""
    return found if found in _VERDICTS else ""


def _data_name(train: Path) -> str:
    source = _json(train.parent / split_record.MANIFEST).get("source")
    name = source.get("name") if isinstance(source, dict) else None
    return invisible_characters.to_single_line(str(name or train.name))


def _base_name(base: str) -> str:
    return invisible_characters.to_single_line(Path(base).name)


def _json(path: Path) -> dict[str, Any]:
    """{}: not there, or not readable."""
    try:
        found = strict_json.load_file(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
