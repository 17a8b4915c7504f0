"""The training environment, tiny models made in it, and the table of the proofs after all tests."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import filelock
import pytest

from app.base.errors import AppError
from app.models import training_environment
from app.models.training_environment import TrainingEnvironment
from tests.convert.conversion import convert
from tests.convert.proof import CASES, HEADER, Case, rows
from trainer.convert_job import GgufToHf

HERE = Path(__file__).parent


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
def tiny_models(environment: TrainingEnvironment, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Path]:
    """All cases, made by one process: torch is loaded once."""
    root = tmp_path_factory.mktemp("模型")
    folders = {case: root / case.name for case in CASES}
    plan = [{**dataclasses.asdict(case), "folder": str(folder)} for case, folder in folders.items()]
    (root / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    argv = [str(environment.python), str(HERE / "tiny_hf.py"), str(root / "plan.json")]
    run = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return folders


@pytest.fixture(scope="session")
def starter_folder(
    environment: TrainingEnvironment, starter_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The trial model out of GGUF; not to be changed. It takes a minute: made once for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "starter folder"
    with filelock.FileLock(f"{folder}.lock"):
        if not folder.exists():
            done = convert(environment, GgufToHf(str(starter_model), str(folder)), tmp_path_factory.mktemp("starter"))
            assert done.notes == {"architecture": "Gemma3ForCausalLM"}
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if rows:
        terminalreporter.section("conversion, proved")
        for line in (HEADER, "|---|---|---|---|---|---|---|", *rows):
            terminalreporter.write_line(line)
