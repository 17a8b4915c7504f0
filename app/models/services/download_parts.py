"""What downloads have left in a folder: how much of each is here, room for the rest, and what nobody remembers."""

import dataclasses
import shutil
import uuid
from collections.abc import Collection
from pathlib import Path

from app.base.errors import AppError
from app.models import catalogue, download_queue
from app.models.catalogue import ModelCard, ModelFile
from app.models.download_queue import Queued, QueuedFile
from app.models.downloads.part import RESERVE_BYTES, Mark, Places, read_mark
from app.models.downloads.ranges import Ranges


def received_bytes(folder: Path, queued: Queued) -> int:
    return sum(
        file.size_bytes if file.has_arrived else _marked_bytes(Places(folder / file.name)) for file in queued.files
    )


def _marked_bytes(places: Places) -> int:
    mark = read_mark(places.mark)
    if mark is None or not places.data(mark.attempt).is_file():
        return 0
    return mark.size_bytes if mark.attempt else Ranges(mark.ranges).total


def settled(queued: Queued, models: Path) -> Queued:
    """With the folder that it goes into: where its parts are, if the rest fits there, else where models go now.

    Raises AppError where it fits nowhere.
    """
    before = Path(queued.folder) if queued.folder else models
    queued = seen(before, queued)
    if before != models and before.is_dir() and received_bytes(before, queued):
        try:
            check_space(before, queued)
        except AppError:  # the user has chosen another place since
            check_space(models, _anew(queued))
            discard(before, queued)
        else:
            return queued
        queued = _anew(queued)
    check_space(models, queued)
    return queued.in_folder(str(models))


def seen(folder: Path, queued: Queued) -> Queued:
    """Arrived is only what is still there: a drive may be gone, the user may have deleted a file."""
    files = tuple(file if _is_there(folder / file.name, file.size_bytes) else _missing(file) for file in queued.files)
    return dataclasses.replace(queued, files=files)


def _is_there(path: Path, size_bytes: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size_bytes
    except OSError:
        return False


def _missing(file: QueuedFile) -> QueuedFile:
    return dataclasses.replace(file, has_arrived=False, was_here=False)


def _anew(queued: Queued) -> Queued:
    return dataclasses.replace(queued, files=tuple(map(_missing, queued.files)))


def check_space(folder: Path, queued: Queued) -> None:
    """Raises AppError("download_disk_full") where what is missing does not fit, before anything is asked for."""
    need = queued.size_bytes - received_bytes(folder, queued)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise AppError("download_unwritable", path=str(folder), reason=error.strerror or str(error)) from error
    if need > 0 and free < need + RESERVE_BYTES:
        raise AppError("download_disk_full", path=str(folder), need_bytes=need, free_bytes=free)


def discard(folder: Path, queued: Queued) -> None:
    """Deletes what was received, also whole files of a model that is not whole; no file that was here before."""
    for file in queued.files:
        places = Places(folder / file.name)
        places.discard()
        places.bad.unlink(missing_ok=True)
        places.lock.unlink(missing_ok=True)
        if file.has_arrived and not file.was_here and _is_there(places.target, file.size_bytes):
            places.target.unlink(missing_ok=True)


def forgotten(folder: Path, known: Collection[Queued]) -> list[Queued]:
    """Parts that no queue remembers: of the command line, or of a queue that was lost. They can go on."""
    here = {file.name for entry in known for file in entry.files}
    taken = {entry.key for entry in known}
    found: dict[tuple[str, str], Queued] = {}
    for path in sorted(folder.glob("*.part.json")):
        mark = read_mark(path)
        name = path.name.removesuffix(".part.json")
        if mark is None or name in here:
            continue
        published = _published(mark, name)
        if published is None:
            continue
        try:
            entry = _planned(mark, *published, folder)
        except AppError:  # a card of the user that has changed meanwhile
            continue
        if entry.key not in taken:
            found.setdefault(entry.key, entry)
    return list(found.values())


def _published(mark: Mark, name: str) -> tuple[ModelCard, ModelFile] | None:
    card = catalogue.load().card(mark.card_id)
    first = download_queue.part_names(name)[0]
    files = card.files if card else ()
    file = next((file for file in files if file.file.rpartition("/")[2] in (name, first)), None)
    return (card, file) if card and file else None


def _planned(mark: Mark, card: ModelCard, file: ModelFile, folder: Path) -> Queued:
    """Files of a split model that have arrived already are recognized by their checksum when it goes on."""
    queued = download_queue.plan(card, file, mark.origin.place, uuid.uuid4().hex)
    return queued.in_folder(str(folder)).with_state("paused")
