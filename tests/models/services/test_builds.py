"""Builds from folder to list: real children, every way a step can end, and going on after each of them."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base import programs, wording
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat.store import Store
from app.inference import gguf, quantizations
from app.inference.local_model import LocalModel
from app.models import gguf_build, hf_folders, local_models
from app.models.artifact_steps import StepProgress
from app.models.gguf_build import BuildPlan, BuildRequest
from app.models.services.build_runner import BuildRunner
from tests import hf_models
from tests import model_files as models
from tests.model_files import TinyShape

CONVERTER = Path(__file__).parents[2] / "scripted_converter.py"
ECHO = [*programs.own_program(), "--engine", "echo"]
SHAPE = TinyShape(embedding=256, feed_forward=512)


@dataclass
class ScriptedEnvironment:
    """In place of the training environment."""

    folder: Path
    behaviour: str = "ok"
    python: Path = Path(sys.executable)
    converter: Path | None = Path("/converter")

    def command(self, _module: str, *arguments: str) -> list[str]:
        return [sys.executable, str(CONVERTER), self.behaviour, str(self.folder), *arguments]

    def jobs(self) -> list[str]:
        return (self.folder / "jobs").read_text("utf-8").split()


@dataclass
class Bench:
    """A builds service with everything under it, and what it said."""

    builds: BuildRunner
    environment: ScriptedEnvironment
    store: Store
    where: Paths
    source: Path
    qtbot: QtBot
    heard: list[StepProgress] = field(default_factory=list)

    def plan(
        self, forms: str = "Q4_K_M", adapter: Path | None = None, to: Path | None = None, **fields: object
    ) -> BuildPlan:
        model = hf_folders.read_hf_model(self.source)
        lora = hf_folders.read_hf_adapter(adapter, model) if adapter else None
        wanted = quantizations.parse_quantizations(forms)
        return gguf_build.plan_build(BuildRequest(model, wanted, to or self.where.models, lora, **fields))  # type: ignore[arg-type]

    def other(
        self, command: list[str] = ECHO, add: Callable[[LocalModel], LocalModel] = lambda model: model
    ) -> BuildRunner:
        """The builds of another program; `command`: its engine."""
        return BuildRunner(self.environment, command, self.where.logs, add, lambda *_: None)  # type: ignore[arg-type]

    def run(self, plan: BuildPlan) -> list[LocalModel]:
        ends: list[object] = []
        for end in (self.builds.finished, self.builds.failed):
            end.connect(ends.append)
        self.builds.start(plan)
        self.qtbot.waitUntil(lambda: bool(ends), timeout=60_000)
        for end in (self.builds.finished, self.builds.failed):
            end.disconnect(ends.append)
        assert isinstance(ends[0], list), ends[0]
        return ends[0]

    def failure(self, plan: BuildPlan, builds: BuildRunner | None = None) -> AppError:
        """How it ends; nothing is in the list then, and nothing runs."""
        builds = builds or self.builds
        with self.qtbot.waitSignal(builds.failed, timeout=60_000) as told:
            builds.start(plan)
        assert not builds.is_running
        assert self.store.local_models() == []
        return told.args[0]

    def interrupted(self, plan: BuildPlan) -> LocalModel:
        """Cancels as soon as the first quantization is in the list; returns that."""
        first: list[LocalModel] = []
        self.builds.model_added.connect(first.append)
        self.builds.model_added.connect(self.builds.cancel)
        with self.qtbot.waitSignal(self.builds.stopped, timeout=60_000):
            self.builds.start(plan)
        self.builds.model_added.disconnect()
        return first[0]

    def made(self) -> list[str]:
        return [report.title for report in self.builds.reports]

    def left(self) -> set[str]:
        """Files in the models folder, builds in progress included."""
        return {path.name for path in self.where.models.rglob("*") if path.is_file() and path.name != "lock"}


@pytest.fixture
def bench(tmp_path: Path, where: Paths, store: Store, qtbot: QtBot) -> Iterator[Bench]:
    (tmp_path / "script").mkdir()
    models.tiny_llama(tmp_path / "script" / "model.gguf", shape=SHAPE)
    environment = ScriptedEnvironment(tmp_path / "script")
    builds = BuildRunner(environment, ECHO, where.logs, lambda model: local_models.add(store, model), lambda *_: None)  # type: ignore[arg-type]
    source = hf_models.model(tmp_path / "hf")
    bench = Bench(builds, environment, store, where, source, qtbot)
    builds.progressed.connect(bench.heard.append)
    yield bench
    builds.cancel()
    builds.deleteLater()


def test_all_quantizations_come_into_the_list_in_order_with_progress_and_nothing_else_stays(bench: Bench) -> None:
    made = bench.run(bench.plan("Q8_0,Q4_K_M", name="砂防の助手"))
    assert [(model.quantization, model.name) for model in made] == [
        ("Q8_0", "砂防の助手 Q8_0"),
        ("Q4_K_M", "砂防の助手 Q4_K_M"),
    ]
    assert {model.id for model in bench.store.local_models()} == {model.id for model in made}
    assert bench.left() == {"砂防の助手-Q8_0.gguf", "砂防の助手-Q4_K_M.gguf"}
    assert gguf.check_model(Path(made[0].path)).name == "砂防の助手"
    assert bench.environment.jobs() == ["hf_to_gguf"]
    assert bench.made() == ["convert", "quantize Q8_0", "quantize Q4_K_M"]
    assert all(bench.builds.trials[form] for form in ("Q8_0", "Q4_K_M"))
    steps = list(dict.fromkeys((progress.number, progress.kind, progress.name) for progress in bench.heard))
    assert steps == [
        (1, "convert", ""),
        (2, "quantize", "Q8_0"),
        (2, "trial", "Q8_0"),
        (3, "quantize", "Q4_K_M"),
        (3, "trial", "Q4_K_M"),
    ]
    assert {progress.steps for progress in bench.heard} == {3}
    assert any(progress.done == 1 and progress.total == 2 for progress in bench.heard)


def test_an_adapter_is_converted_and_merged_and_a_text_is_measured(bench: Bench, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("橋脚のかぶりを確かめる。\n" * 100, encoding="utf-8")
    bench.run(bench.plan(adapter=hf_models.adapter(tmp_path / "lora"), text=text))
    assert bench.environment.jobs() == ["hf_to_gguf", "lora_to_gguf", "merge"]
    assert bench.made()[3:] == ["imatrix", "quantize Q4_K_M"]
    assert bench.left() == {"hf-+-lora-Q4_K_M.gguf"}


@pytest.mark.parametrize(
    ("behaviour", "code", "facts"),
    [
        ("die", "build_died", {"step": "convert", "cause": "SIGKILL"}),
        ("silent", "build_died", {"step": "convert", "cause": "exit code 0"}),
        ("garbage", "build_died", {}),
        ("fail:no_memory", "no_memory", {}),
        ("fail:tensor_missing", "tensor_missing", {"detail": "lm_head.weight"}),
        ("fail:adapter_mismatch", "build_adapter_mismatch", {"base": "Tiny", "where": "lm_head.weight"}),
        ("touch", "build_source_changed", {}),
    ],
)
@pytest.mark.fault("F4")
def test_how_a_conversion_ended_is_named_and_no_half_file_stays(
    bench: Bench, behaviour: str, code: str, facts: dict[str, str]
) -> None:
    bench.environment.behaviour = behaviour
    error = bench.failure(bench.plan())
    assert error.code == code
    assert facts.items() <= error.facts.items()
    if behaviour == "garbage":
        assert "Segmentation" in error.facts["cause"]
    assert bench.left() <= ({"base.weights", "manifest.json"} if behaviour == "touch" else set())
    if behaviour in ("die", "touch"):  # without and with what the conversion has left
        bench.environment.behaviour = "ok"
        assert len(bench.run(bench.plan())) == 1


@pytest.mark.parametrize("broken", ["lora_to_gguf", "merge"])
def test_a_later_step_goes_on_from_the_conversion(bench: Bench, tmp_path: Path, broken: str) -> None:
    plan = bench.plan(adapter=hf_models.adapter(tmp_path / "lora"))
    bench.environment.behaviour = f"die@{broken}"
    assert bench.failure(plan).facts["cause"] == "SIGKILL"
    assert "base.weights" in bench.left()
    bench.environment.behaviour = "ok"
    bench.run(plan)
    assert bench.environment.jobs().count("hf_to_gguf") == 1
    assert bench.environment.jobs()[-1] == "merge"


def test_a_cancelled_conversion_leaves_neither_process_nor_file(bench: Bench) -> None:
    bench.environment.behaviour = "wait"
    bench.builds.start(bench.plan())
    bench.qtbot.waitUntil(lambda: any(progress.done for progress in bench.heard))
    converter: int = bench.builds._task.pid  # type: ignore[union-attr]
    with bench.qtbot.waitSignal(bench.builds.stopped):
        bench.builds.cancel()
    assert not bench.builds.is_running
    assert bench.left() == set()
    assert not psutil.pid_exists(converter)


@pytest.mark.fault("F4")
def test_a_killed_quantizer_is_named_and_the_conversion_is_kept(bench: Bench) -> None:
    larger = TinyShape(layers=2, embedding=512, feed_forward=2048)
    models.tiny_llama(bench.environment.folder / "model.gguf", shape=larger)
    plan = bench.plan("IQ4_XS")

    def kill(progress: StepProgress) -> None:
        if progress.kind == "quantize" and progress.done:
            os.kill(bench.builds._task.pid, signal.SIGKILL)  # type: ignore[union-attr]

    bench.builds.progressed.connect(kill)
    error = bench.failure(plan)
    assert (error.code, error.facts["cause"]) == ("build_died", "SIGKILL")
    assert bench.left() == {"base.weights", "manifest.json", "job.json"}
    bench.builds.progressed.disconnect(kill)
    assert bench.run(plan)[0].quantization == "IQ4_XS"
    assert bench.environment.jobs() == ["hf_to_gguf"]


def test_a_form_that_was_finished_before_an_interruption_is_made_again_only_if_it_was_damaged(bench: Bench) -> None:
    plan = bench.plan("Q4_K_M,Q8_0")
    first = bench.interrupted(plan)
    before = Path(first.path).stat()
    made = bench.run(plan)
    assert bench.made() == ["quantize Q8_0"]
    assert (made[0].id, made[0].name) == (first.id, first.name)
    assert Path(made[0].path).stat().st_ino == before.st_ino
    assert len(bench.left()) == 2
    plan = bench.plan("Q4_K_M,Q8_0", name="別の名前")
    first = bench.interrupted(plan)
    Path(first.path).write_bytes(b"damaged")
    made = bench.run(plan)
    assert bench.made() == ["quantize Q4_K_M", "quantize Q8_0"]
    assert [model.quantization for model in made] == ["Q4_K_M", "Q8_0"]
    assert Path(first.path).read_bytes() == b"damaged"


@pytest.mark.fault("F4")
def test_a_start_that_fails_leaves_nothing_running(bench: Bench) -> None:
    plan = bench.plan("Q4_K_M,Q8_0")
    bench.interrupted(plan)

    def refuse(_model: LocalModel) -> LocalModel:
        raise AppError("database_busy")

    builds = bench.other(add=refuse)
    for _again in range(2):
        with pytest.raises(AppError, match="database_busy"):
            builds.start(plan)
        assert not builds.is_running


def test_a_model_that_cannot_speak_does_not_come_into_the_list(bench: Bench) -> None:
    mute = bench.other([sys.executable, "-c", "pass"], lambda model: local_models.add(bench.store, model))
    assert bench.failure(bench.plan(), mute).code == "build_trial_failed"
    assert not list(bench.where.models.glob("*.gguf"))
    bench.run(bench.plan())
    assert bench.made() == ["quantize Q4_K_M"]


def test_a_model_for_which_the_memory_did_not_suffice_is_tried_again_and_not_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(wording, "phrase", lambda *_key, **_facts: "!memory")
        assert bench.failure(bench.plan()).facts["cause"] == "out_of_memory"
    bench.run(bench.plan())
    assert bench.builds.reports == []


@pytest.mark.fault("F4")
def test_a_conversion_whose_result_is_no_model_is_refused(bench: Bench) -> None:
    (bench.environment.folder / "model.gguf").write_bytes(b"GGUF and nothing more")
    assert bench.failure(bench.plan()).code == "gguf_damaged"
    assert bench.left() == set()


def test_a_build_that_runs_in_another_program_or_has_no_converter_does_not_begin(bench: Bench) -> None:
    bench.environment.converter = None
    with pytest.raises(AppError, match="converter_missing"):
        bench.builds.start(bench.plan())
    assert not bench.builds.is_running
    assert bench.left() == set()
    bench.environment.converter, bench.environment.behaviour = Path("/converter"), "wait"
    bench.builds.start(bench.plan())
    other = bench.other()
    with pytest.raises(AppError, match="build_running"):
        other.start(bench.plan("Q8_0"))
    assert not other.is_running


@pytest.mark.fault("F2")
def test_a_drive_that_is_too_small_is_named_before_anything_begins(
    bench: Bench, small_disk: Callable[[int], Path]
) -> None:
    disk = small_disk(4)
    with pytest.raises(AppError) as caught:
        bench.builds.start(bench.plan(to=disk))
    assert caught.value.code == "drive_space"
    assert caught.value.facts["need_bytes"] > caught.value.facts["free_bytes"] > 0
    assert list(disk.iterdir()) == []


@pytest.mark.fault("F2")
def test_a_drive_that_fills_up_meanwhile_is_named_and_the_conversion_is_kept(
    bench: Bench, small_disk: Callable[[int], Path]
) -> None:
    disk = small_disk(40)
    larger = TinyShape(layers=2, embedding=512, feed_forward=2048)  # than the plan thinks: 31 MB
    models.tiny_llama(bench.environment.folder / "model.gguf", shape=larger)
    assert bench.failure(bench.plan("Q8_0", to=disk)).code == "drive_space"
    assert {path.name for path in disk.rglob("*.weights*")} == {"base.weights"}
