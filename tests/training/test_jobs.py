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
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import input_file
from app.base.services.background import TaskCancelled
from app.training import remote_job, remote_job_import
from app.training.runs import run_folders
from app.training.runs.run_folders import TrainingRunFolder
from tests import fake_trainer
from tests import model_files as models
from tests.permits import PERMIT, until_secret
from tests.training.driver import ROW, code_of, refused, write_parts
from tests.waiting import wait_until
from trainer import adapter
from trainer.spec import RunSpec

# In place of a Python with torch: takes what run.sh gives it, and starts the fake where the trainer would be started.
PYTHON = """#!/bin/sh
if [ "$3" = accelerate.commands.launch ]; then
    echo "$@" >> ../arguments.txt
    while [ "$1" != --no_python ]; do shift; done
    shift
    exec "$@"
fi
[ "$4" = trainer/start.py ] || exec {python} "$@"
echo "$@" >> ../arguments.txt
echo 'INFO:lora-to-gguf: 0%' >&2
exec {python} -I -X utf8 trainer/start.py {fake} run.json $7 $8
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for sh")


class Away:
    """Another machine with the folder of a job, and the run here that the job was made of."""

    def __init__(self, place: Path) -> None:
        self.runs, self.home = place / "runs", place / "遠く"
        self.job = self.home / "job"

    def start(self, script: str = "run.sh", behaviour: str = "good", **others: str) -> "subprocess.Popen[str]":
        variables = {"KOTAE_PYTHON": str(self.home / "python"), "LC_ALL": "", **fake_trainer.variables(behaviour)}
        variables |= {
            "SLURM_JOB_ID": "7",
            "LANG": "ja_JP.UTF-8",
            "PATH": f"{self.home}{os.pathsep}{os.environ['PATH']}",
        }
        name, *arguments = script.split()
        return subprocess.Popen(
            [str(self.job / name), *arguments], cwd=self.job, env=os.environ | variables | others,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    def done(self, script: str = "run.sh", behaviour: str = "good", **others: str) -> tuple[int, str, str]:
        """Run a script to its end: its status and what it says on both streams."""
        process = self.start(script, behaviour, **others)
        out, log = process.communicate()
        return process.returncode, out, log

    def training(self, script: str = "run.sh", behaviour: str = "slow") -> "subprocess.Popen[str]":
        """Start a script and wait for the first step."""
        process, journal = self.start(script, behaviour), self.job / "run" / "events.jsonl"
        wait_until(lambda: journal.is_file() and '"event":"step"' in journal.read_text("utf-8"))
        return process

    def take_back(self, *more: Callable[[int, int], None]) -> TrainingRunFolder:
        return remote_job_import.import_job(self.job, self.runs, *more)

    @property
    def refusal(self) -> str:
        return code_of(self.take_back)


def ask(place: Path) -> RunSpec:
    """Make a run here that has not begun."""
    base, data = models.tiny_llama(place / "小さなモデル.gguf"), write_parts(place)
    parts = {part: str(data / f"{part}.jsonl") for part in remote_job.PARTS}
    folder, sha256 = str(place / "runs" / "点検"), input_file.sha256_of(base)
    asked = RunSpec(folder=folder, base=str(base), name="点検", base_sha256=sha256, **parts)
    run_folders.create(asked)
    return asked


@pytest.fixture
def asked(tmp_path: Path) -> RunSpec:
    return ask(tmp_path)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Away:
    place = tmp_path_factory.mktemp("送った")
    return send(ask(place), place)


def send(asked: RunSpec, place: Path) -> Away:
    """Make the job of a run, beside what stands for the programs of the other machine."""
    away = Away(place)
    remote_job.make_job(asked, away.job, permit=PERMIT)
    for name, script in (
        ("python", PYTHON.format(python=sys.executable, fake=fake_trainer.FAKE)),
        ("scontrol", '#!/bin/sh\necho "$@" > ../requeued.txt\n'),
    ):
        (away.home / name).write_text(script, "utf-8")
        (away.home / name).chmod(0o755)
    return away


def copied(away: Away, place: Path) -> Away:
    for folder in (away.runs, away.home):
        shutil.copytree(folder, place / folder.name)
    return Away(place)


@pytest.fixture(scope="module")
def trained(sent: Away, tmp_path_factory: pytest.TempPathFactory) -> tuple[Away, str]:
    """A job whose script has run to its end, and what that has said."""
    away = copied(sent, tmp_path_factory.mktemp("学習した"))
    status, said, log = away.done()
    assert (status, log) == (0, "")
    return away, said


@pytest.fixture
def away(sent: Away, tmp_path: Path) -> Away:
    """A job that has not begun."""
    return copied(sent, tmp_path)


@pytest.fixture
def back(trained: tuple[Away, str], tmp_path: Path) -> Away:
    """A job that was trained to its end."""
    return copied(trained[0], tmp_path)


def test_the_folder_holds_all_and_tells_nothing_of_this_machine(sent: Away) -> None:
    job = sent.job
    names = {path.relative_to(job).as_posix() for path in job.rglob("*") if path.is_file()}
    assert {"run.sh", "job.slurm", "run.ps1", "README.md", "data/train.jsonl", "trainer/__main__.py"} <= names
    assert {"accelerate.yaml", "machine.json"} <= names
    assert {"locked/cuda-linux-x86_64-py311.txt", "base/小さなモデル.gguf"} <= names
    for path in job.glob("*"):
        assert path.is_dir() or str(sent.runs.parent) not in path.read_text("utf-8"), path
    read_me = (job / "README.md").read_text("utf-8")
    assert "{" not in read_me
    assert "GPU のメモリ 0." in read_me  # what the plan says of a small card
    assert (job / "run.ps1").read_bytes().startswith(b"\xef\xbb\xbf")  # which the PowerShell of Windows needs
    assert (job / "run.sh").read_bytes().startswith(b"#!/bin/sh\n")


def test_both_scripts_install_what_is_locked_for_cards(sent: Away) -> None:
    for script, variables in (
        ("run.sh", {"${KOTAE_TORCH:-cuda}": "cuda", "$(uname -m)": "x86_64", "$version": "py312"}),
        ("run.ps1", {"$torch": "cuda", "$version": "py312"}),
    ):
        text = (sent.job / script).read_text("utf-8-sig")
        (name,) = re.findall(r"lock = ?\"?(locked.+?\.txt)|^    lock=(locked.+?\.txt)", text, re.MULTILINE)[0:1]
        path = "".join(name).replace("\\", "/")
        for variable, value in variables.items():
            path = path.replace(variable, value)
        assert (sent.job / path).is_file(), (script, path)
        assert "--require-hashes" in text


@pytest.mark.fault("S16")
def test_a_job_whose_data_become_secret_while_it_is_written_leaves_nothing(asked: RunSpec, tmp_path: Path) -> None:
    folder = tmp_path / "遠く" / "job"
    assert code_of(remote_job.make_job, asked, folder, permit=until_secret(folder)) == "secret_export"
    assert not folder.exists()


def test_a_run_is_trained_there_and_taken_back(back: Away) -> None:
    asked = run_folders.read(back.runs / "点検").spec
    run = back.take_back()
    assert (run.id, run.state, run.spec) == ("点検", "finished", asked)
    assert run.adapter is not None
    settled = run_folders.effective_spec(run.folder)
    assert (settled.base, settled.train, settled.folder) == (asked.base, asked.train, asked.folder)
    assert back.refusal == "job_taken_before"


def test_what_it_tells_are_sentences_and_the_rest_is_in_its_log(trained: tuple[Away, str]) -> None:
    away, said = trained
    assert ("{" in said, "?" in said) == (False, False)
    assert "学習データを読んでいます…\n" in said
    assert "検証 3.100）、812 トークン/秒、メモリ 1.9 GB、残り 2 秒" in said
    assert said.endswith("\n終わりました。フォルダごと戻して、kotae train import で取り込んでください。\n")
    assert "INFO:lora-to-gguf" in (away.job / "run" / "log.txt").read_text("utf-8")


def test_a_checkpoint_is_gone_on_from_and_english_is_spoken_too(back: Away) -> None:
    _, said, _ = back.done(LANG="en_US.UTF-8")
    first, second = (back.home / "arguments.txt").read_text("utf-8").splitlines()
    assert (first.endswith("--resume"), second.endswith("--resume")) == (False, True)
    assert said.endswith("\nFinished. Bring the whole folder back and import it with kotae train import.\n")
    assert not re.search(r"[ぁ-んァ-ヶ]", said)


@pytest.mark.parametrize(
    ("behaviour", "status", "said"),
    [
        ("oom", 1, "学習の途中でメモリが足りなくなりました。\n原因を取り除いて"),
        ("killed", 128 + signal.SIGKILL, "結果を出さずに止まりました（終了コード -9）。"),
        ("truncated", 1, "結果を出さずに止まりました（終了コード 0）。"),
    ],
)
def test_a_run_that_fails_says_why_and_its_status_is_not_0(away: Away, behaviour: str, status: int, said: str) -> None:
    ended, out, _ = away.done(behaviour=behaviour)
    assert (ended, said in out) == (status, True)


def test_a_closed_terminal_pauses_it(away: Away) -> None:
    process = away.training()
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert "まで保存して止まりました。もう一度実行すると、続きから再開します。\n" in said
    assert list((away.job / "run" / "checkpoints").iterdir())


def test_with_nohup_a_closed_terminal_does_not_pause_it(away: Away) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = away.training()
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert said.endswith("取り込んでください。\n")


def test_a_second_ctrl_c_ends_it_at_once(away: Away) -> None:
    process = away.training(behaviour="silent")
    process.send_signal(signal.SIGINT)
    assert any("一時停止します（もう一度 Ctrl+C を押すと、保存せずに止めます）" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 128 + signal.SIGKILL


def test_an_environment_can_be_made_alone_and_without_the_base(away: Away) -> None:
    """As on a login node. pip's own settings hold; here they forbid a network."""
    shutil.rmtree(away.job / "base")
    (away.job / "base").mkdir()
    no_network = {"KOTAE_PYTHON": "", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels", "PIP_CONFIG_FILE": os.devnull}
    status, said, _ = away.done("run.sh --setup-only", **no_network)
    assert (status != 0, "学習環境を作れませんでした。setup.log の終わりで原因を" in said) == (True, True)
    assert "No matching distribution found" in (away.job / "setup.log").read_text("utf-8")
    (away.job / "environment" / "ready").touch()
    assert away.done("run.sh --setup-only", **no_network)[:2] == (0, "学習環境の用意ができました。\n")
    assert not (away.job / "run").exists()


def test_without_a_python_for_the_environment_the_way_out_is_said(away: Away) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (away.home / name).write_text("#!/bin/sh\nexit 1\n", "utf-8")
        (away.home / name).chmod(0o755)
    status, _, log = away.done(KOTAE_PYTHON="")
    assert (status, "Python 3.11〜3.13（venv 付き）が見つかりません。" in log) == (3, True)


def test_a_return_that_breaks_off_can_be_done_again(back: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = run_folders.read(back.runs / "点検").spec
    opened, seen = remote_job_import.open_plain, []

    def lost(path: Path, most_bytes: int) -> object:
        seen.append(path.name)
        if seen.count("adapter_config.json") == 2:  # looked at, and now copied
            raise OSError(5, "gone")
        return opened(path, most_bytes)

    with monkeypatch.context() as patch:
        patch.setattr(remote_job_import, "open_plain", lost)
        assert back.refusal == "job_unwritable"
    waiting = run_folders.read(back.runs / "点検")
    assert (waiting.state, waiting.spec) == ("waiting", asked)
    assert back.take_back().state == "finished"


@pytest.mark.parametrize("runs_folder", ["runs", "ほか"])
def test_a_return_that_is_cancelled_at_any_point_leaves_the_runs_as_they_were(back: Away, runs_folder: str) -> None:
    back.runs = back.runs.with_name(runs_folder)
    before = sorted(back.runs.rglob("*"))
    told: list[int] = []

    def stop(done: int, _total: int) -> None:
        told.append(done)
        if len(told) == limit:
            raise TaskCancelled

    limit = 0
    while not told or len(told) == limit:
        limit, told = limit + 1, []
        with contextlib.suppress(TaskCancelled):
            assert back.take_back(stop).state == "finished"
            continue
        assert sorted(path for path in back.runs.rglob("*") if path.name != run_folders.LOCK) == before
    assert limit > 10  # each of its files
    assert list(back.runs.rglob("*.part")) == []


def test_a_file_that_becomes_another_at_any_point_of_a_return_is_not_taken_unseen(back: Away) -> None:
    weights = back.job / "run" / run_folders.PEFT_ADAPTER / adapter.WEIGHTS
    good, pickled = weights.read_bytes(), b"\x80\x04."
    told: list[int] = []

    def exchange(done: int, _total: int) -> None:
        told.append(done)
        if len(told) == limit:
            weights.write_bytes(pickled)

    limit, taken, runs = 0, 0, back.runs
    while not told or len(told) >= limit:
        limit, told = limit + 1, []
        weights.write_bytes(good)
        back.runs = runs.with_name(f"runs {limit}")
        with contextlib.suppress(AppError):
            run = back.take_back(exchange)
            assert (run.folder / run_folders.PEFT_ADAPTER / adapter.WEIGHTS).read_bytes() == good, limit
            taken += 1
    assert limit > taken > 0


def test_a_run_that_somebody_holds_is_not_written_into(back: Away) -> None:
    with run_folders.lock_run(back.runs / "点検"):
        assert back.refusal == "run_busy"
    assert back.take_back().state == "finished"


def test_a_job_of_another_computer_becomes_a_run_of_its_own(back: Away, tmp_path: Path) -> None:
    back.runs = tmp_path / "ほか"
    run = back.take_back()
    assert (run.state, Path(run.spec.train).read_text("utf-8")) == ("finished", ROW)


@pytest.mark.parametrize(("number", "is_queued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_a_cluster_s_signal_pauses_it_and_only_at_the_end_of_its_time_it_is_queued_again(
    away: Away, number: signal.Signals, is_queued: bool
) -> None:
    process = away.training("job.slurm")
    process.send_signal(number)
    _, log = process.communicate()
    assert process.returncode == 0, log
    queued = away.home / "requeued.txt"
    assert (queued.read_text("utf-8").split() if queued.is_file() else []) == ["requeue", "7"] * is_queued
    assert away.refusal == "job_unfinished"


@pytest.mark.parametrize("variable", ["KOTAE_CARDS", "SLURM_GPUS_ON_NODE"])
def test_several_cards_and_settings_of_the_machine_break_no_seal(variable: str, away: Away) -> None:
    (away.job / "machine.json").write_text('{"micro_batch": 1}')
    status, _, log = away.done(**{variable: "4"})
    assert (status, log) == (0, "")
    launched = (away.home / "arguments.txt").read_text("utf-8").splitlines()[0]
    assert "--config_file accelerate.yaml --num_processes 4 --no_python" in launched
    assert away.take_back().state == "finished"


def test_a_result_with_steps_of_another_size_is_not_taken_back(back: Away) -> None:
    run = run_folders.read(back.runs / "点検")
    assert run.spec is not None
    effective = back.job / "run" / "effective.json"
    told = json.loads(effective.read_bytes())
    for accumulation, code in ((4, "job_changed"), (2, None)):
        asked = dataclasses.replace(run.spec, micro_batch=2, accumulation=2, gradient_checkpointing=False)
        run_folders.write_spec(run.folder, asked)
        spared = {"micro_batch": 2, "gradient_checkpointing": True, "checkpoint_every": 1}  # as its memory was short
        effective.write_text(json.dumps(told | spared | {"accumulation": accumulation}))
        if code:
            assert back.refusal == code
        else:
            assert back.take_back().state == "finished"


def test_outside_its_folder_the_cluster_s_script_says_so(away: Away) -> None:
    status, _, log = away.done("job.slurm", SLURM_SUBMIT_DIR=str(away.home))
    assert (status, "call sbatch inside the job's folder" in log) == (3, True)


@pytest.mark.parametrize("is_there", [True, False])
def test_it_does_not_begin_with_another_file(is_there: bool, away: Away) -> None:
    for name in ("data/train.jsonl", "trainer/run.py", "base/小さなモデル.gguf"):
        before = (away.job / name).read_bytes()
        if is_there:
            (away.job / name).write_bytes(before + b" ")
        else:
            (away.job / name).unlink()
        status, *streams = away.done()
        said = "".join(streams)
        assert (status, name in said, "sha256sum" in said) == (3, True, False), (name, said)
        assert said.endswith("ください。\n"), name
        assert not (away.job / "run").exists(), name
        (away.job / name).write_bytes(before)


def test_it_is_not_taken_back_with_or_from_other_data_or_another_base(back: Away) -> None:
    def changed(path: Path, content: str) -> str:
        before = path.read_bytes()
        path.write_text(content, "utf-8")
        code = back.refusal
        path.write_bytes(before)
        return code

    effective = back.job / "run" / "effective.json"
    told = json.loads(effective.read_bytes())
    other_data = json.dumps(told | {"hashes": told["hashes"] | {"train": "0" * 64}})
    assert changed(back.job / "data" / "train.jsonl", ROW * 2) == "job_changed"
    assert changed(effective, other_data) == "job_changed"
    assert changed(back.job / "run" / "adapter" / "kotae.json", '{"base_sha256": "0"}') == "job_changed"
    assert run_folders.read(back.runs / "点検").state == "waiting"


@pytest.mark.parametrize("run", ["../outside", "", "a/b", 3])
def test_a_folder_that_is_no_job_is_refused(run: object, away: Away) -> None:
    assert away.refusal == "job_unfinished"
    manifest = json.loads((away.job / "job.json").read_bytes())
    (away.job / "job.json").write_text(json.dumps(manifest | {"run": run}), "utf-8")
    assert away.refusal == "job_unreadable"
    (away.job / "job.json").unlink()
    assert away.refusal == "job_missing"
    shutil.rmtree(away.job)
    assert away.refusal == "job_missing"


@pytest.mark.parametrize(("folder", "code"), [("あり", "job_folder_taken"), ("あり/表.csv", "job_is_file"),
                                              ("あり/表.csv/job", "job_is_file")])  # fmt: skip
def test_nothing_is_written_over(asked: RunSpec, tmp_path: Path, folder: str, code: str) -> None:
    table = tmp_path / "あり" / "表.csv"
    table.parent.mkdir()
    table.write_text("a,b", "utf-8")
    error = refused(remote_job.make_job, asked, tmp_path / folder, permit=PERMIT)
    assert error.code == code
    assert code != "job_is_file" or error.facts["path"] == str(table)
    assert table.read_text("utf-8") == "a,b"


def test_data_that_changed_since_it_was_split_is_not_sent(asked: RunSpec, tmp_path: Path) -> None:
    frozen = dataclasses.replace(asked, hashes={"train": "0" * 64})
    assert code_of(remote_job.make_job, frozen, tmp_path / "job", permit=PERMIT) == "run_data_changed"
