"""Build a `RunSpec` for `trainer` from a SPEC file or from a few options.

A SPEC is a JSON object with the fields of `RunSpec`; all but `base` and the data are optional. It may come from a
stranger, so it must name neither a program nor a folder to write to: those are settings of this machine. `base` may
also be a model of the list; `data`, a folder made by `kotae data split`, replaces `train`, `validation` and `holdout`
with their hashes; `adapter` may also be a finished run. Relative paths start at the folder of the SPEC.
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
from app.training.data import split_record
from app.training.data.rows import PARTS
from app.training.runs import run_folders
from trainer import adapter, spec
from trainer.events import RunError
from trainer.spec import RunSpec, SpecError

_PATHS = (*PARTS, "data")
_TEXTS = (*_PATHS, "base", "adapter", "name")
_MAX_BYTES = 1 << 20
_ADAPTER_BYTES = 1 << 34  # limit for each file of an adapter

SpecFields = Mapping[str, Any]  # the fields of a SPEC, with absolute paths


def read_spec_file(path: Path) -> dict[str, Any]:
    """Return the fields of a SPEC file, with absolute paths.

    Raises AppError: spec_not_found, spec_not_utf8, spec_unreadable, spec_place_refused, spec_invalid.
    """
    shown = str(path).encode("utf-8", "replace").decode()
    try:
        path = path.expanduser().absolute()
        fields = strict_json.parse_object(strict_json.read_bytes(path, _MAX_BYTES))
        _check_texts(fields)
        absolute = {name: str(path.parent / Path(fields[name]).expanduser()) for name in _PATHS if fields.get(name)}
    except SpecError as error:
        raise training_errors.error_from_spec(error) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise training_errors.error_from_file(shown, error) from error
    for name in ("base", "adapter"):
        found = base_models.existing_path(fields.get(name) or "", path.parent)
        absolute |= {name: str(found)} if found else {}
    return fields | absolute


def build_spec(fields: SpecFields, where: Paths, models: Collection[LocalModel], converter: str) -> RunSpec:
    """Return a complete spec; write nothing. `converter`: the folder of llama.cpp's converter; "" for no GGUF.

    `models`: the model list. Raises AppError: spec_*, base_*, split_*, run_data_missing, run_adapter_*, run_unknown,
    run_ambiguous, run_no_adapter, and the errors for a damaged model.
    """
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    try:
        _check_texts(given)
        _check_values(given)
        if "base" not in given:
            raise SpecError("base", None, "a value")
        files = _part_files(given)
        base = base_models.resolve_base(given["base"], models)
        if "form" not in given:
            base_models.require_chat_template(base)
        name = given.get("name") or Path(given.get("data") or given["train"]).stem
        made: dict[str, Any] = {
            "folder": str(work_folder.timestamped_path(where.runs, name, time.time())),
            "name": name,
            "bases": str(where.bases),
            "base_sha256": base.sha256,
            "base_weights": base.weights,
            "form": dataclasses.asdict(base.form) if base.form else None,
            "converter": converter,
        }
        decided = {"base": str(base.path), "hashes": {part: sha256 for part, (_, sha256) in files.items()}}
        if "adapter" in given:
            decided["adapter"] = str(_adapter(given["adapter"], where.runs))
        paths = {part: str(path) for part, (path, _) in files.items()}
        asked = spec.from_json(made | {key: given[key] for key in given if key != "data"} | decided | paths)
        return adapter.with_adapter_settings(asked)
    except SpecError as error:
        raise training_errors.error_from_spec(error) from error
    except RunError as error:
        raise training_errors.error_from_run(error.code, error.facts, name) from error


def _adapter(reference: str, where: Path) -> Path:
    """Return the folder of an adapter.

    `reference`: its path, or the id or name of a run. `where`: the folder of all runs.

    Raises AppError as `run_folders.find` does; run_no_adapter; run_adapter_unreadable if one of its files is not a
    plain file, because the files are copied into the run and its job.
    """
    folder = base_models.existing_path(reference)
    if folder is not None and (folder / adapter.CONFIG).is_file():
        try:
            for name in adapter.FILES if where not in folder.parents else ():
                with contextlib.suppress(FileNotFoundError):
                    open_plain(folder / name, _ADAPTER_BYTES).close()
        except NotPlainError as error:
            reason = phrase(f"common.refused.{error.kind}")
            raise AppError("run_adapter_unreadable", path=str(error.path), reason=reason) from error
        except OSError as error:
            raise AppError("run_adapter_unreadable", path=str(folder), reason=error.strerror or str(error)) from error
        return folder
    run = run_folders.find(where, reference)
    run_folders.require_here(run)
    if not (run.folder / run_folders.PEFT_ADAPTER).is_dir():
        raise AppError("run_no_adapter", id=run.id)
    return run.folder / run_folders.PEFT_ADAPTER


def _check_texts(fields: SpecFields) -> None:
    """Raise SpecError for a path that is not a valid text, or if a field of this machine (MACHINE_FIELDS) is set."""
    for name in training_errors.MACHINE_FIELDS:
        if fields.get(name) not in (None, ""):
            raise SpecError(name, fields[name], training_errors.OF_THIS_MACHINE)
    for name in _TEXTS:
        value = fields.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or "\0" in value or value != value.encode("utf-8", "replace").decode():
            raise SpecError(name, value, "a path" if name in _PATHS else "a text")


def _check_values(fields: SpecFields) -> None:
    """Raise SpecError for invalid values, before large files are hashed."""
    placed = dict.fromkeys(("folder", "base", "train", "validation"), "-")
    spec.from_json(placed | {name: value for name, value in fields.items() if name != "data"})
    hashes = fields.get("hashes", {})
    if not isinstance(hashes, dict) or not all(isinstance(value, str) for value in hashes.values()):
        raise SpecError("hashes", hashes, "an object")


def _part_files(fields: SpecFields) -> dict[str, tuple[Path, str]]:
    """Return the file and hash of each part.

    Raises SpecError; AppError: spec_data_twice, run_data_missing, split_*.
    """
    given = [part for part in PARTS if part in fields]
    if "data" not in fields:
        if "train" not in fields:
            raise SpecError("data", None, "a value")
        return {
            part: (Path(fields[part]), fields.get("hashes", {}).get(part) or _sha256(fields[part])) for part in given
        }
    if given:
        raise AppError("spec_data_twice", field=given[0])
    folder = Path(fields["data"])
    for path in (folder / f"{part}.jsonl" for part in PARTS) if (folder / split_record.MANIFEST).is_file() else ():
        if not path.exists():
            raise AppError("run_data_missing", path=str(path))
    hashes = split_record.verify_split(folder).hashes
    return {part: (folder / f"{part}.jsonl", sha256) for part, sha256 in zip(PARTS, hashes, strict=True)}


def _sha256(path: str) -> str:
    try:
        return input_file.sha256_of(Path(path))
    except OSError as error:
        raise AppError("run_data_missing", path=path) from error
