"""The training environment, tiny models made in it, and the table of the proofs after all tests."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.models import training_environment
from app.models.training_environment import TrainingEnvironment
from tests.convert.proof import CASES, HEADER, Case, rows

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if rows:
        terminalreporter.section("conversion, proved")
        for line in (HEADER, "|---|---|---|---|---|---|---|", *rows):
            terminalreporter.write_line(line)
