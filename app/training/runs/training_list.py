"""List all trainings (planned, in progress, finished), name, annotate and delete them, and list their splits.

Listing is fast even with hundreds of runs: only both ends of a journal are read, and the result is cached until the
files change. A run and the draft from which it was started have a single entry, that of the run. Deleted trainings lie
in the bin, from which they can be restored. The splits of drafts and runs (`app.training.data.data_split`) are listed
without checking their files; call `verify_split` before using one.
"""

import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.base import authenticity, invisible_characters, search_text
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.day_record import DayRecord
from app.base.files.input_file import open_regular
from app.base.files.output_file import drive_error, drive_errors, write_atomically
from app.base.paths import Paths
from app.chat.organizer import BIN_DAYS
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import drafts
from app.training.data import split_record
from app.training.runs import run_folders, run_journal
from app.training.runs.run_folders import TrainingRunFolder
from app.training.runs.run_journal import RunStatus
from trainer import events
from trainer.events import Event, Finished, Started

NOTE_FILE = "note.txt"  # name in the run's folder
NOTE_CHARACTERS = 4000


def read_note(folder: Path) -> str:
    """Return the run's note; "" if there is none."""
    try:
        with open_regular(folder / NOTE_FILE) as file:
            return file.read(4 * NOTE_CHARACTERS).decode("utf-8", "replace")[:NOTE_CHARACTERS]
    except OSError:
        return ""


def write_note(folder: Path, text: str) -> None:
    """Write the run's note, even during training. Raises AppError: run_note_long, run_unwritable, drive_space."""
    if len(text) > NOTE_CHARACTERS:
        raise AppError("run_note_long", letters=f"{len(text):,}", most=f"{NOTE_CHARACTERS:,}")
    with drive_errors(folder, "run_unwritable"):
        if text.strip():
            write_atomically(folder / NOTE_FILE, text.encode("utf-8", "replace"))
        else:
            (folder / NOTE_FILE).unlink(missing_ok=True)


def rename_run(run: TrainingRunFolder, name: str) -> None:
    """Change the name in the run's spec; with "" the folder's name is shown instead.

    Raises AppError: run_damaged, run_from_elsewhere, run_busy, run_judging, run_ending, run_unwritable, drive_space.
    """
    run.require_spec()
    run_folders.require_planned_here(run)
    held = run_folders.lock_run(run.folder)
    path = run.folder / run_folders.SPEC
    try:
        fields = strict_json.load_file(path)
        fields["name"] = name.strip().encode("utf-8", "replace").decode()
        content = json.dumps(fields, ensure_ascii=False, indent=1).encode()
        authenticity.write_registered(path, content)
    except OSError as error:
        raise drive_error(error, run.folder, "run_unwritable") from error
    finally:
        held.release()


# ------------------------------------------------------------------------ the bin


def move_run_to_bin(run: TrainingRunFolder, models: Collection[LocalModel]) -> None:
    """Move a run to the bin. `models`: the model list; none of its files may be in the run's folder.

    Raises AppError: run_has_model, run_busy, run_judging, run_ending, run_not_removed, run_unwritable.
    """
    require_no_model(run, models)
    # Checks that no process uses the run. Releases the lock at once: Windows cannot move a folder with an open file.
    run_folders.lock_run(run.folder).release()
    try:
        work_folder.move_to_bin(run.folder, time.time())
    except OSError as error:
        raise AppError("run_not_removed", id=run.id, reason=error.strerror or str(error)) from error


def require_no_model(run: TrainingRunFolder, models: Collection[LocalModel]) -> None:
    """Raise AppError("run_has_model") if the run's folder contains a file of the model list."""
    for model in models:
        if run.folder.resolve() in Path(model.path).resolve().parents:
            raise AppError("run_has_model", id=run.id, model=model.name, model_id=model.id)


def clear_bases(where: Paths) -> int:
    """Delete converted bases that no run needs, also none of a study, and return the freed bytes.

    Runs in the bin do not count, because their bases can be converted again.
    """
    specs = [run.spec for folder in where.all_runs for run in run_folders.list_all(folder)]
    return base_models.delete_unused_conversions(where.bases, specs)


OPEN_STATES = ("waiting", "running", "judging", "paused", "crashed", "exported")  # states of runs in progress
DAMAGED = "damaged"  # state of an unreadable draft, which can only be deleted
_VERDICTS = ("adopt", "check", "reject")
_HEAD_BYTES, _TAIL_BYTES = 1 << 13, 1 << 15
_CACHED = 1000  # most runs in the cache


@dataclass(frozen=True, slots=True)
class TrainingEntry:
    """One entry in the list of trainings.

    `state`: for a draft its current step (`app.training.drafts`) or DAMAGED; for a run its `TrainingRunFolder.state`.
    `verdict`: "adopt" | "check" | "reject"; "" if the run was not judged. `base`, `data`: names to show to the user.
    `draft`: the id of the draft from which the run was started; "" if it is unknown.
    """

    kind: str  # "draft" | "run"
    id: str  # name of its folder
    name: str  # "": no name yet
    state: str
    when: float  # seconds since 1970: a run's start, a draft's last change
    verdict: str = ""
    base: str = ""
    data: str = ""
    note: str = ""
    draft: str = ""
    folder: Path = Path()

    @property
    def is_open(self) -> bool:
        return self.kind == "draft" or self.state in OPEN_STATES

    @property
    def words(self) -> str:
        """Return the text in which a search looks."""
        return "\n".join((self.name, self.note, self.base, self.data))


@dataclass(frozen=True, slots=True)
class TrainingsOverview:
    """All trainings, the newest first."""

    in_progress: tuple[TrainingEntry, ...] = ()
    history: tuple[TrainingEntry, ...] = ()

    @property
    def entries(self) -> tuple[TrainingEntry, ...]:
        return self.in_progress + self.history

    def search(self, query: str) -> "TrainingsOverview":
        """Return the trainings whose text contains every word of the query; all if the query has no words."""
        sought = search_text.split_query(query)

        def kept(entries: tuple[TrainingEntry, ...]) -> tuple[TrainingEntry, ...]:
            return tuple(
                entry
                for entry in entries
                if all(search_text.count_occurrences(search_text.fold(entry.words), [w]) for w in sought)
            )

        return TrainingsOverview(kept(self.in_progress), kept(self.history))


def list_trainings(where: Paths) -> TrainingsOverview:
    """List all trainings that are not in the bin."""
    begun = {Path(draft.run).name: draft for draft in reversed(drafts.list_all(where.drafts)) if draft.run}
    found = [
        dataclasses.replace(entry, draft=begun[entry.id].id) if entry.id in begun else entry
        for entry in _runs(where.runs)
    ]
    shown = {entry.draft for entry in found}
    found += (entry for entry in _drafts(where.drafts) if entry.id not in shown)
    found.sort(key=lambda entry: (entry.when, entry.id), reverse=True)
    return TrainingsOverview(
        tuple(entry for entry in found if entry.is_open),
        tuple(entry for entry in found if not entry.is_open),
    )


def has_finished(folder: Path) -> bool:
    """Return whether the run was trained to its end; this is fast for a journal of any length."""
    try:
        with open_regular(folder / run_journal.JOURNAL_FILE) as file:
            end = _last_of(file)
    except OSError:  # the run has not started yet
        return False
    return isinstance(end, Finished)


# ---------------------------------------------------------------------- the bin


def move_to_bin(where: Paths, entry: TrainingEntry, models: Collection[LocalModel]) -> None:
    """Move a training to the bin; a run is moved together with its draft.

    Raises AppError: run_has_model, run_busy, run_judging, run_ending, run_not_removed, draft_unwritable.
    """
    if entry.kind == "draft":
        drafts.move_to_bin(where.drafts, entry.id)
        return
    move_run_to_bin(run_folders.read(entry.folder), models)
    if entry.draft:
        with contextlib.suppress(AppError):  # if this fails, the draft stays in the list
            drafts.move_to_bin(where.drafts, entry.draft)


def restore_training(where: Paths, entry: TrainingEntry) -> None:
    """Restore a training from the bin. Raises AppError: run_unwritable, draft_unwritable, drive_space."""
    if entry.kind == "draft":
        drafts.restore(where.drafts, entry.id)
        return
    with drive_errors(where.runs / entry.id, "run_unwritable"):
        work_folder.restore_from_bin(where.runs, entry.id)
    if entry.draft and not (where.drafts / entry.draft).exists():
        drafts.restore(where.drafts, entry.draft)


def empty_bin(where: Paths, now: float, days: float = BIN_DAYS) -> int:
    """Delete for good what was moved to the bin at least `days` ago, and return the number of trainings.

    `now`: seconds since 1970. Call it in the background.
    """
    record = DayRecord(where.data)
    gone = work_folder.empty_bin(where.runs, record, now, days)
    if gone:
        clear_bases(where)
    return len(gone) + len(work_folder.empty_bin(where.drafts, record, now, days))


# ----------------------------------------------------------------------- drafts


def _drafts(folder: Path) -> Iterator[TrainingEntry]:
    for id in drafts.list_ids(folder):
        place = folder / id
        try:
            draft = drafts.read(folder, id)
        except AppError:
            changed_at = run_folders.modified_at(place / drafts.DRAFT_FILE)
            yield TrainingEntry("draft", id, "", DAMAGED, changed_at, folder=place)
            continue
        data, base = draft.data.source if draft.data else "", _base_name(draft.base)
        yield TrainingEntry("draft", id, draft.name, draft.step, draft.changed_at, base=base, data=data, folder=place)


# ------------------------------------------------------------------------- runs


def _runs(folder: Path) -> Iterator[TrainingEntry]:
    """Yield the entries of the runs; they are cached except for the state, which depends on locks."""
    for path in run_folders.list_folders(folder):
        entry, status = _run(path, tuple(work_folder.version_of(path / name) for name in _FILES))
        yield dataclasses.replace(entry, state=run_folders.state_of(path, status))


_FILES = (run_folders.SPEC, run_journal.JOURNAL_FILE, run_folders.GATE, NOTE_FILE)


@functools.lru_cache(_CACHED)
def _run(folder: Path, _stamps: tuple[tuple[int, int], ...]) -> tuple[TrainingEntry, RunStatus]:
    status = _read_ends(folder / run_journal.JOURNAL_FILE)
    asked = base_models.read_spec(folder / run_folders.SPEC)
    entry = TrainingEntry(
        "run", folder.name, (asked.name if asked else "") or invisible_characters.to_single_line(folder.name), "",
        status.started_at or run_folders.modified_at(folder / run_folders.SPEC), _verdict(folder / run_folders.GATE),
        _base_name(asked.base) if asked else "", _data_name(Path(asked.train)) if asked else "",
        read_note(folder), folder=folder,
    )  # fmt: skip
    return entry, status


def _read_ends(path: Path) -> RunStatus:
    """Return a status with only the first start, the last process id and the terminal event."""
    try:
        with open_regular(path) as file:
            first = file.read(_HEAD_BYTES).partition(b"\n")[0]
            end = _last_of(file)
    except OSError:  # the run has not started yet
        return RunStatus()
    if not isinstance(end, events.TERMINAL):  # it is running or has crashed
        return _read_starts(path)
    began = _event(first, b"started")
    return RunStatus(started_at=began.time if isinstance(began, Started) else 0.0, end=end)


def _last_of(file: BinaryIO) -> Event | None:
    """Return the last start or terminal event in the journal's last lines; None if there is none. Raises OSError."""
    file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
    last = file.read().splitlines()
    return next(
        (event for line in reversed(last) if (event := _event(line, *_FIRST_AND_LAST_EVENTS)) is not None), None
    )


def _read_starts(path: Path) -> RunStatus:
    """Return a status with the first start and the last process id; start events may be anywhere in the file."""
    with contextlib.suppress(OSError):
        found = [_event(line, b"started") for line in strict_json.read_bytes(path).splitlines()]
        began = [event for event in found if isinstance(event, Started)]
        if began:
            return RunStatus(started_at=began[0].time, pid=began[-1].pid)
    return RunStatus()


_FIRST_AND_LAST_EVENTS = (b"started", b"finished", b"paused", b"cancelled", b"failed")


def _event(line: bytes, *kinds: bytes) -> Event | None:
    """Return the event of a line if it is of one of these kinds, otherwise None."""
    if not any(kind in line[:40] for kind in kinds):
        return None
    try:
        return run_journal.read_event(line)
    except ValueError:  # an incomplete line, or an unknown event
        return None


def _verdict(path: Path) -> str:
    """Return the verdict in the file; "" if there is none that this program wrote."""
    try:
        raw = strict_json.read_bytes(path)
        found = strict_json.loads(raw)["verdict"] if authenticity.is_content_written_by_kotae(path.name, raw) else ""
    except (OSError, ValueError, TypeError, LookupError):
        return ""
    return found if found in _VERDICTS else ""


def _data_name(train: Path) -> str:
    name = ""
    with contextlib.suppress(OSError, ValueError):
        name = str(split_record.read_manifest(train.parent).source.get("name") or "")
    return invisible_characters.to_single_line(name or train.name)


def _base_name(base: str) -> str:
    return invisible_characters.to_single_line(Path(base).name)


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """A split to choose. `name`: its training's name, or "". `source`: name of the data, to show to the user."""

    name: str
    folder: str
    source: str = ""
    train: int = 0  # number of rows
    holdout: int = 0


def list_splits(where: Paths) -> list[SplitChoice]:
    """List each split once, even if there are copies: first those of runs, then those of drafts, the newest first."""
    places: list[tuple[str, Path]] = []
    for run in sorted(run_folders.list_folders(where.runs), key=lambda run: run.name, reverse=True):
        asked = base_models.read_spec(run / run_folders.SPEC)
        places += [(asked.name, run / run_folders.DATA)] if asked is not None else []
    places += [(one.name, Path(one.frozen.folder)) for one in drafts.list_all(where.drafts) if one.frozen is not None]
    found: dict[tuple[str, ...], SplitChoice] = {}
    for name, folder in places:
        with contextlib.suppress(OSError, ValueError, KeyError):  # without a readable record it is not listed
            manifest = split_record.read_manifest(folder)
            source, files = str(manifest.source.get("name") or ""), manifest.files
            choice = SplitChoice(name, str(folder), source, files["train"].rows, files["holdout"].rows)
            found.setdefault(manifest.hashes, choice)
    return list(found.values())
