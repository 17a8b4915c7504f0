"""How a model is loaded: what fits, and repacking only where it was measured to pay."""

import dataclasses

import pytest

from app.base.errors import AppError
from app.base.settings import Settings
from app.inference import load_plan, memory_estimate
from app.models import local_models

# Tokens per second as measured on an 8B model: repacking answers faster and reads slower.
PLAIN = {"prompt": 33.5, "answer": 5.3}
REPACKED = {"prompt": 21.0, "answer": 7.4}


@pytest.mark.parametrize(
    ("choice", "fits_twice", "speeds", "expected"),
    [
        ("on", False, {}, True),
        ("off", True, {"plain": PLAIN, "repacked": {"prompt": 99.0, "answer": 99.0}}, False),
        ("auto", True, {}, False),
        ("auto", True, {"plain": PLAIN}, True),
        ("auto", False, {"plain": PLAIN}, False),
        ("auto", True, {"plain": PLAIN, "repacked": REPACKED}, False),
        ("auto", True, {"plain": PLAIN, "repacked": {"prompt": 30.0, "answer": 7.4}}, True),
        ("auto", True, {"plain": PLAIN, "repacked": {"prompt": 34.0, "answer": 5.4}}, False),
        ("auto", True, {"plain": PLAIN, "repacked": REPACKED | {"on": "another processor"}}, True),
        ("auto", True, {"plain": PLAIN | {"on": "another processor"}}, False),
    ],
)
def test_repacking(choice, fits_twice, speeds, expected):
    assert load_plan.choose_repack(choice, fits_twice, speeds) is expected


def test_new_measurements_weigh_more_than_old_ones():
    speeds = load_plan.record_speed(None, "plain", 30.0, 5.0)
    speeds = load_plan.record_speed(speeds, "plain", 40.0, 7.0)
    speeds = load_plan.record_speed(speeds, "repacked", 20.0, 8.0)
    figures = {key: (speed["prompt"], speed["answer"]) for key, speed in speeds.items()}
    assert figures == {"plain": (35.0, 6.0), "repacked": (20.0, 8.0)}


def test_a_measurement_of_another_processor_is_replaced(monkeypatch):
    monkeypatch.setattr(load_plan, "_place", lambda: "another")
    speeds = load_plan.record_speed(None, "plain", 30.0, 5.0)
    monkeypatch.undo()
    assert load_plan.speeds_here(speeds) == {}
    assert load_plan.record_speed(speeds, "plain", 40.0, 7.0)["plain"]["prompt"] == 40.0


@pytest.mark.fault("F5")
def test_a_model_that_does_not_fit_is_refused_with_numbers_unless_forced(tiny_model, monkeypatch):
    model = local_models.describe(tiny_model)
    monkeypatch.setattr(memory_estimate, "available_memory_bytes", lambda: 1000)
    with pytest.raises(AppError, match="memory_short") as caught:
        load_plan.plan_load(model, Settings())
    assert caught.value.facts["free_bytes"] == 1000
    assert caught.value.facts["need_bytes"] > 100_000
    assert load_plan.plan_load(model, Settings(), force=True).path == str(tiny_model)
    assert load_plan.plan_load(model, Settings(), reclaimable_bytes=10**10).path == str(tiny_model)


@pytest.mark.fault("F5")
def test_the_context_is_never_longer_than_trained(tiny_model):
    model = local_models.describe(tiny_model)
    assert load_plan.plan_load(model, Settings(context_tokens=32768)).context_tokens == 512


def test_a_quantized_cache_asks_for_flash_attention(tiny_model):
    model = local_models.describe(tiny_model)
    assert load_plan.plan_load(model, Settings(kv_type="q8_0")).flash_attention is True
    assert load_plan.plan_load(model, Settings()).flash_attention is None


@pytest.mark.fault("F5")
def test_the_plan_is_what_a_load_takes(tiny_model):
    from app.inference.engine.messages import Load

    model = dataclasses.replace(local_models.describe(tiny_model), speeds={"plain": PLAIN})
    assert Load(id="1", **load_plan.plan_load(model, Settings(repack="auto")).fields()).repack is True
