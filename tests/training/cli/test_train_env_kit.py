"""`kotae train env-kit` as a whole program: what is refused, and what goes on after Ctrl+C."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.models import package_locks as locks
from tests.base.cli.processes import Start, programs
from tests.command_fixtures import Kotae
from tests.waiting import wait_until
from tests.wheelhouse import Index

LIMIT_S = 120
Refused = Callable[..., tuple[int, str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    with programs(tmp_path / "データ") as begin:
        yield lambda *arguments, **variables: begin(*arguments, "--json", environment=kept, variables=variables)


@pytest.fixture
def refused(kotae: Kotae, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs `kotae train env-kit ARGUMENTS` in this process: exit status and code of an error with its next step."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str]:
        status, result, _ = kotae("train", "env-kit", *arguments)
        assert result["error"]["next"]
        return status, result["error"]["code"]

    return run


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("--python-version", "three"), 2, "bad_option"),
        (("--part-size", "0"), 2, "bad_option"),
        (("--part-size", "5GB"), 2, "bad_option"),
        (("--wheels", "無い"), 3, "wheels_folder_missing"),
        (("--system", "plan9-sparc"), 3, "training_no_lock"),
        (("--variant", "cuda", "--system", "win32-x86_64"), 3, "training_no_lock"),
        (("--python-version", "3.9"), 3, "training_no_lock"),
        (("--python", "無い.tar.gz"), 3, "python_archive_unknown"),
        (("--python", __file__), 3, "python_archive_unknown"),
    ],
)
def test_nonsense_is_refused_with_the_next_step(
    refused: Refused, tmp_path: Path, arguments: tuple[str, ...], status: int, code: str
) -> None:
    assert refused("--out", str(tmp_path / "kit"), *arguments) == (status, code)
    assert not (tmp_path / "kit").exists()


def test_a_folder_that_lacks_wheels_and_one_that_is_somebody_elses_are_said(refused: Refused, tmp_path: Path) -> None:
    assert refused("--out", str(tmp_path / "kit"), "--wheels", str(tmp_path)) == (3, "training_wheel_missing")
    (tmp_path / "README.txt").write_text("my notes", encoding="utf-8")
    assert refused("--out", str(tmp_path), "--wheels", str(tmp_path)) == (3, "kit_folder_taken")


def test_where_nothing_may_go_out_it_is_said(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "データ").mkdir(exist_ok=True)
    (tmp_path / "データ/settings.json").write_text('{"network_allowed": false}', encoding="utf-8")
    assert refused("--out", str(tmp_path / "kit")) == (3, "training_network_forbidden")


def test_interrupted_nothing_half_has_a_final_name_and_it_goes_on(start: Start, tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    first, second, *_ = locks.fitting("cpu", pythons=[sys.version_info[:2]])[0].files
    for file in (first, second):
        (tmp_path / file.name).write_bytes(bytes(file.size_bytes))
    arguments = ("train", "env-kit", "--out", str(kit), "--variant", "cpu")
    with Index(tmp_path, stalls_at=first.package) as index:
        process = start(*arguments, PIP_CONFIG_FILE=os.devnull, **index.variables())
        wait_until(index.stalled.is_set)
        process.send_signal(signal.SIGINT)
        out, log = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (130, "")
    assert "127.0.0.1" in log
    assert list(kit.glob("*.whl")) == []
    assert not (kit / "training-kit.json").exists()
