"""`kotae` in this process, over a data folder of its own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.base import wording
from app.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def data(self) -> dict[str, Any]:
        """The one line of JSON."""
        (line,) = self.stdout.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def error(self) -> str:
        """The code of its error; the sentence and the next step are on stderr too, and nothing else."""
        error = self.data["error"]
        assert error["message"] in self.stderr
        assert error["next"] in self.stderr
        assert "Traceback" not in self.stderr
        return str(error["code"])


Run = Callable[..., Done]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "データ　1"


@pytest.fixture
def kotae(data: Path, capsys: pytest.CaptureFixture[str], qapp: object) -> Iterator[Run]:
    def run(*arguments: str) -> Done:
        capsys.readouterr()
        status = main(["--data-dir", str(data), *arguments], lambda *_: 99)
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    yield run
    wording.use_language("ja")
