"""Runs for other machines: what is put into the folder, its scripts with a fake trainer, and how it is taken back."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import input_file
from app.base.services.background import TaskCancelled
from app.training import remote_job, remote_job_import
from app.training.runs import run_folders
from tests import model_files as models
from tests.permits import PERMIT, until_secret
from trainer import adapter
from trainer.spec import RunSpec

ROW = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'
# In place of a Python with torch: takes what run.sh gives it, and starts the fake where the trainer would be started.
PYTHON = """#!/bin/sh
[ "$4" = trainer/start.py ] || exec {python} "$@"
echo "$@" >> ../arguments.txt
echo 'INFO:lora-to-gguf: 0%' >&2
exec {python} -I -X utf8 trainer/start.py trainer.fake run.json $7 $8
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for sh")


@pytest.fixture
def asked(tmp_path: Path) -> RunSpec:
    """A run that has been made here, and not begun."""
    base = models.tiny_llama(tmp_path / "小さなモデル.gguf")
    places = {}
    for part in remote_job.PARTS:
        (tmp_path / f"{part}.jsonl").write_text(ROW, encoding="utf-8")
        places[part] = str(tmp_path / f"{part}.jsonl")
    folder, sha256 = str(tmp_path / "runs" / "点検"), input_file.sha256_of(base)
    asked = RunSpec(folder=folder, base=str(base), name="点検", base_sha256=sha256, **places)  # type: ignore[arg-type]
    run_folders.create(asked)
    return asked


@pytest.fixture
def job(asked: RunSpec, tmp_path: Path) -> Path:
    return remote_job.make_job(asked, tmp_path / "遠く" / "job", permit=PERMIT).folder


Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(job: Path) -> Script:
    """Starts a script of the job."""
    python = job.parent / "python"
    python.write_text(PYTHON.format(python=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    scontrol = job.parent / "scontrol"
    scontrol.write_text('#!/bin/sh\necho "$@" > ../requeued.txt\n', encoding="utf-8")
    scontrol.chmod(0o755)

    def run(script: str, behaviour: str = "good", **others: str) -> "subprocess.Popen[str]":
        path = f"{job.parent}{os.pathsep}{os.environ['PATH']}"
        variables = {"KOTAE_PYTHON": str(python), "KOTAE_TRAINER": f"fake:{behaviour}", "PATH": path, "LC_ALL": ""}
        variables |= {"SLURM_JOB_ID": "7", "LANG": "ja_JP.UTF-8"}
        name, *arguments = script.split()
        return subprocess.Popen(
            [str(job / name), *arguments], cwd=job, env=os.environ | variables | others,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    return run


def wait_for_a_step(job: Path) -> None:
    journal = job / "run" / "events.jsonl"
    deadline = time.monotonic() + 60
    while not (journal.is_file() and '"event":"step"' in journal.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def refusal(folder: Path, where: Path) -> str:
    with pytest.raises(AppError) as caught:
        remote_job_import.import_job(folder, where)
    return caught.value.code


def test_the_folder_holds_all_and_tells_nothing_of_this_machine(job: Path, asked: RunSpec, tmp_path: Path) -> None:
    names = {path.relative_to(job).as_posix() for path in job.rglob("*") if path.is_file()}
    assert {"run.sh", "job.slurm", "run.ps1", "README.md", "data/train.jsonl", "trainer/__main__.py"} <= names
    assert "locked/cuda-linux-x86_64-py311.txt" in names
    assert f"base/{Path(asked.base).name}" in names
    for path in job.glob("*"):
        if path.is_file():
            assert str(tmp_path) not in path.read_text(encoding="utf-8"), path
    read_me = (job / "README.md").read_text(encoding="utf-8")
    assert "{" not in read_me
    assert "GPU のメモリ 0." in read_me  # what the plan says of a small card


@pytest.mark.fault("S16")
def test_a_job_whose_data_become_secret_while_it_is_written_leaves_nothing(asked: RunSpec, tmp_path: Path) -> None:
    folder = tmp_path / "遠く" / "job"
    with pytest.raises(AppError, match="secret_export"):
        remote_job.make_job(asked, folder, permit=until_secret(folder))
    assert not folder.exists()


def test_a_run_is_trained_there_and_taken_back(job: Path, start: Script, asked: RunSpec, tmp_path: Path) -> None:
    process = start("run.sh")
    _, log = process.communicate()
    assert process.returncode == 0, log
    run = remote_job_import.import_job(job, tmp_path / "runs")
    assert (run.id, run.state) == ("点検", "finished")
    assert run.adapter is not None
    assert run.spec == asked
    settled = run_folders.effective_spec(run)
    assert settled is not None
    assert (settled.base, settled.train, settled.folder) == (asked.base, asked.train, asked.folder)
    assert refusal(job, tmp_path / "runs") == "job_taken_before"


def test_what_it_tells_are_sentences_and_the_rest_is_in_its_log(job: Path, start: Script) -> None:
    said, log = start("run.sh").communicate()
    assert (log, "{" in said, "?" in said) == ("", False, False)
    assert "学習データを読んでいます…\n" in said
    assert "検証 3.100）、812 トークン/秒、メモリ 1.9 GB、残り 2 秒" in said
    assert said.endswith("\n終わりました。フォルダごと戻して、kotae train import で取り込んでください。\n")
    assert "INFO:lora-to-gguf" in (job / "run" / "log.txt").read_text(encoding="utf-8")
    said, _ = start("run.sh", LANG="en_US.UTF-8").communicate()
    assert said.endswith("\nFinished. Bring the whole folder back and take it in with kotae train import.\n")
    assert not re.search(r"[ぁ-んァ-ヶ]", said)


@pytest.mark.parametrize(
    ("behaviour", "status", "said"),
    [
        ("oom", 1, "学習の途中でメモリが足りなくなりました。\n原因を取り除いて"),
        ("killed", 128 + signal.SIGKILL, "結果を出さずに止まりました（終了コード -9）。"),
        ("truncated", 1, "結果を出さずに止まりました（終了コード 0）。"),
    ],
)
def test_a_run_that_fails_says_why_and_its_status_is_not_0(
    start: Script, behaviour: str, status: int, said: str
) -> None:
    process = start("run.sh", behaviour)
    out, _ = process.communicate()
    assert process.returncode == status
    assert said in out


def test_a_closed_terminal_pauses_it(job: Path, start: Script) -> None:
    process = start("run.sh", "slow")
    wait_for_a_step(job)
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert "で保存して止まりました。同じものをもう一度実行すると、続きから始まります。\n" in said
    assert list((job / "run" / "checkpoints").iterdir())


def test_with_nohup_a_closed_terminal_does_not_pause_it(job: Path, start: Script) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start("run.sh", "slow")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for_a_step(job)
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert said.endswith("取り込んでください。\n")


def test_a_second_ctrl_c_ends_it_at_once(job: Path, start: Script) -> None:
    process = start("run.sh", "silent")
    wait_for_a_step(job)
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert any("一時停止します（もう一度 Ctrl+C を押すと、保存せずに止めます）" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 128 + signal.SIGKILL


def test_an_environment_can_be_made_alone_and_without_the_base(job: Path, start: Script) -> None:
    """As on a login node. pip's own settings hold; here they forbid a network."""
    for path in (job / "base").iterdir():
        path.unlink()
    no_network = {"KOTAE_PYTHON": "", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels", "PIP_CONFIG_FILE": os.devnull}
    process = start("run.sh --setup-only", **no_network)
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "学習環境を作れませんでした。setup.log の終わりで原因を" in said
    assert "No matching distribution found" in (job / "setup.log").read_text(encoding="utf-8")
    (job / "environment" / "ready").touch()
    process = start("run.sh --setup-only", **no_network)
    assert process.communicate()[0] == "学習環境の用意ができました。\n"
    assert process.returncode == 0
    assert not (job / "run").exists()


def test_without_a_python_for_the_environment_the_way_out_is_said(job: Path, start: Script) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (job.parent / name).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        (job.parent / name).chmod(0o755)
    process = start("run.sh", KOTAE_PYTHON="")
    assert "Python 3.11〜3.13（venv 付き）が見つかりません。" in process.communicate()[1]
    assert process.returncode == 3


def test_a_return_that_breaks_off_can_be_done_again(
    job: Path, start: Script, asked: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start("run.sh").communicate()
    opened, seen = remote_job_import.open_plain, []

    def lost(path: Path, most_bytes: int) -> object:
        seen.append(path.name)
        if seen.count("adapter_config.json") == 2:  # looked at, and now copied
            raise OSError(5, "gone")
        return opened(path, most_bytes)

    with monkeypatch.context() as patch:
        patch.setattr(remote_job_import, "open_plain", lost)
        assert refusal(job, tmp_path / "runs") == "job_unwritable"
    waiting = run_folders.read(tmp_path / "runs" / "点検")
    assert (waiting.state, waiting.spec) == ("waiting", asked)
    assert remote_job_import.import_job(job, tmp_path / "runs").state == "finished"


@pytest.mark.parametrize("runs_folder", ["runs", "ほか"])
def test_a_return_that_is_cancelled_at_any_point_leaves_the_runs_as_they_were(
    job: Path, start: Script, tmp_path: Path, runs_folder: str
) -> None:
    start("run.sh").communicate()
    where = tmp_path / runs_folder
    before = sorted(where.rglob("*"))
    told: list[int] = []

    def stop(done: int, _total: int) -> None:
        told.append(done)
        if len(told) == limit:
            raise TaskCancelled

    limit = 0
    while not told or len(told) == limit:
        limit, told = limit + 1, []
        with contextlib.suppress(TaskCancelled):
            assert remote_job_import.import_job(job, where, stop).state == "finished"
            continue
        left = [path for path in where.rglob("*") if path.name != run_folders.LOCK]
        assert sorted(left) == before
    assert limit > 10  # each of its files
    assert list(where.rglob("*.part")) == []


def test_a_file_that_becomes_another_at_any_point_of_a_return_is_not_taken_unseen(
    job: Path, start: Script, tmp_path: Path
) -> None:
    start("run.sh").communicate()
    weights = job / "run" / run_folders.PEFT_ADAPTER / adapter.WEIGHTS
    good, pickled = weights.read_bytes(), b"\x80\x04."
    told: list[int] = []

    def exchange(done: int, _total: int) -> None:
        told.append(done)
        if len(told) == limit:
            weights.write_bytes(pickled)

    limit, taken = 0, 0
    while not told or len(told) >= limit:
        limit, told = limit + 1, []
        weights.write_bytes(good)
        with contextlib.suppress(AppError):
            run = remote_job_import.import_job(job, tmp_path / f"runs {limit}", exchange)
            assert (run.folder / run_folders.PEFT_ADAPTER / adapter.WEIGHTS).read_bytes() == good, limit
            taken += 1
    assert limit > taken > 0


def test_a_run_that_somebody_holds_is_not_written_into(job: Path, start: Script, tmp_path: Path) -> None:
    start("run.sh").communicate()
    held = run_folders.lock_run(tmp_path / "runs" / "点検")
    try:
        assert refusal(job, tmp_path / "runs") == "run_busy"
    finally:
        held.release()
    assert remote_job_import.import_job(job, tmp_path / "runs").state == "finished"


def test_a_job_of_another_computer_becomes_a_run_of_its_own(job: Path, start: Script, tmp_path: Path) -> None:
    start("run.sh").communicate()
    run = remote_job_import.import_job(job, tmp_path / "ほか")
    assert run.state == "finished"
    assert run.spec is not None
    assert Path(run.spec.train).read_text(encoding="utf-8") == ROW


def test_a_checkpoint_is_gone_on_from(job: Path, start: Script) -> None:
    start("run.sh").communicate()
    start("run.sh").communicate()
    first, second = (job.parent / "arguments.txt").read_text(encoding="utf-8").splitlines()
    assert not first.endswith("--resume")
    assert second.endswith("--resume")


@pytest.mark.parametrize(("number", "is_queued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_a_cluster_s_signal_pauses_it_and_only_at_the_end_of_its_time_it_is_queued_again(
    job: Path, start: Script, tmp_path: Path, number: signal.Signals, is_queued: bool
) -> None:
    process = start("job.slurm", "slow")
    wait_for_a_step(job)
    process.send_signal(number)
    _, log = process.communicate()
    assert process.returncode == 0, log
    assert (job.parent / "requeued.txt").is_file() == is_queued
    if is_queued:
        assert (job.parent / "requeued.txt").read_text(encoding="utf-8").split() == ["requeue", "7"]
    assert refusal(job, tmp_path / "runs") == "job_unfinished"


def test_outside_its_folder_the_cluster_s_script_says_so(job: Path, start: Script) -> None:
    process = start("job.slurm", SLURM_SUBMIT_DIR=str(job.parent))
    assert "call sbatch inside the job's folder" in process.communicate()[1]
    assert process.returncode == 3


@pytest.mark.parametrize("name", ["data/train.jsonl", "trainer/run.py", "base/小さなモデル.gguf"])
@pytest.mark.parametrize("is_there", [True, False])
def test_it_does_not_begin_with_another_file(name: str, is_there: bool, job: Path, start: Script) -> None:
    with (job / name).open("ab") as file:
        file.write(b" ")
    if not is_there:
        (job / name).unlink()
    process = start("run.sh")
    said = "".join(process.communicate())
    assert process.returncode == 3
    assert name in said
    assert said.endswith("ください。\n")
    assert "sha256sum" not in said
    assert not (job / "run").exists()


def test_the_script_of_windows_begins_with_the_mark_that_its_powershell_needs(job: Path) -> None:
    assert (job / "run.ps1").read_bytes().startswith(b"\xef\xbb\xbf")
    assert (job / "run.sh").read_bytes().startswith(b"#!/bin/sh\n")


def test_it_is_not_taken_back_with_other_data(job: Path, start: Script, tmp_path: Path) -> None:
    start("run.sh").communicate()
    (job / "data" / "train.jsonl").write_text(ROW * 2, encoding="utf-8")
    assert refusal(job, tmp_path / "runs") == "job_changed"
    assert run_folders.read(tmp_path / "runs" / "点検").state == "waiting"


def test_it_is_not_taken_back_from_other_data_or_another_base(job: Path, start: Script, tmp_path: Path) -> None:
    start("run.sh").communicate()
    effective = job / "run" / "effective.json"
    told = json.loads(effective.read_text(encoding="utf-8"))
    effective.write_text(json.dumps(told | {"hashes": told["hashes"] | {"train": "0" * 64}}), encoding="utf-8")
    assert refusal(job, tmp_path / "runs") == "job_changed"
    effective.write_text(json.dumps(told), encoding="utf-8")
    (job / "run" / "adapter" / "kotae.json").write_text('{"base_sha256": "0"}', encoding="utf-8")
    assert refusal(job, tmp_path / "runs") == "job_changed"


def test_what_has_not_begun_is_not_taken_back(job: Path, tmp_path: Path) -> None:
    assert refusal(job, tmp_path / "runs") == "job_unfinished"


@pytest.mark.parametrize("run", ["../outside", "", "a/b", 3])
def test_a_folder_that_is_no_job_is_refused(run: object, job: Path, tmp_path: Path) -> None:
    manifest = json.loads((job / "job.json").read_text(encoding="utf-8"))
    (job / "job.json").write_text(json.dumps(manifest | {"run": run}), encoding="utf-8")
    assert refusal(job, tmp_path / "runs") == "job_unreadable"
    (job / "job.json").unlink()
    assert refusal(job, tmp_path / "runs") == "job_missing"
    shutil.rmtree(job)
    assert refusal(job, tmp_path / "runs") == "job_missing"


def test_nothing_is_written_over(asked: RunSpec, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(AppError) as caught:
        remote_job.make_job(asked, tmp_path / "full", permit=PERMIT)
    assert caught.value.code == "job_folder_taken"


@pytest.mark.parametrize("folder", ["まとめ.csv", "まとめ.csv/job"])
def test_a_file_in_place_of_the_folder_is_named(asked: RunSpec, tmp_path: Path, folder: str) -> None:
    (tmp_path / "まとめ.csv").write_text("a,b", encoding="utf-8")
    with pytest.raises(AppError) as caught:
        remote_job.make_job(asked, tmp_path / folder, permit=PERMIT)
    assert (caught.value.code, caught.value.facts["path"]) == ("job_is_file", str(tmp_path / "まとめ.csv"))


def test_data_that_changed_since_it_was_split_is_not_sent(asked: RunSpec, tmp_path: Path) -> None:
    frozen = dataclasses.replace(asked, hashes={"train": "0" * 64})
    with pytest.raises(AppError) as caught:
        remote_job.make_job(frozen, tmp_path / "job", permit=PERMIT)
    assert caught.value.code == "run_data_changed"
