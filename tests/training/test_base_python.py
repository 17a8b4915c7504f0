"""Which Python the training environment is made from, found among stand-ins on PATH."""

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.base import programs
from app.inference import machine
from app.training.environment import base_pythons, shipped_tools
from app.training.environment.folders import EnvironmentFolders
from tests.faults.ledger import Tally
from tests.training.driver import refused

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only one on PATH; the running Python is a bundle and no base."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    return tmp_path


def stand_in(folder: Path, name: str, version: list[int]) -> Path:
    path = folder / name
    answer = json.dumps([str(path), version])
    path.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


VERSIONS = ((3, 13), (3, 12), (3, 11))


def test_the_base_of_the_running_python_comes_first() -> None:
    python = base_pythons.find_python([sys.version_info[:2]])
    assert python.path.resolve() == Path(sys._base_executable).resolve()
    assert python.version == sys.version_info[:3]


def test_in_a_bundle_the_newest_suitable_one_on_the_path_is_taken(folder: Path) -> None:
    stand_in(folder, "python3", [3, 14, 0])
    stand_in(folder, "python3.11", [3, 11, 9])
    newest = stand_in(folder, "python3.12", [3, 12, 1])
    python = base_pythons.find_python(VERSIONS)
    assert python.path == newest


def test_what_does_not_start_or_is_something_else_is_passed_over(folder: Path) -> None:
    for name, script in (("python3.13", "exit 9"), ("python3.12", "echo hello"), ("python3.11", "exec /nowhere")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    found = stand_in(folder, "python3", [3, 13, 2])
    python = base_pythons.find_python(VERSIONS)
    assert python.path == found


@pytest.mark.parametrize("versions", [[], [[3, 10, 4]], [[3, 14, 0]], [[2, 7, 18]]])
def test_without_a_suitable_one_it_is_said(folder: Path, versions: list[list[int]]) -> None:
    for version in versions:
        stand_in(folder, "python3", version)
    assert base_pythons.find_python(VERSIONS) is None


def test_one_of_our_own_comes_after_those_of_the_machine(folder: Path) -> None:
    own = stand_in(folder, "own", [3, 11, 4])
    found = base_pythons.find_python(VERSIONS, [own])
    installed = stand_in(folder, "python3.13", [3, 13, 0])
    then = base_pythons.find_python(VERSIONS, [own])
    assert (found.path, then.path) == (own, installed)


@pytest.mark.fault("S14")
def test_a_python_in_the_folder_that_one_stands_in_is_not_started(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    stick = tmp_path_factory.mktemp("stick")
    for name in ("python3", "python3.13", "nvidia-smi", "tesseract"):
        (stick / name).write_text(f"#!/bin/sh\ntouch '{stick}/ran'\n", encoding="utf-8")
        (stick / name).chmod(0o755)
    monkeypatch.chdir(stick)
    for path in ("", ".", "bin/..", f":{folder}", f"{folder}::."):
        monkeypatch.setenv("PATH", path)
        assert base_pythons.find_python(VERSIONS) is None
        machine.list_gpus(folder)
        assert programs.find_program("tesseract") is None
    assert not (stick / "ran").exists()
    tally.tried(5)


# ---------------------------------------------------------------------- the converter


def make_converter(folder: Path, version: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "convert_hf_to_gguf.py").touch()
    if version:
        (folder / "VERSION").write_text(f"{version}\n", encoding="utf-8")
    return folder


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shipped_tools, "resources", lambda: tmp_path / "resources")
    monkeypatch.setattr(shipped_tools, "_ROOT", tmp_path / "sources")
    monkeypatch.setattr(shipped_tools.training_environment, "engine_version", lambda: "0.3.36")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_converter_of_the_engines_version_is_found_best_first(places: Path) -> None:
    make_converter(places / "cache/kotae/build/0.3.35-cp311-abc/llama.cpp")
    built = make_converter(places / "cache/kotae/build/0.3.36-cp311-abc/llama.cpp")
    assert shipped_tools.find_converter() == (built, "0.3.36")
    developers = make_converter(places / "sources/.venv-train/llama.cpp", "0.3.36")
    assert shipped_tools.find_converter() == (developers, "0.3.36")
    shipped = make_converter(places / "resources/llama.cpp", "0.3.36")
    assert shipped_tools.find_converter() == (shipped, "0.3.36")


def test_a_converter_of_another_version_is_none(places: Path) -> None:
    make_converter(places / "resources/llama.cpp", "0.3.35")
    make_converter(places / "sources/.venv-train/llama.cpp")
    error = refused(shipped_tools.find_converter)
    assert (error.code, error.facts["version"]) == ("converter_not_shipped", "0.3.36")


def test_the_packed_uv_of_a_bundle_is_unpacked_where_the_environment_is_made(tmp_path, monkeypatch):
    packed, where = tmp_path / "uv.xz", EnvironmentFolders(tmp_path)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert refused(shipped_tools.find_uv, where).code == "uv_not_shipped"
    where.part_folder.mkdir()
    for version in ("uv 1", "uv 2"):  # what an older Kotae unpacked is not used again
        packed.write_bytes(lzma.compress(f"#!/bin/sh\necho {version}\n".encode()))
        found = shipped_tools.find_uv(where)
        assert subprocess.run([found], capture_output=True, text=True, check=True).stdout == f"{version}\n"
        assert found.parent == where.part_folder
    with monkeypatch.context() as full:
        full.setattr(shipped_tools, "write_atomically", lambda _path, unpacked: Path("/dev/full").write_bytes(unpacked))
        assert refused(shipped_tools.make_venv, Path(sys.executable), where, tmp_path).code == "training_disk_full"
    packed.write_bytes(packed.read_bytes()[:-9])
    assert refused(shipped_tools.find_uv, where).code == "uv_not_shipped"
