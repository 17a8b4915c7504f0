"""`kotae` for tests of training: as a program of its own, and in this process; a fake trainer; data and a tiny base."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication

from app import cli as main
from tests import fake_trainer
from tests import model_files as models
from tests.base.cli.processes import ROOT, Start, programs
from tests.training.driver import write_split

Kotae = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_split(tmp_path / "点検")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "小さなモデル.gguf")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `kotae ARGUMENTS`."""
    with programs(tmp_path / "データ") as begin:

        def run(*arguments: str, trainer: str = "good", **options: Any) -> "subprocess.Popen[str]":
            variables = {"KOTAE_ENGINE": "echo", **fake_trainer.variables(trainer)}
            return begin(*arguments, variables=variables, **options)

        yield run


@pytest.fixture
def kotae(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], qapp: QCoreApplication
) -> Kotae:
    """Runs `kotae ARGUMENTS --json` in this process: exit status, the object, what stood on stderr.

    `qapp`: the one application of the process is made before the command would make one, which windows could not use.
    """
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    monkeypatch.setenv("KOTAE_DATA_DIR", str(tmp_path / "データ"))

    def run(*arguments: str, trainer: str = "good") -> tuple[int, dict[str, Any], str]:
        fake_trainer.use(monkeypatch, trainer)
        capfd.readouterr()
        try:
            status = main.main([*arguments, "--json"], lambda *_: 0)
        except SystemExit as end:
            status = int(end.code or 0)
        said = capfd.readouterr()
        assert len(said.out.splitlines()) == 1
        return status, json.loads(said.out), said.err

    return run


@pytest.fixture
def trained(kotae: Kotae, data: Path, base: Path) -> dict[str, Any]:
    status, result, log = kotae("train", "run", "--data", str(data), "--base", str(base))
    assert status == 0, log
    return result


def read_all(descriptor: int, seen: list[bytes]) -> None:
    try:
        while block := os.read(descriptor, 65536):
            seen.append(block)
    except OSError:  # Linux ends a terminal so
        return
