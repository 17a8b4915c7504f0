"""Run one training from beginning to end: spec -> data -> checks -> model -> probe -> loop -> adapter.

The file is over 450 lines because it is the one place that knows the order of all phases.
"""

import dataclasses
import importlib.metadata
import json
import os
import pickle
import platform
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
    estimate,
    events,
    export,
    loop,
    model,
    preference,
    preflight,
    probe,
    recipe,
    sharding,
    sleep_inhibitor,
    spec,
    storage,
    tokenization,
)
from trainer.channel import RunControl, StopRequested, TrainerJournal
from trainer.data import BaseFacts, SplitRows, TrainingConversation, TrainingInputs, inspect_base, process_count
from trainer.events import Adjusted, Event, Finished, Phase, RunError, RunForecast
from trainer.machine import MachineSettings
from trainer.spec import RunSpec

EFFECTIVE, CHECKPOINTS = "effective.json", "checkpoints"
MOST_HALVINGS = 3  # halvings of the learning rate before the run fails
FILES = ("train", "validation", "holdout")
_AS_ASKED = MachineSettings()
SAMPLES = 2  # validation questions answered at each evaluation if the spec has none
_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "safetensors")


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """The base, rows, inputs and forecast of a run before the model is loaded."""

    base: BaseFacts
    rows: SplitRows
    material: TrainingInputs
    forecast: RunForecast
    requested: RunSpec

    def refit(self, material: TrainingInputs, peak_bytes: int) -> TrainingInputs:
        return probe.fit_card(material, self.base, self.requested, self.forecast.available_bytes, peak_bytes)


def run(
    requested: RunSpec,
    journal: TrainerJournal,
    control: RunControl,
    began_at: float,
    *,
    resumes: bool,
    ends_after: str = "",
    here: MachineSettings = _AS_ASKED,
) -> Event | None:
    """Run a training and return its last event, which the caller sends.

    `began_at`: when the process began (seconds since 1970). `here`: what this machine decides. `ends_after`: "plan" or
    "probe" ends the run after its forecast and returns None; "" trains. Raises RunError.
    """
    folder = Path(requested.folder)
    start = _resume_checkpoint(folder, resumes=resumes) if not ends_after else None
    step = start.step if start else 0
    try:
        with storage.guarded_write(folder.parent):
            folder.mkdir(parents=True, exist_ok=True)
        journal.keep_in(folder)
        versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
        journal.send(events.Started(events.PROTOCOL, os.getpid(), round(began_at, 3), step, versions))
        previews = preflight.PLANNED_PREVIEWS if ends_after else preflight.PREVIEWS
        prepared = prepare(_read_effective(requested, folder) if resumes else requested, journal, previews, here)
        if ends_after == "plan":
            return None
        if start is not None:
            steps = _effective_facts(prepared.base, prepared.material)["steps"]
            _require_same(_conditions(start), prepared.material.conditions | {"steps": steps})
        control.check()
        with sleep_inhibitor.keep_awake("Kotae: fine-tuning"):
            adapted = _load_model(prepared, journal)
            material, forecast = prepared.material, prepared.forecast
            material = probe.measure_steps(adapted, material, forecast, journal, control, prepared.refit)
            if ends_after == "probe":
                return None
            trained = _train(adapted, material, folder, journal, control, start)
            return _finish(adapted, trained, prepared, folder, journal)
    except StopRequested:  # raised before the training begins
        return events.Cancelled(step) if control.requested_command == "cancel" else events.Paused(step)


# ------------------------------------------------------------------ before the model


def prepare(
    requested: RunSpec, journal: TrainerJournal, previews: int = preflight.PREVIEWS, here: MachineSettings = _AS_ASKED
) -> PreparedRun:
    """Read the data and decide what the spec leaves open. Raises RunError, also for findings that block.

    `previews`: the number of examples to send token by token. `here`: as for `run`.
    """
    requested = dataclasses.replace(requested, device=here.device or requested.device)
    if requested.is_preference and sharding.is_wanted():  # the hold-out's pairs are measured by a part of the model
        raise RunError("spec_invalid", field="loss", value=requested.loss, expected="a base that is not shared out")
    requested = adapter.with_adapter_settings(requested)
    base = inspect_base(_base_folder(requested, journal))
    journal.send(Phase("reading"))
    tokens = tokenization.load_tokenizer(base.folder)
    form = requested.form or tokenization.form_from_template(tokens.tokenizer)
    if form is None:
        raise RunError("spec_invalid", field="form", value=None, expected="a form: the base has no chat template")
    requested = dataclasses.replace(requested, form=form)
    rows = SplitRows(*(_read_rows(requested, name) for name in FILES))
    whole = {
        name: data.encode_rows(getattr(rows, name), form, tokens, data.ANY_LENGTH, "refuse", requested.evaluated_loss)
        for name in ("train", "validation")
    }
    longest = max(encoding.longest for encoding in whole.values())
    effective = _broadcast(recipe.resolve(requested, _facts(requested, base, len(rows.train), longest)))
    effective = recipe.share_step(effective, process_count(), here.micro_batch)
    journal.send(Phase("checking"))
    requested = dataclasses.replace(requested, micro_batch=here.micro_batch or requested.micro_batch)
    prepared = _encode_and_check(requested, effective, tokens, base, rows, whole, previews, journal)
    return dataclasses.replace(prepared, material=dataclasses.replace(prepared.material, report_to=here.report_to))


def _base_folder(requested: RunSpec, journal: TrainerJournal) -> Path:
    base = Path(requested.base)
    if base.suffix.lower() != ".gguf":
        return base
    bases = Path(requested.bases or Path(requested.folder) / "base")
    return export.convert_base(base, bases, journal, is_maker=is_first_process())


def _read_rows(requested: RunSpec, name: str) -> list[TrainingConversation]:
    path = getattr(requested, name)
    found = requested.hashes.get(name, "")
    return data.read_rows(Path(path), found, needs_pairs=requested.is_preference) if path else []


def _facts(requested: RunSpec, base: BaseFacts, rows: int, longest: int) -> recipe.RecipeFacts:
    device = requested.device or ("cuda" if torch.cuda.is_available() else "cpu")
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
    )


def _broadcast(effective: RunSpec) -> RunSpec:
    """Return the first process's spec in all processes of a distributed run, whose free memory may differ."""
    if process_count() == 1:
        return effective
    PartialState(cpu=effective.device == "cpu")  # opens the connection between the processes
    shared: RunSpec = broadcast_object_list([effective])[0]
    return shared


def _encode_and_check(
    requested: RunSpec,
    effective: RunSpec,
    tokens: tokenization.BaseTokenizer,
    base: BaseFacts,
    rows: SplitRows,
    whole: Mapping[str, data.EncodedRows],
    previews: int,
    journal: TrainerJournal,
) -> PreparedRun:
    """Encode the rows as the effective spec requires, check them, and compute the forecast.

    `whole`: the rows encoded at any length with `evaluated_loss`, which are reused if the result would be the same.
    """
    form = effective.form
    assert form is not None

    def encode(name: str, loss: str) -> data.EncodedRows:
        longest = effective.context_tokens or data.ANY_LENGTH
        if loss == effective.evaluated_loss and whole[name].longest <= longest:
            return whole[name]
        return data.encode_rows(getattr(rows, name), form, tokens, longest, effective.over_length, loss)

    train, validation = encode("train", str(effective.loss)), encode("validation", effective.evaluated_loss)
    questions = [({"role": "user", "content": text},) for text in effective.samples]
    can_pack = not (effective.is_preference or base.config.get("vision_config"))  # the latter is refused below
    # A folder made from a GGUF file is named by its hash.
    is_made = effective.base.lower().endswith(".gguf")
    mark = base.folder.name if is_made else adapter.base_fingerprint(base.folder)
    material = TrainingInputs(
        spec=effective,
        form=form,
        tokens=tokens,
        train=train.examples,
        validation=validation.examples,
        questions=questions or [row.messages[:-1] for row in rows.validation[:SAMPLES]],
        base_mark=mark,
        even_tokens=estimate.shape_from_config(base.config, base.parameters).even_tokens if can_pack else 0.0,
    )
    free = round(model.free_bytes(str(effective.device)) * effective.memory_share)
    material = probe.fit_card(material, base, requested, free)
    journal.send(events.ResolvedRecipe(spec.to_json(material.spec), _effective_facts(base, material)))
    preflight.report_findings(material, base, rows, {"train": train, "validation": validation}, journal, previews)
    # From here on the hashes are fixed, so that a resumed run notices changed files.
    files = {name: Path(getattr(effective, name)) for name in FILES if getattr(effective, name)}
    frozen = {name: storage.file_sha256(path) for name, path in files.items()}
    frozen |= {"adapter": effective.hashes["adapter"]} if effective.adapter else {}
    material = material.with_spec(hashes=frozen)
    return PreparedRun(base, rows, material, probe.compute_forecast(material, base, journal), requested)


def _effective_facts(base: BaseFacts, material: TrainingInputs) -> dict[str, Any]:
    examples, effective = material.train, material.spec
    steps = recipe.total_steps(len(examples), material.step_examples, effective.epochs or 1.0, effective.max_steps)
    return {
        "model_type": base.model_type,
        "parameters": base.parameters,
        "examples": len(examples),
        "tokens": sum(example.tokens for example in examples),
        "trained_tokens": data.count_trained_tokens(material.train),
        "longest": max((example.longest for example in examples), default=0),
        "steps": steps,
    }


# -------------------------------------------------------------------- with the model


def _load_model(prepared: PreparedRun, journal: TrainerJournal) -> Any:
    """Load the model with LoRA, and install our loss if it equals the model's own, because ours takes less memory."""
    journal.send(Phase("loading"))
    effective = prepared.material.spec
    if effective.device == "cuda":
        torch.cuda.set_per_process_memory_fraction(effective.memory_share)
    adapted = model.load_model(effective, prepared.base)
    shortest = sorted(prepared.material.train, key=lambda example: example.tokens)[:2]
    batch = data.collate(shortest, prepared.material.tokens.pad_id)
    device = model.device_of(adapted)
    difference = model.install_loss_if_equal(adapted, {name: tensor.to(device) for name, tensor in batch.items()})
    if effective.is_preference:
        preference.install(adapted, has_own_loss=difference is None)
    probe.release_memory(adapted)  # what loading took at its peak is not what a step takes
    return adapted


def _train(
    adapted: Any,
    material: TrainingInputs,
    folder: Path,
    journal: TrainerJournal,
    control: RunControl,
    start: storage.SavedCheckpoint | None,
) -> loop.TrainingLoop:
    """Train until the run ends by itself or on command.

    If memory runs out or a loss is not finite, continue from the last checkpoint with a smaller micro batch or a lower
    learning rate.
    """
    halvings = 0
    while True:
        _write_effective(material.spec, folder)
        training = loop.TrainingLoop(adapted, material, folder / CHECKPOINTS, journal, control)
        try:
            training.begin(start)
            return training
        except loop.NotFiniteError as error:
            halvings += 1
            if halvings > MOST_HALVINGS:
                raise RunError("not_finite", step=error.step, learning_rate=error.learning_rate) from error
            material = material.with_spec(learning_rate=(material.spec.learning_rate or 0.0) / 2)
            facts = {"learning_rate": material.spec.learning_rate}
            journal.send(Adjusted("not_finite", error.step, facts))
        except (RuntimeError, MemoryError) as error:
            if not probe.is_out_of_memory(error):
                raise
            material = probe.spare_memory(adapted, material, journal, training.state.global_step)
        except pickle.UnpicklingError as error:  # torch refuses a file that contains more than numbers
            raise RunError("checkpoint_damaged", path=str(folder / CHECKPOINTS)) from error
        del training
        probe.release_memory(adapted)
        start = _newest_checkpoint(folder / CHECKPOINTS)


def _finish(
    adapted: Any, training: loop.TrainingLoop, prepared: PreparedRun, folder: Path, journal: TrainerJournal
) -> Event | None:
    material, step, reason = training.material, training.state.global_step, training.end_reason
    if reason == "pause":
        return events.Paused(step)
    if reason == "cancel":
        return events.Cancelled(step)
    if not (is_first_process() or sharding.is_wanted()):
        return None
    losses = training.evaluations()
    best = _best_checkpoint(folder / CHECKPOINTS, losses)
    loop.load_weights(adapted, best.path)
    if not is_first_process():
        export.measure_holdout(adapted, material, prepared.rows.holdout, journal)
        return None
    saved, gguf = export.export_run(adapted, material, prepared.rows, prepared.base.folder, folder, best.step, journal)
    ended = {"finish": "stopped", "early_stopping": "early_stopping"}
    so_far = training.so_far()
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


def _resume_checkpoint(folder: Path, *, resumes: bool) -> storage.SavedCheckpoint | None:
    """Return the checkpoint from which to resume; None to begin at step 0.

    It is also None if the run to resume has not written a checkpoint yet.
    """
    started = (folder / EFFECTIVE).is_file() or (folder / "events.jsonl").is_file()
    if not resumes:
        if any(path.suffix != ".part" for path in (folder / CHECKPOINTS).glob("checkpoint-*")):
            raise RunError("run_exists", path=str(folder))
        return None
    if not started:
        raise RunError("nothing_to_resume", path=str(folder))
    return _newest_checkpoint(folder / CHECKPOINTS)


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise RunError("resume_differs") if a condition of the run has changed since its beginning."""
    for name, value in before.items():
        if name in now and now[name] != value:
            raise RunError("resume_differs", field=name, before=value, now=now[name])


def _conditions(start: storage.SavedCheckpoint) -> dict[str, Any]:
    """Return the conditions stored in a checkpoint; those of an earlier version contain only the number of steps.

    Raises RunError("checkpoint_damaged").
    """
    try:
        steps = json.loads((start.path / loop.STATE).read_bytes())["max_steps"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError("checkpoint_damaged", path=str(start.path)) from error
    return storage.sealed_conditions(start) | {"steps": steps}


def _newest_checkpoint(folder: Path) -> storage.SavedCheckpoint | None:
    """Return the newest complete checkpoint and delete later ones; None if there are no checkpoints.

    Raises RunError("checkpoint_damaged") if none of the checkpoints is complete.
    """
    whole = storage.complete_checkpoints(folder)
    if whole:
        storage.delete_checkpoints_after(folder, whole[0].step)
        return whole[0]
    if folder.is_dir() and any(path.suffix != ".part" for path in folder.iterdir()):
        raise RunError("checkpoint_damaged", path=str(folder))
    return None


def _best_checkpoint(folder: Path, losses: Mapping[int, float]) -> storage.SavedCheckpoint:
    """Return the complete checkpoint with the lowest loss, or the newest if none was evaluated. Raises RunError."""
    whole = storage.complete_checkpoints(folder)
    evaluated = [one for one in whole if one.step in losses]
    if not whole:
        raise RunError("checkpoint_damaged", path=str(folder))
    return min(evaluated, key=lambda one: (losses[one.step], one.step)) if evaluated else whole[0]


def _write_effective(effective: RunSpec, folder: Path) -> None:
    """Store the effective spec, for the user and for a resume."""
    if is_first_process():
        part = folder / f"{EFFECTIVE}.part"
        with storage.guarded_write(folder, part):
            part.write_text(json.dumps(spec.to_json(effective), ensure_ascii=False, indent=1), encoding="utf-8")
            storage.sync_path(part)
            part.replace(folder / EFFECTIVE)


def _read_effective(requested: RunSpec, folder: Path) -> RunSpec:
    """Return the stored effective spec with the requested paths, because folders may have moved since."""
    try:
        settled = spec.read(folder / EFFECTIVE)
    except (OSError, spec.SpecError):  # missing or damaged: the recipe decides again
        return requested
    places = {name: getattr(requested, name) for name in ("converter", "bases", "adapter", *FILES)}
    return dataclasses.replace(settled, **places)


def is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"
