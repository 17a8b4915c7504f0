"""`kotae` in this process, over a data folder of its own."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.base import wording
from app.cli import main
from tests.forked_program import ROOT, run
from tests.waiting import LIMIT_S


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


@pytest.fixture(scope="session")
def read_manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of documents in which Kotae's manual is read. Not to be changed: reading it takes 0.6 s."""
    folder = tmp_path_factory.mktemp("manual")
    run([sys.executable, "-m", "app", "--data-dir", str(folder), "docs", "list"], timeout=LIMIT_S, cwd=ROOT)
    return folder / "documents.sqlite"


@pytest.fixture
def data(tmp_path: Path, read_manual: Path) -> Path:
    folder = tmp_path / "データ　1"
    folder.mkdir()
    shutil.copy(read_manual, folder)
    return folder


@pytest.fixture
def kotae(data: Path, capsys: pytest.CaptureFixture[str], qapp: object) -> Iterator[Run]:
    def run(*arguments: str) -> Done:
        capsys.readouterr()
        status = main(["--data-dir", str(data), *arguments], lambda *_: 99)
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    yield run
    wording.use_language("ja")
