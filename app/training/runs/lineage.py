"""What a run was trained on, with all trainings before it: the label that its data had, and where they are from.

Data keep both in `split.json`, and a run keeps in its folder what was known when it was made. Rows that were never
split say it themselves, by their provenance.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.confidentiality import DEFAULT_LABEL, LABELS, Label
from app.base.files import strict_json
from app.base.files.input_file import lines_of
from app.base.files.output_file import drive_error, write_atomically
from app.documents import collection_lookup
from app.documents.collection_lookup import Origin
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training.data import rows
from app.training.data.rows import PARTS
from trainer.spec import RunSpec

LINEAGE_FILE = "lineage.json"  # in the folder of a run
_FOLDERS = 3  # above an adapter or a merged file, among which its run's is


@dataclass(frozen=True, slots=True)
class Lineage:
    """`label`: the highest that was known when it was made; None: nothing was."""

    label: Label | None = None
    origins: tuple[Origin, ...] = ()

    def label_now(self, documents: Path) -> Label:
        """By the documents' database of today; as of any document where nothing is known."""
        return collection_lookup.label_of_origins(documents, self.origins, self.label or DEFAULT_LABEL)

    def joined(self, *others: "Lineage") -> "Lineage":
        known = [one.label for one in (self, *others) if one.label is not None]
        origins = {origin for one in (self, *others) for origin in one.origins}
        return Lineage(confidentiality.highest_label(known) if known else None, tuple(sorted(origins)))

    def as_json(self) -> dict[str, Any]:
        """Return what `of_json` reads; nothing where nothing is known."""
        found: dict[str, Any] = {"label": self.label} if self.label else {}
        return found | ({"origins": [list(one) for one in self.origins]} if self.origins else {})


def lineage_from_json(told: Any) -> Lineage:
    """Read what `as_json` has written. A label or an origin that cannot be understood counts as the highest."""
    return Lineage(*rows.parse_label_and_origins(told))


def lineage_of_data(folder: Path) -> Lineage:
    """Read the record of a split. Nothing is known where there is none, or it says nothing of it; one that is damaged
    may have said anything."""
    manifest = folder / rows.MANIFEST
    return _of_manifest(manifest, *_version(manifest))


def lineage_of_model(model: LocalModel) -> Lineage:
    """Look at the record of a model of the list and at its files, which may lie in the folder of a run or have a note
    beside them."""
    own, tuned = Lineage(), model.tuned
    if tuned is not None:
        own = Lineage(confidentiality.label_from(tuned.label) if tuned.label else None, tuned.origins)
    places = (model.path, model.adapter) if model.remote is None else ()
    return own.joined(*(lineage_of_adapter(Path(place)) for place in places if place))


def label_of_model(documents: Path, model: LocalModel) -> Label:
    """Return what a model of the list has learned, as it is labelled now; the lowest where nothing is known."""
    found = lineage_of_model(model)
    return collection_lookup.label_of_origins(documents, found.origins, found.label or LABELS[0])


def answer_details(model: LocalModel) -> Mapping[str, Any]:
    """Return what an answer of the model keeps of that: fields of AnswerDetails."""
    found = lineage_of_model(model)
    if found == Lineage():
        return {}
    names = tuple(dict.fromkeys(name for name, _document in found.origins))
    return {"model_label": found.label or DEFAULT_LABEL, "learned": names}


def label_of_file(documents: Path, place: Path) -> Label:
    """Return the label by `of_adapter`; the lowest where nothing is known."""
    found = lineage_of_adapter(place)
    return collection_lookup.label_of_origins(documents, found.origins, found.label or LABELS[0])


def lineage_of_spec(asked: RunSpec) -> Lineage:
    """Look through the data of a run, the adapter that it goes on from, and a base that is a merged file."""
    return _of_spec(asked, set())


def lineage_of_run(folder: Path) -> Lineage:
    """Look at what a run knew when it was made, and through its data, where they still are."""
    return _of_adapter(folder / base_models.ADAPTER, set())


def lineage_of_adapter(place: Path) -> Lineage:
    """Look through the run in whose folder an adapter or a merged file is; nothing is known of others."""
    return _of_adapter(place, set())


def write_beside(adapter: Path, merged: Path) -> None:
    """Note beside a file what the adapter (its folder) was trained on that was merged into it.

    Raises AppError as `write_failure` does.
    """
    known = lineage_of_adapter(adapter).as_json()
    if known:
        try:
            write_atomically(_beside(merged), json.dumps(known, ensure_ascii=False).encode("utf-8", "replace"))
        except OSError as error:
            raise drive_error(error, merged.parent, "build_unwritable") from error


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.stem}.{LINEAGE_FILE}")


def _of_spec(asked: RunSpec, seen: set[Path]) -> Lineage:
    files = [Path(getattr(asked, part)) for part in PARTS if getattr(asked, part)]
    known = {folder: lineage_of_data(folder) for folder in {file.parent for file in files}}
    found = [*known.values()]
    found += [_of_rows(file, *_version(file)) for file in files if known[file.parent] == Lineage()]
    found += [_of_adapter(Path(place), seen) for place in (asked.adapter, asked.base) if place]
    return Lineage().joined(*found)


def _of_adapter(place: Path, seen: set[Path]) -> Lineage:
    """`seen`: folders of runs that were looked into."""
    run = next((one for one in list(place.parents)[:_FOLDERS] if (one / base_models.SPEC).is_file()), None)
    if run is None:
        return _read_lineage(_beside(place))
    if run in seen:
        return Lineage()
    seen.add(run)
    kept = _read_lineage(run / LINEAGE_FILE)
    asked = base_models.read_spec(run / base_models.SPEC)
    return kept.joined(_of_spec(asked, seen)) if asked is not None else kept


def _read_lineage(file: Path) -> Lineage:
    try:
        return lineage_from_json(strict_json.load_file(file))
    except OSError:
        return Lineage()
    except ValueError:
        return Lineage(confidentiality.HIGHEST_LABEL)


def _version(file: Path) -> tuple[int, int]:
    """Return the time of its last change and its size, by which a file that was read before is known again."""
    try:
        status = file.stat()
    except OSError:
        return 0, -1
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=64)
def _of_manifest(file: Path, _modified_ns: int, _size_bytes: int) -> Lineage:
    return Lineage(*rows.read_label_and_origins(file.parent))


@functools.lru_cache(maxsize=64)
def _of_rows(file: Path, _modified_ns: int, _size_bytes: int) -> Lineage:
    """Return what the rows of a file say themselves. One that cannot be read may say anything."""
    try:
        rows = [strict_json.loads(line) for line in lines_of(file) if line.strip()]
    except FileNotFoundError:
        return Lineage()
    except (OSError, ValueError):
        return Lineage(confidentiality.HIGHEST_LABEL)
    said = [{key: row.get(key) for key in ("provenance", "label")} for row in rows if isinstance(row, dict)]
    return Lineage(confidentiality.label_of_rows_or_none(said), collection_lookup.origins_of_rows(said))
