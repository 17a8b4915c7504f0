"""Large files that tests use without a copy of their own: made once for all processes of a run, and linked."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from app.models import starter
from app.models.catalogue import ModelCard


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The same for all processes of a test run."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """Return `path`, which the first process of a run that asks for it makes. Not to be changed."""
    path.parent.mkdir(exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        if not path.exists():
            make(path)
    return path


def packaged_model(card: ModelCard, factory: pytest.TempPathFactory) -> Path:
    """A model put together from its package, which is installed, with its terms beside it. Not to be changed."""
    path = shared_folder(factory) / card.id / starter.file_name(card)
    return made_once(path, lambda path: starter.assemble(card, path.parent))


def link_packaged_models(folder: Path, factory: pytest.TempPathFactory) -> None:
    """Let the models of the installed packages stand in a models folder: adding them there finds them complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for card in starter.cards():
        link(packaged_model(card, factory), folder / starter.file_name(card))


def link(path: Path, target: Path) -> None:
    """Let a file stand at `target` too, as a copy where the drive has no hard links. Not to be changed."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copy(path, target)
