"""One run from top to bottom: spec -> data -> checks -> model -> probe -> loop -> adapter."""

import dataclasses
import importlib.metadata
import json
import os
import pickle
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from trainer import (
    adapter,
    data,
    export,
    loop,
    model,
    preflight,
    probe,
    recipe,
    sleep_inhibitor,
    spec,
    storage,
    tokenization,
)
from trainer import tokenization as tokenizing
from trainer.channel import RunControl, StopRequested, TrainerJournal
from trainer.data import BaseFacts, SplitRows, TrainingConversation, TrainingInputs, inspect_base, process_count
from trainer.events import (
    PROTOCOL,
    Adjusted,
    Cancelled,
    Event,
    Finished,
    Paused,
    Phase,
    ResolvedRecipe,
    RunError,
    RunForecast,
    Started,
)
from trainer.loop import NotFiniteError, TrainingLoop
from trainer.spec import RunSpec
from trainer.storage import SavedCheckpoint
from trainer.tokenization import BaseTokenizer

EFFECTIVE, CHECKPOINTS = "effective.json", "checkpoints"
MOST_HALVINGS = 3  # of the learning rate, before the run gives up
FILES = ("train", "validation", "holdout")
SAMPLES = 2  # validation questions that are answered at each evaluation, where the spec names none
_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "safetensors")


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """Everything that is known before the model is loaded."""

    base: BaseFacts
    rows: SplitRows
    material: TrainingInputs
    forecast: RunForecast


def run(
    asked: RunSpec, journal: TrainerJournal, control: RunControl, *, resumes: bool, ends_after: str = ""
) -> Event | None:
    """The event that ends it, which the caller sends. `ends_after`: "plan" or "probe": then it ends with its forecast.

    Raises RunError.
    """
    folder = Path(asked.folder)
    start = _start_of(folder, resumes=resumes) if not ends_after else None
    try:
        return _run(asked, folder, journal, control, start, resumes=resumes, ends_after=ends_after)
    except StopRequested:  # before it trains
        step = start.step if start else 0
        return Cancelled(step) if control.wanted == "cancel" else Paused(step)


def _run(
    asked: RunSpec,
    folder: Path,
    journal: TrainerJournal,
    control: RunControl,
    start: SavedCheckpoint | None,
    *,
    resumes: bool,
    ends_after: str,
) -> Event | None:
    """As `run`. Raises Stopped."""
    with storage.guarded_write(folder.parent):
        folder.mkdir(parents=True, exist_ok=True)
    journal.keep_in(folder)
    journal.send(_started(start))
    if start is not None:  # before processes that are more or fewer wait for each other
        _require_same(storage.sealed_conditions(start), {"processes": process_count()})
    previews = preflight.PLANNED_PREVIEWS if ends_after else preflight.PREVIEWS
    prepared = prepare(_read_effective(asked, folder) if resumes else asked, journal, previews)
    if ends_after == "plan":
        return None
    if start is not None:
        _require_same(_conditions(start), _conditions_now(prepared.material))
    control.check()
    with sleep_inhibitor.keep_awake("Kotae: fine-tuning"):
        adapted = _loaded(prepared, journal)
        material = probe.measure_steps(adapted, prepared.material, prepared.forecast, journal, control)
        if ends_after == "probe":
            return None
        trained = _train(adapted, material, folder, journal, control, start)
        return _finish(adapted, trained, prepared, folder, journal)


# ------------------------------------------------------------------ before the model


def prepare(asked: RunSpec, journal: TrainerJournal, previews: int = preflight.PREVIEWS) -> PreparedRun:
    """Reads the data and decides what the spec leaves open. Raises RunError, also for findings that block.

    `previews`: so many examples are told token by token.
    """
    asked = adapter.with_adapter_settings(asked)
    base = inspect_base(_base_folder(asked, journal))
    journal.send(Phase("reading"))
    tokens = tokenizing.load_tokenizer(base.folder)
    form = asked.form or tokenization.form_from_template(tokens.tokenizer)
    if form is None:
        raise RunError("spec_invalid", field="form", value=None, expected="a form: the base has no chat template")
    asked = dataclasses.replace(asked, form=form)
    rows = SplitRows(*(_read(asked, name) for name in FILES))
    whole = {
        name: data.encode_rows(getattr(rows, name), form, tokens, data.ANY_LENGTH, "refuse", "answers")
        for name in ("train", "validation")
    }
    longest = max(encoding.longest for encoding in whole.values())
    effective = _shared(recipe.resolve(asked, _facts(asked, base, len(rows.train), longest)))
    journal.send(Phase("checking"))
    return _checked(effective, tokens, base, rows, whole, previews, journal)


def _base_folder(asked: RunSpec, journal: TrainerJournal) -> Path:
    base = Path(asked.base)
    if base.suffix.lower() != ".gguf":
        return base
    bases = Path(asked.bases or Path(asked.folder) / "base")
    return export.convert_base(base, bases, journal, is_maker=is_first_process())


def _read(asked: RunSpec, name: str) -> list[TrainingConversation]:
    path = getattr(asked, name)
    return data.read_rows(Path(path), asked.hashes.get(name, "")) if path else []


def _facts(asked: RunSpec, base: BaseFacts, rows: int, longest: int) -> recipe.RecipeFacts:
    device = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda":
        if not torch.cuda.is_available():
            why = "no card" if torch.version.cuda else "built without CUDA"
            raise RunError("spec_invalid", field="device", value=device, expected=f"cpu: {why}")
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    return recipe.RecipeFacts(
        rows=rows,
        tokens_longest=longest,
        device=device,
        memory_bytes=model.free_bytes(device),
        has_bf16=model.has_bf16(device),
        parameters=base.parameters,
        model_type=base.model_type,
        platform=platform.system().lower(),
        processes=process_count(),
    )


def _shared(effective: RunSpec) -> RunSpec:
    """The first process's in all of a distributed run, where each may have found another amount of memory free."""
    if process_count() == 1:
        return effective
    PartialState(cpu=effective.device == "cpu")  # begins the exchange
    shared: RunSpec = broadcast_object_list([effective])[0]
    return shared


def _checked(
    effective: RunSpec,
    tokens: BaseTokenizer,
    base: BaseFacts,
    rows: SplitRows,
    whole: Mapping[str, data.EncodedRows],
    previews: int,
    journal: TrainerJournal,
) -> PreparedRun:
    """`whole`: the rows as answers alone are trained, of any length."""
    assert effective.form is not None

    def encode(name: str, loss: str) -> data.EncodedRows:
        assert effective.form is not None
        longest = effective.context_tokens or data.ANY_LENGTH
        if loss == "answers" and whole[name].longest <= longest:
            return whole[name]
        return data.encode_rows(getattr(rows, name), effective.form, tokens, longest, effective.over_length, loss)

    train, validation = encode("train", str(effective.loss)), encode("validation", "answers")
    asked = [({"role": "user", "content": text},) for text in effective.samples]
    material = TrainingInputs(
        spec=effective,
        form=effective.form,
        tokens=tokens,
        train=train.examples,
        validation=validation.examples,
        questions=asked or [row.messages[:-1] for row in rows.validation[:SAMPLES]],
        base_mark=_mark_of(effective, base),
    )
    journal.send(ResolvedRecipe(spec.to_json(effective), _effective_facts(base, material)))
    preflight.report_findings(material, base, rows, {"train": train, "validation": validation}, journal, previews)
    # From here on frozen, so that a resumed run notices other files.
    files = {name: Path(getattr(effective, name)) for name in FILES if getattr(effective, name)}
    frozen = {name: data.file_sha256(path) for name, path in files.items()}
    frozen |= {"adapter": effective.hashes["adapter"]} if effective.adapter else {}
    material = material.with_spec(hashes=frozen)
    return PreparedRun(base, rows, material, probe.compute_forecast(material, base, journal))


def _effective_facts(base: BaseFacts, material: TrainingInputs) -> dict[str, Any]:
    lengths, effective = [len(example.ids) for example in material.train], material.spec
    steps = recipe.total_steps(len(lengths), material.step_examples, effective.epochs or 1.0, effective.max_steps)
    return {
        "model_type": base.model_type,
        "parameters": base.parameters,
        "examples": len(lengths),
        "tokens": sum(lengths),
        "trained_tokens": data.count_trained_tokens(material.train),
        "longest": max(lengths, default=0),
        "steps": steps,
    }


# -------------------------------------------------------------------- with the model


def _loaded(prepared: PreparedRun, journal: TrainerJournal) -> Any:
    """The model with LoRA, and our loss where it is the model's own in less memory."""
    journal.send(Phase("loading"))
    effective = prepared.material.spec
    if effective.device == "cuda":
        torch.cuda.set_per_process_memory_fraction(effective.memory_share)
    adapted = model.load_model(effective, prepared.base)
    shortest = min(prepared.material.train, key=lambda example: len(example.ids))
    batch = data.collate([shortest], prepared.material.tokens.pad_id)
    device = next(adapted.parameters()).device
    model.with_own_loss(adapted, {name: tensor.to(device) for name, tensor in batch.items()})
    return adapted


@dataclass(frozen=True, slots=True)
class TrainedLoop:
    loop: TrainingLoop
    material: TrainingInputs


def _train(
    adapted: Any,
    material: TrainingInputs,
    folder: Path,
    journal: TrainerJournal,
    control: RunControl,
    start: SavedCheckpoint | None,
) -> TrainedLoop:
    """Until it ends by itself or on request. Out of memory or not finite: on from the last checkpoint, changed."""
    halvings = 0
    while True:
        _write_effective(material.spec, folder)
        going = TrainingLoop(adapted, material, folder / CHECKPOINTS, journal, control)
        try:
            going.begin(start)
            return TrainedLoop(going, material)
        except NotFiniteError as error:
            halvings += 1
            if halvings > MOST_HALVINGS:
                raise RunError("not_finite", step=error.step, learning_rate=error.learning_rate) from error
            material = material.with_half_the_rate()
            facts = {"learning_rate": material.spec.learning_rate}
            journal.send(Adjusted("not_finite", error.step, facts))
        except (RuntimeError, MemoryError) as error:
            if not probe.is_out_of_memory(error):
                raise
            material = probe.halve_micro_batch(material, journal, going.state.global_step)
        except pickle.UnpicklingError as error:  # torch refuses what is more than numbers, whatever the manifest says
            raise RunError("checkpoint_damaged", path=str(folder / CHECKPOINTS)) from error
        del going
        probe.release_memory(adapted)
        start = _newest(folder / CHECKPOINTS)


def _finish(
    adapted: Any, trained: TrainedLoop, prepared: PreparedRun, folder: Path, journal: TrainerJournal
) -> Event | None:
    going, material = trained.loop, trained.material
    step, reason = going.state.global_step, going.end_reason
    if reason == "pause":
        return Paused(step)
    if reason == "cancel":
        return Cancelled(step)
    if not is_first_process():
        return None
    losses = going.evaluations()
    best = _best(folder / CHECKPOINTS, losses)
    loop.load_weights(adapted, best.path)
    saved, gguf = export.export_run(adapted, material, prepared.rows, prepared.base.folder, folder, best.step, journal)
    ended = {"finish": "stopped", "early_stopping": "early_stopping"}
    so_far = going.so_far()
    return Finished(
        reason=ended.get(reason, "steps" if step == material.spec.max_steps else "epochs"),
        step=step,
        best_step=best.step,
        base_loss=losses.get(0),
        best_loss=losses.get(best.step),
        adapter=str(saved),
        gguf=gguf,
        seconds=round(so_far["trained_s"], 1),
        tokens_per_s=round(so_far["trained_tokens"] / max(so_far["trained_s"], 1e-9), 1),
        peak_bytes=so_far["peak_bytes"],
    )


# ------------------------------------------------------------------ the run's folder


def _start_of(folder: Path, *, resumes: bool) -> SavedCheckpoint | None:
    """The checkpoint that a resumed run goes on from; None: from the beginning, also where none was written yet."""
    started = (folder / EFFECTIVE).is_file() or (folder / "events.jsonl").is_file()
    if not resumes:
        if any(path.suffix != ".part" for path in (folder / CHECKPOINTS).glob("checkpoint-*")):
            raise RunError("run_exists", path=str(folder))
        return None
    if not started:
        raise RunError("nothing_to_resume", path=str(folder))
    return _newest(folder / CHECKPOINTS)


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RunError("resume_differs") where the run did not begin as it would go on."""
    for name, value in before.items():
        if name in now and now[name] != value:
            raise RunError("resume_differs", field=name, before=value, now=now[name])


def _conditions(start: SavedCheckpoint) -> dict[str, Any]:
    """An earlier version's checkpoint tells nothing but how many steps there were to be.

    Raises RunError("checkpoint_damaged").
    """
    try:
        steps = json.loads((start.path / loop.STATE).read_bytes())["max_steps"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError("checkpoint_damaged", path=str(start.path)) from error
    return storage.sealed_conditions(start) | {"steps": steps}


def _conditions_now(material: TrainingInputs) -> dict[str, Any]:
    spec, lengths = material.spec, (len(material.train), material.step_examples)
    return material.conditions | {"steps": recipe.total_steps(*lengths, spec.epochs or 1.0, spec.max_steps)}


def _mark_of(effective: RunSpec, base: BaseFacts) -> str:
    """Of the folder that was trained; one that was made of a GGUF file has the name of that file's hash."""
    return base.folder.name if effective.base.lower().endswith(".gguf") else adapter.base_fingerprint(base.folder)


def _newest(folder: Path) -> SavedCheckpoint | None:
    """Raises RunError("checkpoint_damaged") when there are some and none is whole."""
    whole = storage.whole_checkpoints(folder)
    if whole:
        storage.delete_checkpoints_after(folder, whole[0].step)
        return whole[0]
    if folder.is_dir() and any(path.suffix != ".part" for path in folder.iterdir()):
        raise RunError("checkpoint_damaged", path=str(folder))
    return None


def _best(folder: Path, losses: Mapping[int, float]) -> SavedCheckpoint:
    """With the lowest loss, of those that are whole; the newest where nothing was evaluated."""
    whole = storage.whole_checkpoints(folder)
    evaluated = [one for one in whole if one.step in losses]
    if not whole:
        raise RunError("checkpoint_damaged", path=str(folder))
    return min(evaluated, key=lambda one: (losses[one.step], one.step)) if evaluated else whole[0]


def _write_effective(effective: RunSpec, folder: Path) -> None:
    """What is in force from here on, for people and for a resume."""
    if is_first_process():
        part = folder / f"{EFFECTIVE}.part"
        with storage.guarded_write(folder, part):
            part.write_text(json.dumps(spec.to_json(effective), ensure_ascii=False, indent=1), encoding="utf-8")
            storage.sync_path(part)
            part.replace(folder / EFFECTIVE)


def _read_effective(asked: RunSpec, folder: Path) -> RunSpec:
    """What was in force, in the places of now: an environment or a cache of bases may have moved since."""
    try:
        settled = spec.read(folder / EFFECTIVE)
    except (OSError, spec.SpecError):  # not there yet, or damaged: what it said is decided again
        return asked
    places = {name: getattr(asked, name) for name in ("converter", "bases", "adapter", *FILES)}
    return dataclasses.replace(settled, **places)


def is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _started(start: SavedCheckpoint | None) -> Started:
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return Started(PROTOCOL, os.getpid(), round(time.time(), 3), start.step if start else 0, versions)
