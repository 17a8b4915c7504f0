"""What a run will take: computed before the model is loaded, then measured by three steps with the longest examples."""

import gc
import math
import time
from collections.abc import Sequence
from typing import Any

import torch

from trainer import data, estimate, loop, recipe
from trainer.channel import RunControl, TrainerJournal
from trainer.data import BaseFacts, TrainingInputs, process_count
from trainer.events import Adjusted, Phase, RunError, RunForecast
from trainer.model import free_bytes

STEPS = 3
_WORDS = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "out of memory")
FORWARD_SHARE = 1 / 3  # of a training step's time: an evaluation has no backward pass, which takes twice as long


def is_out_of_memory(error: BaseException) -> bool:
    """torch has an error of its own for its card's memory only; the processor's allocator, CUDA and cuBLAS say so in
    words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


def halve_micro_batch(material: TrainingInputs, journal: TrainerJournal, step: int) -> TrainingInputs:
    """After memory ran out: half the micro batch. Raises RunError("out_of_memory") when there is no half, and in a
    distributed run: the other processes would go on with what they have."""
    if material.micro_batch == 1 or process_count() > 1:
        raise RunError("out_of_memory", device=material.spec.device, micro_batch=material.micro_batch)
    halved = material.with_half_the_micro_batch()
    facts = {"micro_batch": halved.spec.micro_batch, "accumulation": halved.spec.accumulation}
    journal.send(Adjusted("out_of_memory", step, facts))
    return halved


def compute_forecast(material: TrainingInputs, base: BaseFacts, journal: TrainerJournal) -> RunForecast:
    """Told before the model is loaded. Raises RunError("memory_short") above what a run may take of what is free.

    This process has its libraries, and the card's context, by now: what is free is free besides them.
    """
    effective, device = material.spec, str(material.spec.device)
    lengths = [len(example.ids) for example in material.train]
    shape = estimate.shape_from_config(base.config, base.parameters)
    memory = estimate.estimate_memory(shape, effective, max(lengths))
    load = estimate.EpochWorkload(
        examples=len(lengths),
        tokens=sum(lengths),
        trained=data.count_trained_tokens(material.train),
        validation_tokens=sum(len(example.ids) for example in material.validation),
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
    """Of a multiplication of matrices, by half: layers do other things too."""
    matrix = torch.ones(512, 512)
    started = time.perf_counter()
    for _ in range(4):
        matrix @ matrix
    return 0.5 * 4 * 2 * 512**3 / (time.perf_counter() - started)


def measure_steps(
    model: Any, material: TrainingInputs, computed: RunForecast, journal: TrainerJournal, control: RunControl
) -> TrainingInputs:
    """The material, with a smaller micro batch where the asked one does not fit. Tells what the run will take.

    Raises RunError("out_of_memory"), and Stopped.
    """
    device = str(material.spec.device)
    trained = sum(int(parameter.numel()) for parameter in model.parameters() if parameter.requires_grad)
    while True:
        journal.send(Phase("probing"))
        try:
            token_s = _token_seconds(model, material, control)
            peak = loop.peak_memory_bytes(device) + round(trained * estimate.optimizer_bytes(material.spec))
            fits = device == "cpu" or peak <= computed.available_bytes  # a process's peak never falls again
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = False
        release_memory(model)
        if fits:
            journal.send(_forecast(material, token_s, peak, computed))
            return material
        material = halve_micro_batch(material, journal, 0)


def _token_seconds(model: Any, material: TrainingInputs, control: RunControl) -> float:
    """Seconds a token of a micro batch with the longest examples, forward and backward."""
    longest = sorted(material.train, key=lambda example: -len(example.ids))[: material.micro_batch]
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
    return min(taken) / int(batch["input_ids"].numel())


def release_memory(model: Any) -> None:
    """Neither gradients, a loop that nobody has any more, nor cached memory remain; a card's peak is counted anew."""
    model.zero_grad(set_to_none=True)
    gc.collect()  # a loop and its callback hold each other, and the optimizer
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _forecast(material: TrainingInputs, token_s: float, peak_bytes: int, computed: RunForecast) -> RunForecast:
    spec, lengths = material.spec, [len(example.ids) for example in material.train]
    steps_per_epoch = max(1, math.ceil(len(lengths) / material.step_examples))
    steps = recipe.total_steps(len(lengths), material.step_examples, spec.epochs or 1.0, spec.max_steps)
    order = data.epoch_order(len(lengths), material.step_examples, spec.seed, 0, lengths)
    token_s /= process_count()
    step_s = token_s * _padded([lengths[at] for at in order], material.micro_batch) / steps_per_epoch
    evaluations = 1 + math.ceil(steps / steps_per_epoch * (spec.evaluations_per_epoch or 0))
    evaluation_s = token_s * FORWARD_SHARE * sum(len(example.ids) for example in material.validation)
    return RunForecast(
        peak_bytes=peak_bytes,
        available_bytes=computed.available_bytes,
        step_s=round(step_s, 3),
        total_s=round(steps * step_s + evaluations * evaluation_s, 1),
        disk_bytes=computed.disk_bytes,
        is_measured=True,
    )


def _padded(lengths: Sequence[int], micro_batch: int) -> int:
    """Tokens that are computed in an epoch, padding included."""
    batches = [lengths[at : at + micro_batch] for at in range(0, len(lengths), micro_batch)]
    return sum(max(batch) * len(batch) for batch in batches)
