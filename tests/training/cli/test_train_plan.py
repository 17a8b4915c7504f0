"""`kotae train plan`, `plan --job`, `import`: with the real trainer and a tiny base, and without an environment."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app import cli as main
from app.inference import speed
from app.inference.speed import MachineSpeed
from app.models.training_environment import VARIABLE, TrainingEnvironment
from app.training.cli import train_plan
from app.training.cli.train_plan import tokens_text
from app.training.services import training_run
from app.training.services.training_run import Trainer
from tests import hf_models
from tests.trainer.card_forms import CARD_FORMS, as_json, form_of
from tests.trainer.conftest import environment  # noqa: F401
from tests.trainer.training_runs import write_spec
from trainer.estimate import TrainingTime
from trainer.events import Preview, PreviewToken
from trainer.spec import RunSpec

Kotae = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kotae(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Kotae:
    """Runs `kotae ARGUMENTS` in this process: exit status, standard output, standard error."""
    data = tmp_path / "データ"
    data.mkdir()
    speed.save(data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))  # measuring takes seconds
    monkeypatch.setenv("KOTAE_DATA_DIR", str(data))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        try:
            status = main.main(arguments, lambda *_: 0)
        except SystemExit as end:
            status = int(end.code or 0)
        said = capfd.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Spells the rows in bytes, which needs no trainer to be made."""
    return hf_models.model(tmp_path / "土台")


@pytest.fixture
def spec(base: Path, tmp_path: Path) -> Path:
    """As a person writes it: without a folder."""
    form = as_json(form_of(CARD_FORMS["question_answer"]))
    path = write_spec(tmp_path / "点検", base, epochs=1.0, form=form, context_tokens=512)
    said = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**said, "folder": None, "name": "点検"}, ensure_ascii=False), encoding="utf-8")
    return path


def test_without_an_environment_it_is_estimated_and_settings_are_said_in_words(
    kotae: Kotae, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no-python"))
    status, out, _ = kotae("train", "plan", str(spec))
    assert status == 0
    assert "文字数からの推定" in out
    assert "判定：始められます。" in out
    (settings,) = [line for line in out.splitlines() if line.startswith("設定：")]
    assert "学習率 0.003、" in settings
    assert "途中の値の再計算 なし、" in settings
    assert not re.search(r"[a-z]_[a-z]|False|None", settings)
    status, out, _ = kotae("train", "plan", str(spec), "--lang", "en")
    assert "Verdict: ready to start." in out


def test_numbers_of_the_settings_can_be_given_beside_the_file(
    kotae: Kotae, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no-python"))
    status, out, _ = kotae("train", "plan", str(spec), "--rank", "4", "--learning-rate", "1e-3", "--epochs", "2")
    assert status == 0
    assert "LoRA のランク 4、" in out
    assert "学習率 0.001、" in out
    assert "周回数の上限 2、" in out
    status, _, err = kotae("train", "plan", str(spec), "--rank", "0")
    assert (status, "「rank」に「0」は使えません" in err) == (3, True)


def test_a_job_needs_the_environment_for_its_converter(
    kotae: Kotae, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no-python"))
    assert kotae("train", "plan", str(spec), "--job", str(tmp_path / "job"))[0] == 3
    assert not (tmp_path / "job").exists()


def test_a_plan_is_exact_and_leaves_nothing_and_only_a_job_needs_the_converter(
    kotae: Kotae,
    spec: Path,
    tmp_path: Path,
    environment: TrainingEnvironment,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = Trainer(TrainingEnvironment(environment.python, None))
    monkeypatch.setattr(training_run, "locate_trainer", lambda _data: trainer)
    status, out, log = kotae("train", "plan", str(spec), "--json")
    assert status == 0, log
    plan: dict[str, Any] = json.loads(out)
    assert (plan["is_exact"], plan["fits"], plan["counts"]["rows"]) == (True, True, 29)  # of two turns: two
    trained = [token["text"] for token in plan["preview"]["tokens"] if token["is_trained"]]
    assert trained[-1] == "<|end_of_text|>"
    memory = plan["memory"]
    assert memory["total_bytes"] == sum(value for name, value in memory.items() if name != "total_bytes")
    assert not (tmp_path / "データ" / "runs").exists()
    status, out, _ = kotae("train", "plan", str(spec), "--job", str(tmp_path / "job"), "--json")
    assert (status, json.loads(out)["error"]["code"]) == (3, "converter_missing")


def test_what_does_not_fit_ends_with_1_and_says_what_would(
    kotae: Kotae, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no-python"))
    said = json.loads(spec.read_text(encoding="utf-8"))
    spec.write_text(json.dumps(said | {"memory_share": 0.01}), encoding="utf-8")
    status, out, _ = kotae("train", "plan", str(spec), "--json")
    assert status == 1
    assert not json.loads(out)["fits"]
    status, out, _ = kotae("train", "plan", str(spec))
    assert (status, "判定：メモリが足りません" in out) == (1, True)


@pytest.mark.slow
def test_a_job_is_trained_by_its_script_and_taken_back(
    kotae: Kotae,
    spec: Path,
    tmp_path: Path,
    environment: TrainingEnvironment,  # noqa: F811
) -> None:
    status, out, log = kotae("train", "plan", str(spec), "--job", str(tmp_path / "job"), "--json")
    assert status == 0, log
    made = json.loads(out)
    away = (tmp_path / "job").rename(tmp_path / "遠い PC")
    variables = os.environ | {"KOTAE_PYTHON": str(environment.python), "LC_ALL": "", "LANG": "ja_JP.UTF-8"}
    ran = subprocess.run([str(away / "run.sh")], env=variables, capture_output=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert (ran.stderr, "{" in ran.stdout) == ("", False)
    assert ran.stdout.endswith("取り込んでください。\n")
    status, out, log = kotae("train", "import", str(away), "--json")
    assert status == 0, log
    run = json.loads(out)
    assert (run["id"], run["state"]) == (made["run"], "finished")
    assert Path(run["adapter"]).is_file()


def test_the_parts_of_the_time_add_up_and_trained_tokens_stand_in_brackets() -> None:
    plan: Any = SimpleNamespace(
        time=TrainingTime(step_s=7.721, steps=12, total_s=219.9),
        device=SimpleNamespace(kind="cpu"),
        spec=RunSpec(*"abcd", "e"),
        verdict_s=90.0,
    )
    whole, steps, evaluations, verdict, _others = train_plan._times(plan)
    assert "3 分 40 秒" in whole
    assert steps == "  ステップ 1 分 33 秒（12 回、1 回 約 8 秒）"
    assert evaluations == "  検証 2 分 7 秒"
    assert verdict == "  ほかに、学習後の書き出しと判定：約 1 分 30 秒"
    tokens = [("<s>", False), ("問\n", False), ("答", True), ("</s>", True), ("次", False)]
    preview = Preview(1, tuple(PreviewToken(0, text, is_trained) for text, is_trained in tokens))
    assert tokens_text(preview) == "<s>|問⏎[答][</s>]次"
    assert (
        tokens_text(Preview(1, (PreviewToken(0, "\x1b[31m", False),))) == "[31m"
    )  # nothing that a terminal would obey


def test_a_base_comes_along_only_with_a_job(kotae: Kotae, spec: Path) -> None:
    assert kotae("train", "plan", str(spec), "--with-base")[0] == 2
