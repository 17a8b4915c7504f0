"""Find the data of other people that Kotae is measured on. None of it is part of the project.

The environment variable KOTAE_EVALUATION_DATA names a folder that holds one folder a collection (`kasensabo`: eight
volumes of a Japanese standard, questions about them, 5,578 training pairs). Tests that need a collection ask for its
fixture and are skipped without it; benchmarks take the folder as an argument or from here.
"""

import os
import sys
from pathlib import Path

import pytest

VARIABLE = "KOTAE_EVALUATION_DATA"


def collection(name: str) -> Path | None:
    """Return the absolute folder of a collection, or None where the variable is not set or has no such folder."""
    folder = Path(os.environ[VARIABLE]).absolute() / name if os.environ.get(VARIABLE) else None
    return folder if folder is not None and folder.is_dir() else None


def for_benchmark(argument: str | None, name: str, file: str = "") -> Path:
    """Return the folder or file that a benchmark was given, or that of the collection. Exit with a sentence without."""
    folder = collection(name)
    if argument is None and folder is None:
        sys.exit(f"name the folder of {name}, or set {VARIABLE} to the folder that holds it")
    return Path(argument) if argument is not None else folder / file


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip here and not in the fixture: pytest sums up in one line what one place has skipped."""
    if "kasensabo" in getattr(item, "fixturenames", ()) and collection("kasensabo") is None:
        pytest.skip(f"{VARIABLE} names no folder with kasensabo")


@pytest.fixture(scope="session")
def kasensabo() -> Path:
    """Return the folder of that collection."""
    folder = collection("kasensabo")
    assert folder is not None
    return folder
