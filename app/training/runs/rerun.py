"""Plan a training from an earlier run: repeat the run, or train its adapter further on other rows."""

import dataclasses
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from app.base.errors import AppError
from app.base.files import file_permissions
from app.base.files.output_file import drive_errors
from app.base.paths import Paths
from app.inference.local_model import LocalModel
from app.training import drafts
from app.training.data import curation, file_import, split_record
from app.training.data.curation import Curation
from app.training.data.rows import PARTS, TrainingRow
from app.training.data.split_record import SplitManifest
from app.training.drafts import DraftData, DraftSplit, Goal, StartingPoint, TrainingDraft
from app.training.runs import lineage, run_folders
from app.training.runs.run_folders import TrainingRunFolder
from trainer import adapter
from trainer.adapter import AdapterError
from trainer.spec import RunSpec

# Fields that are no settings of a draft: they are decided again, or are separate fields of the draft.
_NOT_SETTINGS = (
    "folder", "base", *PARTS, "version", "name", "adapter", "hashes", "bases", "base_sha256", "base_weights", "form",
    "converter", "preset",
)  # fmt: skip
USUAL_GOAL: Goal = "style"  # goal of a repeated run whose draft is gone
_FIXED_SETTINGS = ("rank", "alpha")  # settings that the adapter to be trained further fixes


def repeat_run(where: Paths, run: TrainingRunFolder, models: Collection[LocalModel]) -> TrainingDraft:
    """Create a draft with a run's name, base, settings and data, and with the rows of its draft if they still exist.

    A prompt form that the run's spec sets explicitly is not kept. Copying the data takes seconds. Raises AppError:
    run_damaged, run_data_missing, split_changed, split_unusable, draft_unwritable, drive_space.
    """
    asked = run.require_spec()
    source = Path(asked.train).parent
    manifest = _manifest(source, asked)
    made = drafts.create(where.drafts, time.time())
    try:
        before = _begun_from(where, run)
        data, frozen = _with_rows(where, made, before, run, source, manifest)
        start = _start_of(Path(asked.adapter)) if asked.adapter else None
        goal = before.goal if before is not None else USUAL_GOAL
        planned = dataclasses.replace(made, goal=goal, data=data, frozen=frozen, start=start)
        return drafts.save(where.drafts, _with_settings(planned, asked, models), time.time())
    except AppError:
        shutil.rmtree(where.drafts / made.id, ignore_errors=True)
        raise


_OF_MACHINE = ("device", "context_tokens")  # settings that another preset keeps
_SIZES = ("light", "standard", "thorough")  # presets from the least training to the most
# Reasons of a rejection after which more training may help; after the others it was too much, or the data are wrong.
_UNDERTRAINED = frozenset(("shipped_worse", "ends_seldom_yet", "looping_yet", "not_japanese_yet"))


def advised_preset(reasons: Collection[str], preset: str) -> str:
    """Return the preset with which to repeat a rejected run; "" if only other or more rows can help.

    `reasons`: the codes that led to the rejection (`app.training.quality_gate`). `preset`: that of the run.
    """
    if preset not in _SIZES:
        return "standard"
    place = _SIZES.index(preset) + (1 if _UNDERTRAINED.issuperset(reasons) else -1)
    return _SIZES[place] if 0 <= place < len(_SIZES) else ""


def repeat_with(where: Paths, run: TrainingRunFolder, models: Collection[LocalModel], *, preset: str) -> TrainingDraft:
    """Create a draft as `repeat_run` does, with a preset's own settings; with "" those of the run. Raises AppError."""
    made = repeat_run(where, run, models)
    if not preset:
        return made
    fixed = {name: value for name, value in made.settings.items() if name in _OF_MACHINE}
    return drafts.save(where.drafts, dataclasses.replace(made, preset=preset, settings=fixed), time.time())


def continue_training(where: Paths, run: TrainingRunFolder, models: Collection[LocalModel]) -> TrainingDraft:
    """Create a draft without data that starts from a run's adapter.

    Raises AppError: run_damaged, run_no_adapter, run_adapter_unreadable, draft_unwritable, drive_space.
    """
    asked, folder = run.require_spec(), run.folder / run_folders.PEFT_ADAPTER
    if run.standing.state != "finished" or not folder.is_dir():
        raise AppError("run_no_adapter", id=run.id)
    start = dataclasses.replace(_start_of(folder), name=run.name)
    before = _begun_from(where, run)
    goal = before.goal if before is not None else USUAL_GOAL
    planned = dataclasses.replace(drafts.create(where.drafts, time.time()), goal=goal, start=start)
    return drafts.save(where.drafts, _with_settings(planned, asked, models), time.time())


def _start_of(folder: Path) -> StartingPoint:
    try:
        found = adapter.read(folder)
    except AdapterError as error:
        raise AppError("run_adapter_unreadable", path=str(folder), reason=str(error)) from error
    return StartingPoint(str(folder), found.name, found.rank, found.alpha)


def _with_settings(draft: TrainingDraft, requested: RunSpec, models: Collection[LocalModel]) -> TrainingDraft:
    chosen = {
        field.name: getattr(requested, field.name)
        for field in dataclasses.fields(RunSpec)
        if field.name not in _NOT_SETTINGS and getattr(requested, field.name) != field.default
    }
    if "samples" in chosen:
        chosen["samples"] = list(chosen["samples"])
    settings = {name: value for name, value in chosen.items() if draft.start is None or name not in _FIXED_SETTINGS}
    base = next((model.id for model in models if model.path == requested.base), requested.base)
    return dataclasses.replace(draft, name=requested.name, base=base, preset=requested.preset, settings=settings)


def _begun_from(where: Paths, run: TrainingRunFolder) -> TrainingDraft | None:
    """Return the draft from which the run was started; None if the draft is gone."""
    return next((draft for draft in drafts.list_all(where.drafts) if Path(draft.run).name == run.id), None)


# ------------------------------------------------------------------------- data


def _manifest(source: Path, requested: RunSpec) -> SplitManifest | None:
    """Return the manifest of the split on which the run was trained; None if its data are not a split.

    Raises AppError: run_data_missing, split_changed, split_unusable.
    """
    if not (source / split_record.MANIFEST).is_file():
        if not Path(requested.train).is_file():
            raise AppError("run_data_missing", path=requested.train)
        return None
    found = split_record.verify_split(source)
    if found.hashes != tuple(map(requested.hashes.get, PARTS)):
        raise AppError("split_changed", path=str(source), file=split_record.MANIFEST)
    return found


def _with_rows(
    where: Paths,
    draft: TrainingDraft,
    before: TrainingDraft | None,
    run: TrainingRunFolder,
    source: Path,
    manifest: SplitManifest | None,
) -> tuple[DraftData, DraftSplit | None]:
    """Copy the run's split, and the rows from which it was made or, if they are gone, rows made from the split."""
    rows = drafts.free_folder(where.drafts, draft.id, drafts.ROWS)
    target = drafts.free_folder(where.drafts, draft.id, drafts.SPLIT)
    with drive_errors(where.drafts / draft.id, "draft_unwritable"):
        if before and before.data and before.frozen and manifest and _has_rows_of_split(before, manifest):
            file_permissions.copy_folder(Path(before.data.folder), rows)
            data = dataclasses.replace(before.data, folder=str(rows))
        else:
            curation.create(rows, [curation.CurationItem(row.line, row) for row in _rows(run.require_spec())])
            recorded, known = manifest.source if manifest else {}, lineage.lineage_of_run(run.folder)
            name, used = str(recorded.get("name") or Path(run.require_spec().train).name), len(Curation(rows).items)
            data = DraftData(name, 0, used, folder=str(rows), label=known.label or "", origins=known.origins)
        if manifest is None:
            return data, None
        file_permissions.copy_folder(source, target)
    return data, DraftSplit.of_manifest(target, data.revision, manifest)


def _has_rows_of_split(draft: TrainingDraft, manifest: SplitManifest) -> bool:
    """Return whether the draft still has the rows from which the split was made."""
    assert draft.data is not None
    assert draft.frozen is not None
    try:
        split_now = split_record.read_manifest(Path(draft.frozen.folder))
    except (OSError, ValueError):
        return False
    has_rows = (Path(draft.data.folder) / curation.ITEMS).is_file()
    return has_rows and draft.frozen.revision == draft.data.revision and split_now.files == manifest.files


def _rows(requested: RunSpec) -> list[TrainingRow]:
    """Return the rows of all parts, numbered consecutively. Raises AppError as `import_file` does."""
    files = [getattr(requested, part) for part in PARTS if getattr(requested, part)]
    found = [row for file in files for row in file_import.import_file(Path(file)).rows]
    return [dataclasses.replace(row, line=number) for number, row in enumerate(found, start=1)]
