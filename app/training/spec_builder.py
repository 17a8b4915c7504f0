"""From what a person writes down (SPEC, or a few options) to a `RunSpec` that `trainer` takes.

SPEC is a JSON object with the fields of `RunSpec`, all optional but `base` and the data. It may come from anybody, so
that it names no place where something is written and no program: those are this machine's own settings. `base` may also
be a model of the list; `data`, a folder made by `kotae data split`, stands for `train`, `validation` and `holdout` with
their hashes; `adapter` may also be a run that has finished. Relative paths start at SPEC's own folder.
"""

import contextlib
import dataclasses
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import input_file, strict_json, work_folder
from app.base.files.input_file import NotPlainError, open_plain
from app.base.paths import Paths
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training import training_errors
from app.training.data.rows import MANIFEST, PARTS
from app.training.runs import run_folders
from trainer import adapter, spec
from trainer.events import RunError
from trainer.spec import RunSpec, SpecError

_PATHS = (*PARTS, "data")
_TEXTS = (*_PATHS, "base", "adapter", "name")
_MAX_BYTES = 1 << 20
_ADAPTER_BYTES = 1 << 34  # of a file of an adapter

SpecFields = Mapping[str, Any]  # the fields of a SPEC, its paths absolute


def read_spec_file(path: Path) -> dict[str, Any]:
    """What a SPEC says. Raises AppError: spec_not_found, spec_not_utf8, spec_unreadable, spec_place_refused,
    spec_invalid."""
    shown = str(path).encode("utf-8", "replace").decode()
    try:
        path = path.expanduser().absolute()
        said = strict_json.parse_object(strict_json.read_bytes(path, _MAX_BYTES))
        _check_texts(said)
        absolute = {name: str(path.parent / Path(said[name]).expanduser()) for name in _PATHS if said.get(name)}
    except SpecError as error:
        raise training_errors.error_from_spec(error) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise training_errors.error_from_file(shown, error) from error
    for name in ("base", "adapter"):
        found = base_models.existing_path(said.get(name) or "", path.parent)
        absolute |= {name: str(found)} if found else {}
    return said | absolute


def build_spec(wishes: SpecFields, where: Paths, models: Collection[LocalModel], converter: str) -> RunSpec:
    """A whole spec; nothing is written. `converter`: the folder of llama.cpp's converter, "" for no GGUF.

    Raises AppError: spec_*, base_*, split_*, run_data_missing, run_adapter_*, run_unknown, run_ambiguous,
    run_no_adapter, and what a damaged model gives.
    """
    said = {name: value for name, value in wishes.items() if value not in (None, "")}
    try:
        _check_texts(said)
        _check_values(said)
        if "base" not in said:
            raise SpecError("base", None, "a value")
        files = _files(said)
        base = base_models.resolve_base(said["base"], models)
        if "form" not in said:
            base_models.require_form(base)
        name = said.get("name") or Path(said.get("data") or said["train"]).stem
        made: dict[str, Any] = {
            "folder": str(work_folder.timestamped_path(where.runs, name, time.time())),
            "name": name,
            "bases": str(where.bases),
            "base_sha256": base.sha256,
            "form": dataclasses.asdict(base.form) if base.form else None,
            "converter": converter,
        }
        decided = {"base": str(base.path), "hashes": {part: sha256 for part, (_, sha256) in files.items()}}
        if "adapter" in said:
            decided["adapter"] = str(_adapter(said["adapter"], where.runs))
        paths = {part: str(path) for part, (path, _) in files.items()}
        asked = spec.from_json(made | {key: said[key] for key in said if key != "data"} | decided | paths)
        return adapter.with_adapter_settings(asked)
    except SpecError as error:
        raise training_errors.error_from_spec(error) from error
    except RunError as error:
        raise training_errors.error_from_run(error.code, error.facts, name) from error


def _adapter(wanted: str, where: Path) -> Path:
    """The folder of an adapter, or that of a run by id or name. Raises AppError as `runs.find`, run_no_adapter;
    run_adapter_unreadable where its files, which go into the run and its job, are links to something else."""
    folder = base_models.existing_path(wanted)
    if folder is not None and (folder / adapter.CONFIG).is_file():
        try:
            for name in adapter.FILES if where not in folder.parents else ():
                with contextlib.suppress(FileNotFoundError):
                    open_plain(folder / name, _ADAPTER_BYTES).close()
        except NotPlainError as error:
            reason = phrase(f"common.refused_{error.kind}")
            raise AppError("run_adapter_unreadable", path=str(error.path), reason=reason) from error
        except OSError as error:
            raise AppError("run_adapter_unreadable", path=str(folder), reason=error.strerror or str(error)) from error
        return folder
    run = run_folders.find(where, wanted)
    run_folders.require_here(run)
    if not (run.folder / run_folders.PEFT_ADAPTER).is_dir():
        raise AppError("run_no_adapter", id=run.id)
    return run.folder / run_folders.PEFT_ADAPTER


def _check_texts(said: SpecFields) -> None:
    """Raises SpecError for what no path and no database could carry, and for places of this machine."""
    for name in training_errors.MACHINE_FIELDS:
        if said.get(name) not in (None, ""):
            raise SpecError(name, said[name], training_errors.OF_THIS_MACHINE)
    for name in _TEXTS:
        value = said.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or "\0" in value or value != value.encode("utf-8", "replace").decode():
            raise SpecError(name, value, "a path" if name in _PATHS else "a text")


def _check_values(said: SpecFields) -> None:
    """Before anything is read: a wrong field would otherwise be told after gigabytes were hashed. Raises SpecError."""
    placed = dict.fromkeys(("folder", "base", "train", "validation"), "-")
    spec.from_json(placed | {name: value for name, value in said.items() if name != "data"})
    hashes = said.get("hashes", {})
    if not isinstance(hashes, dict) or not all(isinstance(value, str) for value in hashes.values()):
        raise SpecError("hashes", hashes, "an object")


def _files(said: SpecFields) -> dict[str, tuple[Path, str]]:
    """Part -> file and its hash. Raises SpecError, AppError: spec_data_twice, run_data_missing, split_*."""
    given = [part for part in PARTS if part in said]
    if "data" not in said:
        if "train" not in said:
            raise SpecError("data", None, "a value")
        return {part: (Path(said[part]), said.get("hashes", {}).get(part) or _sha256(said[part])) for part in given}
    if given:
        raise AppError("spec_data_twice", field=given[0])
    from app.training.data import data_split  # numpy

    folder = Path(said["data"])
    for path in (folder / f"{part}.jsonl" for part in PARTS) if (folder / MANIFEST).is_file() else ():
        if not path.exists():
            raise AppError("run_data_missing", path=str(path))
    frozen = data_split.verify_split(folder)["files"]
    return {part: (folder / f"{part}.jsonl", frozen[part]["sha256"]) for part in PARTS}  # the files that were verified


def _sha256(path: str) -> str:
    try:
        return input_file.sha256_of(Path(path))
    except OSError as error:
        raise AppError("run_data_missing", path=path) from error
