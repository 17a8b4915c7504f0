"""Models that other programs have put on this machine: found without writing, copying or hashing anything.

Links are followed only where they lead into one of the folders that are searched; each real folder and each real file
is looked at once, so loops end. Time, entries and depth are bounded, and the outcome says when a bound was met.

Ollama's store, read and never written: which file holds the weights of which model.

`manifests/<registry>/<namespace>/<model>/<tag>` is a list of layers in JSON; a layer with the digest `sha256:<hex>` is
the file `blobs/sha256-<hex>`. A digest comes from outside and is never used as a path before it is known to be hex
(CVE-2024-37032 was that).

Where other programs keep the models they have downloaded: facts on folders, by program and platform.
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
    """`name` as Ollama lists it (`qwen2.5:7b`). `weights` None: the manifest says nothing that can be used here."""

    name: str
    manifest: Path
    weights: Path | None
    template: Path | None = None  # Go's template language; only good for telling which prompt form it is


def ollama_entries(folder: Path) -> Iterator[OllamaEntry]:
    """All models of one store, by name. Folders that may not be read are passed over; links are not followed."""
    for manifest in _manifests(folder / "manifests", 4):
        yield _entry(folder, manifest)


def ollama_entry_of(weights: Path) -> OllamaEntry | None:
    """The model whose weights a file of an Ollama store is; None for any other file."""
    if not _BLOB.fullmatch(weights.name) or weights.parent.name != "blobs":
        return None
    return next((entry for entry in ollama_entries(weights.parent.parent) if entry.weights == weights), None)


def ollama_sha256(weights: Path) -> str:
    """What the store says the file's hash is: its name; "" for any other file."""
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


def _entry(folder: Path, manifest: Path) -> OllamaEntry:
    name = _name(manifest)
    layers = _layers(manifest)
    weights = _blob(folder, layers, _WEIGHTS)
    return OllamaEntry(name, manifest, weights, _blob(folder, layers, _TEMPLATE))


def _name(manifest: Path) -> str:
    registry, namespace, model, tag = manifest.parts[-4:]
    left = [] if registry == _DEFAULT_REGISTRY else [registry]
    left += [] if not left and namespace == _DEFAULT_NAMESPACE else [namespace]
    # The parts are names of files, which may hold anything but a slash; what is shown is clean.
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
    """`source`: lm_studio | ollama | huggingface | llama_cpp | gpt4all | jan | kotae."""

    source: str
    folder: Path


def known_model_folders(
    home: Path, environment: Mapping[str, str] = os.environ, platform: str = sys.platform, *, own: Path | None = None
) -> list[ModelFolder]:
    """All folders that may hold models, whether they exist or not. `own` is Kotae's."""
    look = _Look(home, environment, platform)
    places = [ModelFolder("kotae", own)] if own is not None else []
    places += [ModelFolder("lm_studio", folder) for folder in look.lm_studio()]
    places += [ModelFolder("ollama", folder) for folder in look.ollama()]
    places += [ModelFolder("huggingface", look.hugging_face())]
    places += [ModelFolder("llama_cpp", look.llama_cpp())]
    places += [ModelFolder("gpt4all", look.application_data("nomic.ai") / "GPT4All")]
    places += [ModelFolder("jan", folder) for folder in look.jan()]
    return list(dict.fromkeys(places))


@dataclass(frozen=True, slots=True)
class _Look:
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
        """The Hugging Face libraries take ~/.cache on every platform."""
        return self.variable("XDG_CACHE_HOME") or self.home / ".cache"

    def application_data(self, name: str) -> Path:
        """As Qt's AppLocalDataLocation."""
        if self.platform == "win32":
            return (self.variable("LOCALAPPDATA") or self.home / "AppData" / "Local") / name
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support" / name
        return (self.variable("XDG_DATA_HOME") or self.home / ".local" / "share") / name

    def lm_studio(self) -> Iterator[Path]:
        for base in (self.home / ".lmstudio", self.home / ".cache" / "lm-studio"):  # the latter before version 0.3.6
            yield base / "models"
            chosen = _text_in(base / "settings.json", "downloadsFolder")
            if chosen is not None:
                yield chosen

    def ollama(self) -> Iterator[Path]:
        chosen = self.variable("OLLAMA_MODELS")
        if chosen is not None:
            yield chosen
        yield self.home / ".ollama" / "models"
        if self.platform.startswith("linux"):
            yield Path("/usr/share/ollama/.ollama/models")  # the service that its installer sets up

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

    def jan(self) -> Iterator[Path]:
        """~/jan until 2024; then Electron's folder, in which `llamacpp` is the newer name."""
        yield self.home / "jan" / "models"
        if self.platform == "win32":
            base = self.variable("APPDATA") or self.home / "AppData" / "Roaming"
        else:
            base = self.application_data("")
        for folder in (base / "Jan" / "data", self.home / ".config" / "Jan" / "data"):
            yield folder / "models"
            yield folder / "llamacpp" / "models"


def _text_in(path: Path, key: str) -> Path | None:
    """A folder that another program's settings name; None when they do not."""
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
    """`path` is what to import: the first part of a split model, or a file of Ollama's without suffix."""

    path: Path
    source: str
    name: str
    size_bytes: int  # of all parts
    architecture: str
    quantization: str
    context_tokens: int
    parts: int = 1


@dataclass(frozen=True, slots=True)
class SkippedModel:
    path: Path
    source: str
    reason: AppError


@dataclass(slots=True)
class FoundModels:
    models: list[FoundModel] = field(default_factory=list)
    skipped: list[SkippedModel] = field(default_factory=list)
    is_complete: bool = True  # False: a bound was met, and there may be more


def search_folders(
    places: Sequence[ModelFolder],
    report: Callable[[int, int], None] = lambda _looked, _of: None,
    max_s: float = MAX_SECONDS,
) -> FoundModels:
    """`report` is told how many entries were looked at (of 0: not known); what it raises ends the search."""
    found = _Search(places, report, time.monotonic() + max_s)
    try:
        for place in places:
            found.look_through(place)
    except _Bound:
        found.findings.is_complete = False
    return found.findings


class _Bound(Exception):  # noqa: N818  nothing went wrong
    """Enough was looked at."""


class _Search:
    def __init__(self, places: Sequence[ModelFolder], report: Callable[[int, int], None], deadline: float) -> None:
        self.findings = FoundModels()
        self._report = report
        self._deadline = deadline
        self._entries = 0
        self._roots = [real for place in places if (real := _real(place.folder)) is not None]
        self._folders: set[Path] = set()  # real ones that were looked through
        self._files: set[Path] = set()

    def look_through(self, place: ModelFolder) -> None:
        real = _real(place.folder)
        if real is None:
            return
        if place.source == "ollama":
            self._look_at_store(place)
        else:
            self._walk(place, place.folder, real, MAX_DEPTH)

    def _count(self) -> None:
        self._entries += 1
        self._report(self._entries, 0)
        if self._entries > MAX_ENTRIES or time.monotonic() > self._deadline:
            raise _Bound

    def _look_at_store(self, place: ModelFolder) -> None:
        for entry in ollama_entries(place.folder):
            self._count()
            if entry.weights is None:  # a model in the cloud, or one in another format
                self._skip(entry.manifest, place, AppError("found_no_weights", name=entry.name))
            else:
                self._take(entry.weights, place, entry.name)

    def _walk(self, place: ModelFolder, folder: Path, real: Path, depth: int) -> None:
        if real in self._folders:
            return
        self._folders.add(real)
        for child in self._children(place, folder):
            self._count()
            if _is_folder(child):
                self._enter(place, child, depth - 1)
            elif child.name.casefold().endswith(".gguf"):
                self._take(Path(child.path), place)

    def _enter(self, place: ModelFolder, child: "os.DirEntry[str]", depth: int) -> None:
        path = Path(child.path)
        real = _real(path)
        if real is None or depth == 0:
            return
        if child.is_symlink() and not self._is_inside(real):
            self._skip(path, place, AppError("found_outside", path=str(path)))
        else:
            self._walk(place, path, real, depth)

    def _children(self, place: ModelFolder, folder: Path) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(folder) as entries:
                yield from sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            self._skip(folder, place, AppError("file_unreadable", path=str(folder), reason=reason))

    def _take(self, path: Path, place: ModelFolder, name: str = "") -> None:
        if _is_later_part(path):
            return
        real = _real(path)
        if real is None:
            self._skip(path, place, AppError("file_missing", path=str(path)))
        elif not self._is_inside(real):
            self._skip(path, place, AppError("found_outside", path=str(path)))
        elif real not in self._files:
            self._files.add(real)
            try:
                header = gguf.check_model(path, every_token=False)
                self._check_parts(header)
            except AppError as error:
                self._skip(path, place, _told(error))
            else:
                self.findings.models.append(_found(path, place, name, header))

    def _check_parts(self, header: GgufHeader) -> None:
        for part in header.parts:
            real = _real(part)
            if real is None or not self._is_inside(real):
                raise AppError("found_outside", path=str(part))

    def _skip(self, path: Path, place: ModelFolder, reason: AppError) -> None:
        self.findings.skipped.append(SkippedModel(path, place.source, reason))

    def _is_inside(self, real: Path) -> bool:
        return any(real.is_relative_to(root) for root in self._roots)


def _found(path: Path, place: ModelFolder, name: str, header: GgufHeader) -> FoundModel:
    return FoundModel(
        path=path,
        source=place.source,
        name=name or path.stem,
        size_bytes=header.file_bytes,
        architecture=header.architecture,
        quantization=header.quantization,
        context_tokens=header.context_length,
        parts=1 + len(header.parts),
    )


def _told(error: AppError) -> AppError:
    """A later part is only looked at where the first one is gone: that is what is to be said."""
    if error.code != "split_not_first":
        return error
    return AppError("split_part_missing", missing=error.facts["first"], count=error.facts["count"])


def _is_later_part(path: Path) -> bool:
    """One that the first part answers for, or where that is gone the part before it."""
    part = _PART.fullmatch(path.name)
    if part is None or part["number"] == "00001":
        return False
    before = {1, int(part["number"]) - 1}
    return any(path.with_name(f"{part['stem']}-{number:05}-of-{part['count']}.gguf").exists() for number in before)


def _is_folder(child: "os.DirEntry[str]") -> bool:
    try:
        return child.is_dir()
    except OSError:  # a link in a circle
        return False


def _real(path: Path) -> Path | None:
    """Without links; None where nothing is, or nobody may look."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # a loop, a NUL
        return None
