"""Fixtures of every test of this kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication

from app import cli as main
from app.documents.library import Library
from app.documents.records import Section
from tests.chat.driver import add_documents
from tests.documents.conftest import install  # noqa: F401
from tests.shared_files import link_packaged_models

COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
QUESTION = "土に接する部材の鉄筋のかぶりは何mmですか"


@pytest.fixture
def run_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], qapp: QCoreApplication
) -> Callable[..., tuple[int, str, str]]:
    """Runs `kotae ARGUMENTS` in this process on the data folder of a PC: exit status, what stood on stdout and stderr.

    `qapp`: the one application of the process is made before the command would make one, which windows could not use.
    """

    def run(pc: str, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setenv("KOTAE_DATA_DIR", str(tmp_path / pc))
        capfd.readouterr()
        try:
            status = main.main([*map(str, arguments)], lambda *_: 0)
        except SystemExit as end:
            status = int(end.code or 0)
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return run


@pytest.fixture(scope="session")
def trial_data(tmp_path_factory: pytest.TempPathFactory, qapp: QCoreApplication) -> Path:
    """A data folder with the trial model and two collections, one of them 機密."""
    folder = tmp_path_factory.mktemp("データ")
    link_packaged_models(folder / "models", tmp_path_factory)
    assert main.main(["models", "add", "starter", "--data-dir", str(folder)], lambda *_: 0) == 0
    library = Library.open(folder / "documents.sqlite")
    sections = [
        Section(("第2章 材料", "2.2 鉄筋のかぶり"), COVER, "標準", 14),
        Section(("第4章 ポンプ", "4.2 点検"), "主ポンプの軸受温度は75℃を超えてはならない。", "", 31),
    ]
    add_documents(library, "基準", "internal", *sections)
    add_documents(library, "内規", "secret", sections[0])
    library.close()
    return folder


@pytest.fixture
def ask(trial_data: Path, run_at: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """Runs `kotae ask ARGUMENTS` with the trial model in this process, as `run_at`."""
    return lambda *arguments: run_at(str(trial_data), "ask", *arguments)


@pytest.fixture
def ask_json(ask: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Runs `kotae ask ARGUMENTS --json` as `ask`: exit status, the object, what stood on stderr."""

    def run(*arguments: object) -> tuple[int, dict[str, Any], str]:
        status, said, told = ask(*arguments, "--json")
        return status, json.loads(said), told

    return run
