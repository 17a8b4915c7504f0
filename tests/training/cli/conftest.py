"""Fixtures of every test of this kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_fixtures import (  # noqa: F401
    base,
    data,
    kotae,
    start,
    trained,
)
from tests.waiting import wait_until

STEP, LATE_STEP = '"event":"step"', '"step":3'
Wait = Callable[[str], None]


@pytest.fixture
def command(data: Path, base: Path) -> tuple[str, ...]:  # noqa: F811
    """Return `train run` with data and a base."""
    return "train", "run", "--data", str(data), "--base", str(base)


@pytest.fixture
def wait_for(tmp_path: Path) -> Wait:
    """Return what waits until the journal of a run holds a text."""
    runs = tmp_path / "データ" / "runs"
    return lambda said: wait_until(lambda: any(said in path.read_text("utf-8") for path in runs.glob("*/events.jsonl")))
