"""Whether a model fits before it is here, who has the rest of the memory, and what would fit instead."""

import importlib.metadata
import json
import os
import sys
import tempfile

import psutil
import pytest
from msgspec import structs

from app.base.errors import AppError
from app.base.services.background import TaskCancelled
from app.inference import child_commands, load_plan, machine, memory_estimate, speed
from app.inference.gguf import read_header
from app.inference.machine import MemoryBudget
from app.inference.memory_estimate import MemoryEstimate
from app.inference.offload import Card
from app.inference.processor_cores import ProcessorCores
from app.inference.speed import MachineSpeed, PredictedSpeed
from app.models import catalogue, model_fit

GB = 10**9
SWALLOW = "llama-3-swallow-8b-instruct-v0.1"


def place(available_gb: float, graphics_gb: float = 0.0) -> MemoryBudget:
    return MemoryBudget(64 * GB, int(available_gb * GB), 5 * GB, int(graphics_gb * GB), int(graphics_gb * GB))


def card(card_id: str) -> catalogue.ModelCard:
    found = catalogue.card(card_id)
    assert found is not None
    return found


def fitting(
    card_id: str, there: MemoryBudget, context: int = 4096, quantization: str = "Q4_K_M", kv_type: str = "f16"
) -> model_fit.ModelFit:
    file = card(card_id).file_of(quantization)
    assert file is not None
    return model_fit.fit_of_card(card(card_id), file, context, there, kv_type)


def advice(card_id: str, there: MemoryBudget, context: int, quantization: str = "Q4_K_M") -> model_fit.FitAdvice:
    file = card(card_id).file_of(quantization)
    assert file is not None
    return model_fit.advise(
        lambda tokens: model_fit.estimate_card(card(card_id), file, tokens),
        context,
        there,
        card(card_id),
        file.size_bytes,
        catalogue.load(),
    )


# ------------------------------------------------------------------------ room


@pytest.mark.fault("F5")
def test_the_share_of_other_programs_is_what_is_neither_free_nor_ours():
    there = machine.compute_memory_budget(total=32 * GB, available=20 * GB, own_bytes=3 * GB, reclaimable=2 * GB)
    assert (there.others_bytes, there.available_bytes) == (9 * GB, 22 * GB)
    # What is given back is never more than there is.
    full = machine.compute_memory_budget(total=8 * GB, available=7 * GB, own_bytes=9 * GB, reclaimable=5 * GB)
    assert full == MemoryBudget(8 * GB, 8 * GB, 0)
    here = machine.measure_memory()
    assert 0 < here.available_bytes <= here.total_bytes == memory_estimate.memory_bytes()
    assert 0 < machine.program_memory_bytes() < here.total_bytes


@pytest.mark.fault("F5")
def test_graphics_memory_holds_the_model_whole_or_shares_it():
    needed = MemoryEstimate(6 * GB, GB, GB, 8 * GB)
    cards = (Card("GPU", "", 14 * GB, 16 * GB),)
    verdicts = {
        free: machine.judge_memory(
            needed,
            structs.replace(
                machine.compute_memory_budget(32 * GB, free[0] * GB, 0, cards=cards), graphics_bytes=free[1] * GB
            ),
        )
        for free in ((4, 14), (4, 8), (4, 5), (2, 5), (9, 0))
    }
    assert [(found.verdict, found.memory_kind) for found in verdicts.values()] == [
        ("comfortable", "graphics"),
        ("tight", "graphics"),
        ("tight", "both"),
        ("insufficient", "both"),
        ("comfortable", "memory"),
    ]
    assert verdicts[2, 5].short_bytes == GB
    assert verdicts[4, 5].short_bytes == 0


# ------------------------------------------------------------------------ cards


@pytest.mark.parametrize(("available_gb", "verdict"), [(8, "comfortable"), (5.9, "tight"), (5, "insufficient")])
@pytest.mark.fault("F5")
def test_a_card_is_judged_before_there_is_a_file(available_gb, verdict):
    found = fitting(SWALLOW, place(available_gb))
    assert found.judgement.verdict == verdict
    assert found.memory_estimate.kv_bytes == 1 << 29
    assert not found.is_rough
    assert found.parameters == pytest.approx(8.03e9, rel=0.01)


def test_a_quantized_cache_needs_less_and_no_context_beyond_the_models_own_is_counted():
    full, half = fitting(SWALLOW, place(64)), fitting(SWALLOW, place(64), kv_type="q8_0")
    assert half.memory_estimate.kv_bytes < full.memory_estimate.kv_bytes * 0.6
    assert fitting(SWALLOW, place(64), context=32_768).context_tokens == 8192


@pytest.mark.fault("F5")
def test_a_card_without_dimensions_says_that_it_is_rough():
    found = fitting("gemma-4-e4b-it", place(8))
    assert found.is_rough
    assert found.memory_estimate.total_bytes == found.memory_estimate.weights_bytes + 10**9
    assert 6e9 < found.parameters < 10e9


def test_a_files_header_gives_the_same_as_before(tiny_model):
    header = read_header(tiny_model)
    found = model_fit.fit_of_file(header, 8192, place(8))
    assert found.context_tokens == 512
    assert found.memory_estimate == memory_estimate.estimate_memory(header, 512)
    assert found.parameters == header.parameters


# ------------------------------------------------------------------------ advice


@pytest.mark.fault("F5")
def test_a_shorter_context_or_the_heaviest_form_that_fits_or_another_model_is_advised():
    assert fitting(SWALLOW, place(5.8), context=8192).judgement.verdict == "insufficient"
    assert advice(SWALLOW, place(5.8), 8192).context_tokens == 4096  # it is the cache that does not fit
    assert fitting(SWALLOW, place(7.4), quantization="Q8_0").judgement.verdict == "insufficient"
    lighter = advice(SWALLOW, place(7.4), 4096, "Q8_0")
    assert (lighter.context_tokens, lighter.quantization) == (None, "Q6_K")
    other = advice(SWALLOW, place(3.5), 8192)  # where no form of this one fits
    assert (other.context_tokens, other.quantization) == (None, "")
    assert other.card is not None
    file = model_fit.usual_file(other.card)
    assert file is not None
    assert model_fit.fit_of_card(other.card, file, 8192, place(3.5)).judgement.verdict == "comfortable"
    assert advice(SWALLOW, place(0.2), 8192) == model_fit.FitAdvice()


# ------------------------------------------------------------------------ speed


def test_a_machine_is_measured_and_kept(tmp_path):
    reports: list[float] = []
    measured = speed.measure(1, lambda done, whole: reports.append(done / whole))
    assert measured.answer_bytes_per_s > 1e8
    assert measured.prompt_weights_per_s > 1e8
    assert measured.multiplications_per_s > 1e7
    assert reports == sorted(reports)
    assert reports[0] == 0
    assert 0.6 < reports[-1] < 1
    speed.save(tmp_path / "speed.json", measured)
    assert speed.load(tmp_path / "speed.json") == measured


def test_a_cancelled_measurement_leaves_neither_a_child_nor_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def cancel(done: int, _whole: int) -> None:
        if done:
            raise TaskCancelled

    with pytest.raises(TaskCancelled):
        speed.measure(1, cancel)
    assert list(tmp_path.iterdir()) == []
    running = [one.info for one in psutil.process_iter(["ppid", "cmdline"])]  # what ends meanwhile is left out
    assert not [one for one in running if one["ppid"] == os.getpid() and "--measure-speed" in (one["cmdline"] or ())]


def test_an_engine_that_cannot_be_measured_is_an_error(monkeypatch):
    monkeypatch.setattr(child_commands, "speed_meter", lambda *_: [sys.executable, "-c", "1/0"])
    with pytest.raises(AppError) as caught:
        speed.measure(1)
    assert caught.value.code == "speed_unmeasured"
    assert "ZeroDivisionError" in caught.value.facts["reason"]


def test_a_measurement_of_another_machine_or_engine_or_of_an_older_file_is_none(tmp_path, monkeypatch):
    file = tmp_path / "speed.json"
    speed.save(file, MachineSpeed(1.59e10, 9.3e11, 300e9, 1, 1.0))
    assert speed.load(file) is not None
    for owner, name, other in (
        (speed, "processor_name", "another processor"),
        (speed, "usable_cores", ProcessorCores(97, 97)),
        (importlib.metadata, "version", "99.0"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda *_, other=other: other)
            assert speed.load(file) is None, name
    stored = json.loads(file.read_text("utf-8"))
    del stored["on"]
    file.write_text(json.dumps(stored), "utf-8")
    assert speed.load(file) is None


def test_what_a_person_waits_for_follows_from_tokens_per_second():
    found = PredictedSpeed(prompt=15, answer=2.0)
    assert found.first_word_s(1500) == pytest.approx(100.5)
    assert found.characters_per_s == pytest.approx(3.2)


@pytest.mark.parametrize(
    ("here", "recorded", "word"),
    [
        (None, None, "unmeasured"),
        (MachineSpeed(1.06e11, 6.2e12, 2e12, 8, 1.0), None, "comfortable"),
        (MachineSpeed(1.06e10, 3.1e11, 1e11, 2, 1.0), None, "slow"),
        (MachineSpeed(1.06e11, 6.2e12, 2e12, 8, 1.0), PredictedSpeed(15, 2), "slow"),
        (None, PredictedSpeed(100, 9), "comfortable"),
    ],
)
def test_only_a_known_speed_is_called_comfortable_and_a_recorded_one_counts_more(here, recorded, word):
    conditions = model_fit.FitConditions(place(40), 4096, "f16", here)
    shape = card(SWALLOW).shape
    assert shape is not None
    judged = conditions.judge_file(model_fit.header_of_shape(shape), card(SWALLOW), recorded)
    assert judged.word == word


def test_the_speed_of_the_processor_says_nothing_of_a_model_on_a_graphics_card():
    found = card(SWALLOW)
    conditions = model_fit.FitConditions(
        place(40, graphics_gb=24), 4096, "f16", MachineSpeed(2.12e9, 3.1e10, 1e10, 2, 1.0)
    )
    judged = conditions.judge_card(found, found.files[0])
    assert (judged.word, judged.predicted) == ("unmeasured", None)


def test_of_a_model_for_search_only_the_memory_is_judged():
    found = card("bge-m3")
    conditions = model_fit.FitConditions(place(40), 4096, "f16", MachineSpeed(1.06e11, 6.2e12, 2e12, 8, 1.0))
    assert conditions.judge_card(found, found.files[0]).word == "enough"


def test_the_recorded_speed_is_that_of_the_layout_that_answers_soonest():
    speeds = load_plan.record_speed(None, "plain", 60.0, 8.0)
    assert load_plan.recorded_speed(speeds) == PredictedSpeed(60.0, 8.0)
    assert load_plan.recorded_speed(load_plan.record_speed(speeds, "repacked", 50.0, 16.0)) == PredictedSpeed(
        50.0, 16.0
    )
    assert load_plan.recorded_speed({"rank": {"question_s": 3.0}}) is None
    assert load_plan.recorded_speed({"plain": {"prompt": 60.0, "answer": 8.0, "on": "another machine"}}) is None
    assert load_plan.recorded_speed(None) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"answer_bytes_per_s": 1}', '{"threads": NaN}', "\ud800"])
def test_a_damaged_measurement_is_no_measurement(tmp_path, text):
    (tmp_path / "speed.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert speed.load(tmp_path / "speed.json") is None


def test_larger_models_and_fuller_caches_are_slower_and_mixtures_of_experts_faster():
    here = MachineSpeed(1.59e10, 9.3e11, 300e9, 1, 1.0)
    small = speed.predict(here, MemoryEstimate(2 * GB, 0, 0, 2 * GB), 3 * GB)
    large = speed.predict(here, MemoryEstimate(5 * GB, 0, 0, 5 * GB), 8 * GB)
    full = speed.predict(here, MemoryEstimate(5 * GB, 4 * GB, 0, 9 * GB), 8 * GB)
    experts = speed.predict(here, MemoryEstimate(5 * GB, 0, 0, 5 * GB), 8 * GB, active_share=0.2)
    assert small.answer > large.answer > full.answer
    assert experts.answer > large.answer
    assert experts.prompt > large.prompt
    assert speed.as_dict(None) is None
