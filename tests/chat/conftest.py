"""Fixtures of every test of conversations."""

from pathlib import Path

import pytest

from tests.chat.driver import library, other  # noqa: F401
from tests.model_files import thinking_model
from tests.shared_files import made_once, shared_folder


@pytest.fixture(scope="session")
def thinker(starter_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trial model as one that thinks where it is told to, with a template of its own. Not to be changed."""
    path = shared_folder(tmp_path_factory) / "考える" / "thinker.gguf"
    return made_once(path, lambda path: thinking_model(starter_model, path))
