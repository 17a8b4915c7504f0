"""Forecast a run: compute memory and time before the model is loaded, then measure three steps.

The steps use the longest examples.
"""

import gc
import math
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

from trainer import data, estimate, loop, recipe
from trainer.channel import RunControl, TrainerJournal
from trainer.data import BaseFacts, TrainingInputs, process_count
from trainer.events import Adjusted, Phase, RunError, RunForecast
from trainer.model import free_bytes, generate_answer

STEPS = 3
_MESSAGES = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "out of memory")
SAMPLED_TOKENS = 8  # of an answer whose time per token is measured
FORWARD_SHARE = 1 / 3  # share of a training step's time: an evaluation has no backward pass, which takes twice as long
PAIR_FORWARD_SHARE = 2 / 4  # in preference tuning a step has two forward passes, of policy and reference


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the error means that memory ran out.

    torch has an error class only for the card's memory; errors of the processor's allocator, CUDA and cuBLAS are
    recognized by their messages.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _MESSAGES)


def halve_micro_batch(material: TrainingInputs, journal: TrainerJournal, step: int) -> TrainingInputs:
    """Return the inputs with half the micro batch, after memory ran out.

    Raises RunError("out_of_memory") if the micro batch is 1, and in a distributed run, whose other processes would
    continue with the old micro batch.
    """
    if material.micro_batch == 1 or process_count() > 1:
        raise RunError("out_of_memory", device=material.spec.device, micro_batch=material.micro_batch)
    halved = material.with_half_the_micro_batch()
    facts = {"micro_batch": halved.spec.micro_batch, "accumulation": halved.spec.accumulation}
    journal.send(Adjusted("out_of_memory", step, facts))
    return halved


def compute_forecast(material: TrainingInputs, base: BaseFacts, journal: TrainerJournal) -> RunForecast:
    """Compute a forecast, send it and return it. Raises RunError("memory_short") if the run needs too much memory.

    The libraries and the card's context are already loaded, so the free memory no longer includes them.
    """
    effective, device = material.spec, str(material.spec.device)
    shape = estimate.shape_from_config(base.config, base.parameters)
    memory = estimate.estimate_memory(shape, effective, max(example.longest for example in material.train))
    load = estimate.EpochWorkload(
        examples=len(material.train),
        tokens=sum(example.tokens for example in material.train),
        trained=data.count_trained_tokens(material.train),
        validation_tokens=sum(example.tokens for example in material.validation),
        processes=process_count(),
    )
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


def _processor_flops_per_s() -> float:
    """Measure a matrix product and return half its speed in operations per second, because layers do other work too."""
    matrix = torch.ones(512, 512)
    started = time.perf_counter()
    for _ in range(4):
        matrix @ matrix
    return 0.5 * 4 * 2 * 512**3 / (time.perf_counter() - started)


def measure_steps(
    model: Any, material: TrainingInputs, computed: RunForecast, journal: TrainerJournal, control: RunControl
) -> TrainingInputs:
    """Run three steps, send the measured forecast, and return the inputs with a micro batch that fits.

    Raises RunError("out_of_memory"), and StopRequested.
    """
    device = str(material.spec.device)
    trained = sum(int(parameter.numel()) for parameter in model.parameters() if parameter.requires_grad)
    while True:
        journal.send(Phase("probing"))
        try:
            token_s = _token_seconds(model, material, control)
            sample_s = _sample_seconds(model, material, control)
            peak = loop.peak_memory_bytes(device) + round(trained * estimate.optimizer_bytes(material.spec))
            fits = device == "cpu" or peak <= computed.available_bytes  # a process's peak never falls again
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = False
        release_memory(model)
        if fits:
            journal.send(_forecast(material, token_s, sample_s, peak, computed))
            return material
        material = halve_micro_batch(material, journal, 0)


def _token_seconds(model: Any, material: TrainingInputs, control: RunControl) -> float:
    """Return the seconds per token for a micro batch of the longest examples, forward and backward."""
    longest = sorted(material.train, key=lambda example: -example.longest)[: material.micro_batch]
    device = next(model.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in data.collate(longest, material.tokens.pad_id).items()}
    model.train()
    taken = []
    for _ in range(STEPS):
        control.check()
        started = time.monotonic()
        model(**batch).loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.monotonic() - started)
    return statistics.median(taken) / int(batch["input_ids"].numel())


def _sample_seconds(model: Any, material: TrainingInputs, control: RunControl) -> float:
    """Return the seconds that the sample answers of one evaluation take if none ends early; 0 without evaluations."""
    spec = material.spec
    if not (material.questions and material.validation and spec.evaluations_per_epoch):
        return 0.0
    question, taken = material.questions[0], []
    for most in (1, SAMPLED_TOKENS + 1):
        started = time.monotonic()
        generate_answer(model, material.tokens, material.form, question, most, control.check)
        taken.append(time.monotonic() - started)
    token_s = max(0.0, taken[1] - taken[0]) / SAMPLED_TOKENS
    return len(material.questions) * (taken[0] + token_s * (spec.sample_tokens - 1))


def release_memory(model: Any) -> None:
    """Free gradients, unused loops and cached memory, and reset the card's peak."""
    model.zero_grad(set_to_none=True)
    gc.collect()  # a loop and its callback form a cycle that holds the optimizer
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _forecast(
    material: TrainingInputs, token_s: float, sample_s: float, peak_bytes: int, computed: RunForecast
) -> RunForecast:
    spec, lengths = material.spec, [example.longest for example in material.train]
    steps_per_epoch = max(1, math.ceil(len(lengths) / material.step_examples))
    steps = recipe.total_steps(len(lengths), material.step_examples, spec.epochs or 1.0, spec.max_steps)
    order = data.epoch_order(len(lengths), material.step_examples, spec.seed, 0, lengths)
    token_s /= process_count()
    padded = _padded_tokens([lengths[at] for at in order], material.micro_batch) * spec.sequences
    step_s = token_s * padded / steps_per_epoch
    evaluations = recipe.evaluation_count(steps, steps_per_epoch, spec.evaluations_per_epoch or 0)
    forward_share = PAIR_FORWARD_SHARE if spec.is_preference else FORWARD_SHARE
    evaluation_s = token_s * forward_share * sum(example.tokens for example in material.validation)
    samples = min(evaluations, 1 + math.ceil(steps / steps_per_epoch))
    return RunForecast(
        peak_bytes=peak_bytes,
        available_bytes=computed.available_bytes,
        step_s=round(step_s, 3),
        total_s=round(steps * step_s + evaluations * evaluation_s + samples * sample_s, 1),
        disk_bytes=computed.disk_bytes,
        is_measured=True,
    )


def _padded_tokens(lengths: Sequence[int], micro_batch: int) -> int:
    """Return the number of tokens computed in an epoch, including padding."""
    batches = [lengths[at : at + micro_batch] for at in range(0, len(lengths), micro_batch)]
    return sum(max(batch) * len(batch) for batch in batches)
