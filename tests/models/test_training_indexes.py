"""Where packages come from, as people have set it for pip, and which locks there are."""

import os
import sys
from pathlib import Path

import pytest
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from app.base.errors import AppError
from app.models import package_locks as locks
from app.models.downloads import package_download as indexes
from app.models.downloads.package_download import PYPI, PYTORCH, PackageIndexes
from tests.dev_scripts import load_scripts

(training_lock,) = load_scripts("training_lock")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="where pip looks on Linux")


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def none(tmp_path: Path) -> dict[str, str]:
    """Nothing of this machine's."""
    return {"XDG_CONFIG_DIRS": str(tmp_path / "etc"), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_without_settings_it_is_pypi_and_for_torch_its_makers(none: dict[str, str], tmp_path: Path) -> None:
    found = indexes.indexes_of_pip(none, tmp_path)
    assert (found.pages, found.torch, found.links) == ((PYPI,), PYTORCH, ())


def test_files_and_variables_count_in_pips_order(none: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path / "etc/pip/pip.conf", "[global]\nindex-url = https://one.example/simple\nproxy = http://p:1\n")
    written(tmp_path / "config/pip/pip.conf", "[install]\nindex_url = https://two.example/simple/\ntimeout = 60\n")
    found = indexes.indexes_of_pip(none, tmp_path)
    assert found.pages == ("https://two.example/simple",)
    assert (found.torch, found.proxy, found.timeout_s) == ("", "http://p:1", 60.0)
    named = written(
        tmp_path / "named.conf", "[global]\nextra-index-url =\n  https://three.example/s\n  https://four.example/s\n"
    )
    found = indexes.indexes_of_pip(none | {"PIP_CONFIG_FILE": str(named), "PIP_CERT": "/ca.pem"}, tmp_path)
    assert found.pages == ("https://two.example/simple", "https://three.example/s", "https://four.example/s")
    assert found.certificates == "/ca.pem"
    found = indexes.indexes_of_pip(none | {"PIP_INDEX_URL": "https://five.example/s", "PIP_RETRIES": "2"}, tmp_path)
    assert (found.pages, found.retries) == (("https://five.example/s",), 2)
    assert indexes.indexes_of_pip({"PIP_CONFIG_FILE": os.devnull}, tmp_path) == PackageIndexes()


def test_an_index_that_is_switched_off_is_not_asked(none: dict[str, str], tmp_path: Path) -> None:
    found = indexes.indexes_of_pip(none | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/a file:///b%20c"}, tmp_path)
    assert (found.pages, found.torch) == ((), "")
    assert [indexes.folder_of(link) for link in found.links] == [Path("/a"), Path("/b c")]
    assert indexes.folder_of("https://example.org/links.html") is None


@pytest.mark.parametrize("text", ["no section = 1", "[global\n", "\x00", "[global]\ntimeout = soon\nretries = -1\n"])
def test_a_file_that_is_none_counts_for_nothing(none: dict[str, str], tmp_path: Path, text: str) -> None:
    written(tmp_path / "etc/pip/pip.conf", text)
    found = indexes.indexes_of_pip(none, tmp_path)
    assert (found.pages, found.timeout_s, found.retries >= 0) == ((PYPI,), 30.0, True)


# ------------------------------------------------------------------------- the locks


def test_the_shipped_locks_are_whole() -> None:
    files = sorted(locks.folder().glob("*-py*.txt"))
    assert files
    for path in files:
        lock = locks.find_lock(path.stem)
        assert lock is not None, path
        assert path.read_text("utf-8").count("--hash=") == len(lock.files) > 40, path
        versions = {file.package: file.version for file in lock.files}
        assert {"torch", "transformers", "peft", "accelerate", "bitsandbytes", "safetensors", "gguf"} <= versions.keys()
        on_card = "nvidia-cublas" in versions or "+cu" in versions["torch"]
        assert on_card is (lock.variant == "cuda"), path


@pytest.mark.parametrize("system", ["linux-x86_64", "win32-x86_64"])
def test_every_file_of_a_lock_can_be_installed_on_its_machine(system: str) -> None:
    platforms = training_lock._SYSTEMS[system][1]
    for lock in locks.all_locks(system):
        abi = f"cp{lock.python[0]}{lock.python[1]}"
        fitting = {*cpython_tags(lock.python, platforms=platforms), *compatible_tags(lock.python, abi, platforms)}
        for file in lock.files:
            name, version, _, tags = parse_wheel_filename(file.name)
            assert (name, str(version)) == (file.package, file.version), lock.name
            assert tags & fitting, f"{lock.name}: {file.name}"


def test_for_cards_on_windows_only_torch_is_another() -> None:
    for python in training_lock.WINDOWS_CUDA:
        (cuda,), (cpu,) = (locks.fitting(kind, "win32-x86_64", [python]) for kind in ("cuda", "cpu"))
        theirs = {file for file in cuda.files if file not in cpu.files}
        assert [(file.package, file.version) for file in theirs] == [("torch", "2.13.0+cu130")]
        assert len(cuda.files) == len(cpu.files)


@pytest.mark.parametrize("system", ["linux-x86_64", "win32-x86_64", "darwin-arm64"])
def test_each_kind_of_machine_has_a_lock_and_the_newest_python_is_first(system: str) -> None:
    found = locks.versions(locks.all_locks(system))
    assert list(found) == sorted(found, reverse=True)
    assert (3, 11) in found


@pytest.mark.parametrize("name", ["", "../requirements", "cpu-linux-x86_64-py399", "cpu-linux-x86_64-py311.txt"])
def test_a_name_that_is_no_lock_finds_none(name: str) -> None:
    assert locks.find_lock(name) is None


def test_what_is_not_locked_is_refused_with_what_is() -> None:
    with pytest.raises(AppError, match="training_no_lock") as caught:
        locks.fitting("cuda", "darwin-arm64")
    assert "--variant cpu --python-version 3.12" in caught.value.facts["have"]
    with pytest.raises(AppError, match="training_no_lock") as caught:
        locks.fitting("cpu", "plan9-sparc")
    assert caught.value.facts["have"] == "-"
