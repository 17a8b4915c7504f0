"""Define a transfer kit's table of contents, with the hash of every part, and write its parts.

    manifest.json        the table, written last: without it a kit is incomplete
    001-0001.kotae-part  the first part of the first file, and so on
    LICENCES.txt         the models' terms, for people; presets.json, and terms that must accompany a model

    {"format": "kotae-model-kit", "version": 1, "sha256": "… of all the rest",
     "models": [{"stem": "gemma", "licence": "…", "has_projector": false, "files": [{"size_bytes": 1, "sha256": "…",
       "parts": [{"size_bytes": 1, "sha256": "…"}]}]}],
     "extras": [{"kind": "presets", "size_bytes": 1, "sha256": "…"}]}

No name in the table is used as a path: it has no names of parts and extras, and the names of the joined files are made
from `stem`, which must already be a safe name. Parts fit on a FAT32 stick; each is written completely or not at all,
and read back.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NoReturn, Protocol, TypeVar

import msgspec
from msgspec import Meta

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import BLOCK_BYTES, CopyProgress, hash_file, safe_name
from app.base.wording import phrase
from app.models import starter

FORMAT = "kotae-model-kit"
VERSION = 1
MANIFEST_NAME = "manifest.json"
LICENCES_NAME = "LICENCES.txt"
PART_SUFFIX = ".kotae-part"
KitExtraKind = Literal["presets", "gemma_terms"]
EXTRA_NAMES: dict[KitExtraKind, str] = {"presets": "presets.json", "gemma_terms": starter.TERMS_NAME}

_SIZE_MAX_BYTES = 16 << 20
_FILES_MAX = 999
_PATH = re.compile(r"at `\$(.*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")
T = TypeVar("T")

_Size = Annotated[int, Meta(ge=1, le=1 << 50)]
_Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


@dataclass(frozen=True, slots=True)
class KitPart:
    """Describes one part of a file in the kit."""

    size_bytes: _Size
    sha256: _Sha256
    name: str = ""  # set after reading; not in the table


@dataclass(frozen=True, slots=True)
class KitFile:
    """Describes a file of a model, with its parts."""

    size_bytes: _Size
    sha256: _Sha256
    parts: Annotated[tuple[KitPart, ...], Meta(max_length=9999)]


@dataclass(frozen=True, slots=True)
class KitModel:
    """Describes a model in the kit. `stem`: the name of its joined files without number and suffix.

    `has_projector`: the last file is the part that reads pictures.
    """

    stem: str
    files: Annotated[tuple[KitFile, ...], Meta(min_length=1, max_length=_FILES_MAX)]
    licence: Annotated[str, Meta(max_length=20_000)] = ""  # the terms in the exporting user's language
    has_projector: bool = False

    def file_names(self, stem: str) -> list[str]:
        """Return the names of the joined files as llama.cpp expects them; `stem` may differ from the model's."""
        count = len(self.files) - self.has_projector
        names = [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
        return [*([f"{stem}.gguf"] if count == 1 else names), *[f"{stem}-mmproj.gguf"] * self.has_projector]


@dataclass(frozen=True, slots=True)
class KitExtra:
    """Describes a file in the kit besides the models."""

    kind: KitExtraKind
    size_bytes: _Size
    sha256: _Sha256


@dataclass(frozen=True, slots=True)
class Kit:
    """Holds the table of contents of a kit."""

    models: Annotated[tuple[KitModel, ...], Meta(max_length=100)]
    extras: Annotated[tuple[KitExtra, ...], Meta(max_length=len(EXTRA_NAMES))] = ()

    def parts(self) -> Iterator[KitPart]:
        for model in self.models:
            for file in model.files:
                yield from file.parts

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for model in self.models for file in model.files)


def part_name(file_number: int, part_number: int) -> str:
    """Return a part's name. Both numbers start at 1; files are counted through the whole kit."""
    return f"{file_number:03}-{part_number:04}{PART_SUFFIX}"


def kit_bytes(kit: Kit) -> bytes:
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "models": [
            dataclasses.asdict(model) | {"files": [file_as_dict(file) for file in model.files]} for model in kit.models
        ],
        "extras": [dataclasses.asdict(extra) for extra in kit.extras],
    }
    return table_bytes(document)


def read_kit(folder: Path) -> Kit:
    """Read a kit's table of contents.

    Raises AppError: kit_missing, kit_foreign, kit_newer, kit_manifest_damaged, kit_manifest_refused.
    """
    return _kit(read_table(folder / MANIFEST_NAME, FORMAT, VERSION))


def table_bytes(document: dict[str, Any]) -> bytes:
    """Return a kit's table of contents as JSON in UTF-8.

    Changes `document`: sets "sha256" to the hash of the other entries.
    """
    document["sha256"] = _checksum(document)
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def read_table(path: Path, format_name: str, version: int) -> dict[str, Any]:
    """Read a kit's table of contents and check the hash in it.

    Raises AppError: kit_missing, kit_foreign, kit_newer, kit_manifest_damaged.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise AppError("kit_foreign", path=str(path))
        with open_regular(path) as file:
            data = file.read(_SIZE_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise AppError("kit_missing", path=str(path.parent)) from error
    if len(data) > _SIZE_MAX_BYTES:
        raise AppError("kit_foreign", path=str(path))
    return _document(data, path, format_name, version)


def file_as_dict(file: KitFile) -> dict[str, Any]:
    parts = [{"size_bytes": part.size_bytes, "sha256": part.sha256} for part in file.parts]
    return {"size_bytes": file.size_bytes, "sha256": file.sha256, "parts": parts}


def _checksum(document: dict[str, Any]) -> str:
    rest = {key: value for key, value in document.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode("ascii")).hexdigest()


def _document(data: bytes, path: Path, format_name: str, known_version: int) -> dict[str, Any]:
    """Return the table of contents. Raises AppError: kit_manifest_damaged, kit_foreign, kit_newer."""
    try:
        document = strict_json.loads(data)
        checksum = _checksum(document) if isinstance(document, dict) else ""
    except (ValueError, RecursionError) as error:
        is_ours = format_name.encode() in data
        raise AppError("kit_manifest_damaged" if is_ours else "kit_foreign", path=str(path)) from error
    if not isinstance(document, dict) or not {"models", "sha256", "format"} & document.keys():
        raise AppError("kit_foreign", path=str(path))
    if document.get("sha256") != checksum:
        raise AppError("kit_manifest_damaged", path=str(path))
    version = document.get("version")
    if document.get("format") != format_name or type(version) is not int or not 0 <= version < 10_000:
        raise AppError("kit_foreign", path=str(path))
    if version != known_version:
        raise AppError("kit_newer", version=version)
    return document


# ----------------------------------------------------------------- validation


def _refuse(where: str) -> NoReturn:
    raise AppError("kit_manifest_refused", where=where)


def _convert(data: Any, kind: type[T], where: str) -> T:
    """Return the table or an entry as a dataclass. Raises AppError("kit_manifest_refused") that names the field."""
    try:
        return msgspec.convert(data, kind)
    except ValueError as error:
        path = _PATH.search(str(error))
        names = re.sub(r"\[(\d+)\]", lambda found: f"[{int(found[1]) + 1}]", path[1] if path else "")
        missing = _MISSING.search(str(error))
        _refuse(f"{where}{names}{f'.{missing[1]}' if missing else ''}".lstrip("."))


def _kit(document: dict[str, Any]) -> Kit:
    table = _convert(document, Kit, "")
    models: list[KitModel] = []
    number = 0
    for at, model in enumerate(table.models, start=1):
        where = f"models[{at}]"
        if not model.stem or safe_name(model.stem, "") != model.stem:
            _refuse(f"{where}.stem")
        if model.licence != model.licence.encode("utf-8", "replace").decode("utf-8"):
            _refuse(f"{where}.licence")
        files = [
            _with_standard_names(file, f"{where}.files[{one}]", number + one)
            for one, file in enumerate(model.files, start=1)
        ]
        if len({file.sha256 for file in files}) != len(files) or len(files) == model.has_projector:
            _refuse(f"{where}.files")
        number += len(files)
        models.append(dataclasses.replace(model, files=tuple(files)))
    if not 1 <= number <= _FILES_MAX:
        _refuse("models")
    names = [name.casefold() for model in models for name in model.file_names(model.stem)]
    if len(set(names)) != len(names):
        _refuse("stem")
    if len({extra.kind for extra in table.extras}) != len(table.extras):
        _refuse("extras")
    return Kit(tuple(models), table.extras)


def kit_file_from(entry: Any, where: str, number: int) -> KitFile:
    """Return a file's entry as KitFile. `number`: the file's, from 1, which names its parts.

    Raises AppError("kit_manifest_refused").
    """
    return _with_standard_names(_convert(entry, KitFile, where), where, number)


def _with_standard_names(file: KitFile, where: str, number: int) -> KitFile:
    """Return the file with the standard names of its parts; names in the table are ignored."""
    if sum(part.size_bytes for part in file.parts) != file.size_bytes:
        _refuse(f"{where}.size_bytes")
    parts = (dataclasses.replace(part, name=part_name(number, at)) for at, part in enumerate(file.parts, start=1))
    return dataclasses.replace(file, parts=tuple(parts))


PART_BYTES = 3_900_000_000  # FAT32 allows 4 GiB less one byte
PART_MAX_BYTES = (1 << 32) - 1
_TEMPORARY_SUFFIX = ".tmp"


class PartHash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class PartWriter:
    """Writes files as parts into one folder. Every byte counts twice in `meter`: once written, once read back."""

    def __init__(self, folder: Path, part_bytes: int, meter: CopyProgress) -> None:
        self._folder = folder
        self._part_bytes = part_bytes
        self._meter = meter

    def write(self, path: Path, number: int, *, keeps_name: bool = False) -> KitFile:
        """Write a file as parts.

        `number`: the file's number in the kit, from 1. `keeps_name`: a file that fits into one part keeps its name.
        Raises AppError (file_unreadable, model_file_changed, move_copy_wrong), and OSError for write errors.
        """
        whole = hashlib.sha256()
        parts: list[KitPart] = []
        try:
            reader = open_regular(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        with reader:
            size = left = os.fstat(reader.fileno()).st_size
            is_single = keeps_name and size <= self._part_bytes
            while left:
                name = path.name if is_single else part_name(number, len(parts) + 1)
                parts.append(self._write_part(reader, path, name, min(left, self._part_bytes), whole))
                left -= parts[-1].size_bytes
        return KitFile(size, whole.hexdigest(), tuple(parts))

    def _write_part(self, reader: BinaryIO, source: Path, name: str, size: int, file_hash: PartHash) -> KitPart:
        """Write a part unless it exists with the right content. `file_hash` is updated with its bytes."""
        target, part = self._folder / name, hashlib.sha256()
        if not target.is_symlink() and target.is_file() and target.stat().st_size == size:
            for block in _blocks(reader, source, size):
                part.update(block)
                file_hash.update(block)
                self._meter.add(len(block))
            if _hash_or_empty(target, self._meter) == part.hexdigest():
                return KitPart(size, part.hexdigest(), name)
            reader.seek(-size, os.SEEK_CUR)
            part, file_hash = hashlib.sha256(), hashlib.sha256()
        self._write(reader, source, target, size, (part, file_hash))
        return KitPart(size, part.hexdigest(), name)

    def _write(
        self, reader: BinaryIO, source: Path, target: Path, size: int, digests: tuple[PartHash, PartHash]
    ) -> None:
        temporary = target.with_name(target.name + _TEMPORARY_SUFFIX)
        temporary.unlink(missing_ok=True)
        try:
            with temporary.open("xb") as out:
                for block in _blocks(reader, source, size):
                    out.write(block)
                    for digest in digests:
                        digest.update(block)
                    self._meter.add(len(block))
                out.flush()
                os.fsync(out.fileno())
            if hash_file(temporary, self._meter) != digests[0].hexdigest():
                raise AppError("move_copy_wrong", path=str(target))
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def _blocks(reader: BinaryIO, source: Path, size: int) -> Iterator[bytes]:
    """Yield exactly `size` bytes. Raises AppError for read errors, which would otherwise look like write errors."""
    while size:
        try:
            block = reader.read(min(size, BLOCK_BYTES))
        except OSError as error:
            raise _unreadable(source, error) from error
        if not block:  # the file has become shorter
            raise AppError("model_file_changed", path=str(source))
        size -= len(block)
        yield block


def _unreadable(path: Path, error: OSError) -> AppError:
    return AppError("file_unreadable", path=str(path), reason=error.strerror or str(error))


def _hash_or_empty(path: Path, meter: CopyProgress) -> str:
    try:
        return hash_file(path, meter)
    except OSError:  # an unreadable part is written again
        return ""


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_PART_MIN_BYTES = 10**6


def part_bytes_from(text: str) -> int:
    """Return the bytes that an option such as "3.9GB" states, from 1 MB to 4 GiB. Raises AppError("bad_option")."""
    found = _SIZE.fullmatch(text.strip())
    size = round(float(found[1]) * _UNITS[found[2].upper().rstrip("B")]) if found else 0
    if not _PART_MIN_BYTES <= size <= PART_MAX_BYTES:
        raise AppError(
            "bad_option", option="--part-size", value=text, expected=phrase("common.range", low="1MB", high="4.2GB")
        )
    return size
