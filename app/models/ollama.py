"""Ollama's store, read and never written: which file holds the weights of which model.

`manifests/<registry>/<namespace>/<model>/<tag>` is a list of layers in JSON; a layer with the digest `sha256:<hex>` is
the file `blobs/sha256-<hex>`. A digest comes from outside and is never used as a path before it is known to be hex
(CVE-2024-37032 was that).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.files.output_file import safe_name

_WEIGHTS = "application/vnd.ollama.image.model"
_TEMPLATE = "application/vnd.ollama.image.template"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_BLOB = re.compile(r"sha256-([0-9a-f]{64})")
_MANIFEST_MAX_BYTES = 1 << 20
_TEMPLATE_MAX_BYTES = 256 * 1024
_DEFAULT_REGISTRY, _DEFAULT_NAMESPACE = "registry.ollama.ai", "library"


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` as Ollama lists it (`qwen2.5:7b`). `weights` None: the manifest says nothing that can be used here."""

    name: str
    manifest: Path
    weights: Path | None
    template: Path | None = None  # Go's template language; only good for telling which prompt form it is


def entries(folder: Path) -> Iterator[Entry]:
    """All models of one store, by name. Folders that may not be read are passed over; links are not followed."""
    for manifest in _manifests(folder / "manifests", 4):
        yield _entry(folder, manifest)


def entry_of(weights: Path) -> Entry | None:
    """The model whose weights a file of an Ollama store is; None for any other file."""
    if not _BLOB.fullmatch(weights.name) or weights.parent.name != "blobs":
        return None
    return next((entry for entry in entries(weights.parent.parent) if entry.weights == weights), None)


def sha256_of(weights: Path) -> str:
    """What the store says the file's hash is: its name; "" for any other file."""
    found = _BLOB.fullmatch(weights.name)
    return found[1] if found else ""


def template_text(entry: Entry) -> str | None:
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


def _entry(folder: Path, manifest: Path) -> Entry:
    name = _name(manifest)
    layers = _layers(manifest)
    weights = _blob(folder, layers, _WEIGHTS)
    return Entry(name, manifest, weights, _blob(folder, layers, _TEMPLATE))


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
