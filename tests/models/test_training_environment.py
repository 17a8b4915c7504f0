"""Where the training environment is looked for, what is asked of it, and how it is kept apart."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.models import package_locks, training_environment
from app.models.training_environment import TrainingEnvironment

ENGINE = importlib.metadata.version("llama-cpp-python")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")

REPORT = {
    "python": "3.11.7",
    "versions": dict.fromkeys(training_environment._LIBRARIES, "1.0"),
    "cuda": "13.0",
    "least_capability": [7, 5],
    "devices": [["NVIDIA RTX 4060 Ti", 16_000_000_000]],
    "products": {"cpu": [0.09, ""], "cuda": [0.09, ""]},
}


@pytest.fixture(autouse=True)
def nothing_is_named(tmp_path, monkeypatch):
    """Neither a variable nor the developer's own environment."""
    monkeypatch.delenv(training_environment.VARIABLE, raising=False)
    monkeypatch.setattr(training_environment, "_ROOT", tmp_path / "sources")


def make(folder: Path, script: str = "", version: str = ENGINE) -> Path:
    """A folder with a stand-in for Python, and a converter, as one that was made for the folder above it."""
    python = folder / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    converter = folder / "llama.cpp"
    converter.mkdir()
    (converter / "convert_hf_to_gguf.py").touch()
    (converter / "VERSION").write_text(version, encoding="utf-8")
    lock = package_locks.fitting("cpu")[0]
    stamp = {"lock": lock.name, "digest": lock.digest, "key": training_environment.key(folder.parent)}
    (folder / training_environment.STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return python


def answering(folder: Path, report: object) -> Path:
    (folder.parent / "report.json").write_text(json.dumps(report), encoding="utf-8")
    return make(folder, f"echo a warning; cat {folder.parent / 'report.json'}")


def test_without_any_the_place_where_it_would_be_is_named(tmp_path):
    with pytest.raises(AppError, match="no_training_environment") as caught:
        training_environment.locate(tmp_path)
    assert caught.value.facts["path"] == str(tmp_path / "training-environment/bin/python")


def test_the_order_is_variable_data_folder_sources(tmp_path, monkeypatch):
    sources = make(tmp_path / "sources/.venv-train")
    assert training_environment.locate(tmp_path).python == sources
    data = make(tmp_path / "training-environment")
    assert training_environment.locate(tmp_path).python == data
    named = make(tmp_path / "elsewhere")
    monkeypatch.setenv(training_environment.VARIABLE, str(named))
    assert training_environment.locate(tmp_path).python == named


def test_a_variable_that_names_nothing_is_not_passed_over(tmp_path, monkeypatch):
    make(tmp_path / "training-environment")
    monkeypatch.setenv(training_environment.VARIABLE, "/nowhere/python")
    with pytest.raises(AppError, match="/nowhere/python"):
        training_environment.locate(tmp_path)


def test_the_link_of_a_venv_is_kept(tmp_path):
    python = make(tmp_path / "training-environment")
    python.rename(tmp_path / "base-python")
    python.symlink_to(tmp_path / "base-python")
    assert training_environment.locate(tmp_path).python == python


def test_a_python_from_elsewhere_takes_the_converter_of_the_data_folder(tmp_path, monkeypatch):
    converter = make(tmp_path / "training-environment").parent.parent / "llama.cpp"
    monkeypatch.setenv(training_environment.VARIABLE, sys.executable)
    assert training_environment.locate(tmp_path).converter == converter


def test_a_working_one_tells_versions_and_devices(tmp_path):
    answering(tmp_path / "training-environment", REPORT)
    probe = training_environment.check(training_environment.locate(tmp_path))
    assert probe.versions["torch"] == "1.0"
    assert (probe.cuda, probe.converter, probe.least_capability) == ("13.0", ENGINE, (7, 5))
    assert [(device.name, device.memory_bytes) for device in probe.devices] == [("NVIDIA RTX 4060 Ti", 16_000_000_000)]


def broken(data: Path) -> str:
    with pytest.raises(AppError, match="training_environment_broken") as caught:
        training_environment.check(training_environment.locate(data))
    return str(caught.value.facts["reason"])


def test_a_missing_library_is_named(tmp_path):
    answering(tmp_path / "training-environment", REPORT | {"versions": REPORT["versions"] | {"peft": None}})
    assert broken(tmp_path) == "missing: peft"


def test_one_that_multiplies_wrongly_in_four_bits_is_refused(tmp_path):
    answering(tmp_path / "training-environment", REPORT)
    for product, reason in (
        ([None, "no kernel image is available"], "no kernel image is available"),
        ([1.02, ""], "1.02"),
        ([float("nan"), ""], "nan"),
    ):
        report = REPORT | {"products": {"cpu": [0.09, ""], "cuda": product}}
        (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
        with pytest.raises(AppError, match="training_products_wrong") as caught:
            training_environment.check(training_environment.locate(tmp_path))
        assert (caught.value.facts["device"], caught.value.facts["reason"]) == ("cuda", reason)


def test_one_that_does_not_work_or_hangs_says_why(tmp_path, monkeypatch):
    python = make(tmp_path / "training-environment")
    for script, reason in (
        ("echo 'Traceback' >&2; echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1", "named 'torch'"),
        ("exit 0", "exit status 0"),
        ("kill -SEGV $$", "exit status -11"),
        ("exec sleep 60", "no answer"),
    ):
        monkeypatch.setattr(training_environment, "PROBE_LIMIT_S", 0.3 if "sleep" in script else 30)
        python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        assert reason in broken(tmp_path)


def test_a_converter_of_another_version_is_refused(tmp_path):
    make(tmp_path / "training-environment", version="0.3.1\n")
    assert broken(tmp_path) == f"llama.cpp 0.3.1, engine {ENGINE}"


def test_a_missing_converter_is_said(tmp_path):
    make(tmp_path / "training-environment")
    for lost in ("VERSION", "convert_hf_to_gguf.py"):
        (tmp_path / "training-environment/llama.cpp" / lost).unlink()
        assert "missing: llama.cpp" in broken(tmp_path)


def test_a_started_module_sees_trainer_and_nothing_else_of_ours(tmp_path, monkeypatch):
    """With the Python that .venv was made from, and a copy of the start that has a module to look with."""
    ours = Path(__file__).parents[2] / "trainer"
    package = tmp_path / "sources" / "trainer"
    package.mkdir(parents=True)
    for name in ("__init__.py", "start.py"):
        shutil.copy(ours / name, package)
    (package / "look.py").write_text(
        "import sys\nprint(sys.modules['trainer'].__file__, sys.argv, sys.flags.isolated, sys.path)", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    (tmp_path / "trainer.py").write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    command = TrainingEnvironment(Path(sys._base_executable), None).command("trainer.look", "an argument")
    assert str(ours / "start.py") in command
    command[command.index(str(ours / "start.py"))] = str(package / "start.py")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert str(package / "__init__.py") in run.stdout
    assert "'an argument'] 1" in run.stdout
    assert f"'{package.parent}'" not in run.stdout


@pytest.mark.parametrize(("own", "expected"), [("", "expandable_segments:True"), ("max_split_size_mb:64",) * 2])
@pytest.mark.skipif(sys.platform != "linux", reason="torch has no such segments elsewhere")
def test_a_trainer_leaves_no_gaps_in_the_cards_memory_unless_told_otherwise(tmp_path, monkeypatch, own, expected):
    """The variable is set before anything of torch is loaded, which reads it once."""
    look = tmp_path / "look.py"
    look.write_text("import os, sys\nprint(os.environ['PYTORCH_CUDA_ALLOC_CONF'], 'torch' in sys.modules)")
    monkeypatch.delenv("PYTORCH_CUDA_ALLOC_CONF", raising=False)
    if own:
        monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", own)
    command = TrainingEnvironment(Path(sys._base_executable), None).command(str(look))
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert run.stdout.split() == [expected, "False"]
