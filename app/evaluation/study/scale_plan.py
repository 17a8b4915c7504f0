"""Plan a scale study and make its folder: the runs for each subset of the data, and the rows that measure the runs.

The recipe's choices that depend on size (rank, batch, learning rate, dropout) are made once, by the largest subset;
otherwise the sizes would differ in more than data. The equal-step control trains each smaller subset for as many steps
as are planned for the largest, to separate the effect of more data from that of more steps.
"""

import dataclasses
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.output_file import drive_errors, require_space, write_atomically
from app.base.paths import Paths
from app.base.wording import phrase
from app.evaluation import question_files
from app.evaluation.records import Question, QuestionSet
from app.evaluation.study import compared_systems, planning, studies
from app.evaluation.study import request as study_request
from app.evaluation.study.compared_systems import AdapterInUse
from app.evaluation.study.request import StudyRequest
from app.evaluation.study.scale_subsets import SubsetFiles
from app.evaluation.study.studies import ComparedSystem, Training
from app.inference import speed
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import run_plan as training
from app.training import spec_builder
from app.training.data import file_import
from app.training.run_plan import RunPlan
from app.training.runs import run_folders
from app.training.spec_builder import SpecFields
from trainer import recipe
from trainer.spec import RunSpec

DATA, ABOUT = "data", "about.json"  # a folder in the study's folder, and a file in that folder
FIRST_SEED = 42
_MOST_EPOCHS, _MOST_PATIENCE = 1000, 1000  # limits of fields of a spec

# Fields of the spec that every run takes from the largest run. The warm-up depends on the steps, and is left to each
# run.
_SAME = (
    "precision", "compute", "context_tokens", "loss", "rank", "alpha", "dropout", "learning_rate", "final_rate_share",
    "weight_decay", "clip_norm", "micro_batch", "accumulation", "epochs", "evaluations_per_epoch", "patience",
    "optimizer", "gradient_checkpointing", "checkpoint_every",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlannedScaleStudy:
    """The planned trainings of a scale study, with their time and disk space.

    `largest`: the plan of the largest run. `seconds`: upper limit for all runs, because early stopping ends sooner.
    `disk_bytes`: size of all runs with their checkpoints.
    """

    trainings: tuple[Training, ...]  # in the order of training
    requested: RunSpec  # the spec of the largest run, as requested
    largest: RunPlan
    seconds: float
    disk_bytes: int


def plan_trainings(
    folder: Path,
    material: SubsetFiles,
    draft: Callable[[SpecFields], RunSpec],
    plan_run: Callable[[RunSpec], RunPlan],
    seeds: Sequence[int],
    *,
    has_control: bool,
) -> PlannedScaleStudy:
    """Create `folder` with the data, and in it a folder with a spec for each run; an error leaves nothing behind.

    `draft`: returns a run's spec for the given fields (`spec_builder.build_spec`). `plan_run`: returns the plan of a
    run. Raises AppError as both do, the reason why the trainer would not begin, evaluation_unwritable, drive_space,
    run_*.
    """
    with drive_errors(folder, "evaluation_unwritable"):
        (folder / DATA).mkdir(mode=0o700, parents=True)  # an existing folder raises, before anything could be deleted
    try:
        files = _write(folder / DATA, material)
        count = material.subsets[-1].rows
        asked = draft(_files(files, count))
        largest = plan_run(asked)
        if largest.problem is not None:
            raise largest.problem
        jobs = list(_specs(folder, asked, largest, material, seeds, has_control=has_control))
        trainings = tuple(
            dataclasses.replace(training, folder=str(run_folders.create(_with_data(one, files, training.rows))))
            for training, one in jobs
        )
        each = largest.disk.checkpoints + largest.disk.adapter + largest.disk.logs
        disk_bytes = largest.disk.base + len(jobs) * each
        require_space(folder, disk_bytes)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    seconds = sum(_seconds(one, training.rows, largest) for training, one in jobs)
    return PlannedScaleStudy(trainings, asked, largest, seconds, disk_bytes)


def holdout_questions(material: SubsetFiles, folder: Path) -> QuestionSet:
    """Return the rows of the hold-out as questions with references, except rows that a question set cannot hold.

    No system is asked these questions.
    """
    imported = file_import.import_file(folder / DATA / "holdout.jsonl")
    made = [Question("", row.question, row.answer, group=row.group, origin="imported") for row in imported.rows]
    questions = question_files.with_ids(one for one in map(question_files.as_stored, made) if one is not None)[0]
    return QuestionSet(material.name, 0, question_files.sha256(questions), questions)


def planned_systems(model: LocalModel, requested: RunSpec, trainings: Sequence[Training]) -> tuple[ComparedSystem, ...]:
    """Return as systems the base alone, and the base with the adapter of each size (first seed).

    They answer after the trainings have made the adapters. Raises AppError: run_form_unknown, adapter_other_base,
    file_unreadable.
    """
    base = compared_systems.compared_system(model, None)
    base_models.require_same_base(requested, model)
    tuned = base_models.with_trained_form(requested, model)
    found = [base]
    for one in trainings:
        if one.is_control or one.seed != trainings[0].seed:
            continue
        use = AdapterInUse(
            str(Path(one.folder) / run_folders.ADAPTER),
            name=phrase("evaluation.scale_size", rows=f"{one.rows:,}"),
        )
        name = phrase("evaluation.system_with", name=model.name, other=use.name)
        system = dataclasses.replace(base.system, name=name, adapter=use.path)
        found.append(dataclasses.replace(base, system=system, model=tuned))
    return compared_systems.assign_ids(found)


# -------------------------------------------------------------------------- specs


def _specs(
    folder: Path,
    requested: RunSpec,
    largest: RunPlan,
    material: SubsetFiles,
    seeds: Sequence[int],
    *,
    has_control: bool,
) -> Iterator[tuple[Training, RunSpec]]:
    """Yield each training with its spec: all sizes with the first seed, then the controls, then the other seeds.

    In this order a study that ends early already has a result.
    """
    same = dataclasses.replace(requested, **{name: getattr(largest.spec, name) for name in _SAME})
    sizes = [subset.rows for subset in material.subsets]

    def job(run_spec: RunSpec, rows: int, seed: int, *, is_control: bool = False) -> tuple[Training, RunSpec]:
        name = f"{rows}-{'control' if is_control else f'seed{seed}'}"
        place = folder / studies.RUNS / name
        made = dataclasses.replace(run_spec, folder=str(place), name=f"{requested.name} {name}", seed=seed)
        return Training(str(place), rows, seed, is_control), made

    for number, seed in enumerate(seeds):
        yield from (job(same, rows, seed) for rows in sizes)
        if number == 0 and has_control:
            controls = ((rows, _control(same, rows, sizes[-1])) for rows in sizes[:-1])
            yield from (job(one, rows, seed, is_control=True) for rows, one in controls if one is not None)


def _control(same: RunSpec, rows: int, most: int) -> RunSpec | None:
    """Return the control's spec: as many steps as the largest run, about as many evaluations, no early stopping.

    None: the control would take over 1,000 epochs. The best checkpoint is kept as in every run, so that overfitting
    does not count against the control.
    """
    batch = _batch(same)
    steps = recipe.total_steps(most, batch, same.epochs or 1.0, same.max_steps)
    own, theirs = math.ceil(rows / batch), math.ceil(most / batch)
    epochs = math.ceil(steps / own)
    if epochs > _MOST_EPOCHS:
        return None
    evaluations = same.evaluations_per_epoch or 0
    if evaluations:
        evaluations = max(1, round(own / math.ceil(theirs / evaluations)))
    patience = min(_MOST_PATIENCE, epochs * max(1, evaluations) + 1)
    return dataclasses.replace(
        same, max_steps=steps, epochs=float(epochs), evaluations_per_epoch=evaluations, patience=patience
    )


def _seconds(run_spec: RunSpec, rows: int, largest: RunPlan) -> float:
    """Estimate the seconds of a run from the steps and evaluations of the largest run."""
    time = largest.time
    own = _evaluations(largest.spec, largest.counts.rows, time.steps)
    evaluation_s = max(0.0, time.total_s - time.steps * time.step_s) / own
    steps = recipe.total_steps(rows, _batch(run_spec), run_spec.epochs or 1.0, run_spec.max_steps)
    return steps * time.step_s + _evaluations(run_spec, rows, steps) * evaluation_s


def _evaluations(run_spec: RunSpec, rows: int, steps: int) -> int:
    """Return the number of evaluations, including the one of the base before the training."""
    return 1 + math.ceil(steps / math.ceil(rows / _batch(run_spec)) * (run_spec.evaluations_per_epoch or 0))


def _batch(run_spec: RunSpec) -> int:
    return (run_spec.micro_batch or 1) * (run_spec.accumulation or 1)


# --------------------------------------------------------------------------- files


def _write(folder: Path, material: SubsetFiles) -> dict[str, tuple[Path, str]]:
    """Write the data files; return path and SHA-256 of each file by its name.

    Raises AppError("evaluation_unwritable" | "drive_space").
    """
    parts = {f"train-{subset.rows}": subset.raw for subset in material.subsets}
    parts |= {"validation": material.validation, "holdout": material.holdout}
    about = {
        "name": material.name,
        "is_nested": material.is_nested,
    }
    with drive_errors(folder, "evaluation_unwritable"):
        for name, raw in parts.items():
            write_atomically(folder / f"{name}.jsonl", raw)
        write_atomically(folder / ABOUT, json.dumps(about, ensure_ascii=False, indent=1).encode())
    return {name: (folder / f"{name}.jsonl", hashlib.sha256(raw).hexdigest()) for name, raw in parts.items()}


def _files(files: dict[str, tuple[Path, str]], rows: int) -> dict[str, Any]:
    """Return the paths and hashes of the data files as fields of a spec."""
    names = {"train": f"train-{rows}", "validation": "validation", "holdout": "holdout"}
    return {part: str(files[name][0]) for part, name in names.items()} | {
        "hashes": {part: files[name][1] for part, name in names.items()}
    }


def _with_data(run_spec: RunSpec, files: dict[str, tuple[Path, str]], rows: int) -> RunSpec:
    path, sha256 = files[f"train-{rows}"]
    return dataclasses.replace(run_spec, train=str(path), hashes=run_spec.hashes | {"train": sha256})


def read_about(folder: Path) -> dict[str, Any]:
    """Read the description of the data that `_write` stored. Raises AppError("evaluation_damaged")."""
    try:
        found: dict[str, Any] = strict_json.load_file(folder / DATA / ABOUT)
    except (OSError, ValueError) as error:
        raise AppError("evaluation_damaged", id=folder.name, reason=str(error)[:200]) from error
    return found


def trainings_of(
    folder: Path,
    request: StudyRequest,
    material: SubsetFiles,
    where: Paths,
    models: Sequence[LocalModel],
    command: Callable[..., list[str]] | None = None,
    converter: str = "",
) -> PlannedScaleStudy:
    """Plan the trainings of a request, and make `folder` with data and specs. Raises AppError as `plan_trainings`.

    `command`: returns the command line of the trainer with arguments; None: the trainer cannot plan, and token counts
    are estimated from characters. `converter`: the converter's folder.
    """
    base = request.base or study_request.model_of(request.models[0]).id
    spec_fields = {"base": base, "preset": request.training_preset, "name": request.asking.name or material.name}
    speed_file = where.data / speed.FILE_NAME
    return plan_trainings(
        folder,
        material,
        lambda files: spec_builder.build_spec({**spec_fields, **files}, where, models, converter),
        lambda spec: training.plan_run(
            spec, command, lambda kind: training.find_device(kind, speed_file)
        ),
        range(FIRST_SEED, FIRST_SEED + request.runs),
        has_control=request.has_control,
    )  # fmt: skip


def create_scale_study(
    request: StudyRequest,
    material: SubsetFiles,
    where: Paths,
    models: Sequence[LocalModel],
    command: Callable[..., list[str]] | None,
    converter: str,
) -> tuple[Path, PlannedScaleStudy]:
    """Create a new scale study, and return its folder and its plan; an error leaves nothing behind.

    Every question is answered once, greedily. `request.asking.name` "" means the name of the data. Raises AppError as
    `questions_of` and `trainings_of`.
    """
    evaluations, questions = where.evaluations, study_request.questions_of(request, where)
    asking = dataclasses.replace(
        request.asking,
        name=request.asking.name or studies.free_name(evaluations, material.name),
        seeds=1,
        temperature=0.0,
        has_pairs=False,
    )
    folder = work_folder.timestamped_path(evaluations, asking.name, time.time())
    request = dataclasses.replace(request, asking=asking)
    planned = trainings_of(folder, request, material, where, models, command, converter)
    try:
        contenders: tuple[ComparedSystem, ...] = ()
        if questions is not None:
            model = base_models.model_of_run(planned.requested, models)
            contenders = tuple(
                dataclasses.replace(system, label=confidentiality.highest_label((system.label, material.label)))
                for system in planned_systems(model, planned.requested, planned.trainings)
            )
        questions = questions or holdout_questions(material, folder)
        label = confidentiality.highest_label((questions.label, material.label))
        made = planning.plan_study(
            folder.name, "scale", questions, contenders, asking, label=label, trainings=planned.trainings,
        )  # fmt: skip
        studies.create(folder, made, questions)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, planned
