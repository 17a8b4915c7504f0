"""The gate of a run on tiny models: real children, a scripted converter, and going on after each way to end."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.errors import AppError
from app.base.files import input_file
from app.base.services.child_process import ChildProcess
from app.inference import crashes, engine_packs, gguf, quantizations
from app.inference.engine_packs import EnginePack, PackFile
from app.inference.local_model import LocalModel
from app.inference.scoring_files import HeldOutChat
from app.inference.services.engine import STALL_LIMIT_S
from app.models import base_models, catalogue
from app.models.artifact_steps import StepProgress
from app.models.local_models import CardAdapter
from app.training import export_plan, quality_gate
from app.training import export_plan as prompts
from app.training.quality_gate import GateResult
from app.training.runs import run_folders
from app.training.services.gate_run import GateRun
from tests import hf_models
from tests import model_files as models
from tests.inference.engine import held_out
from tests.model_files import TinyShape
from trainer import spec
from trainer.spec import RunSpec

CONVERTER = Path(__file__).parents[2] / "scripted_converter.py"
SHAPE = TinyShape(context=1024)
PAIRS = [("首都は？", "東京です。"), ("一年は何日？", "三百六十五日。"), ("水は何度で沸く？", "百度です。")]
GB = 10**9


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
    gate: GateRun
    environment: ScriptedEnvironment
    run: Path
    cache: Path
    qtbot: QtBot
    heard: list[StepProgress] = field(default_factory=list)
    all_forms: bool = True

    def passed(self, available_bytes: int = GB) -> GateResult:
        ends: list[object] = []
        self.gate.finished.connect(ends.append)
        self.gate.failed.connect(ends.append)
        self.gate.start(self.run, self.cache, available_bytes, all_forms=self.all_forms)
        self.qtbot.waitUntil(lambda: bool(ends), timeout=120_000)
        self.gate.finished.disconnect(ends.append)
        self.gate.failed.disconnect(ends.append)
        assert isinstance(ends[0], GateResult), ends[0]
        return ends[0]

    def failure(self) -> AppError:
        with self.qtbot.waitSignal(self.gate.failed, timeout=120_000) as blocker:
            self.gate.start(self.run, self.cache, GB, all_forms=self.all_forms)
        error: AppError = blocker.args[0]
        assert not self.gate.is_running
        return error

    def cancel_at(self, phase: str, form: str) -> None:
        def cancel(progress: StepProgress) -> None:
            if (progress.kind, progress.name) == (phase, form):
                self.gate.cancel()

        self.heard.clear()
        self.gate.progressed.connect(cancel)
        with self.qtbot.waitSignal(self.gate.stopped, timeout=120_000):
            self.gate.start(self.run, self.cache, GB, all_forms=self.all_forms)
        self.gate.progressed.disconnect(cancel)
        assert not self.gate.is_running

    def steps(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((progress.kind, progress.name) for progress in self.heard))

    def ggufs(self) -> set[str]:
        return {str(path.relative_to(self.run.parent)) for path in self.run.parent.rglob("*.gguf")}


@pytest.fixture
def bench(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(
        export_plan, "QUANTIZED", quantizations.parse_quantizations("Q8_0,Q4_K_M")
    )  # a child each, and one to measure it
    monkeypatch.setattr(export_plan, "ALL_FORMS", (*export_plan.ALL_FORMS[:5], "Q8_0", "Q4_K_M"))
    (tmp_path / "script").mkdir()
    base = models.tiny_llama(tmp_path / "base.gguf", shape=SHAPE)
    (tmp_path / "script" / "model.gguf").write_bytes(base.read_bytes())
    run = tmp_path / "runs" / "実行"
    run.mkdir(parents=True)
    folder = hf_models.model(tmp_path / "bases" / input_file.sha256_of(base)[:16])
    assert folder.is_dir()
    form = base_models.trainer_form(catalogue.load().forms["question_answer"])
    asked = RunSpec(
        str(run), str(base), "train.jsonl", "val.jsonl", bases=str(tmp_path / "bases"), form=form, name="砂防の助手"
    )
    (run / run_folders.EFFECTIVE).write_text(json.dumps(spec.to_json(asked), ensure_ascii=False), encoding="utf-8")
    run_folders.write_spec(run, asked)
    models.tiny_adapter(run / run_folders.ADAPTER, shape=SHAPE, size=0.3)
    asking = [(f"質問: {question}\n回答:", answer) for question, answer in PAIRS]
    held_out.write(run / "holdout.json", asking, chats=[chat(question) for question, _ in PAIRS])
    environment = ScriptedEnvironment(tmp_path / "script")
    bench = Bench(GateRun(environment), environment, run, tmp_path / "bases", qtbot)
    bench.gate.progressed.connect(bench.heard.append)
    yield bench
    bench.gate.cancel()
    bench.gate.deleteLater()


def chat(question: str) -> dict[str, object]:
    ids = held_out.prompt_ids(f"質問: {question}\n回答:")
    return {"messages": [{"role": "user", "content": question}], "ids": ids}


def test_every_form_is_made_and_measured_and_only_the_best_stays(bench: Bench) -> None:
    found = bench.passed()
    assert bench.steps() == [
        ("convert", "f16+adapter"),
        ("score", "f16+adapter"),
        ("score", "base"),
        ("score", "base+adapter"),
        ("merge", "F16"),
        ("score", "F16"),
        *((kind, form) for form in ("Q8_0", "Q4_K_M") for kind in ("quantize", "score")),
        ("answer", found.proposed),
    ]
    assert bench.environment.jobs() == ["hf_to_gguf", "merge"]
    assert [row.form for row in found.forms] == ["base", "base+adapter", "f16+adapter", "F16", "Q8_0", "Q4_K_M"]
    assert (found.chats_equal, found.chats) == (3, 3)
    assert found == quality_gate.read_gate(bench.run)
    assert len(found.answers) == len(PAIRS)
    assert [answer.reference for answer in found.answers] == [answer for _, answer in PAIRS]
    kept = {f"実行/{found.file}"} if found.file else set()
    assert {name for name in bench.ggufs() if "/" in name} == {"実行/adapter.gguf", *kept}
    assert "砂防の助手" in (bench.run / "report.html").read_text("utf-8")
    assert {progress.steps for progress in bench.heard} == {10, 11}
    assert {row.form for row in found.forms if row.ended_share is not None} == {"base", found.proposed}
    assert [row.form for row in found.forms if not row.write_tokens_per_s] == ["f16+adapter"]
    bench.environment.converter, converter = None, bench.environment.converter
    error: list[AppError] = []
    bench.gate.failed.connect(error.append)
    bench.gate.start(
        bench.run, bench.cache, 1, all_forms=True
    )  # the file of the form that needs least memory is to be made again
    bench.qtbot.waitUntil(lambda: bool(error))
    assert error[0].code == "converter_missing"
    bench.environment.converter = converter
    (reference,) = (row for row in found.forms if row.form == "f16+adapter")
    assert reference.divergence is None
    assert all(row.divergence is not None for row in found.forms if row.form not in ("base", "f16+adapter"))
    assert found.verdict == "reject"
    assert "merge_differs" in {reason.code for reason in found.reasons}  # the scripted one merges nothing
    bench.heard.clear()
    small = bench.passed(available_bytes=1)  # none fits: the one that needs least memory
    # Its file, and its answers: nothing is measured twice.
    assert bench.steps() == [("merge", "F16"), ("quantize", "Q4_K_M"), ("answer", "Q4_K_M")]
    assert small.row("Q4_K_M").divergence == found.row("Q4_K_M").divergence
    assert small.row("Q4_K_M").ended_share is not None
    assert [row.nll for row in small.forms] == [row.nll for row in found.forms]
    assert (small.proposed, small.file) == ("Q4_K_M", "砂防の助手-Q4_K_M.gguf")
    header = gguf.check_model(bench.run / small.file)
    assert (header.quantization, header.name) == ("Q4_K_M", "砂防の助手")
    for form in ("Q8_0", "F16"):
        bench.heard.clear()
        with bench.qtbot.waitSignal(bench.gate.finished, timeout=120_000) as made:
            bench.gate.start(bench.run, bench.cache, GB, form)
        assert made.args == [None]
        assert bench.steps() == [("merge", "F16"), ("quantize", form)]
        assert (
            gguf.check_model(bench.run / f"砂防の助手-{form}.gguf").name == "砂防の助手"
        )  # of the merged file: "Tiny"
    assert quality_gate.read_gate(bench.run) == small  # beside it
    assert len(list(bench.run.glob("砂防*.gguf"))) == 3


def test_a_verdict_takes_two_forms_and_the_others_are_measured_on_request(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.all_forms = False
    first = bench.passed()
    assert bench.steps() == [("score", "base"), ("score", "base+adapter"), ("answer", "base+adapter")]
    assert not (bench.environment.folder / "jobs").exists()  # nothing was converted
    assert (first.proposed, first.file) == ("base+adapter", "")
    assert [row.form for row in first.forms] == ["base", "base+adapter"]
    assert [len(answer.tuned) > 0 for answer in first.answers] == [True] * len(PAIRS)
    told = [(one.kind, one.name, one.done, one.total) for one in bench.heard]
    # A sign of life is no progress, from which the time left is estimated.
    assert [one for one, before in zip(told[1:], told, strict=False) if one == before] == []
    bench.heard.clear()
    bench.all_forms = True
    found = bench.passed()
    assert bench.steps()[:4] == [
        ("convert", "f16+adapter"),
        ("score", "f16+adapter"),
        ("score", "base+adapter"),
        ("merge", "F16"),
    ]
    assert ("score", "base") not in bench.steps()
    adapter = found.row("base+adapter")
    assert adapter.nll == first.row("base+adapter").nll
    assert adapter.ended_share == first.row("base+adapter").ended_share  # its answers were kept
    assert adapter.divergence is not None
    bench.heard.clear()
    monkeypatch.setattr(quality_gate, "EQUAL_DIVERGENCE", 1.0)  # the scripted merge merges nothing
    small = bench.passed(available_bytes=1)
    assert bench.steps() == [("merge", "F16"), ("quantize", "Q4_K_M")]  # the adapter has answered for all forms
    assert (small.proposed, small.answered) == ("Q4_K_M", "base+adapter")
    assert [one.tuned for one in small.answers] == [one.tuned for one in first.answers]


CRASHING_WITH_PACKS = """
import json, os, pathlib, runpy, sys, time
if json.loads(pathlib.Path(sys.argv[-1]).read_bytes())["packs"]:
    time.sleep(3600) if {signal} == 0 else os.kill(os.getpid(), {signal})
sys.argv[0] = "app"
runpy.run_module("app", run_name="__main__", alter_sys=True)
"""


HANGS = 0


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL, HANGS])
def test_a_driver_that_crashes_or_hangs_costs_no_verdict_and_is_not_blamed_where_memory_is_short(
    bench, tmp_path, monkeypatch, number
):
    library = tmp_path / "engine-packs" / "vulkan" / "libggml-vulkan.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"driver")
    pack = EnginePack("vulkan", (PackFile(library.name, 6, ""),))
    monkeypatch.setattr(engine_packs, "known_packs", lambda: (pack,))
    crashing = CRASHING_WITH_PACKS.format(signal=int(number))
    monkeypatch.setattr(programs, "own_program", lambda: [sys.executable, "-c", crashing])
    engine_packs.use_folder(library.parent.parent)
    bench.all_forms = False
    if number == HANGS:
        end_silent_children(monkeypatch, 1)
    try:
        if number == signal.SIGKILL:  # by the system
            assert bench.failure().code == "build_died"
            assert engine_packs.chosen()[1] == ""
            return
        assert bench.passed().verdict in quality_gate.VERDICTS
        assert engine_packs.chosen() == ((), "crashed")
    finally:
        crashes.crashed_packs.clear()
        engine_packs.use_folder(None)
    assert [step for step in bench.steps() if step[0] == "score"] == [("score", "base"), ("score", "base+adapter")]


def end_silent_children(monkeypatch: pytest.MonkeyPatch, count: int) -> list[float]:
    """End the first children as their limit of silence would; return the limits of all, in seconds."""
    start, limits = ChildProcess.start, []

    def start_silent(child: ChildProcess) -> None:
        start(child)
        limits.append(child._silence_limit_s)
        if len(limits) <= count:
            child.kill("hung")

    monkeypatch.setattr(ChildProcess, "start", start_silent)
    return limits


def test_a_measurement_that_stalls_on_the_processor_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.all_forms = False
    limits = end_silent_children(monkeypatch, 1)
    error = bench.failure()
    assert (error.code, error.facts) == ("score_hung", {"step": "score base", "minutes": 10})
    assert limits == [STALL_LIMIT_S]
    assert bench.passed().verdict in quality_gate.VERDICTS


def test_a_base_that_is_a_folder_gets_a_gguf_to_answer_with(bench: Bench) -> None:
    folder = next(path for path in bench.cache.iterdir() if path.is_dir())
    for name in (run_folders.SPEC, run_folders.EFFECTIVE):
        asked = spec.read(bench.run / name)
        written = dataclasses.replace(asked, base=str(folder))
        if name == run_folders.SPEC:
            run_folders.write_spec(bench.run, written)
        else:
            (bench.run / name).write_text(json.dumps(spec.to_json(written), ensure_ascii=False), encoding="utf-8")
    bench.cancel_at("score", "base")
    assert bench.steps() == [
        ("convert", "f16+adapter"),
        ("score", "f16+adapter"),
        ("quantize", "base"),
        ("score", "base"),
    ]


def test_a_base_with_a_shipped_adapter_is_measured_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    base = bench.run.parent.parent / "base.gguf"
    shipped = models.tiny_adapter(bench.run.parent.parent / "shipped.gguf", shape=SHAPE, size=0.05)

    def adapter_of(model: LocalModel) -> CardAdapter | None:
        return CardAdapter(shipped, "") if model.files[0].sha256 == input_file.sha256_of(base) else None

    monkeypatch.setattr("app.models.local_models.adapter_of", adapter_of)
    bench.cancel_at("score", "base+shipped")
    assert bench.steps()[2:] == [("score", "base"), ("score", "base+shipped")]
    planned = export_plan.plan_export(export_plan.read_source(bench.run), bench.cache)
    assert planned.adapter_of("base+shipped") == str(shipped)
    assert export_plan.read_scores(planned)["base"].answers


def test_it_goes_on_from_what_was_measured_unless_the_adapter_is_another(bench: Bench) -> None:
    bench.cancel_at("score", "base")
    bench.cancel_at("score", "base+adapter")
    assert bench.steps() == [("score", "base"), ("score", "base+adapter")]
    assert bench.environment.jobs() == ["hf_to_gguf"]
    models.tiny_adapter(bench.run / run_folders.ADAPTER, shape=SHAPE, size=0.06)
    bench.cancel_at("score", "base")
    assert bench.steps() == [("score", "f16+adapter"), ("score", "base")]
    assert bench.environment.jobs() == ["hf_to_gguf"]


def test_what_is_missing_is_named_before_anything_begins(bench: Bench) -> None:
    adapter = bench.run / run_folders.ADAPTER
    moved = adapter.rename(adapter.with_suffix(".old"))
    assert bench.failure().code == "gate_not_finished"
    moved.rename(adapter)
    (bench.run / "holdout.json").write_text("{}", encoding="utf-8")
    assert bench.failure().code == "holdout_unreadable"
    base = bench.run.parent.parent / "base.gguf"
    moved = base.rename(base.with_suffix(".old"))
    assert bench.failure().code == "gate_no_base"
    base.write_bytes(moved.read_bytes() + bytes(1))
    asked = dataclasses.replace(spec.read(bench.run / run_folders.SPEC), base_sha256=input_file.sha256_of(moved))
    (bench.run / run_folders.EFFECTIVE).write_text(json.dumps(spec.to_json(asked)), encoding="utf-8")
    assert bench.failure().code == "gate_other_base"
    assert not (bench.environment.folder / "jobs").exists()


def test_a_conversion_that_fails_ends_the_gate_with_its_reason(bench: Bench) -> None:
    for behaviour, code in (("die", "build_died"), ("fail:no_memory", "no_memory")):
        bench.environment.behaviour = behaviour
        assert bench.failure().code == code
        assert not list(bench.cache.rglob("*.part"))
    bench.environment.converter = None
    assert bench.failure().code == "converter_missing"


def test_a_base_that_was_never_unpacked_here_is_unpacked_first(bench: Bench) -> None:
    folder = next(path for path in bench.cache.iterdir() if path.is_dir())
    folder.rename(bench.environment.folder / "unpacked")
    bench.cancel_at("score", "f16+adapter")
    assert bench.steps() == [("unpack", "base"), ("convert", "f16+adapter"), ("score", "f16+adapter")]
    assert [(one.number, one.steps) for one in bench.heard if one.done == 0][:2] == [(1, 1), (2, 11)]
    assert bench.environment.jobs() == ["gguf_to_hf", "hf_to_gguf"]
    assert (folder / "config.json").is_file()


def test_a_base_that_another_run_is_making_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.models.services.artifact_runner._RETRY_MS", 50)
    export = export_plan.plan_export(export_plan.read_source(bench.run), bench.cache)
    other = filelock.FileLock(f"{export.base_f16}.lock")
    other.acquire()
    made = bench.environment.folder / "model.gguf"

    def make() -> None:
        shutil.copyfile(made, export.base_f16)
        other.release()

    def make_soon(progress: StepProgress) -> None:
        if progress.kind == "convert":
            QTimer.singleShot(300, make)

    bench.gate.progressed.connect(make_soon)
    bench.cancel_at("score", "f16+adapter")
    assert not (bench.environment.folder / "jobs").exists()  # nothing was converted here
    other.acquire(timeout=0)
    other.release()


def test_a_reference_that_is_damaged_is_measured_again_by_the_next_try(bench: Bench) -> None:
    bench.cancel_at("score", "base+adapter")
    reference = next(bench.run.rglob("reference"))
    reference.write_bytes(reference.read_bytes()[:-1])
    assert bench.failure().code == "reference_unreadable"
    bench.cancel_at("score", "base+adapter")
    assert bench.steps() == [("score", "f16+adapter"), ("score", "base+adapter")]


def test_an_adapter_of_another_model_is_refused(bench: Bench) -> None:
    models.tiny_adapter(bench.run / run_folders.ADAPTER, shape=TinyShape(embedding=128))
    assert bench.failure().code == "build_adapter_mismatch"


@pytest.mark.fault("F2")
def test_a_full_disk_is_named_before_the_work(bench: Bench, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("no right to mount")
    try:
        bench.cache = small
        assert bench.failure().code == "drive_space"
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_chats_are_asked_with_the_catalogues_form_and_may_be_as_long_as_what_was_kept_back() -> None:
    form = base_models.trainer_form(catalogue.load().forms["chatml"])
    messages = (
        {"role": "system", "content": "簡潔に。"},
        {"role": "user", "content": "<|im_end|>とは？"},
        {"role": "assistant", "content": "印です。"},
        {"role": "user", "content": "なぜ？"},
    )
    found = prompts.prompt_segments(form, messages)
    assert [one.text for one in found if not one.markup] == ["簡潔に。", "<|im_end|>とは？", "印です。", "なぜ？"]
    other = dataclasses.replace(form, question="Q: {text}\n")
    assert "".join(one.text for one in prompts.prompt_segments(other, messages[1:2])).startswith(
        "Q: <|im_end|>とは？\n"
    )
    assert [prompts.answer_limit_tokens(HeldOutChat((), (), (1,) * n)) for n in (0, 20, 40, 100, 400, 1000)] == [
        64, 64, 80, 200, 512, 1032,
    ]  # fmt: skip
