"""Downloads that are not finished: what each brings, from where, and in which order. One small file remembers them.

What of a file is here already is not said here but by the marks beside the parts, which the downloading child writes.

What downloads have left in a folder: how much of each is here, room for the rest, and what nobody remembers.
"""

import dataclasses
import json
import re
import shutil
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.base.wording import outline_error
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models
from app.models.catalogue import ModelCard, ModelFile
from app.models.downloads.part_file import RESERVE_BYTES, ByteRanges, PartCheckpoint, PartPaths, read_checkpoint

VERSION = 1
STATES = ("waiting", "running", "paused", "failed", "cancelled")
MAX_PARTS = 999
BROKEN = ("file_empty", "gguf_damaged", "truncated", "truncated_header", "oversized")  # and what is no GGUF file
REFUSED = ("download_no_model", "download_other_model")  # what was fetched must not stay
_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class QueuedFile:
    name: str  # here
    source: str  # there: path in the repository, name in the folder, or whole address
    size_bytes: int = 0  # 0: not known yet
    sha256: str = ""  # "": not known yet
    has_arrived: bool = False  # whole and verified
    was_here: bool = False  # has arrived, but not by this download, which must not delete it


@dataclass(frozen=True, slots=True)
class QueuedDownload:
    """One model. `place` "": the hub or mirror of the settings; else as `kind_of` tells."""

    id: str
    card_id: str
    title: str
    quantization: str
    place: str
    repository: str
    revision: str  # "": the newest
    size_bytes: int  # of all files; about, until the source has said it
    files: tuple[QueuedFile, ...]
    state: str = "waiting"
    needs_listing: bool = False  # the repository says sizes, checksums or the commit
    folder: str = ""  # where its parts are; "": nothing was received yet
    problem_code: str = ""  # why it failed
    problem_facts: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.card_id, self.quantization

    @property
    def problem(self) -> AppError | None:
        return AppError(self.problem_code, **self.problem_facts) if self.problem_code else None

    def in_folder(self, folder: str) -> "QueuedDownload":
        return dataclasses.replace(self, folder=folder)

    def with_state(self, state: str, problem: AppError | None = None) -> "QueuedDownload":
        code, facts = (problem.code, problem.facts) if problem else ("", {})
        return dataclasses.replace(self, state=state, problem_code=code, problem_facts=facts)


def source_kind(place: str) -> str:
    """hub | file (the file's own address) | folder | local_file."""
    if place == "":
        return "hub"
    if place.startswith(("http://", "https://")):
        return "file" if urlsplit(place).path.lower().endswith(".gguf") else "hub"
    return "local_file" if place.lower().endswith(".gguf") else "folder"


def is_online(place: str) -> bool:
    return source_kind(place) in ("hub", "file")


def plan_download(card: ModelCard, file: ModelFile, place: str, identifier: str) -> QueuedDownload:
    """Raises AppError("download_no_source" | "download_bad_address"); the first where nobody says what it is called."""
    kind = source_kind(place)
    if kind in ("folder", "local_file") and "://" in place:
        raise AppError("download_bad_address", address=strip_credentials(place))
    if not file.file or (kind == "hub" and not file.repository):
        raise AppError("download_no_source", name=card.title)
    names = part_names(file.file.rpartition("/")[2])
    sources = {
        "hub": part_names(file.file),
        "folder": names,
        "local_file": part_names(place.replace("\\", "/").rpartition("/")[2]),
        "file": _part_addresses(place),
    }[kind]
    if len(sources) != len(names):  # another file than the catalogue's, which is what was asked for
        names = part_names(sources[0].partition("?")[0].rpartition("/")[2])
    is_exact = file.verified and len(names) == 1
    first = QueuedFile(names[0], sources[0], file.size_bytes if is_exact else 0, file.sha256)
    others = (QueuedFile(name, source) for name, source in zip(names[1:], sources[1:], strict=True))
    return QueuedDownload(
        identifier, card.id, card.title, file.quantization, place, file.repository, file.revision, file.size_bytes,
        (first, *others), needs_listing=kind == "hub" and not (is_exact and file.sha256 and file.revision),
    )  # fmt: skip


def replan_download(queued: QueuedDownload) -> QueuedDownload:
    """As its card says now; what the source told of files that were refused is forgotten."""
    card = catalogue.load().card(queued.card_id)
    file = next((file for file in card.files if file.quantization == queued.quantization), None) if card else None
    return plan_download(card, file, queued.place, queued.id) if card and file else queued


def part_names(name: str) -> list[str]:
    """Of a split model all files, made from the name of any; else the name alone."""
    found = _PART.fullmatch(name)
    count = int(found["count"]) if found else 1
    if found is None or not 1 <= count <= MAX_PARTS:
        return [name]
    return [f"{found['stem']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def _part_addresses(address: str) -> list[str]:
    path, mark, query = address.partition("?")
    return [f"{name}{mark}{query}" for name in part_names(path)]


def with_listing(queued: QueuedDownload, commit: str, listed: Mapping[str, tuple[int, str]]) -> QueuedDownload:
    """What the repository says; `listed`: path -> size, sha256.

    Raises AppError("download_not_found" | "download_other_file").
    """
    files = []
    for file in queued.files:
        if file.source not in listed:
            raise AppError("download_not_found", what=f"{queued.repository}/{file.source}")
        size_bytes, sha256 = listed[file.source]
        if file.sha256 and sha256 and file.sha256 != sha256:
            raise AppError("download_other_file", name=file.name)
        files.append(dataclasses.replace(file, size_bytes=size_bytes, sha256=file.sha256 or sha256))
    return dataclasses.replace(
        queued,
        revision=commit or queued.revision,
        size_bytes=sum(file.size_bytes for file in files),
        files=tuple(files),
        needs_listing=False,
    )


def downloaded_model(queued: QueuedDownload, folder: Path) -> LocalModel:
    """What has arrived, as a local model: of its card whatever the file calls itself, its hashes known.

    Raises AppError where it cannot be used; for what has to be deleted, "download_no_model" where it is broken or none,
    and "download_other_model" where it is not that of the card ("download_other_model_here": the user's own file).
    """
    is_own = all(file.was_here for file in queued.files)
    name = queued.files[0].name
    try:
        model = local_models.describe(folder / name)
    except AppError as error:
        if is_own or not (error.code in BROKEN or error.code.startswith("not_gguf")):
            raise
        raise AppError("download_no_model", file=name, reason=outline_error(error.code)) from error
    hashes = {file.name: file.sha256 for file in queued.files}
    marks = tuple(dataclasses.replace(mark, sha256=hashes.get(mark.name) or mark.sha256) for mark in model.files)
    card = catalogue.load().card(queued.card_id)
    if card is None:
        return dataclasses.replace(model, files=marks)
    if _contradicts(model, card, queued):
        raise AppError(
            "download_other_model_here" if is_own else "download_other_model",
            name=card.title, file=name, found=model.architecture, size_bytes=model.size_bytes,
        )  # fmt: skip
    name = f"{card.title} {model.quantization}".strip()
    return dataclasses.replace(model, name=name, card_id=card.id, form_id=card.form or model.form_id, files=marks)


def _contradicts(model: LocalModel, card: ModelCard, queued: QueuedDownload) -> bool:
    """Whether a file is not what its card describes: a card without a checksum would take anything of that name."""
    file, shape = card.file_of(queued.quantization), card.shape
    is_one = file is not None and file.size_bytes > 0 and len(queued.files) == 1
    if file is not None and is_one and not 0.8 < model.size_bytes / file.size_bytes < 1.25:
        return True
    if shape is None:
        return False
    header = gguf.read_header(Path(model.path))
    found = (header.architecture, header.block_count, header.embedding_length)
    return found != (shape.architecture, shape.block_count, shape.embedding_length)


def save_queue(path: Path, entries: Iterable[QueuedDownload]) -> None:
    """Without what may be a key in an address. Raises OSError."""
    document = {"version": VERSION, "downloads": [dataclasses.asdict(_open(entry)) for entry in entries]}
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=1, default=str).encode("utf-8"))


def _open(entry: QueuedDownload) -> QueuedDownload:
    files = tuple(dataclasses.replace(file, source=strip_credentials(file.source)) for file in entry.files)
    return dataclasses.replace(entry, place=strip_credentials(entry.place), files=files)


def load_queue(path: Path) -> list[QueuedDownload]:
    """What was not finished, in order; nothing goes on by itself. A damaged file, or entry, counts as none."""
    try:
        document = strict_json.load_file(path)
        entries = document["downloads"] if document["version"] == VERSION else []
    except (OSError, ValueError, TypeError, KeyError):
        return []
    found = [entry for entry in map(_entry, entries if isinstance(entries, list) else ()) if entry is not None]
    return [entry if entry.state in ("failed", "cancelled") else entry.with_state("paused") for entry in found]


def _entry(data: Any) -> QueuedDownload | None:
    try:
        files = tuple(_checked(QueuedFile, item) for item in data["files"])
        entry: QueuedDownload = _checked(QueuedDownload, {**data, "files": files})
    except (TypeError, KeyError, ValueError):
        return None
    return entry if entry.files and entry.state in STATES else None


def _checked(kind: Any, data: dict[str, Any]) -> Any:
    """Raises TypeError where a field is missing, unknown or of another type."""
    made = kind(**data)
    for name, default_type in kind.__annotations__.items():
        wanted = {str: str, int: int, bool: bool}.get(default_type, object)
        if not isinstance(getattr(made, name), wanted) or (wanted is int and isinstance(getattr(made, name), bool)):
            raise TypeError(name)
    return made


def received_bytes(folder: Path, queued: QueuedDownload) -> int:
    return sum(
        file.size_bytes if file.has_arrived else _marked_bytes(PartPaths(folder / file.name)) for file in queued.files
    )


def _marked_bytes(places: PartPaths) -> int:
    mark = read_checkpoint(places.mark)
    if mark is None or not places.data(mark.attempt).is_file():
        return 0
    return mark.size_bytes if mark.attempt else ByteRanges(mark.ranges).total


def with_folder(queued: QueuedDownload, models: Path) -> QueuedDownload:
    """With the folder that it goes into: where its parts are, if the rest fits there, else where models go now.

    Raises AppError where it fits nowhere.
    """
    before = Path(queued.folder) if queued.folder else models
    queued = with_present_files(before, queued)
    if before != models and before.is_dir() and received_bytes(before, queued):
        try:
            check_space(before, queued)
        except AppError:  # the user has chosen another place since
            check_space(models, _anew(queued))
            delete_parts(before, queued)
        else:
            return queued
        queued = _anew(queued)
    check_space(models, queued)
    return queued.in_folder(str(models))


def with_present_files(folder: Path, queued: QueuedDownload) -> QueuedDownload:
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


def _anew(queued: QueuedDownload) -> QueuedDownload:
    return dataclasses.replace(queued, files=tuple(map(_missing, queued.files)))


def check_space(folder: Path, queued: QueuedDownload) -> None:
    """Raises AppError("download_disk_full") where what is missing does not fit, before anything is asked for."""
    need = queued.size_bytes - received_bytes(folder, queued)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise AppError("download_unwritable", path=str(folder), reason=error.strerror or str(error)) from error
    if need > 0 and free < need + RESERVE_BYTES:
        raise AppError("download_disk_full", path=str(folder), need_bytes=need, free_bytes=free)


def delete_parts(folder: Path, queued: QueuedDownload) -> None:
    """Deletes what was received, also whole files of a model that is not whole; no file that was here before."""
    for file in queued.files:
        places = PartPaths(folder / file.name)
        places.discard()
        places.bad.unlink(missing_ok=True)
        places.lock.unlink(missing_ok=True)
        if file.has_arrived and not file.was_here and _is_there(places.target, file.size_bytes):
            places.target.unlink(missing_ok=True)


def find_forgotten_downloads(folder: Path, known: Collection[QueuedDownload]) -> list[QueuedDownload]:
    """Parts that no queue remembers: of the command line, or of a queue that was lost. They can go on."""
    here = {file.name for entry in known for file in entry.files}
    taken = {entry.key for entry in known}
    found: dict[tuple[str, str], QueuedDownload] = {}
    for path in sorted(folder.glob("*.part.json")):
        mark = read_checkpoint(path)
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


def _published(mark: PartCheckpoint, name: str) -> tuple[ModelCard, ModelFile] | None:
    card = catalogue.load().card(mark.card_id)
    first = part_names(name)[0]
    files = card.files if card else ()
    file = next((file for file in files if file.file.rpartition("/")[2] in (name, first)), None)
    return (card, file) if card and file else None


def _planned(mark: PartCheckpoint, card: ModelCard, file: ModelFile, folder: Path) -> QueuedDownload:
    """Files of a split model that have arrived already are recognized by their checksum when it goes on."""
    queued = plan_download(card, file, mark.origin.place, uuid.uuid4().hex)
    return queued.in_folder(str(folder)).with_state("paused")
