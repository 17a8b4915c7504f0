"""What every test of studies has: a machine whose speed is known."""

import pytest

from app.inference import speed
from app.inference.speed import MachineSpeed


@pytest.fixture(autouse=True)
def machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan of a training measures a new data folder's machine, which takes seconds; tests/models tries that."""
    monkeypatch.setattr(speed, "measure", lambda: MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))
