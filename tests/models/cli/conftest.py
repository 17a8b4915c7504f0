"""`kotae models` in this process, with data and home folders of its own."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication

from app import cli as main
from app.models import catalogue
from tests.base.cli.processes import ROOT
from tests.command_fixtures import (  # noqa: F401
    base,
    data,
    kotae,
    start,
    trained,
)


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """What it printed with --json."""
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def code(self) -> str:
        """The error's, where it printed --json."""
        return str(self.object["error"]["code"])


Run = Callable[..., Said]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], qapp: QCoreApplication
) -> Iterator[Run]:
    """Runs `kotae ARGUMENTS`; `variables`: of the environment."""
    for name in [name for name in os.environ if name.startswith(("HF_", "XDG_", "OLLAMA"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*arguments: str, data_folder: str = "データ", **variables: str) -> Said:
        with monkeypatch.context() as patch:
            for name, value in (variables | {"KOTAE_DATA_DIR": str(tmp_path / data_folder)}).items():
                patch.setenv(name, value)
            capfd.readouterr()
            try:
                status = main.main(list(arguments), lambda *_: 0)
            except SystemExit as end:
                status = int(end.code or 0)
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return Said(status, said.out, said.err)

    yield run
    catalogue.set_user_cards_folder(tmp_path / "absent")
