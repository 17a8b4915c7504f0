"""Forecast a run: compute memory and time before the model is loaded, then measure three steps.

The steps use the longest examples. On a card, what they took corrects the computed memory, and settings that should be
faster and still fit are measured too; the fastest are kept.
"""

import dataclasses
import gc
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from trainer import data, estimate, loop, recipe, sharding
from trainer.channel import RunControl, TrainerJournal
from trainer.data import BaseFacts, TrainingInputs, process_count
from trainer.events import Adjusted, Phase, RunError, RunForecast
from trainer.model import device_of, free_bytes, generate_answers, set_checkpointing, training_batch
from trainer.spec import RunSpec

STEPS = 3
_MESSAGES = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "out of memory")
SAMPLED_TOKENS = 8  # of an answer whose time per token is measured
PRODUCTS_S = 0.25  # of processor time, in products that show a processor's speed
LEAST_FACTOR = 0.2  # of measured to computed activations; memory that other programs take at the moment hides some


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the error means that memory ran out.

    torch has an error class only for the card's memory; errors of the processor's allocator, CUDA and cuBLAS are
    recognized by their messages.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _MESSAGES)


def spare_memory(model: Any, material: TrainingInputs, journal: TrainerJournal, step: int) -> TrainingInputs:
    """Return the inputs with half the micro batch, or else with all activations computed again, as memory ran out.

    Raises RunError("out_of_memory") if neither is left, and in a distributed run, whose other processes would continue
    with the old micro batch.
    """
    spec = material.spec
    is_checkpointed = spec.gradient_checkpointing and spec.checkpoint_every in (None, 1)
    if process_count() > 1 or (material.micro_batch == 1 and (is_checkpointed or spec.device == "cpu")):
        raise RunError("out_of_memory", device=spec.device, micro_batch=material.micro_batch)
    if material.micro_batch == 1:
        spared = material.with_spec(gradient_checkpointing=True, checkpoint_every=1)
        set_checkpointing(model, spared.spec)
        journal.send(Adjusted("out_of_memory", step, {"gradient_checkpointing": True}))
        return spared
    halved = material.with_half_the_micro_batch()
    facts = {"micro_batch": halved.spec.micro_batch, "accumulation": halved.spec.accumulation}
    journal.send(Adjusted("out_of_memory", step, facts))
    return halved


def compute_forecast(material: TrainingInputs, base: BaseFacts, journal: TrainerJournal) -> RunForecast:
    """Compute a forecast, send it and return it. Raises RunError("memory_short") if the run needs too much memory.

    The libraries and the card's context are already loaded, so the free memory no longer includes them.
    """
    effective, device = material.spec, str(material.spec.device)
    shape, load = estimate.shape_from_config(base.config, base.parameters), _workload(material)
    memory = estimate.estimate_memory(shape, effective, max(load.lengths))
    if sharding.is_wanted():  # each process holds its part, and one layer whole at a time
        shared = {name: getattr(memory, name) // process_count() for name in ("weights", "tables")}
        memory = dataclasses.replace(memory, **shared, working=memory.working + memory.weights // shape.layers)
    rate = estimate.card_flops_per_s(torch.cuda.get_device_name()) if device == "cuda" else _processor_flops_per_s()
    time_taken = estimate.estimate_time(shape, effective, load, rate)
    available = round(free_bytes(device) * effective.memory_share)
    forecast = RunForecast(
        peak_bytes=memory.total,
        available_bytes=available,
        step_s=round(time_taken.step_s, 3),
        total_s=round(time_taken.total_s, 1),
        disk_bytes=estimate.estimate_disk(shape, effective).training,
        is_measured=False,
    )
    journal.send(forecast)
    if memory.total - memory.libraries > estimate.REFUSED_SHARE * available:
        raise RunError("memory_short", needed_bytes=memory.total, available_bytes=available, device=device)
    return forecast


def _workload(material: TrainingInputs) -> estimate.EpochWorkload:
    lengths = [example.longest for example in material.train]
    order = data.epoch_order(len(lengths), material.step_examples, material.spec.seed, 0, lengths)
    return estimate.EpochWorkload(
        examples=len(lengths),
        tokens=sum(example.tokens for example in material.train),
        trained=data.count_trained_tokens(material.train),
        validation_tokens=sum(example.tokens for example in material.validation),
        processes=process_count(),
        lengths=[lengths[at] for at in order],
    )


def fit_card(
    material: TrainingInputs, base: BaseFacts, requested: RunSpec, available_bytes: int, peak_bytes: int = 0
) -> TrainingInputs:
    """Return the inputs with the fastest settings that fit the card (`estimate.fit_card`).

    Without a card, and in a distributed run, whose processes must agree, nothing changes. `peak_bytes`: measured with
    the inputs' settings; 0 if nothing was measured yet.
    """
    spec = material.spec
    if spec.device != "cuda" or process_count() > 1 or not material.train or base.config.get("vision_config"):
        return material
    shape, load, factor = estimate.shape_from_config(base.config, base.parameters), _workload(material), 1.0
    if peak_bytes:
        requested = dataclasses.replace(requested, embedding_on_cpu=spec.embedding_on_cpu)  # the base is loaded
        memory = estimate.estimate_memory(shape, spec, max(load.lengths))
        computed = memory.kept + memory.working + memory.spare
        factor = max(LEAST_FACTOR, 1 + (peak_bytes - memory.total + memory.libraries) / computed)
    fitted = estimate.fit_card(shape, spec, requested, load, available_bytes, activations_factor=factor)
    return dataclasses.replace(material, spec=fitted)


def _processor_flops_per_s() -> float:
    """Measure a matrix product and return half its speed in operations per second, because layers do other work too.

    Processor time is counted, as other programs take some of the cores now; Windows counts it in steps of 16 ms.
    """
    matrix = torch.ones(512, 512)
    matrix @ matrix  # starts the library's threads
    started, spent, products = time.process_time(), 0.0, 0
    while spent < PRODUCTS_S:
        matrix @ matrix
        products, spent = products + 1, time.process_time() - started
    threads: int = torch.get_num_threads()
    return 0.5 * threads * products * 2 * 512**3 / spent


def measure_steps(
    model: Any,
    material: TrainingInputs,
    computed: RunForecast,
    journal: TrainerJournal,
    control: RunControl,
    refit: Callable[[TrainingInputs, int], TrainingInputs] = lambda material, _peak_bytes: material,
) -> TrainingInputs:
    """Run three steps, send the measured forecast, and return the inputs with settings that fit.

    `refit` returns inputs with settings that should be faster, from the measured peak in bytes (`fit_card`); they are
    measured too, until one does not fit or is known, and the fastest are returned.

    Raises RunError("out_of_memory"), and StopRequested.
    """
    device = str(material.spec.device)
    trained = sum(int(parameter.numel()) for parameter in model.parameters() if parameter.requires_grad)
    best: tuple[RunForecast, TrainingInputs] | None = None
    tried, sample_s = list[RunSpec](), None
    while True:
        journal.send(Phase("probing"))
        tried.append(material.spec)
        try:
            work_s = _work_seconds(model, material, control)
            sample_s = _sample_seconds(model, material, control) if sample_s is None else sample_s
            peak = loop.peak_memory_bytes(device) + round(trained * estimate.optimizer_bytes(material.spec))
            fits = device == "cpu" or peak <= computed.available_bytes  # a process's peak never falls again
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = False
        release_memory(model)
        if not fits and best is None:
            material = spare_memory(model, material, journal, 0)
            continue
        if fits:
            assert sample_s is not None
            forecast = _forecast(material, work_s, sample_s, peak, computed)
            best = min(best or (forecast, material), (forecast, material), key=lambda one: one[0].total_s)
            material = refit(material, peak)
            if material.spec not in tried:
                set_checkpointing(model, material.spec)
                continue
        assert best is not None
        if best[1].spec != tried[-1]:
            set_checkpointing(model, best[1].spec)
        return _send_fastest(best, tried[0], journal)


def _send_fastest(
    best: tuple[RunForecast, TrainingInputs], planned: RunSpec, journal: TrainerJournal
) -> TrainingInputs:
    """Send the forecast of the fastest settings, and how they are faster than the planned ones; return their inputs."""
    forecast, material = best
    if material.micro_batch > (planned.micro_batch or 1) or _recomputed(material.spec) < _recomputed(planned):
        names = ("micro_batch", "accumulation", "gradient_checkpointing", "checkpoint_every")
        journal.send(Adjusted("faster", 0, {name: getattr(material.spec, name) for name in names}))
    journal.send(forecast)
    return material


def _recomputed(spec: RunSpec) -> float:
    """Return the share of the layers that compute their activations again."""
    return 1 / (spec.checkpoint_every or 1) if spec.gradient_checkpointing else 0.0


def _work_seconds(model: Any, material: TrainingInputs, control: RunControl) -> float:
    """Return the seconds per unit of `estimate.batch_work` for a micro batch of the longest examples, both passes."""
    longest = sorted(material.train, key=lambda example: -example.longest)[: material.micro_batch]
    device = device_of(model)
    batch = {name: tensor.to(device) for name, tensor in training_batch(model, material, longest).items()}
    model.train()
    taken = []
    for _ in range(STEPS):
        control.check()
        started = time.monotonic()
        model(**batch).loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.monotonic() - started)
    work = estimate.batch_work([example.longest for example in longest], material.even_tokens)
    return statistics.median(taken) / (work * material.spec.sequences)


def _sample_seconds(model: Any, material: TrainingInputs, control: RunControl) -> float:
    """Return the seconds that the sample answers of one evaluation take if none ends early; 0 without evaluations."""
    spec = material.spec
    if not (material.questions and material.validation and spec.evaluations_per_epoch):
        return 0.0
    taken = []
    for most in (1, SAMPLED_TOKENS + 1):
        started = time.monotonic()
        generate_answers(model, material, most, control.check)
        taken.append(time.monotonic() - started)
    token_s = max(0.0, taken[1] - taken[0]) / SAMPLED_TOKENS
    return taken[0] + token_s * (spec.sample_tokens - 1)


def release_memory(model: Any) -> None:
    """Free gradients, unused loops and cached memory, and reset the card's peak."""
    model.zero_grad(set_to_none=True)
    gc.collect()  # a loop and its callback form a cycle that holds the optimizer
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _forecast(
    material: TrainingInputs, work_s: float, sample_s: float, peak_bytes: int, computed: RunForecast
) -> RunForecast:
    spec, load = material.spec, _workload(material)
    steps_per_epoch = max(1, math.ceil(load.examples / material.step_examples))
    steps = recipe.total_steps(load.examples, material.step_examples, spec.epochs or 1.0, spec.max_steps)
    work_s /= process_count()
    work = estimate.epoch_work(load.lengths, material.step_examples, material.micro_batch, material.even_tokens)
    step_s = work_s * work * spec.sequences / steps_per_epoch
    evaluations = recipe.evaluation_count(steps, steps_per_epoch, spec.evaluations_per_epoch or 0)
    forward_share = spec.sequences / (spec.sequences + 2)  # a pair's policy and reference; backward takes twice as long
    evaluation_s = work_s * forward_share * load.validation_tokens
    samples = min(evaluations, 1 + math.ceil(steps / steps_per_epoch))
    return RunForecast(
        peak_bytes=peak_bytes,
        available_bytes=computed.available_bytes,
        step_s=round(step_s, 3),
        total_s=round(steps * step_s + evaluations * evaluation_s + samples * sample_s, 1),
        disk_bytes=computed.disk_bytes,
        is_measured=True,
    )
