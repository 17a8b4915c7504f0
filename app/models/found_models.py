"""Find models that other programs have put on this machine, without writing, copying or hashing anything.

`known_model_folders` lists where each program keeps its downloads on each platform; `search_folders` walks through
them. It follows links only into one of the searched folders and visits each real folder and file once, so link loops
end. Time, entries and depth are bounded; the result states whether a bound was hit.

Ollama's store is read, never written: `manifests/<registry>/<namespace>/<model>/<tag>` is a list of layers in JSON, and
a layer with the digest `sha256:<hex>` is the file `blobs/sha256-<hex>`. A digest comes from outside and is used as a
path only after a check that it is hexadecimal (compare CVE-2024-37032).
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import safe_name
from app.inference import gguf
from app.inference.gguf import GgufHeader

_WEIGHTS = "application/vnd.ollama.image.model"
_TEMPLATE = "application/vnd.ollama.image.template"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_BLOB = re.compile(r"sha256-([0-9a-f]{64})")
_MANIFEST_MAX_BYTES = 1 << 20
_TEMPLATE_MAX_BYTES = 256 * 1024
_DEFAULT_REGISTRY, _DEFAULT_NAMESPACE = "registry.ollama.ai", "library"


@dataclass(frozen=True, slots=True)
class OllamaEntry:
    """Describes a model in Ollama's store.

    `name` is Ollama's (`qwen2.5:7b`); `weights` is None if the manifest names no GGUF file.
    """

    name: str
    manifest: Path
    weights: Path | None
    template: Path | None = None  # in Go's template language; only used to recognize a prompt form


def ollama_entries(folder: Path) -> Iterator[OllamaEntry]:
    """Yield all models of one Ollama store, sorted by name. Unreadable folders are skipped, links not followed."""
    for manifest in _manifests(folder / "manifests", 4):
        layers = _layers(manifest)
        weights, template = _blob(folder, layers, _WEIGHTS), _blob(folder, layers, _TEMPLATE)
        yield OllamaEntry(_model_name(manifest), manifest, weights, template)


def ollama_entry_of(weights: Path) -> OllamaEntry | None:
    """Return the Ollama model that a file of weights belongs to; None for any other file."""
    if not _BLOB.fullmatch(weights.name) or weights.parent.name != "blobs":
        return None
    return next((entry for entry in ollama_entries(weights.parent.parent) if entry.weights == weights), None)


def ollama_sha256(weights: Path) -> str:
    """Return the SHA-256 in the name of a file of an Ollama store; "" for any other file."""
    found = _BLOB.fullmatch(weights.name)
    return found[1] if found else ""


def ollama_template(entry: OllamaEntry) -> str | None:
    if entry.template is None:
        return None
    try:
        with open_regular(entry.template) as file:
            return file.read(_TEMPLATE_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _manifests(folder: Path, depth: int) -> Iterator[Path]:
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return
    for child in children:
        if child.is_symlink():
            continue
        if depth > 1 and child.is_dir():
            yield from _manifests(child, depth - 1)
        elif depth == 1 and child.is_file():
            yield child


def _model_name(manifest: Path) -> str:
    registry, namespace, model, tag = manifest.parts[-4:]
    left = [] if registry == _DEFAULT_REGISTRY else [registry]
    left += [] if not left and namespace == _DEFAULT_NAMESPACE else [namespace]
    # The parts are file names, which may contain anything but a slash; they are displayed, so they are cleaned.
    return "/".join(safe_name(part, "_") for part in [*left, model]) + ":" + safe_name(tag, "_")


def _layers(manifest: Path) -> list[Any]:
    try:
        with open_regular(manifest) as file:
            document = strict_json.loads(file.read(_MANIFEST_MAX_BYTES + 1))
    except (OSError, ValueError):
        return []
    layers = document.get("layers") if isinstance(document, dict) else None
    return layers if isinstance(layers, list) else []


def _blob(folder: Path, layers: list[Any], kind: str) -> Path | None:
    for layer in layers:
        if isinstance(layer, dict) and layer.get("mediaType") == kind and isinstance(layer.get("digest"), str):
            found = _DIGEST.fullmatch(layer["digest"])
            if found:
                return folder / "blobs" / f"sha256-{found[1]}"
    return None


_SETTINGS_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """Names a folder that may hold models.

    `source`: lm_studio | ollama | huggingface | llama_cpp | gpt4all | kotae.
    """

    source: str
    folder: Path


def known_model_folders(
    home: Path,
    environment: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
    *,
    own_folder: Path | None = None,
) -> list[ModelFolder]:
    """Return all folders that may hold models, existing or not. `own_folder` is Kotae's models folder."""
    finder = _FolderFinder(home, environment, platform)
    places = [ModelFolder("kotae", own_folder)] if own_folder is not None else []
    places += [ModelFolder("lm_studio", folder) for folder in finder.lm_studio()]
    places += [ModelFolder("ollama", folder) for folder in finder.ollama()]
    places += [ModelFolder("huggingface", finder.hugging_face())]
    places += [ModelFolder("llama_cpp", finder.llama_cpp())]
    places += [ModelFolder("gpt4all", finder.application_data("nomic.ai") / "GPT4All")]
    return list(dict.fromkeys(places))


@dataclass(frozen=True, slots=True)
class _FolderFinder:
    """Finds the folders of other programs on one platform."""

    home: Path
    environment: Mapping[str, str]
    platform: str

    def variable(self, name: str) -> Path | None:
        value = self.environment.get(name, "")
        if not value or "\0" in value:
            return None
        path = self.home / value[2:] if value.startswith("~/") else Path(value)
        return path if path.is_absolute() else None

    def cache(self) -> Path:
        """Return ~/.cache or its override: the Hugging Face libraries use it on every platform."""
        return self.variable("XDG_CACHE_HOME") or self.home / ".cache"

    def application_data(self, name: str) -> Path:
        """Return the folder that Qt's AppLocalDataLocation would be for an application of this name."""
        if self.platform == "win32":
            return (self.variable("LOCALAPPDATA") or self.home / "AppData" / "Local") / name
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support" / name
        return (self.variable("XDG_DATA_HOME") or self.home / ".local" / "share") / name

    def lm_studio(self) -> Iterator[Path]:
        for base in (self.home / ".lmstudio", self.home / ".cache" / "lm-studio"):  # the latter before version 0.3.6
            yield base / "models"
            chosen = _folder_in_settings(base / "settings.json", "downloadsFolder")
            if chosen is not None:
                yield chosen

    def ollama(self) -> Iterator[Path]:
        chosen = self.variable("OLLAMA_MODELS")
        if chosen is not None:
            yield chosen
        yield self.home / ".ollama" / "models"
        if self.platform.startswith("linux"):
            yield Path("/usr/share/ollama/.ollama/models")  # for the service that Ollama's installer sets up

    def hugging_face(self) -> Path:
        hub = self.variable("HF_HUB_CACHE") or self.variable("HUGGINGFACE_HUB_CACHE")
        return hub or (self.variable("HF_HOME") or self.cache() / "huggingface") / "hub"

    def llama_cpp(self) -> Path:
        chosen = self.variable("LLAMA_CACHE")
        if chosen is not None:
            return chosen
        if self.platform == "win32":
            return self.application_data("llama.cpp")
        if self.platform == "darwin":
            return self.home / "Library" / "Caches" / "llama.cpp"
        return self.cache() / "llama.cpp"


def _folder_in_settings(path: Path, key: str) -> Path | None:
    """Return the absolute path stored under `key` in another program's settings; None if there is none."""
    try:
        document = strict_json.load_file(path, _SETTINGS_MAX_BYTES)
    except (OSError, ValueError):
        return None
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, str) or not value or "\0" in value or not Path(value).is_absolute():
        return None
    return Path(value)


MAX_ENTRIES = 200_000
MAX_DEPTH = 12
MAX_SECONDS = 20.0

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundModel:
    """Describes a model file found on this machine.

    `path`: the file to import: the first part of a split model, or a file without suffix from Ollama's store.
    """

    path: Path
    source: str
    name: str
    size_bytes: int  # total of all parts
    architecture: str
    quantization: str
    context_tokens: int
    parts: int = 1


@dataclass(frozen=True, slots=True)
class SkippedModel:
    """Describes a file or folder that cannot be used, and the reason."""

    path: Path
    source: str
    reason: AppError


@dataclass(slots=True)
class FoundModels:
    """Holds the result of a search."""

    models: list[FoundModel] = field(default_factory=list)
    skipped: list[SkippedModel] = field(default_factory=list)
    is_complete: bool = True  # False: a bound was hit, and there may be more


def search_folders(
    places: Sequence[ModelFolder],
    report: Callable[[int, int], None] = lambda _looked, _of: None,
    max_s: float = MAX_SECONDS,
) -> FoundModels:
    """Search the folders for GGUF models that can be imported.

    `report` is called with the number of entries visited and 0 for the unknown total; an exception from it ends the
    search.
    """
    found = _Search(places, report, time.monotonic() + max_s)
    try:
        for place in places:
            found.search(place)
    except _BoundReachedError:
        found.findings.is_complete = False
    return found.findings


class _BoundReachedError(Exception):
    """Ends a search that has hit one of its bounds."""


class _Search:
    """Runs one search within its bounds, and remembers the visited folders and files."""

    def __init__(self, places: Sequence[ModelFolder], report: Callable[[int, int], None], deadline: float) -> None:
        self.findings = FoundModels()
        self._report = report
        self._deadline = deadline
        self._entries = 0
        self._roots = [real for place in places if (real := _resolve(place.folder)) is not None]
        self._folders: set[Path] = set()  # real paths already searched
        self._files: set[Path] = set()

    def search(self, folder: ModelFolder) -> None:
        real = _resolve(folder.folder)
        if real is None:
            return
        if folder.source == "ollama":
            self._search_store(folder)
        else:
            self._walk(folder, folder.folder, real, MAX_DEPTH)

    def _count(self) -> None:
        self._entries += 1
        self._report(self._entries, 0)
        if self._entries > MAX_ENTRIES or time.monotonic() > self._deadline:
            raise _BoundReachedError

    def _search_store(self, folder: ModelFolder) -> None:
        for entry in ollama_entries(folder.folder):
            self._count()
            if entry.weights is None:  # a cloud model, or one in another format
                self._skip(entry.manifest, folder, AppError("found_no_weights", name=entry.name))
            else:
                self._add(entry.weights, folder, entry.name)

    def _walk(self, model_folder: ModelFolder, folder: Path, real: Path, depth: int) -> None:
        if real in self._folders:
            return
        self._folders.add(real)
        for child in self._children(model_folder, folder):
            self._count()
            if _is_folder(child):
                self._enter(model_folder, child, depth - 1)
            elif child.name.casefold().endswith(".gguf"):
                self._add(Path(child.path), model_folder)

    def _enter(self, folder: ModelFolder, child: "os.DirEntry[str]", depth: int) -> None:
        path = Path(child.path)
        real = _resolve(path)
        if real is None or depth == 0:
            return
        if child.is_symlink() and not self._is_inside(real):
            self._skip(path, folder, AppError("found_outside", path=str(path)))
        else:
            self._walk(folder, path, real, depth)

    def _children(self, model_folder: ModelFolder, folder: Path) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(folder) as entries:
                yield from sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            self._skip(folder, model_folder, AppError("file_unreadable", path=str(folder), reason=reason))

    def _add(self, path: Path, folder: ModelFolder, name: str = "") -> None:
        if _is_later_part(path):
            return
        real = _resolve(path)
        if real is None:
            self._skip(path, folder, AppError("file_missing", path=str(path)))
        elif not self._is_inside(real):
            self._skip(path, folder, AppError("found_outside", path=str(path)))
        elif real not in self._files:
            self._files.add(real)
            try:
                header = gguf.check_model(path, every_token=False)
                self._check_parts(header)
            except AppError as error:
                self._skip(path, folder, _first_part_error(error))
            else:
                self.findings.models.append(_describe(path, folder, name, header))

    def _check_parts(self, header: GgufHeader) -> None:
        for part in header.parts:
            real = _resolve(part)
            if real is None or not self._is_inside(real):
                raise AppError("found_outside", path=str(part))

    def _skip(self, path: Path, folder: ModelFolder, reason: AppError) -> None:
        self.findings.skipped.append(SkippedModel(path, folder.source, reason))

    def _is_inside(self, real: Path) -> bool:
        return any(real.is_relative_to(root) for root in self._roots)


def _describe(path: Path, folder: ModelFolder, name: str, header: GgufHeader) -> FoundModel:
    return FoundModel(
        path=path,
        source=folder.source,
        name=name or path.stem,
        size_bytes=header.file_bytes,
        architecture=header.architecture,
        quantization=header.quantization,
        context_tokens=header.context_length,
        parts=1 + len(header.parts),
    )


def _first_part_error(error: AppError) -> AppError:
    """Replace AppError("split_not_first") by "split_part_missing"; return other errors unchanged.

    A later part of a split model is only examined if the first part is missing, so the missing part is reported.
    """
    if error.code != "split_not_first":
        return error
    return AppError("split_part_missing", missing=error.facts["first"], count=error.facts["count"])


def _is_later_part(path: Path) -> bool:
    """Return whether a file is a later part of a split model whose first or preceding part exists."""
    part = _PART.fullmatch(path.name)
    if part is None or part["number"] == "00001":
        return False
    before = {1, int(part["number"]) - 1}
    return any(path.with_name(f"{part['stem']}-{number:05}-of-{part['count']}.gguf").exists() for number in before)


def resolved(path: str | Path) -> Path:
    """Return a path to compare, with links resolved as far as possible."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError):  # a link loop
        return Path(path)


def _is_folder(child: "os.DirEntry[str]") -> bool:
    try:
        return child.is_dir()
    except OSError:  # a link loop
        return False


def _resolve(path: Path) -> Path | None:
    """Return the path with links resolved; None if it does not exist or is not accessible."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # a loop, a NUL character
        return None
