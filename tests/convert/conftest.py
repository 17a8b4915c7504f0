"""The training environment, tiny models made in it, and the table of the proofs after all tests."""

import functools
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from app.base.errors import AppError
from app.models import training_environment
from app.models.training_environment import TrainingEnvironment
from tests import model_files as models
from tests.convert.conversion import convert
from tests.convert.proof import HEADER, Case, rows
from tests.model_files import TinyShape
from tests.shared_files import made_once, shared_folder
from tests.trainer.training_runs import RunServer, shared_server, tiny_folder
from trainer.convert_job import GgufToHf


@pytest.fixture(scope="session")
def environment() -> TrainingEnvironment:
    try:
        return training_environment.locate(Path("/no-data-folder"))
    except AppError as error:
        pytest.skip(f"python3 packaging/dev.py setup --training ({error})")


@pytest.fixture(scope="session")
def converter(environment: TrainingEnvironment) -> str:
    assert environment.converter is not None
    return str(environment.converter)


@pytest.fixture(scope="session")
def server(environment: TrainingEnvironment, tmp_path_factory: pytest.TempPathFactory) -> RunServer:
    return shared_server(environment.python, tmp_path_factory)


@pytest.fixture(scope="session")
def tiny_model(environment: TrainingEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], Path]:
    """A case's folder, made when it is first asked for."""
    return functools.partial(tiny_folder, environment.python, tmp_path_factory)


@pytest.fixture(scope="session")
def large_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base of a quarter of a gigabyte and an adapter for it; not to be changed."""
    base, adapter = (shared_folder(tmp_path_factory) / f"large {name}.gguf" for name in ("base", "adapter"))
    shape = TinyShape(layers=1, embedding=1024, heads=16, heads_kv=4, feed_forward=8192, vocabulary=16_000)
    with filelock.FileLock(f"{base}.lock"):
        if not adapter.exists():
            models.tiny_llama(base, shape=shape)
            models.tiny_adapter(adapter, shape=shape, rank=16)
    return base, adapter


@pytest.fixture(scope="session")
def starter_folder(
    environment: TrainingEnvironment, starter_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The trial model out of GGUF; not to be changed. It takes a minute: made once for all processes of a test run."""

    def make(folder: Path) -> None:
        done = convert(environment, GgufToHf(str(starter_model), str(folder)), tmp_path_factory.mktemp("starter"))
        assert done.notes == {"architecture": "Gemma3ForCausalLM"}

    return made_once(shared_folder(tmp_path_factory) / "starter folder", make)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if rows:
        terminalreporter.section("conversion, proved")
        for line in (HEADER, "|---|---|---|---|---|---|---|", *rows):
            terminalreporter.write_line(line)
