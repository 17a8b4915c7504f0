"""`kotae train environment` and `env-kit`: shown, made over loopback, refused, interrupted, killed; once for real."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.models import package_locks as locks
from app.models import training_environment
from app.models.training_environment import VARIABLE
from tests import hf_models
from tests.base.cli.processes import Start, ended, programs
from tests.command_fixtures import Kotae
from tests.training.driver import processes_below
from tests.waiting import wait_until
from tests.wheelhouse import Index

LIMIT_S = 120


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "データ"


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    """Starts `kotae ARGUMENTS --json`; the developer's own environment is out of the way."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    with programs(data) as begin:
        yield lambda *arguments, **variables: begin(*arguments, "--json", environment=kept, variables=variables)


def test_without_one_the_answer_is_no_with_the_way_to_one(
    kotae: Kotae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    status, result, _ = kotae("train", "environment")
    assert (status, result["probe"], result["problem"]["code"]) == (1, None, "no_training_environment")
    assert "kotae train environment --create" in result["problem"]["next"]


def test_one_that_cannot_be_used_is_reported_with_the_reason(kotae: Kotae, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, sys.executable)
    status, result, _ = kotae("train", "environment")
    assert (status, result["problem"]["code"]) == (1, "training_environment_broken")
    assert result["python"] == sys.executable


def test_what_is_wrong_is_said_with_the_next_step(kotae: Kotae, tmp_path: Path, data: Path) -> None:
    status, result, _ = kotae("train", "environment", "--create", "--wheels", str(tmp_path / "無い"))
    assert (status, result["error"]["code"]) == (3, "wheels_folder_missing")
    for option, value in (("--variant", "cpu"), ("--folder", str(tmp_path))):
        status, result, _ = kotae("train", "environment", option, value)
        assert (status, result["error"]["code"]) == (2, "bad_option")
    status, result, _ = kotae("train", "environment", "--back")
    assert (status, result["error"]["code"]) == (3, "training_no_previous")
    status, result, log = kotae("train", "environment", "--create", "--remove")
    assert (status, "--create と --remove は一緒に使えません" in log) == (2, True)
    status, result, _ = kotae("train", "environment", "--wheels", str(tmp_path))
    assert (status, result["error"]["code"]) == (2, "bad_option")
    (data / "settings.json").write_text('{"network_allowed": false}', encoding="utf-8")
    status, result, log = kotae("train", "environment", "--create")
    assert (status, result["error"]["code"]) == (3, "training_network_forbidden")
    assert "--wheels" in log


def test_it_can_be_deleted(kotae: Kotae, data: Path) -> None:
    environment = data / "training-environment"
    environment.mkdir(parents=True)
    (environment / "torch").write_bytes(bytes(5000))
    status, result, _ = kotae("train", "environment", "--remove")
    assert (status, result) == (0, {"freed_bytes": 5000})
    assert not environment.exists()


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_interrupted_or_killed_it_leaves_no_process_and_goes_on_another_time(
    start: Start, data: Path, tmp_path: Path, how: signal.Signals, status: int
) -> None:
    (first, *_) = locks.fitting("cpu", pythons=[sys.version_info[:2]])[0].files
    (tmp_path / first.name).write_bytes(bytes(first.size_bytes))
    with Index(tmp_path, stalls_at=first.package) as index:
        process = start(
            "train", "environment", "--create", "--variant", "cpu", PIP_CONFIG_FILE=os.devnull, **index.variables()
        )
        wait_until(index.stalled.is_set)
        process.send_signal(how)
        out, log = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, out) == (status, "")
        assert "127.0.0.1" in log
        wait_until(lambda: processes_below(data) == [])
        assert not (data / "training-environment").exists()
        ended_by_the_next = start("train", "environment", "--create", "--wheels", str(tmp_path), "--variant", "cpu")
        assert ended(ended_by_the_next)[1]["error"]["code"] == "training_wheel_missing"


@pytest.mark.slow
def test_made_from_a_kit_without_a_network_it_works_and_converts(start: Start, data: Path, tmp_path: Path) -> None:
    """The CPU variant, for real: a quarter of a gigabyte; pip's own settings hold, such as a mirror."""
    settings = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    kit = tmp_path / "キット"
    asked = ("train", "env-kit", "--out", str(kit), "--variant", "cpu", "--part-size", "64MB")
    status, written, log = ended(start(*asked, **settings), limit_s=3600)
    assert status == 0, log
    assert any(path.name.endswith(".kotae-part") for path in kit.iterdir())
    status, result, log = ended(start("train", "environment", "--create", "--wheels", str(kit)), limit_s=3600)
    assert status == 0, log
    environment = training_environment.locate(data)
    assert str(environment.python) == result["python"]
    assert training_environment.check(environment).versions == result["probe"]["versions"]
    assert (result["is_own"], result["is_current"]) == (True, True)
    print(f"kit in {written['seconds']} s, {written['size_bytes']:,} bytes")
    print(f"made in {result['seconds']} s, {result['size_bytes']:,} bytes: {result['probe']['versions']}")
    source = hf_models.model(tmp_path / "Swallow-tiny", shape=hf_models.HfShape(embedding=256, feed_forward=512))
    status, built, log = ended(start("models", "build", str(source), "--quant", "Q8_0"), limit_s=600)
    assert status == 0, log
    assert built["models"][0]["quantization"] == "Q8_0"


Refused = Callable[..., tuple[int, str]]


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
        (("--variant", "cuda", "--system", "darwin-arm64"), 3, "training_no_lock"),
        (("--python-version", "3.9"), 3, "training_no_lock"),
        (("--python", "無い.tar.gz"), 3, "python_archive_unknown"),
        (("--python", __file__), 3, "python_archive_unknown"),
    ],
)
def test_a_kit_that_cannot_be_is_refused_with_the_next_step(
    refused: Refused, tmp_path: Path, arguments: tuple[str, ...], status: int, code: str
) -> None:
    assert refused("--out", str(tmp_path / "kit"), *arguments) == (status, code)
    assert not (tmp_path / "kit").exists()


def test_a_folder_that_lacks_wheels_and_one_that_is_somebody_elses_are_said(refused: Refused, tmp_path: Path) -> None:
    assert refused("--out", str(tmp_path / "kit"), "--wheels", str(tmp_path)) == (3, "training_wheel_missing")
    (tmp_path / "README.txt").write_text("my notes", encoding="utf-8")
    assert refused("--out", str(tmp_path), "--wheels", str(tmp_path)) == (3, "kit_folder_taken")


def test_where_nothing_may_go_out_no_kit_is_made(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "データ").mkdir(exist_ok=True)
    (tmp_path / "データ/settings.json").write_text('{"network_allowed": false}', encoding="utf-8")
    assert refused("--out", str(tmp_path / "kit")) == (3, "training_network_forbidden")


def test_an_interrupted_kit_has_nothing_half_under_a_final_name(start: Start, tmp_path: Path) -> None:
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
