"""Fixtures of the room's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.documents.library import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library.open(tmp_path / "documents.sqlite")
    yield library
    library.close()
