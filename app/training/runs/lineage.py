"""Determine the data that a run was trained on, including earlier trainings: their label and their origins.

Data store both in `split.json`, and a run's folder stores what was known when the run was created. Rows that were never
split have both in their provenance.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from app.base import confidentiality
from app.base.confidentiality import DEFAULT_LABEL, LABELS, Label
from app.base.files import strict_json, work_folder
from app.base.files.input_file import lines_of
from app.base.files.output_file import drive_errors, write_atomically
from app.documents import collection_lookup
from app.documents.collection_lookup import Origin
from app.inference.local_model import LocalModel
from app.models import base_models

if TYPE_CHECKING:  # most models were not trained here, and need nothing of trainings
    from trainer.spec import RunSpec

LINEAGE_FILE = "lineage.json"  # name in a run's folder
_FOLDERS = 3  # how many parent folders of an adapter or merged file may be its run


class Lineage(Struct, frozen=True):
    """Label and origins of training data. `label`: the highest one when it was recorded; None if none was known."""

    label: Label | None = None
    origins: tuple[Origin, ...] = ()

    @classmethod
    def of_stored_label(cls, stored_label: str, origins: tuple[Origin, ...]) -> "Lineage":
        """Return the lineage for a stored label; "" if there is none."""
        return cls(confidentiality.label_from_word(stored_label), origins)

    def label_now(self, documents: Path, unknown: Label = DEFAULT_LABEL) -> Label:
        """Return the highest of the recorded label and the current labels of the origins.

        `documents`: path of the documents' database. `unknown`: the label to assume if none was recorded.
        """
        return collection_lookup.label_of_origins(documents, self.origins, self.label or unknown)

    def joined(self, *others: "Lineage") -> "Lineage":
        known = [one.label for one in (self, *others) if one.label is not None]
        origins = {origin for one in (self, *others) for origin in one.origins}
        return Lineage(confidentiality.highest_label(known) if known else None, tuple(sorted(origins)))

    def as_json(self) -> dict[str, Any]:
        """Return an object for `lineage_from_json`; {} if nothing is known."""
        found: dict[str, Any] = {"label": self.label} if self.label else {}
        return found | ({"origins": [list(one) for one in self.origins]} if self.origins else {})


def lineage_from_json(data: Any) -> Lineage:
    """Parse an object of `as_json`. An invalid label or origin gives the highest label."""
    from app.training.data import split_record

    return Lineage(*split_record.parse_label_and_origins(data))


def lineage_of_data(folder: Path) -> Lineage:
    """Return the lineage in a split's record; empty if there is no record, the highest label if it is damaged."""
    from app.training.data import split_record

    return _read_manifest(folder, work_folder.version_of(folder / split_record.MANIFEST))


def lineage_of_model(model: LocalModel) -> Lineage:
    """Return the lineage of a listed model, from its entry and from the run folders and notes next to its files."""
    own, tuned = Lineage(), model.tuned
    if tuned is not None:
        own = Lineage(confidentiality.label_from(tuned.label) if tuned.label else None, tuned.origins)
    places = (model.path, model.adapter) if model.remote is None else ()
    return own.joined(*(lineage_of_adapter(Path(place)) for place in places if place))


def label_of_model(documents: Path, model: LocalModel) -> Label:
    """Return the current label of a listed model's training data; the lowest label if nothing is known."""
    return lineage_of_model(model).label_now(documents, LABELS[0])


def answer_details(model: LocalModel) -> Mapping[str, Any]:
    """Return fields of AnswerDetails that record the model's lineage with an answer; {} if there is none."""
    found = lineage_of_model(model)
    if found == Lineage():
        return {}
    names = tuple(dict.fromkeys(name for name, _document in found.origins))
    return {"model_label": found.label or DEFAULT_LABEL, "learned": names}


def label_of_file(documents: Path, path: Path) -> Label:
    """Return the current label of an adapter's or merged file's training data; the lowest if nothing is known."""
    return lineage_of_adapter(path).label_now(documents, LABELS[0])


def lineage_of_spec(requested: "RunSpec", seen_folders: set[Path] | None = None) -> Lineage:
    """Return the lineage of a run's data, of the adapter from which it starts, and of a base that is a merged file.

    `seen_folders`: run folders that were already read, to avoid cycles.
    """
    from app.training.data.rows import PARTS

    files = [Path(getattr(requested, part)) for part in PARTS if getattr(requested, part)]
    known = {folder: lineage_of_data(folder) for folder in {file.parent for file in files}}
    found = [*known.values()]
    found += [_of_rows(file, work_folder.version_of(file)) for file in files if known[file.parent] == Lineage()]
    seen_folders = set() if seen_folders is None else seen_folders
    found += [lineage_of_adapter(Path(place), seen_folders) for place in (requested.adapter, requested.base) if place]
    return Lineage().joined(*found)


def lineage_of_run(folder: Path) -> Lineage:
    """Return the lineage recorded when a run was created, joined with that of its data if they still exist."""
    return lineage_of_adapter(folder / base_models.ADAPTER)


def lineage_of_adapter(path: Path, seen_folders: set[Path] | None = None) -> Lineage:
    """Return the lineage of an adapter or merged file from its run's folder, the note next to it or the record in it.

    `seen_folders`: run folders that were already read, to avoid cycles.
    """
    run = next((parent for parent in list(path.parents)[:_FOLDERS] if (parent / base_models.SPEC).is_file()), None)
    if run is None and path.is_dir():
        from trainer import adapter

        return _read_lineage(_note_path(path)).joined(_read_lineage(path / adapter.RECORD))
    if run is None:
        return _read_lineage(_note_path(path))
    seen_folders = set() if seen_folders is None else seen_folders
    if run in seen_folders:
        return Lineage()
    seen_folders.add(run)
    kept = _read_lineage(run / LINEAGE_FILE)
    asked = base_models.read_spec(run / base_models.SPEC)
    return kept.joined(lineage_of_spec(asked, seen_folders)) if asked is not None else kept


def write_lineage_note(adapter: Path, merged: Path) -> None:
    """Write a note next to the file `merged` with the lineage of the adapter (a folder) that was merged into it.

    Raises AppError as `drive_error` does.
    """
    known = lineage_of_adapter(adapter).as_json()
    if known:
        with drive_errors(merged.parent, "build_unwritable"):
            write_atomically(_note_path(merged), json.dumps(known, ensure_ascii=False).encode("utf-8", "replace"))


def _note_path(file: Path) -> Path:
    return file.with_name(f"{file.stem}.{LINEAGE_FILE}")


def _read_lineage(file: Path) -> Lineage:
    try:
        return lineage_from_json(strict_json.load_file(file))
    except OSError:
        return Lineage()
    except ValueError:
        return Lineage(confidentiality.HIGHEST_LABEL)


@functools.lru_cache(maxsize=64)
def _read_manifest(folder: Path, _version: tuple[int, int]) -> Lineage:
    from app.training.data import split_record

    return Lineage(*split_record.read_label_and_origins(folder))


@functools.lru_cache(maxsize=64)
def _of_rows(file: Path, _version: tuple[int, int]) -> Lineage:
    """Return the lineage in the rows of a file; the highest label if the file is unreadable."""
    try:
        rows = [strict_json.loads(line) for line in lines_of(file) if line.strip()]
    except FileNotFoundError:
        return Lineage()
    except (OSError, ValueError):
        return Lineage(confidentiality.HIGHEST_LABEL)
    fields = [{key: row.get(key) for key in ("provenance", "label")} for row in rows if isinstance(row, dict)]
    return Lineage(confidentiality.label_of_rows_or_none(fields), collection_lookup.origins_of_rows(fields))
