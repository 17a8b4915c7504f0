"""Decide whether a model fits into this machine, and with which settings to load it.

Repacking copies the weights into a layout that the CPU multiplies faster one token at a time: on an 8B model answers
were 30 % faster and prompts 1.6 times slower, at 8.2 instead of 5.0 GB. Which is better depends on the processor, so
both layouts are measured once and the one that answers a typical question sooner is kept. No other setting needs a
search: of batch sizes, flash attention and cache types none was 5 % faster than llama.cpp's defaults
(`tests.benchmarks.engine_settings`).
"""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import __version__
from app.base.errors import AppError
from app.base.settings import Settings
from app.inference import crashes, engine_packs, gguf, machine, memory_estimate, processor_cores
from app.inference.local_model import LocalModel, RemoteModel
from app.inference.speed import PredictedSpeed


def require_network(model: LocalModel, settings: Settings) -> None:
    """Raise AppError("remote_no_network") for a remote model if settings or administrator forbid the network."""
    if model.remote is not None and not settings.network_allowed:
        raise AppError("remote_no_network", name=model.name)


# Tokens read and written for a typical question about documents.
TYPICAL_PROMPT_TOKENS = 1000
TYPICAL_ANSWER_TOKENS = 200
LEAST_GAIN = 1.05  # below it, repacking is not worth twice the memory


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Holds the arguments for loading a model, named as the fields of `app.inference.engine.messages.Load`."""

    path: str
    context_tokens: int
    threads: int | None
    kv_type: str
    flash_attention: bool | None
    repack: bool
    parallel: int = 1  # answers that are written at a time
    packs: tuple[str, ...] = ()
    cpu_reason: str = "no_backend"
    remote: RemoteModel | None = None  # the server that runs the model, so that `path` is no file; None: this machine
    projector: str = ""  # path of the part that reads pictures; "": none

    def fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def reads_pictures(model: LocalModel) -> bool:
    """Return whether the model has its projector, which has not ended an engine, and this engine its library.

    A remote model reads them if its server or the user says so.
    """
    if model.remote is not None:
        return model.remote.sees_pictures
    path = model.projector
    is_usable = path != "" and Path(path).is_file() and not crashes.has_projector_crashed(path)
    return is_usable and machine.has_picture_library()


def plan_load(
    model: LocalModel,
    settings: Settings,
    loaded: tuple[str, int, str] | None = None,
    reclaimable_bytes: int = 0,
    force: bool = False,
    parallel: int = 1,
) -> LoadPlan:
    """Return the settings for loading a model.

    `loaded`: path, context length in tokens and KV type of the loaded model, which needs no further memory.
    `reclaimable_bytes`: memory that unloading it frees. `parallel`: answers that are wanted at a time; the plan has as
    many as the memory holds comfortably.

    Raises AppError("memory_short") if the model does not fit and `force` is false, the codes of `gguf.check_model` and
    `gguf.check_projector`, and "remote_no_network" for a remote model without network access.
    """
    if model.remote is not None:
        require_network(model, settings)
        return LoadPlan(
            model.path, settings.context_tokens, None, "f16", None,
            repack=False, parallel=min(parallel, model.remote.requests), remote=model.remote,
        )  # fmt: skip
    header = gguf.check_model(Path(model.path), every_token=False)
    projector = gguf.check_projector(Path(model.projector), header) if reads_pictures(model) else None
    context = min(settings.context_tokens, header.context_length or settings.context_tokens)
    packs, cpu_reason = engine_packs.chosen(settings.graphics)
    budget = machine.measure_memory(reclaimable_bytes, settings.graphics)
    estimate = functools.partial(
        memory_estimate.estimate_memory, header, context, kv_type=settings.kv_type, projector=projector
    )
    plain = estimate()
    is_loaded = loaded == (model.path, context, settings.kv_type)
    fit = machine.judge_memory(plain, budget)
    if fit.verdict == "insufficient" and not (force or is_loaded):
        sizes = {"need_bytes": plain.total_bytes, "free_bytes": fit.available_bytes}
        raise AppError("memory_short", others_bytes=budget.others_bytes, **sizes)
    # The layers on graphics cards are not repacked, so it is not tried where there are cards.
    fits_twice = not budget.has_cards and (
        memory_estimate.judge_fit(estimate(repack=True), budget.available_bytes) == "comfortable"
    )
    repack = choose_repack(settings.repack, fits_twice, model.speeds or {})

    def fits(count: int) -> bool:
        return machine.judge_memory(estimate(repack=repack, parallel=count), budget).verdict == "comfortable"

    counts = range(min(parallel, memory_estimate.PARALLEL_MOST), 1, -1)
    return LoadPlan(
        path=model.path,
        context_tokens=context,
        threads=settings.threads,
        kv_type=settings.kv_type,
        flash_attention=True if settings.kv_type != "f16" else None,
        repack=repack,
        parallel=next(filter(fits, counts), 1),
        projector=model.projector if projector else "",
        packs=packs,
        cpu_reason=cpu_reason,
    )


def choose_repack(choice: str, fits_twice: bool, speeds: dict[str, Any]) -> bool:
    """Return whether to repack. `choice`: auto | on | off. `speeds`: see `record_speed`; {}: not measured."""
    if choice != "auto":
        return choice == "on"
    speeds = speeds_here(speeds)
    if not fits_twice or "plain" not in speeds:
        return False  # the plain layout loads ten times faster, in half the memory
    if "repacked" not in speeds:
        return True  # repack once, to measure it
    return _question_s(speeds["repacked"]) * LEAST_GAIN < _question_s(speeds["plain"])


def speeds_here(speeds: dict[str, Any] | None) -> dict[str, Any]:
    """Return those of a model's speeds that were measured on this processor with this version, or before both were
    recorded."""
    here = _place()
    return {key: speed for key, speed in (speeds or {}).items() if speed.get("on", here) == here}


def recorded_speed(speeds: dict[str, Any] | None) -> PredictedSpeed | None:
    """Return the speed at which a model was used here, in the layout that answers soonest; None before its first
    use."""
    found = [one for one in speeds_here(speeds).values() if one.get("prompt", 0) > 0 and one.get("answer", 0) > 0]
    best = min(found, key=_question_s, default=None)
    return PredictedSpeed(best["prompt"], best["answer"]) if best else None


@functools.cache
def _place() -> str:
    return f"{processor_cores.processor_name()}, Kotae {__version__}"


def record_speed(speeds: dict[str, Any] | None, layout: str, prompt: float, answer: float) -> dict[str, Any]:
    """Return a model's speeds with a new measurement (tokens per second), averaged with the earlier value.

    `layout`: plain | repacked | graphics (of a model with layers on a graphics card).

    "on" of each is the processor and the version, as another one needs another measurement.
    """
    old = speeds_here(speeds).get(layout)
    new = {"prompt": prompt, "answer": answer}
    if old is not None:
        new = {name: (old[name] + value) / 2 for name, value in new.items()}
    return {**(speeds or {}), layout: {**new, "on": _place()}}


def _question_s(speed: dict[str, Any]) -> float:
    seconds: float = TYPICAL_PROMPT_TOKENS / speed["prompt"] + TYPICAL_ANSWER_TOKENS / speed["answer"]
    return seconds
