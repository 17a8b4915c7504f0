"""One engine process for the tests that need no log, death or beginning of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference.engine.child import Child


@pytest.fixture(scope="session")
def engine_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with Child("llama", tmp_path_factory.mktemp("engine") / "log") as child:
        yield child


@pytest.fixture
def child(engine_process: Child, tiny_model: Path) -> Child:
    """The engine, with the tiny model loaded anew."""
    engine_process.load(tiny_model)
    return engine_process
