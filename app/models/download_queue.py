"""Keep the queue of unfinished downloads in order, each with its files and source.

The queue is one JSON file. The bytes received of a file are stored in the checkpoint beside the partial file, which the
downloading process writes. The second half of the module reads these checkpoints to compute the bytes received and the
space still needed, and to find partial files that are in no queue.
"""

import contextlib
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

from app.base import json_lines
from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.base.wording import outline_error
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models
from app.models.catalogue import ModelCard, ModelFile
from app.models.downloads.messages import ListedFile
from app.models.downloads.part_file import RESERVE_BYTES, ByteRanges, PartCheckpoint, PartPaths, read_checkpoint

VERSION = 1
BASES = "bases"  # below the models folder: publishers' weights to train on, as Hugging Face's cache arranges them
STATES = ("waiting", "running", "paused", "failed", "cancelled")
MAX_PARTS = 999
# Error codes of a broken file, together with all codes that begin with not_gguf.
BROKEN = ("file_empty", "gguf_damaged", "truncated", "truncated_header", "oversized")
REFUSED = ("download_no_model", "download_other_model")  # error codes after which the downloaded file must be deleted
_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class QueuedFile:
    """Describes a file of a download."""

    name: str  # name of the local file
    source: str  # path in the repository, file name in the source folder, or complete URL
    size_bytes: int = 0  # 0: unknown
    sha256: str = ""  # "": unknown
    has_arrived: bool = False  # complete and verified
    was_here: bool = False  # existed before this download, which must not delete it


@dataclass(frozen=True, slots=True)
class PublishedWeights(ModelFile):
    """Describes a publisher's weights in safetensors, with what belongs to them: a base for training."""

    parts: tuple[ListedFile, ...] = ()  # what describes the weights first, so that it can be checked before they come


@dataclass(frozen=True, slots=True)
class QueuedDownload:
    """Describes the download of one model.

    `place`: the source: "" for the hub or mirror of the settings, else an address or path (see `source_kind`).
    """

    id: str
    card_id: str
    title: str
    quantization: str
    place: str
    repository: str
    revision: str  # "": the newest
    size_bytes: int  # total of all files; approximate until the source has reported it
    files: tuple[QueuedFile, ...]
    state: str = "waiting"
    needs_listing: bool = False  # True: size, checksum or commit must be requested from the repository
    folder: str = ""  # the folder of the partial files; "": nothing received yet
    is_shared: bool = False  # other programs shall see it, too (`hub_models.share_in_cache`)
    is_newest: bool = False  # the commit is that of the main branch
    is_base: bool = False  # a publisher's weights to train on (`PublishedWeights`), not a model that answers
    problem_code: str = ""  # error code of the failure; "": none
    problem_facts: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.card_id, self.quantization

    def folder_in(self, models: Path) -> Path:
        """Return the folder for its files. `models`: the models folder."""
        owner_and_name = f"models--{self.repository.replace('/', '--')}"
        return models / BASES / owner_and_name / "snapshots" / self.revision if self.is_base else models

    @property
    def problem(self) -> AppError | None:
        return AppError(self.problem_code, **self.problem_facts) if self.problem_code else None

    def with_state(self, state: str, problem: AppError | None = None) -> "QueuedDownload":
        code, facts = (problem.code, problem.facts) if problem else ("", {})
        return dataclasses.replace(self, state=state, problem_code=code, problem_facts=facts)


def source_kind(source: str) -> str:
    """Return the kind of a place: hub | file (the URL of one file) | folder | local_file."""
    if source == "":
        return "hub"
    if source.startswith(("http://", "https://")):
        return "file" if urlsplit(source).path.lower().endswith(".gguf") else "hub"
    return "local_file" if source.lower().endswith(".gguf") else "folder"


def is_online(source: str) -> bool:
    return source_kind(source) in ("hub", "file")


NOT_THERE = ("download_not_found", "download_refused", "download_no_hub")  # codes of a listing or a file that is none


def plan_download(card: ModelCard, file: ModelFile, source_address: str, identifier: str) -> QueuedDownload:
    """Plan the download of a catalogue file from `source_address`.

    Raises AppError: download_no_source if the catalogue names no file or repository, download_bad_address for an
    address that is neither http nor https.
    """
    kind = source_kind(source_address)
    if kind in ("folder", "local_file") and "://" in source_address:
        raise AppError("download_bad_address", address=strip_credentials(source_address))
    if not file.file or (kind == "hub" and not file.repository):
        raise AppError("download_no_source", name=card.title)
    if isinstance(file, PublishedWeights):
        files = tuple(QueuedFile(part.name, part.name, part.size_bytes, part.sha256) for part in file.parts)
        return QueuedDownload(
            identifier, card.id, card.title, file.quantization, source_address, file.repository, file.revision,
            file.size_bytes, files, is_base=True,
        )  # fmt: skip
    names = part_names(file.file.rpartition("/")[2])
    sources = {
        "hub": part_names(file.file),
        "folder": names,
        "local_file": part_names(source_address.replace("\\", "/").rpartition("/")[2]),
        "file": _part_addresses(source_address),
    }[kind]
    if len(sources) != len(names):  # the source is split differently than in the catalogue: the source wins
        names = part_names(sources[0].partition("?")[0].rpartition("/")[2])
    is_exact = file.verified and len(names) == 1
    first = QueuedFile(names[0], sources[0], file.size_bytes if is_exact else 0, file.sha256)
    others = [QueuedFile(name, source) for name, source in zip(names[1:], sources[1:], strict=True)]
    if kind == "hub" and file.projector:
        others.append(QueuedFile(_projector_name(card, file), file.projector))
    return QueuedDownload(
        identifier, card.id, card.title, file.quantization, source_address, file.repository, file.revision,
        file.size_bytes, (first, *others),
        needs_listing=kind == "hub" and not (is_exact and file.sha256 and file.revision and not file.projector),
        is_newest=file.is_newest or not file.revision,
    )  # fmt: skip


def _projector_name(card: ModelCard, file: ModelFile) -> str:
    """Return the name of the local file; repositories often call theirs only mmproj-F16.gguf."""
    return f"{card.id}-{file.projector.rpartition('/')[2]}"


def replan_download(queued: QueuedDownload) -> QueuedDownload:
    """Plan a download again from its card, without the sizes and checksums that the source has reported."""
    card = catalogue.card(queued.card_id)
    file = next((file for file in card.files if file.quantization == queued.quantization), None) if card else None
    return plan_download(card, file, queued.place, queued.id) if card and file else queued


def part_names(name: str) -> list[str]:
    """Return the names of all files of a split model, derived from any one of them; for others, the name alone."""
    found = _PART.fullmatch(name)
    count = int(found["count"]) if found else 1
    if found is None or not 1 <= count <= MAX_PARTS:
        return [name]
    return [f"{found['stem']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def _part_addresses(address: str) -> list[str]:
    path, checkpoint, query = address.partition("?")
    return [f"{name}{checkpoint}{query}" for name in part_names(path)]


def with_listing(queued: QueuedDownload, commit: str, listed: Mapping[str, tuple[int, str]]) -> QueuedDownload:
    """Return the download with the commit, sizes and checksums that the repository lists.

    `listed`: path -> (size in bytes, sha256). A part that reads pictures is left out if it is gone. Raises AppError:
    download_not_found, download_other_file.
    """
    files: list[QueuedFile] = []
    model_parts = part_names(queued.files[0].name)
    for file in queued.files:
        if file.source not in listed and file.name not in model_parts and not queued.is_base:
            continue
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


def without_listing(queued: QueuedDownload) -> QueuedDownload | None:
    """Return the download by the names and the hash of its card alone, for a mirror that lists nothing; None if its
    card states no hash.

    What is fetched already by these names goes on without a part that reads pictures, which the mirror lacks.
    """
    model = queued.files[0]
    if queued.needs_listing:
        return dataclasses.replace(queued, needs_listing=False) if model.sha256 and not queued.is_base else None
    missing = next(file for file in queued.files if not file.has_arrived)
    if queued.is_base or missing.name in part_names(model.name):
        return None
    return dataclasses.replace(queued, files=tuple(file for file in queued.files if file is not missing))


def downloaded_model(queued: QueuedDownload, folder: Path) -> LocalModel:
    """Return the downloaded file as a local model of its card, with its hashes.

    Raises AppError: download_no_model if the file is broken or no GGUF file, download_other_model if it is not the
    card's model (both must be deleted), download_other_model_here if it is not the card's model but was in the folder
    before the download (it must be kept); else the codes of `local_models.describe`.
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
    fingerprints = tuple(dataclasses.replace(file, sha256=hashes.get(file.name) or file.sha256) for file in model.files)
    card = catalogue.card(queued.card_id)
    for projector in queued.files[len(part_names(name)) :]:
        with contextlib.suppress(AppError):  # without it, the model still answers
            model = local_models.with_projector(model, folder / projector.name)
    if card is None:
        return dataclasses.replace(model, files=fingerprints)
    if _contradicts(model, card, queued):
        raise AppError(
            "download_other_model_here" if is_own else "download_other_model",
            name=card.title, file=name, found=model.architecture, size_bytes=model.size_bytes,
        )  # fmt: skip
    if card.is_found and model.card_id is not None:  # the catalogue knows the model, from another repository
        return dataclasses.replace(model, files=fingerprints)
    name = f"{card.title} {model.quantization}".strip()
    return dataclasses.replace(
        model, name=name, card_id=card.id, form_id=card.form or model.form_id, files=fingerprints
    )


def _contradicts(model: LocalModel, card: ModelCard, queued: QueuedDownload) -> bool:
    """Return whether a file differs from its card in size or shape.

    A card without a checksum would otherwise accept any file of that name.
    """
    file, shape = card.file_of(queued.quantization), card.shape
    if file is not None and len(part_names(queued.files[0].name)) == 1:
        if file.sha256:
            return False  # it was compared with the checksum
        if file.size_bytes > 0 and not 0.8 < model.size_bytes / file.size_bytes < 1.25:
            return True
    if shape is None:
        return False
    header = gguf.read_header(Path(model.path))
    found = (header.architecture, header.block_count, header.embedding_length)
    return found != (shape.architecture, shape.block_count, shape.embedding_length)


def save_queue(path: Path, entries: Iterable[QueuedDownload]) -> None:
    """Write the queue, without credentials in addresses. Raises OSError."""
    document = {"version": VERSION, "downloads": [dataclasses.asdict(_without_credentials(entry)) for entry in entries]}
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=1, default=str).encode("utf-8"))


def _without_credentials(entry: QueuedDownload) -> QueuedDownload:
    files = tuple(dataclasses.replace(file, source=strip_credentials(file.source)) for file in entry.files)
    return dataclasses.replace(entry, place=strip_credentials(entry.place), files=files)


def load_queue(path: Path) -> list[QueuedDownload]:
    """Read the unfinished downloads in order, all waiting and running ones as paused.

    A damaged file gives an empty list; damaged entries are left out.
    """
    try:
        document = strict_json.load_file(path)
        entries = document["downloads"] if document["version"] == VERSION else []
    except (OSError, ValueError, TypeError, KeyError):
        return []
    found = [entry for entry in map(_read_entry, entries if isinstance(entries, list) else ()) if entry is not None]
    return [entry if entry.state in ("failed", "cancelled") else entry.with_state("paused") for entry in found]


def _read_entry(data: Any) -> QueuedDownload | None:
    try:
        entry = json_lines.convert(data, QueuedDownload)
    except ValueError:
        return None
    return entry if entry.files and entry.state in STATES else None


def received_bytes(folder: Path, queued: QueuedDownload) -> int:
    return sum(
        file.size_bytes if file.has_arrived else _checkpoint_bytes(PartPaths(folder / file.name))
        for file in queued.files
    )


def _checkpoint_bytes(places: PartPaths) -> int:
    checkpoint = read_checkpoint(places.checkpoint)
    if checkpoint is None or not places.data(checkpoint.attempt).is_file():
        return 0
    return checkpoint.size_bytes if checkpoint.attempt else ByteRanges(checkpoint.ranges).total


def with_folder(queued: QueuedDownload, models: Path) -> QueuedDownload:
    """Return the download with the folder that it is written to.

    That is the folder of its partial files if the rest fits there, else the present models folder `models`, where the
    download starts from the beginning. Raises AppError as `check_space` does if it fits in neither.
    """
    models = queued.folder_in(models)
    if queued.is_base:
        try:
            models.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AppError("download_unwritable", path=str(models), reason=error.strerror or str(error)) from error
    before = Path(queued.folder) if queued.folder else models
    queued = with_present_files(before, queued)
    if before != models and before.is_dir() and received_bytes(before, queued):
        try:
            check_space(before, queued)
        except AppError:  # the user has probably chosen a larger drive since
            check_space(models, _from_scratch(queued))
            delete_parts(before, queued)
        else:
            return queued
        queued = _from_scratch(queued)
    check_space(models, queued)
    return dataclasses.replace(queued, folder=str(models))


def with_present_files(folder: Path, queued: QueuedDownload) -> QueuedDownload:
    """Return the download, with files that no longer exist (drive unplugged, file deleted) marked as missing."""
    files = tuple(
        file if _is_there(folder / file.name, file.size_bytes) else _as_missing(file) for file in queued.files
    )
    return dataclasses.replace(queued, files=files)


def _is_there(path: Path, size_bytes: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size_bytes
    except OSError:
        return False


def _as_missing(file: QueuedFile) -> QueuedFile:
    return dataclasses.replace(file, has_arrived=False, was_here=False)


def _from_scratch(queued: QueuedDownload) -> QueuedDownload:
    return dataclasses.replace(queued, files=tuple(map(_as_missing, queued.files)))


def check_space(folder: Path, queued: QueuedDownload) -> None:
    """Raise AppError: download_disk_full if the missing bytes do not fit, download_unwritable."""
    need = queued.size_bytes - received_bytes(folder, queued)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise AppError("download_unwritable", path=str(folder), reason=error.strerror or str(error)) from error
    if need > 0 and free < need + RESERVE_BYTES:
        raise AppError("download_disk_full", path=str(folder), need_bytes=need, free_bytes=free)


def delete_parts(folder: Path, queued: QueuedDownload) -> None:
    """Delete everything received, also complete files; files that existed before the download stay."""
    for file in queued.files:
        places = PartPaths(folder / file.name)
        places.discard()
        places.bad_path.unlink(missing_ok=True)
        places.lock.unlink(missing_ok=True)
        if file.has_arrived and not file.was_here and _is_there(places.target, file.size_bytes):
            places.target.unlink(missing_ok=True)


def find_forgotten_downloads(folder: Path, queued: Collection[QueuedDownload]) -> list[QueuedDownload]:
    """Return a paused download for each partial file in `folder` that belongs to none of `queued`.

    Such files come from the command line or from a queue that was lost.
    """
    here = {file.name for entry in queued for file in entry.files}
    taken = {entry.key for entry in queued}
    found: dict[tuple[str, str], QueuedDownload] = {}
    for path in sorted(folder.glob("*.part.json")):
        checkpoint = read_checkpoint(path)
        name = path.name.removesuffix(".part.json")
        if checkpoint is None or name in here:
            continue
        published = _find_published(checkpoint, name)
        if published is None:
            continue
        try:
            entry = _plan_rest(checkpoint, *published, folder)
        except AppError:  # the user has changed the card since
            continue
        if entry.key not in taken:
            found.setdefault(entry.key, entry)
    return list(found.values())


def _find_published(checkpoint: PartCheckpoint, name: str) -> tuple[ModelCard, ModelFile] | None:
    card = catalogue.card(checkpoint.card_id)
    first = part_names(name)[0]
    files = card.files if card else ()
    file = next((file for file in files if file.file.rpartition("/")[2] in (name, first)), None)
    return (card, file) if card and file else None


def _plan_rest(checkpoint: PartCheckpoint, card: ModelCard, file: ModelFile, folder: Path) -> QueuedDownload:
    """Return a download that resumes a partial file. Complete files are later recognized by their checksum."""
    queued = plan_download(card, file, checkpoint.origin.place, uuid.uuid4().hex)
    return dataclasses.replace(queued, folder=str(folder), state="paused")
