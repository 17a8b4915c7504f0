"""Split rows into training, validation and hold-out so that training gives away nothing of the hold-out.

These rows stay together: rows of one `group`, with the same question, with the same answer and, while `keeps_alike` is
set, near-duplicates; without it, validation may hold rows that resemble training rows. All order comes from the seed
and the row ids, so that the same rows give the same split in whatever order they are read.

The leakage report measures what the training rows give away of the hold-out and the validation rows; a written split is
verified and summarized from its `split.json`. The file is long because the split, its report and its record share one
vocabulary.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import secrets
import shutil
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import sha256_of
from app.base.files.output_file import export_error, sync_folder
from app.training.data import duplicates, rows
from app.training.data.duplicates import DEFAULT_MEASURE, SimilarityMeasure
from app.training.data.rows import MANIFEST, PARTS, TrainingRow

SPLIT_VERSION = 1
REMOVAL_REASONS = ("same", "near_holdout")

LEAST_ROWS = 10  # of fewer rows, a part would be a single row
LEAST_SHARE, MOST_SHARE = 0.01, 0.4
_SHARE = 0.1
_LEAST, _MOST_HOLDOUT, _MOST_VALIDATION = 20, 400, 200  # rows of a part without a given share


@dataclass(frozen=True, slots=True)
class SplitSettings:
    seed: int = 0
    holdout: float | None = None  # share of all rows, LEAST_SHARE to MOST_SHARE; None: a tenth, 20 to 400 rows
    validation: float | None = None  # the same; None: a tenth, 20 to 200 rows
    measure: SimilarityMeasure = DEFAULT_MEASURE  # decides which rows are near-duplicates
    # True: near-duplicates stay together. False: training and validation rows that resemble a held-out row are removed,
    # as in the paper, whose threshold is so low that nearly all rows would stay together.
    keeps_alike: bool = True


PAPER = SplitSettings(measure=duplicates.PAPER_MEASURE, keeps_alike=False)


@dataclass(frozen=True, slots=True)
class RowRemoval:
    """A row that the split removed. `reason`: one of REMOVAL_REASONS. `other`: the row that is kept instead."""

    row: TrainingRow
    reason: str
    other: TrainingRow
    similarity: float

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.row.id,
            "line": self.row.line,
            "reason": self.reason,
            "other_id": self.other.id,
            "other_line": self.other.line,
            "similarity": round(self.similarity, 4),
        }


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a split, each in the order that the seed gives: the first rows of `train` are a random subset."""

    settings: SplitSettings
    train: tuple[TrainingRow, ...]
    validation: tuple[TrainingRow, ...]
    holdout: tuple[TrainingRow, ...]
    removed: tuple[RowRemoval, ...]  # by line

    def part(self, name: str) -> tuple[TrainingRow, ...]:
        return {"train": self.train, "validation": self.validation, "holdout": self.holdout}[name]


def split_rows(
    rows: Sequence[TrainingRow], settings: SplitSettings = SplitSettings(), known: Collection[str] = ()
) -> Split:
    """Split the rows. `known`: ids of rows that the adapter to be trained further was trained on.

    Known rows, and the rows that belong to them, are only trained on, because they would measure nothing.

    Raises AppError("split_too_few" | "split_few_groups" | "split_all_known").
    """
    kept, same = _without_duplicates(rows)
    if len(kept) < LEAST_ROWS:
        raise AppError("split_too_few", rows=len(kept), least=LEAST_ROWS)
    kept.sort(key=lambda row: _order(settings.seed, row.id))
    holdout_rows, validation_rows = _sizes(len(kept), settings)
    measure = settings.measure
    near = duplicates.near_duplicates(kept, measure.threshold, measure.n, measure.part)
    answers, _ = duplicates.same_answers(kept)
    alike = [(one, other) for one, other, _ in near] if settings.keeps_alike else []
    parts = _parts(kept, same, [*alike, *answers], holdout_rows)
    parts.sort(key=lambda part: _order(settings.seed, "part", min(kept[place].id for place in part)))
    most = math.ceil(len(kept) / 3)
    old, parts = _separate_known(parts, {place for place, row in enumerate(kept) if known and row.id in known})
    holdout = _take_parts(parts, holdout_rows, most)
    like = _near_holdout(near, holdout)
    validation = _take_parts(parts, validation_rows, most) - like.keys()
    train = {place for part in (*parts, *old) for place in part} - like.keys()
    if old and not (holdout and validation):
        raise AppError("split_all_known", rows=len(kept) - sum(map(len, old)))
    if not (holdout and validation and train):
        raise AppError("split_few_groups", rows=len(kept))
    removed = [
        RowRemoval(kept[place], "near_holdout", kept[other], similarity) for place, (other, similarity) in like.items()
    ]

    def rows_at(places: set[int]) -> tuple[TrainingRow, ...]:
        return tuple(kept[place] for place in sorted(places))

    gone = tuple(sorted([*same, *removed], key=lambda one: one.row.line))
    return Split(settings, rows_at(train), rows_at(validation), rows_at(holdout), gone)


def _separate_known(parts: list[list[int]], places: set[int]) -> tuple[list[list[int]], list[list[int]]]:
    """Return the parts that contain one of the places, and the other parts."""
    old = [not places.isdisjoint(part) for part in parts]
    return [part for part, is_old in zip(parts, old, strict=True) if is_old], [
        part for part, is_old in zip(parts, old, strict=True) if not is_old
    ]


def _without_duplicates(rows: Sequence[TrainingRow]) -> tuple[list[TrainingRow], list[RowRemoval]]:
    """Return the rows without exact duplicates, of which the first stays, and the removals."""
    same = [
        RowRemoval(rows[place], "same", rows[places[0]], 1.0)
        for places in duplicates.exact_duplicates(rows)
        for place in places[1:]
    ]
    gone = {id(one.row) for one in same}
    return [row for row in rows if id(row) not in gone], same


def _order(seed: int, *names: str) -> str:
    """Return a sort key that replaces a random number: the same in every version of Python."""
    return hashlib.sha256("\0".join((str(seed), *names)).encode()).hexdigest()


def _sizes(rows: int, settings: SplitSettings) -> tuple[int, int]:
    """Return the number of hold-out and validation rows."""

    def size(share: float | None, most: int) -> int:
        if share is not None:
            return max(1, round(rows * share))
        return min(max(round(rows * _SHARE), _LEAST), most, rows // 4)

    return size(settings.holdout, _MOST_HOLDOUT), size(settings.validation, _MOST_VALIDATION)


def _parts(
    rows: Sequence[TrainingRow], same: Sequence[RowRemoval], alike: Iterable[tuple[int, int]], holdout_rows: int
) -> list[list[int]]:
    """Return groups of row indices that must stay together.

    A question that occurs in more rows than the hold-out holds is an instruction whose matter is elsewhere; it joins no
    rows.
    """
    groups: dict[str, int] = {}
    leader = list(range(len(rows)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = place = leader[leader[place]]
        return place

    def join(one: int, other: int) -> None:
        leader[find(other)] = find(one)

    twins: dict[str, list[str]] = {}  # a row also belongs to the groups of its removed duplicates
    for one in same:
        twins.setdefault(one.other.id, []).append(one.row.group)
    for place, row in enumerate(rows):
        for group in filter(None, (row.group, *twins.get(row.id, ()))):
            join(groups.setdefault(group, place), place)
    for places in duplicates.repeated_questions(rows):
        for place in places if len(places) <= holdout_rows else ():
            join(places[0], place)
    for first, second in alike:
        join(first, second)
    parts: dict[int, list[int]] = {}
    for place in range(len(rows)):
        parts.setdefault(find(place), []).append(place)
    return list(parts.values())


def _take_parts(parts: list[list[int]], wanted: int, most: int) -> set[int]:
    """Remove whole parts from the list until `wanted` rows are taken, and return their indices.

    If large parts leave it below half of that, the smallest parts are taken too, up to `most` rows.
    """
    taken: set[int] = set()
    for part in list(parts):
        if len(taken) + len(part) <= wanted:
            taken.update(part)
            parts.remove(part)
    for part in sorted(parts, key=len):
        if 2 * len(taken) < wanted and len(taken) + len(part) <= most:
            taken.update(part)
            parts.remove(part)
    return taken


def _near_holdout(near: Iterable[duplicates.Pair], holdout: set[int]) -> dict[int, tuple[int, float]]:
    """Return the rows outside the hold-out that resemble a row in it, with the most similar one and the similarity."""
    found: dict[int, tuple[int, float]] = {}
    for one, other, similarity in near:
        for inside, outside in ((one, other), (other, one)):
            if inside in holdout and outside not in holdout and similarity > found.get(outside, (0, 0.0))[1]:
                found[outside] = (inside, similarity)
    return found


# ------------------------------------------------------------------ the folder


def write_split(split: Split, folder: Path, source: dict[str, Any], leakage: dict[str, Any]) -> dict[str, Any]:
    """Create `folder` with a file for each part and `split.json`, completely or not at all, and return the latter.

    `source` and `leakage` are written unchanged. Nothing depends on the time, so that the same rows and settings give
    the same bytes. Raises AppError("split_exists") if the folder holds anything, and as `export_error` does.
    """
    folder = folder.absolute()
    require_free_folder(folder)
    temporary = folder.with_name(f".kotae-{secrets.token_hex(8)}.tmp")
    try:
        temporary.mkdir(parents=True)
        manifest = _written(split, temporary, source, leakage)
        if folder.exists():
            folder.rmdir()  # Windows cannot rename to an existing name
        temporary.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise export_error(error, folder) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return manifest


def require_free_folder(folder: Path) -> None:
    """Check that `folder` is missing or empty.

    Raises AppError("split_exists" | "export_not_folder" | "export_forbidden").
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise AppError("export_not_folder", path=str(folder))
        if folder.is_dir() and any(folder.iterdir()):
            raise AppError("split_exists", path=str(folder))
    except OSError as error:
        raise export_error(error, folder / MANIFEST) from error


def _written(split: Split, folder: Path, source: dict[str, Any], leakage: dict[str, Any]) -> dict[str, Any]:
    files = {}
    for name in PARTS:
        rows = split.part(name)
        raw = "".join(json.dumps(row.as_json(), ensure_ascii=False) + "\n" for row in rows).encode()
        _put(folder / f"{name}.jsonl", raw)
        files[name] = {"file": f"{name}.jsonl", "rows": len(rows), "sha256": hashlib.sha256(raw).hexdigest()}
    manifest = {
        "version": SPLIT_VERSION,
        "seed": split.settings.seed,
        "source": source,
        "files": files,
        "settings": dataclasses.asdict(split.settings),
        "removed": [one.as_json() for one in split.removed],
        "leakage": leakage,
    }
    _put(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    return manifest


def _put(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def verify_split(folder: Path) -> dict[str, Any]:
    """Return the content of `split.json` if no part has changed; call it before training or evaluation.

    Raises AppError("split_unusable" | "split_changed" | "newer_data").
    """
    try:
        manifest = strict_json.load_file(folder / MANIFEST)
        hashes = {name: manifest["files"][name]["sha256"] for name in PARTS}
        if manifest["version"] > SPLIT_VERSION:
            raise AppError("newer_data")
    except OSError as error:
        raise AppError("split_unusable", path=str(folder)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AppError("split_changed", path=str(folder), file=MANIFEST) from error
    for name, sha256 in hashes.items():
        file = folder / f"{name}.jsonl"
        with contextlib.suppress(OSError):
            if sha256_of(file) == sha256:
                continue
        raise AppError("split_changed", path=str(folder), file=file.name)
    found: dict[str, Any] = manifest
    return found


SIMILARITY_BINS = 10


@dataclass(frozen=True, slots=True)
class NearestRow:
    """A held-out or validation row and the training row that is most similar to it."""

    row: TrainingRow
    train: TrainingRow
    similarity: float  # 0 to 1, by the split's measure


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """What the training rows of a split give away of its held-out rows."""

    nearest: tuple[NearestRow, ...]  # for each held-out row, in its order
    histogram: tuple[int, ...]  # held-out rows whose highest similarity is 0 to under 0.1, …, 0.9 to 1
    near: int  # held-out rows with a near-duplicate in training: 0 in a sound split
    near_validation: int  # the same for validation; may be above 0 without `keeps_alike`
    shared_groups: tuple[str, ...]  # groups in more than one part: none in a sound split
    known: tuple[
        tuple[TrainingRow, TrainingRow], ...
    ]  # a held-out row and a training row with its answer: none in a sound split
    compared: int  # held-out rows whose answers were compared (see `duplicates.same_answers`)

    @property
    def is_sound(self) -> bool:
        """Return whether nothing of the hold-out leaked. Leaks into validation only make its losses look better."""
        return not (self.near or self.known or self.shared_groups)

    def as_json(self) -> dict[str, Any]:
        return {
            "near": self.near,
            "near_validation": self.near_validation,
            "answers_compared": self.compared,
            "answers_known": [{"id": row.id, "train_id": train.id} for row, train in self.known],
            "shared_groups": list(self.shared_groups),
            "most_similar": max(one.similarity for one in self.nearest),
            "histogram": list(self.histogram),
            "nearest": [
                {"id": one.row.id, "train_id": one.train.id, "similarity": round(one.similarity, 4)}
                for one in self.nearest
            ],
        }


def report_leakage(split: Split) -> LeakageReport:
    asked, measure = (*split.holdout, *split.validation), split.settings.measure
    rows = [*asked, *split.train]
    found = duplicates.nearest_rows(rows, range(len(asked)), range(len(asked), len(rows)), measure)
    every = [NearestRow(row, rows[place], similarity) for row, (place, similarity) in zip(asked, found, strict=True)]
    held = len(split.holdout)
    nearest, validation = tuple(every[:held]), every[held:]
    pairs, compared = duplicates.same_answers(rows)
    known = {place: other for place, other in pairs if place < held and other >= len(asked)}
    return LeakageReport(
        nearest=nearest,
        histogram=tuple(sum(_bin(one.similarity) == at for one in nearest) for at in range(SIMILARITY_BINS)),
        near=sum(one.similarity >= measure.threshold for one in nearest),
        near_validation=sum(one.similarity >= measure.threshold for one in validation),
        shared_groups=_shared_groups(split),
        known=tuple((rows[place], rows[other]) for place, other in known.items()),
        compared=sum(place < held for place in compared),
    )


def _bin(similarity: float) -> int:
    return min(SIMILARITY_BINS - 1, int(similarity * SIMILARITY_BINS + 1e-9))


def _shared_groups(split: Split) -> tuple[str, ...]:
    parts = (split.train, split.validation, split.holdout)
    counted = Counter(group for rows in parts for group in {row.group for row in rows} if group)
    return tuple(sorted(group for group, parts_with in counted.items() if parts_with > 1))


LEAKING_MOST = 20  # lines reported


@dataclass(frozen=True, slots=True)
class RemovedRow:
    """A row that the split removed. `reason`: one of REMOVAL_REASONS; `other_line`: of the row that is kept instead."""

    line: int
    reason: str
    other_line: int
    similarity: float


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """The figures of a written split.

    `near`, `known`, `shared_groups`: for the hold-out; 0 or empty in a sound split (`LeakageReport`). `median`, `most`:
    of the similarities between each held-out row and its nearest training row, 0 to 1.
    """

    seed: int
    counts: Mapping[str, int]  # by PARTS
    sha256: str  # of the hold-out
    near: int
    known: int
    compared: int
    shared_groups: tuple[str, ...]
    near_validation: int
    threshold: float
    median: float
    most: float
    removed: tuple[RemovedRow, ...]
    leaking_ids: tuple[str, ...]  # of held-out rows that training gives away

    @property
    def is_sound(self) -> bool:
        return not (self.near or self.known or self.shared_groups)


def read_split(folder: Path) -> SplitSummary:
    """Return the summary of an unchanged split. Raises AppError as `verify_split` does."""
    manifest = verify_split(folder)
    try:
        return _summary_of(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AppError("split_changed", path=str(folder), file=rows.MANIFEST) from error


def leaking_lines(found: SplitSummary, rows: Iterable[TrainingRow]) -> list[int]:
    """Return the lines of held-out rows that training gives away, at most LEAKING_MOST.

    `rows`: the rows that were split.
    """
    wanted = set(found.leaking_ids)
    return [row.line for row in rows if wanted and row.id in wanted][:LEAKING_MOST]


def _summary_of(manifest: Mapping[str, Any]) -> SplitSummary:
    files, leakage = manifest["files"], manifest["leakage"]
    threshold = SimilarityMeasure(**manifest["settings"]["measure"]).threshold
    similarities = [one["similarity"] for one in leakage["nearest"]]
    near = [one["id"] for one in leakage["nearest"] if one["similarity"] >= threshold]
    return SplitSummary(
        seed=manifest["seed"],
        counts={name: files[name]["rows"] for name in PARTS},
        sha256=files["holdout"]["sha256"],
        near=leakage["near"],
        known=len(leakage["answers_known"]),
        compared=leakage["answers_compared"],
        shared_groups=tuple(leakage["shared_groups"]),
        near_validation=leakage["near_validation"],
        threshold=threshold,
        median=statistics.median(similarities),
        most=max(similarities),
        removed=tuple(
            RemovedRow(one["line"], one["reason"], one["other_line"], one["similarity"]) for one in manifest["removed"]
        ),
        leaking_ids=(*near, *(one["id"] for one in leakage["answers_known"])),
    )
