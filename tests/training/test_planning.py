"""Whether a run fits, and what would make it fit: without a trainer, with one, and with one that fails."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.inference import machine, processor_cores, speed
from app.inference.machine import Gpu
from app.inference.processor_cores import ProcessorCores
from app.inference.speed import MachineSpeed
from app.training import run_plan
from app.training.run_plan import PlannedDevice, PreviewPiece, ProcessWatch, RunPlan, TokenCounts, preview_pieces
from tests import hf_models
from tests import model_files as models
from tests.training.driver import code_of, refused
from trainer import estimate, events, spec
from trainer.spec import RunSpec

GB = 1_000_000_000
EIGHT_B = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
}  # fmt: skip


def cpu(_kind: str | None, free_bytes: int = 8 * GB) -> PlannedDevice:
    return PlannedDevice("cpu", "", 16 * GB, free_bytes, 1e11)


@pytest.fixture
def asked(tmp_path: Path) -> RunSpec:
    rows = [{"messages": [{"role": "user", "content": "橋" * 10 * n}, {"role": "assistant", "content": "はい" * n}]}
            for n in range(1, 21)]  # fmt: skip
    for part in ("train", "validation"):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / f"{part}.jsonl").write_text(lines, encoding="utf-8")
    base = models.tiny_llama(tmp_path / "tiny.gguf")
    return RunSpec(
        str(tmp_path / "runs" / "a"), str(base), str(tmp_path / "train.jsonl"), str(tmp_path / "validation.jsonl")
    )


def big(**changes: Any) -> RunPlan:
    """An 8B base on a card, without any of what saves memory."""
    decided = dataclasses.replace(
        RunSpec("run", "base", "train", "validation"), device="cuda", precision="bf16", rank=16, micro_batch=4,
        accumulation=4, optimizer="adamw_8bit", gradient_checkpointing=False, context_tokens=4096, dropout=0.0,
        **changes.pop("spec", {}),
    )  # fmt: skip
    shape = estimate.shape_from_config(EIGHT_B)
    device = PlannedDevice("cuda", "card", changes["free_bytes"], changes["free_bytes"], 1e13)
    memory = estimate.estimate_memory(shape, decided, 3000)
    disk, time = (
        estimate.estimate_disk(shape, decided),
        estimate.estimate_time(shape, decided, estimate.EpochWorkload(10, 1, 1), 1e13),
    )
    return RunPlan(decided, TokenCounts(10, 1, 20_000, 9_000, 3000, True), device, memory, disk, time, 10**12)


def test_without_a_trainer_tokens_are_estimated_and_said_to_be(asked: RunSpec) -> None:
    plan = run_plan.plan_run(asked, None, cpu)
    assert plan.fits
    assert not plan.counts.is_exact
    assert (plan.counts.rows, plan.counts.validation_rows) == (20, 20)
    letters = sum(12 * n for n in range(1, 21))
    assert plan.counts.tokens == pytest.approx(letters * 0.8 + 20 * 2 * 8, abs=20)
    assert plan.spec.rank == 16
    assert plan.preview is None


def test_a_pair_is_one_example_as_long_as_its_longer_answer(asked: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Path(asked.train).read_text("utf-8").splitlines()
    pairs = [json.dumps(json.loads(line) | {"rejected": "いいえ" * 100}) + "\n" for line in lines]
    Path(asked.train).write_text("".join(pairs), encoding="utf-8")
    loads, fit = list[estimate.EpochWorkload](), estimate.fit_card
    monkeypatch.setattr(estimate, "fit_card", lambda *given, **_: (loads.append(given[3]), fit(*given))[1])
    tuned = dataclasses.replace(asked, loss="preference", device="cuda")
    plan = run_plan.plan_run(tuned, None, lambda _kind: PlannedDevice("cuda", "card", 24 * GB, 24 * GB, 1e13))
    (load,) = loads
    assert load.lengths == [round(0.8 * (300 + 10 * n)) + 16 for n in range(1, 21)]
    assert sum(load.lengths) < load.tokens == plan.counts.tokens < 2 * sum(load.lengths)


def test_a_processor_with_products_of_16_bits_is_faster(asked: RunSpec) -> None:
    times = [run_plan.plan_run(dataclasses.replace(asked, precision=one), None, cpu).time for one in ("f32", "bf16")]
    assert times[0].total_s == pytest.approx(estimate.BF16_SPEED * times[1].total_s)


def test_what_does_not_fit_is_refused_above_the_share_of_what_is_free(asked: RunSpec) -> None:
    needed = run_plan.plan_run(asked, None, cpu).memory.total
    assert run_plan.plan_run(asked, None, lambda kind: cpu(kind, round(needed / 0.92) + 2)).fits
    assert not run_plan.plan_run(asked, None, lambda kind: cpu(kind, round(needed / 0.93))).fits
    half = dataclasses.replace(asked, memory_share=0.5)
    assert run_plan.plan_run(half, None, lambda kind: cpu(kind, round(needed / 0.92 / 0.5) + 4)).fits
    assert not run_plan.plan_run(half, None, lambda kind: cpu(kind, round(needed / 0.93 / 0.5))).fits


@pytest.mark.parametrize(
    ("free_gb", "names"),
    [
        (200, set()),
        (36, {"gradient_checkpointing"}),
        (22, {"gradient_checkpointing", "micro_batch", "accumulation"}),
        (12, {"gradient_checkpointing", "micro_batch", "accumulation", "precision"}),
        (8.6, {"gradient_checkpointing", "micro_batch", "accumulation", "precision", "context_tokens"}),
        (4, set()),
    ],
)
def test_the_changes_make_it_fit_and_cost_as_little_as_they_can(free_gb: float, names: set[str]) -> None:
    plan, shape = big(free_bytes=round(free_gb * GB)), estimate.shape_from_config(EIGHT_B)
    if plan.has_memory:
        assert names == set()
        return
    changes = dict(run_plan.suggest_changes(shape, plan))
    assert set(changes) == names
    if names:
        changed = dataclasses.replace(plan.spec, **changes)
        length = min(3000, changed.context_tokens or 3000)
        assert estimate.estimate_memory(shape, changed, length).total <= plan.allowed_bytes
        assert (changed.micro_batch or 0) * (changed.accumulation or 0) >= 16


Command = Callable[..., list[str]]


def told(tmp_path: Path, *said: events.Event) -> Command:
    """A trainer that says these things."""
    lines = "".join(json.dumps(events.to_json(event)) + "\n" for event in said)
    (tmp_path / "said.jsonl").write_text(lines, encoding="utf-8")
    script = f"print(open({str(tmp_path / 'said.jsonl')!r}).read(), end='')"
    return lambda *arguments: [sys.executable, "-c", script, *arguments]


def effective(asked: RunSpec) -> events.ResolvedRecipe:
    decided = dataclasses.replace(
        asked, folder="/elsewhere", device="cpu", precision="f32", rank=4, micro_batch=1, accumulation=1,
        optimizer="adamw", gradient_checkpointing=True, dropout=0.0, context_tokens=64, epochs=1.0,
    )  # fmt: skip
    facts = {"examples": 7, "tokens": 700, "trained_tokens": 70, "longest": 50}
    return events.ResolvedRecipe(spec.to_json(decided), facts)


def test_what_the_trainer_says_is_taken(asked: RunSpec, tmp_path: Path) -> None:
    preview = events.Preview(3, (events.PreviewToken(1, "<s>", False, "bos"), events.PreviewToken(2, "橋", True)))
    found = events.PreflightFindings((events.PreflightFinding("some_rows", "note", {"rows": 7, "wanted": 500}),))
    plan = run_plan.plan_run(asked, told(tmp_path, effective(asked), found, preview), cpu)
    assert plan.counts == TokenCounts(7, 20, 700, 70, 50, True)
    assert plan.spec.folder == asked.folder
    assert (plan.preview, plan.findings) == (preview, found.found)
    assert plan.fits


def test_what_was_measured_takes_the_place_of_what_was_computed(asked: RunSpec, tmp_path: Path) -> None:
    computed = events.RunForecast(3 * GB, 6 * GB, 1.0, 1.0, 1, is_measured=False)
    measured = events.RunForecast(2 * GB, 6 * GB, 0.5, 77.0, 1, is_measured=True)
    previews = tuple(events.Preview(line, (events.PreviewToken(1, "橋", True),)) for line in (1, 2))
    heard: list[events.Event] = []
    said = [effective(asked), *previews, events.Phase("probing"), computed, measured]
    plan = run_plan.plan_run(
        asked, told(tmp_path, *said), cpu, measures=True, watch=ProcessWatch(on_event=heard.append)
    )
    assert (plan.measured, plan.total_s, plan.needed_bytes) == (measured, 77.0, 2 * GB)
    assert plan.allowed_bytes == min(8 * GB, 6 * GB + plan.memory.libraries)
    assert (plan.previews, plan.fits) == (previews, True)
    assert events.Phase("probing") in heard


def test_a_card_s_context_is_added_to_what_was_measured(asked: RunSpec, tmp_path: Path) -> None:
    decided = effective(asked)
    decided = events.ResolvedRecipe(decided.spec | {"device": "cuda"}, decided.facts)
    measured = events.RunForecast(2 * GB, 2 * GB, 0.5, 77.0, 1, is_measured=True)
    card = PlannedDevice("cuda", "card", 24 * GB, 24 * GB, 1e13)
    plan = run_plan.plan_run(asked, told(tmp_path, decided, measured), lambda _kind: card, measures=True)
    assert plan.needed_bytes == plan.allowed_bytes == 2 * GB + plan.memory.libraries
    assert plan.has_memory


def test_what_the_trainer_finds_too_little_does_not_fit(asked: RunSpec, tmp_path: Path) -> None:
    needed = run_plan.plan_run(asked, told(tmp_path, effective(asked)), cpu).memory
    available = int((needed.total - needed.libraries) / 0.92) - 2
    forecast = events.RunForecast(needed.total, available, 1.0, 1.0, 1, is_measured=False)
    short = events.Failed("memory_short", {"needed_bytes": needed.total, "available_bytes": available, "device": "cpu"})
    plan = run_plan.plan_run(asked, told(tmp_path, effective(asked), forecast, short), cpu)
    assert (plan.has_memory, plan.problem) == (False, None)
    assert plan.device.free_bytes == available + needed.libraries


def test_the_card_that_cuda_counts_first_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = (Gpu("small", 8 * GB, 8 * GB), Gpu("busy", 24 * GB, 2 * GB), Gpu("idle", 24 * GB, 23 * GB))
    monkeypatch.setattr(machine, "list_gpus", lambda: cards)
    assert run_plan.find_device(None, tmp_path / "speed.json").name == "busy"


def test_a_trainer_killed_in_the_middle_of_a_line_is_said(asked: RunSpec, tmp_path: Path) -> None:
    command = told(tmp_path, effective(asked))
    with (tmp_path / "said.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event":"forec')
    assert code_of(run_plan.plan_run, asked, command, cpu) == "training_environment_broken"


def test_what_forbids_to_begin_is_told_with_the_plan(asked: RunSpec, tmp_path: Path) -> None:
    blocked = events.Failed("preflight_blocked", {"codes": ["end_masked"]})
    plan = run_plan.plan_run(asked, told(tmp_path, effective(asked), blocked), cpu)
    assert not plan.fits
    assert plan.problem.code == "run_preflight_blocked"


def test_what_fails_before_settings_are_decided_is_an_error(asked: RunSpec, tmp_path: Path) -> None:
    for said, code in (
        ([events.Failed("data_changed", {"path": "train.jsonl"})], "run_data_changed"),
        ([], "training_environment_broken"),
    ):
        assert code_of(run_plan.plan_run, asked, told(tmp_path, *said), cpu) == code


def test_a_row_that_is_none_is_named(asked: RunSpec) -> None:
    Path(asked.train).write_text('{"messages": []}\n[]\n', encoding="utf-8")
    error = refused(run_plan.plan_run, asked, None, cpu)
    assert (error.code, error.facts["line"]) == ("run_data_invalid", 2)


def test_a_processor_is_measured_once_and_has_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = [MachineSpeed(5.3e9, 3.1e9, 1e9, 1, 1.0)]
    monkeypatch.setattr(speed, "measure", measured.pop)
    monkeypatch.setattr(processor_cores, "usable_cores", lambda: ProcessorCores(2, 4))
    for _ in range(2):
        device = run_plan.find_device("cpu", tmp_path / "speed.json")
        assert device.kind == "cpu"
        assert device.flops_per_s == 2 * 1e9 * 4 * run_plan.TRAINED_MULTIPLICATIONS
        assert 0 < device.free_bytes <= device.memory_bytes


def test_a_base_that_leaves_a_length_to_its_library_is_said_to_be_unreadable(asked: RunSpec, tmp_path: Path) -> None:
    folder = hf_models.model(tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    del config["num_attention_heads"]
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    assert code_of(run_plan._base, dataclasses.replace(asked, base=str(folder))) == "hf_file_unreadable"


def token(text: str, kind: str = "", *, is_trained: bool = False) -> events.PreviewToken:
    return events.PreviewToken(1, text, is_trained, kind)


def test_what_is_alike_is_joined_a_control_token_stands_alone_and_bytes_become_characters_within_an_edge() -> None:
    tokens = [
        token("<s>", "bos"), token("橋"), token("は"), token("[/]", "control"), token("[A]", "control"),
        token("百", is_trained=True), token("年", is_trained=True), token("</s>", "end", is_trained=True),
    ]  # fmt: skip
    assert preview_pieces(tokens) == [
        PreviewPiece("<s>", False, "bos"),
        PreviewPiece("橋は", False),
        PreviewPiece("[/]", False, "control"),
        PreviewPiece("[A]", False, "control"),
        PreviewPiece("百年", True),
        PreviewPiece("</s>", True, "end"),
    ]
    assert preview_pieces([token("鉄<0xE6>"), token("<0xA9>"), token("<0x8B>だ")]) == [PreviewPiece("鉄橋だ", False)]
    assert preview_pieces([token("<0xE6><0xA9>")]) == [PreviewPiece("<0xE6><0xA9>", False)]
    edge = [token("<0xE6><0xA9>"), token("<0x8B>", is_trained=True)]
    assert preview_pieces(edge) == [PreviewPiece("<0xE6><0xA9>", False), PreviewPiece("<0x8B>", True)]
