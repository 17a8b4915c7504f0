"""Understand how people name a model of a hub, turn a repository into a card, and share a download with other programs.

What a repository states is not verified, but for the hashes of its files: a download is compared with them.
"""

import contextlib
import fnmatch
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files.output_file import write_atomically
from app.models import catalogue, download_queue, found_models, hf_folders, model_fit
from app.models.catalogue import ModelCard, ModelFile
from app.models.download_queue import PublishedWeights, QueuedDownload
from app.models.downloads.messages import HubRepository, ListedFile

CONTEXT_TOKENS = 8192  # where a repository states none; the file itself decides once it is here
_HOSTS = r"(?:(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/|hf://(?:models/)?)"
_REFERENCE = re.compile(
    rf"{_HOSTS}?(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*?)(?:@(?P<at>[^:@]+?))?"
    r"(?:/(?:resolve|blob|tree|raw)/(?P<revision>[^/]+)(?:/(?P<path>.+))?|/(?P<file>.+\.gguf)|:(?P<wanted>[^/:][^:]*))?/?"
)
_SHOWN_FILE = re.compile(r"[?&]show_file_info=([^&#]+)")  # how the hub's pages name the file that is looked at
_QUANTIZATION = re.compile(r"(?:UD-)?(?:I?Q\d(?:_[A-Z\d]+)*|TQ\d_\d|MXFP4(?:_MOE)?|BF16|F16|F32)", re.IGNORECASE)
_NOT_A_MODEL = re.compile(r"mmproj|imatrix", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HubReference:
    """Names a repository of a hub, and perhaps a file or quantization in it."""

    repository: str  # "owner/name"
    wanted: str = ""  # path, name or quantization of a file; "": the usual one
    revision: str = "main"


def parse_reference(text: str, revision: str | None = None) -> HubReference | None:
    """Return what a text names: owner/name, with /FILE, :FILE, :QUANTIZATION or @REVISION, or a page of huggingface.co.

    `revision`: instead of the one in the text. None if it is none of these, such as the id of a card.
    """
    address = text.strip().partition("?")[0].partition("#")[0]
    found = _REFERENCE.fullmatch(address)
    if found is None:
        return None
    shown = _SHOWN_FILE.search(text)
    wanted = unquote(found["path"] or found["file"] or (shown[1] if shown else "")) or found["wanted"] or ""
    return HubReference(found["repository"], wanted, revision or unquote(found["revision"] or found["at"] or "main"))


def card_of(found: HubRepository) -> ModelCard:
    """Return a card with the repository's models, smallest file first. Raises AppError("hub_no_gguf")."""
    projector = _projector(found)
    return _card(found, tuple(replace(file, projector=projector) for file in _model_files(found)), "hub_no_gguf")


def base_card_of(found: HubRepository) -> ModelCard:
    """Return a card whose only file is the publisher's weights, to train on. Raises AppError("hub_no_weights").

    The hub states the hashes of its large files, weights among them; small ones are compared by size alone.
    """
    # Names that differ by case alone are one file on some systems.
    named = {file.name.casefold(): file for file in found.files if hf_folders.is_of_model(file.name)}
    parts = sorted(named.values(), key=lambda file: (hf_folders.is_weights(file.name), file.name))
    is_whole = re.fullmatch("[0-9a-f]{40}", found.commit) and parts and hf_folders.is_weights(parts[-1].name)
    size = sum(part.size_bytes for part in parts)
    weights = PublishedWeights(
        hf_folders.WEIGHTS, size, repository=found.name, revision=found.commit, file=parts[-1].name, parts=tuple(parts)
    ) if is_whole else None  # fmt: skip
    return _card(found, (weights,) if weights else (), "hub_no_weights")


def _card(found: HubRepository, files: tuple[ModelFile, ...], error_code: str) -> ModelCard:
    if not files or not catalogue.may_name("repository", found.name):
        raise AppError(error_code, repository=invisible_characters.to_single_line(found.name)[:80])
    name = found.name.partition("/")[2]
    return ModelCard(
        id=card_id(found.name),
        name=invisible_characters.to_single_line(re.sub(r"[-_.]gguf$", "", name, flags=re.IGNORECASE)),
        summary_ja="",
        summary_en="",
        licence=invisible_characters.to_single_line(found.licence),
        licence_url=f"https://huggingface.co/{quote(found.name)}",
        context_tokens=min(found.context_tokens, 1 << 30) or CONTEXT_TOKENS,
        size_label=_size_label(found.parameters),
        base_model=invisible_characters.to_single_line(found.base_model),
        unverified=("licence", "context_tokens", "files"),
        files=files,
        is_found=True,
        is_gated=found.is_gated,
        architecture=invisible_characters.to_single_line(found.architecture),
    )


def card_id(repository: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", repository.replace("/", "--").casefold()).lstrip("-._")[:80] or "model"


def choose_file(card: ModelCard, wanted: str) -> ModelFile:
    """Return the file that `wanted` names by path, name, quantization or a pattern of these; "": the usual one.

    Raises AppError("download_no_quant").
    """
    usual = model_fit.usual_file(card)
    if not wanted:
        assert usual is not None
        return usual
    files = sorted(card.files, key=lambda file: file is not usual)  # of those of a pattern, the usual one
    exact = wanted.casefold()
    for keys in (_names, _stems, _quantizations):
        for file in files:
            named = [key.casefold() for key in keys(file)]
            if exact in named or fnmatch.filter(named, exact):
                return file
    known = ", ".join(file.quantization for file in card.files)
    raise AppError("download_no_quant", name=card.title, wanted=wanted, known=known)


def _names(file: ModelFile) -> tuple[str, ...]:
    return file.file, *download_queue.part_names(file.file.rpartition("/")[2])


def _stems(file: ModelFile) -> tuple[str, ...]:
    return tuple(name.removesuffix(".gguf") for name in _names(file))


def _quantizations(file: ModelFile) -> tuple[str, ...]:
    return file.quantization, file.quantization.removeprefix("UD-")


def _model_files(found: HubRepository) -> tuple[ModelFile, ...]:
    """Return the repository's models, each split one as one, with distinct quantizations."""
    listed = {file.name: file for file in found.files}
    files = [file for file in found.files if _is_model(file, listed)]
    labels = [_quantization(file.name) for file in files]
    seen = Counter(labels)
    models = [
        _model_file(found, file, label if label and seen[label] == 1 else _stem(file.name), listed)
        for file, label in zip(files, labels, strict=True)
    ]
    distinct = {model.quantization: model for model in models if model.size_bytes}
    return tuple(sorted(distinct.values(), key=lambda model: model.size_bytes))


def _is_model(file: ListedFile, listed: dict[str, ListedFile]) -> bool:
    """Return whether a file is a model or the first part of one that is complete."""
    is_named = file.name.casefold().endswith(".gguf") and catalogue.may_name("file", file.name)
    parts = download_queue.part_names(file.name)
    is_whole = file.name == parts[0] and all(part in listed for part in parts)
    return is_named and is_whole and _NOT_A_MODEL.search(file.name.rpartition("/")[2]) is None


def _projector(found: HubRepository) -> str:
    """Return the repository's part that reads pictures, F16 before other types, then the smallest; "" without one."""
    named = [one for one in found.files if re.fullmatch(r".*mmproj.*\.gguf", one.name, re.IGNORECASE)]
    usable = [one for one in named if one.size_bytes and catalogue.may_name("file", one.name)]
    best = min(usable, key=lambda one: (_quantization(one.name) != "F16", one.size_bytes), default=None)
    return best.name if best else ""


def _model_file(found: HubRepository, file: ListedFile, label: str, listed: dict[str, ListedFile]) -> ModelFile:
    parts = [listed[name] for name in download_queue.part_names(file.name)]
    return ModelFile(
        label,
        sum(part.size_bytes for part in parts),
        sha256=file.sha256 if len(parts) == 1 and re.fullmatch("[0-9a-f]{64}", file.sha256) else "",
        repository=found.name,
        revision=found.commit if re.fullmatch("[0-9a-f]{40}", found.commit) else "",
        file=file.name,
        is_newest=found.is_newest,
    )


def _stem(path: str) -> str:
    return re.sub(r"-\d{5}-of-\d{5}$", "", path.rpartition("/")[2][: -len(".gguf")])


def _quantization(path: str) -> str:
    """Return the last quantization that a file's name holds, such as Q4_K_M; "" if it holds none."""
    found = _QUANTIZATION.findall(_stem(path))
    return found[-1].upper() if found else ""


def _size_label(parameters: int) -> str:
    if not parameters:
        return ""
    if parameters < 1e9:
        return f"{round(parameters / 1e6)}M"
    return f"{round(parameters / 1e9)}B" if parameters >= 1e10 else f"{parameters / 1e9:.2g}B"


def share_in_cache(queued: QueuedDownload, folder: Path) -> None:
    """Link the files of a finished download, which are in `folder`, into the cache of Hugging Face. Raises OSError.

    A program that asks huggingface_hub for that file of that commit gets ours, without another download. The file stays
    where it is: the cache has a hard link to it, or a symbolic link on another drive.

    A download whose commit is not known, such as one from a folder, is left out, and so is one whose hub states
    something else for it, which could lead out of the cache.
    """
    if not (queued.repository and re.fullmatch("[0-9a-f]{40}", queued.revision)):
        return
    found = found_models.known_model_folders(Path.home(), os.environ, sys.platform)
    hub = next(one.folder for one in found if one.source == "huggingface")
    if download_queue.source_kind(queued.place) != "hub" or not all(file.sha256 for file in queued.files):
        return  # its files may have other names, or were compared with nothing
    top = hub / f"models--{queued.repository.replace('/', '--')}"
    for file in queued.files:
        blob, snapshot = top / "blobs" / file.sha256, top / "snapshots" / queued.revision / file.source
        for place in (blob, snapshot):
            place.parent.mkdir(parents=True, exist_ok=True)
        _link(folder / file.name, blob)
        with contextlib.suppress(FileExistsError):
            try:
                snapshot.symlink_to(os.path.relpath(blob, snapshot.parent))
            except PermissionError:  # Windows without developer mode
                os.link(blob, snapshot)
    if queued.is_newest:  # what a catalogue pins need not be what the main branch has now
        branch = top / "refs" / "main"
        branch.parent.mkdir(exist_ok=True)
        write_atomically(branch, queued.revision.encode("ascii"))


def _link(file: Path, blob: Path) -> None:
    if os.path.lexists(blob):
        return
    try:
        os.link(file, blob)
    except OSError:  # another drive, or a file system without hard links
        blob.symlink_to(file)
