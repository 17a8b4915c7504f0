"""A collection that can be asked, and `kotae serve` with the fake engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import model_files as models
from tests.serve.served import Served, add_collection, serving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "データ"
    folder.mkdir()
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Too small to be asked about documents: those are quoted."""
    return models.tiny_llama(tmp_path / "小さなモデル.gguf", metadata={"llama.context_length": 8192})


@pytest.fixture
def served(data: Path, base: Path) -> Iterator[Served]:
    """The model, and one collection of two that may be asked without being named."""
    add_collection(data, "基準")
    add_collection(data, "入札", "secret")
    with serving(data, "--model", str(base)) as served:
        yield served
