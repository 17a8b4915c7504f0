"""A collection that can be asked, and `kotae serve` with the fake engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import model_files as models
from tests.command_fixtures import kotae  # noqa: F401  (a fixture)
from tests.serve.served import Served, add_collection, serving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "データ"
    folder.mkdir()
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return _base(tmp_path)


def _base(folder: Path) -> Path:
    """Too small to be asked about documents: those are quoted."""
    return models.tiny_llama(folder / "小さなモデル.gguf", metadata={"llama.context_length": 8192})


@contextmanager
def _with_collections(data: Path, base: Path) -> Iterator[Served]:
    """The model, and one collection of two that may be asked without being named."""
    add_collection(data, "基準")
    add_collection(data, "入札", "secret")
    with serving(data, "--model", str(base)) as served:
        yield served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("served")
    with _with_collections(folder, _base(folder)) as served:
        yield served


@pytest.fixture
def own_served(data: Path, base: Path) -> Iterator[Served]:
    """For a test that ends, kills or changes it."""
    with _with_collections(data, base) as served:
        yield served
