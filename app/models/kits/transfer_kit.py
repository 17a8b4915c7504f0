"""Define a transfer kit: its table of contents with the hash of every part, and the writer of its parts.

    manifest.json        the table, written last: without it a kit is incomplete
    001-0001.kotae-part  the first part of the first file, and so on
    LICENCES.txt         the models' terms, for people; presets.json, and terms that must accompany a model

    {"format": "kotae-model-kit", "version": 1, "sha256": "… of all the rest",
     "models": [{"stem": "gemma", "licence": "…", "files": [{"size_bytes": 1, "sha256": "…",
       "parts": [{"size_bytes": 1, "sha256": "…"}]}]}],
     "extras": [{"kind": "presets", "size_bytes": 1, "sha256": "…"}]}

No name in the table is used as a path: names of parts and extras are not in it, and those of the joined files are made
from `stem`, which must already be a safe name. Parts fit on a FAT32 stick; each is written completely or not at all,
and read back.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol

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
EXTRA_NAMES = {"presets": "presets.json", "gemma_terms": starter.TERMS_NAME}

_SIZE_MAX_BYTES = 16 << 20
_MODELS_MAX, _FILES_MAX, _PARTS_MAX = 100, 999, 9999
_FILE_MAX_BYTES = 1 << 50
_LICENCE_MAX_CHARACTERS = 20_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class KitPart:
    """One part of a file in the kit."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class KitFile:
    """A file of a model, with its parts."""

    size_bytes: int
    sha256: str
    parts: tuple[KitPart, ...]


@dataclass(frozen=True, slots=True)
class KitModel:
    """A model in the kit. `stem`: the name of its joined files without number and suffix."""

    stem: str
    files: tuple[KitFile, ...]
    licence: str = ""  # the terms in the exporting user's language

    def file_names(self, stem: str) -> list[str]:
        """Return the names for the joined files as llama.cpp expects them; `stem` may be a numbered one."""
        count = len(self.files)
        if count == 1:
            return [f"{stem}.gguf"]
        return [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class KitExtra:
    """A file in the kit besides the models."""

    kind: str  # a key of EXTRA_NAMES
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Kit:
    """The table of contents of a kit."""

    models: tuple[KitModel, ...]
    extras: tuple[KitExtra, ...] = ()

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
            {"stem": model.stem, "licence": model.licence, "files": [file_as_dict(file) for file in model.files]}
            for model in kit.models
        ],
        "extras": [
            {"kind": extra.kind, "size_bytes": extra.size_bytes, "sha256": extra.sha256} for extra in kit.extras
        ],
    }
    return table_bytes(document)


def read_kit(folder: Path) -> Kit:
    """Read a kit's table.

    Raises AppError: kit_missing, kit_foreign, kit_newer, kit_manifest_damaged, kit_manifest_refused.
    """
    return _kit(read_table(folder / MANIFEST_NAME, FORMAT, VERSION))


def table_bytes(document: dict[str, Any]) -> bytes:
    """Return a table as JSON, with a hash of all the rest."""
    document["sha256"] = _checksum(document)
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def read_table(path: Path, format_name: str, version: int) -> dict[str, Any]:
    """Read a table and compare its hash.

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
    """Return the table; distinguish damage (a flipped byte anywhere) from a file that is not a kit's."""
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


def _kit(document: dict[str, Any]) -> Kit:
    models: list[KitModel] = []
    number = 0
    for at, entry in enumerate(_list(document, "models", "models", _MODELS_MAX), start=1):
        model = _model(entry, f"models[{at}]", number)
        number += len(model.files)
        models.append(model)
    if not 1 <= number <= _FILES_MAX:
        _refuse("models")
    names = [name.casefold() for model in models for name in model.file_names(model.stem)]
    if len(set(names)) != len(names):
        _refuse("stem")
    extras = tuple(
        _extra(entry, f"extras[{at}]")
        for at, entry in enumerate(_list(document, "extras", "extras", len(EXTRA_NAMES)), start=1)
    )
    if len({extra.kind for extra in extras}) != len(extras):
        _refuse("extras")
    return Kit(tuple(models), extras)


def _model(entry: Any, where: str, files_before: int) -> KitModel:
    stem, licence = _field(entry, "stem", str, where), _field(entry, "licence", str, where)
    if not stem or safe_name(stem, "") != stem:
        _refuse(f"{where}.stem")
    if len(licence) > _LICENCE_MAX_CHARACTERS or not _is_text(licence):
        _refuse(f"{where}.licence")
    entries = _list(entry, "files", f"{where}.files", _FILES_MAX)
    if not entries:
        _refuse(f"{where}.files")
    files = tuple(
        kit_file_from(file, f"{where}.files[{at}]", files_before + at) for at, file in enumerate(entries, start=1)
    )
    if len({file.sha256 for file in files}) != len(files):
        _refuse(f"{where}.files")
    return KitModel(stem, files, licence)


def kit_file_from(entry: Any, where: str, number: int) -> KitFile:
    """Return a file's entry; raise AppError("kit_manifest_refused"). `number`: of the file, which names its parts."""
    size_bytes, sha256 = _size(entry, where), _hash(entry, where)
    parts = tuple(
        KitPart(part_name(number, at), _size(part, f"{where}.parts[{at}]"), _hash(part, f"{where}.parts[{at}]"))
        for at, part in enumerate(_list(entry, "parts", f"{where}.parts", _PARTS_MAX), start=1)
    )
    if sum(part.size_bytes for part in parts) != size_bytes:
        _refuse(f"{where}.size_bytes")
    return KitFile(size_bytes, sha256, parts)


def _extra(entry: Any, where: str) -> KitExtra:
    kind = _field(entry, "kind", str, where)
    if kind not in EXTRA_NAMES:
        _refuse(f"{where}.kind")
    return KitExtra(kind, _size(entry, where), _hash(entry, where))


def _field(entry: Any, name: str, kind: type, where: str) -> Any:
    value = entry.get(name) if isinstance(entry, dict) else None
    if type(value) is not kind:  # a bool is not a number here
        _refuse(f"{where}.{name}")
    return value


def _list(entry: Any, name: str, where: str, limit: int) -> list[Any]:
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, list) or len(value) > limit:
        _refuse(where)
    return value


def _size(entry: Any, where: str) -> int:
    size: int = _field(entry, "size_bytes", int, where)
    if not 1 <= size <= _FILE_MAX_BYTES:
        _refuse(f"{where}.size_bytes")
    return size


def _hash(entry: Any, where: str) -> str:
    sha256: str = _field(entry, "sha256", str, where)
    if not _SHA256.fullmatch(sha256):
        _refuse(f"{where}.sha256")
    return sha256


def _is_text(text: str) -> bool:
    return text == text.encode("utf-8", "replace").decode("utf-8")


PART_BYTES = 3_900_000_000  # FAT32 allows 4 GiB less one byte
PART_MAX_BYTES = (1 << 32) - 1
_TEMPORARY_SUFFIX = ".tmp"


class PartHash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class PartWriter:
    """Writes files as parts into one folder. Every byte counts twice in `meter`: written, read back."""

    def __init__(self, folder: Path, part_bytes: int, meter: CopyProgress) -> None:
        self._folder = folder
        self._part_bytes = part_bytes
        self._meter = meter

    def write(self, path: Path, number: int, *, keeps_name: bool = False) -> KitFile:
        """Write a file as parts.

        `number`: of the file in the kit. `keeps_name`: a file that fits into one part keeps its name. Raises AppError
        (file_unreadable, model_file_changed, move_copy_wrong), and OSError for write errors.
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
                parts.append(self._part(reader, path, name, min(left, self._part_bytes), whole))
                left -= parts[-1].size_bytes
        return KitFile(size, whole.hexdigest(), tuple(parts))

    def _part(self, reader: BinaryIO, source: Path, name: str, size: int, whole: PartHash) -> KitPart:
        """Write a part unless it is there already. `whole` gets every byte of the source once."""
        target, part = self._folder / name, hashlib.sha256()
        if not target.is_symlink() and target.is_file() and target.stat().st_size == size:
            for block in _blocks(reader, source, size):
                part.update(block)
                whole.update(block)
                self._meter.add(len(block))
            if _hash_or_empty(target, self._meter) == part.hexdigest():
                return KitPart(name, size, part.hexdigest())
            reader.seek(-size, os.SEEK_CUR)
            part, whole = hashlib.sha256(), hashlib.sha256()
        self._write(reader, source, target, size, (part, whole))
        return KitPart(name, size, part.hexdigest())

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
    except OSError:  # unreadable: the part is written again
        return ""


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_PART_MIN_BYTES = 10**6


def part_bytes_from(text: str) -> int:
    """Return the part size in an option such as "3.9GB". Raises AppError("bad_option")."""
    found = _SIZE.fullmatch(text.strip())
    size = round(float(found[1]) * _UNITS[found[2].upper().rstrip("B")]) if found else 0
    if not _PART_MIN_BYTES <= size <= PART_MAX_BYTES:
        raise AppError(
            "bad_option", option="--part-size", value=text, expected=phrase("common.range", low="1MB", high="4.2GB")
        )
    return size
