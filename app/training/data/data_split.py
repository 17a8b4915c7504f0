"""Split rows into training, validation and hold-out so that training rows reveal nothing of the hold-out.

These rows stay together: rows of one `group`, rows with the same question or the same answer and, while `keeps_alike`
is true, near-duplicates; otherwise validation may hold rows that resemble training rows. The order depends only on the
seed and the row ids, so that the same rows give the same split in whatever order they are read.

The leakage report measures how much the training rows reveal of the hold-out and the validation rows.
`app.training.data.split_record` reads the files that this module writes.
"""

import dataclasses
import hashlib
import json
import math
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files.output_file import export_error, sync_folder
from app.training.data import duplicates
from app.training.data.rows import PARTS, TrainingRow, seeded_key
from app.training.data.split_record import (
    MANIFEST,
    PAPER_MEASURE,
    KnownAnswer,
    LeakageReport,
    NearestRow,
    RemovedRow,
    SplitFile,
    SplitManifest,
    SplitSettings,
)

LEAST_ROWS = 10  # with fewer rows a part could be a single row
LEAST_SHARE, MOST_SHARE = 0.01, 0.4
_SHARE = 0.1
_LEAST, _MOST_HOLDOUT, _MOST_VALIDATION = 20, 400, 200  # numbers of rows of a part whose share is not set
LEAST_FOR_VERDICT = _LEAST  # test rows; with fewer a verdict is "check" at best (`quality_gate.FEW_EXAMPLES`)


USUAL = SplitSettings()
PAPER = SplitSettings(measure=PAPER_MEASURE, keeps_alike=False)


@dataclass(frozen=True, slots=True)
class RowRemoval:
    """A row that the split removed. `reason`: "same" | "near_holdout". `similar_row`: the row that is kept instead."""

    row: TrainingRow
    reason: str
    similar_row: TrainingRow
    similarity: float

    def as_record(self) -> RemovedRow:
        row, other = self.row, self.similar_row
        return RemovedRow(row.id, row.line, self.reason, other.id, other.line, round(self.similarity, 4))


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts of a split. The seed orders each randomly: the first rows of `train` are a random sample."""

    settings: SplitSettings
    train: tuple[TrainingRow, ...]
    validation: tuple[TrainingRow, ...]
    holdout: tuple[TrainingRow, ...]
    removed: tuple[RowRemoval, ...]  # in the order of the file

    def rows_of(self, name: str) -> tuple[TrainingRow, ...]:
        return {"train": self.train, "validation": self.validation, "holdout": self.holdout}[name]


def split_rows(rows: Sequence[TrainingRow], settings: SplitSettings = USUAL, known: Collection[str] = ()) -> Split:
    """Split the rows. `known`: ids of the rows that the adapter to be trained further has already been trained on.

    Known rows and the rows that stay together with them become training rows: in the other parts they would measure
    nothing. Raises AppError("split_too_few" | "split_few_groups" | "split_all_known").
    """
    kept, same = _without_duplicates(rows)
    if len(kept) < LEAST_ROWS:
        raise AppError("split_too_few", rows=len(kept), least=LEAST_ROWS)
    kept.sort(key=lambda row: seeded_key(settings.seed, row.id))
    holdout_rows, validation_rows = _sizes(len(kept), settings)
    measure = settings.measure
    near = duplicates.near_duplicates(kept, measure.threshold, measure.n, measure.part)
    answers, _ = duplicates.same_answers(kept)
    alike = [(one, other) for one, other, _ in near] if settings.keeps_alike else []
    parts = _parts(kept, same, [*alike, *answers], holdout_rows)
    parts.sort(key=lambda part: seeded_key(settings.seed, "part", min(kept[place].id for place in part)))
    most = math.ceil(len(kept) / 3)
    trained = {place for place, row in enumerate(kept) if known and row.id in known}
    old = [part for part in parts if not trained.isdisjoint(part)]
    parts = [part for part in parts if trained.isdisjoint(part)]
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


@dataclass(frozen=True, slots=True)
class SplitOutlook:
    """What rows would become if they were split. `same`, `near`: removed as duplicates, and as too like a test row.

    `lacking`: about how many more rows, unlike these, a verdict needs; 0: there are enough test rows.
    """

    train: int = 0
    validation: int = 0
    holdout: int = 0
    same: int = 0
    near: int = 0
    lacking: int = 0


def look_ahead(rows: Sequence[TrainingRow], known: Collection[str] = ()) -> SplitOutlook:
    """Return what the rows would become. Raises AppError as `split_rows` does."""
    made = split_rows(rows, known=known)
    same = sum(one.reason == "same" for one in made.removed)
    holdout = len(made.holdout)
    # The hold-out takes a quarter of few rows at most, and each row of the same group counts as one.
    lacking = max(0, 4 * LEAST_FOR_VERDICT - (len(rows) - same), 4 * (LEAST_FOR_VERDICT - holdout))
    return SplitOutlook(
        len(made.train), len(made.validation), holdout, same, len(made.removed) - same,
        lacking if holdout < LEAST_FOR_VERDICT else 0,
    )  # fmt: skip


def _without_duplicates(rows: Sequence[TrainingRow]) -> tuple[list[TrainingRow], list[RowRemoval]]:
    """Return the rows without exact duplicates (the first of each is kept) and the removed rows."""
    same = [
        RowRemoval(rows[place], "same", rows[places[0]], 1.0)
        for places in duplicates.exact_duplicates(rows)
        for place in places[1:]
    ]
    gone = {id(one.row) for one in same}
    return [row for row in rows if id(row) not in gone], same


def _sizes(rows: int, settings: SplitSettings) -> tuple[int, int]:
    """Return the number of hold-out rows and of validation rows."""

    def size(share: float | None, most: int) -> int:
        if share is not None:
            return max(1, round(rows * share))
        return min(max(round(rows * _SHARE), _LEAST), most, rows // 4)

    return size(settings.holdout, _MOST_HOLDOUT), size(settings.validation, _MOST_VALIDATION)


def _parts(
    rows: Sequence[TrainingRow], same: Sequence[RowRemoval], alike: Iterable[tuple[int, int]], holdout_rows: int
) -> list[list[int]]:
    """Return groups of row indices that must stay together.

    A question that occurs in more rows than the hold-out holds is a general instruction; it keeps no rows together.
    """
    groups: dict[str, int] = {}
    leader = list(range(len(rows)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = index = leader[leader[index]]
        return index

    def join(index: int, other: int) -> None:
        leader[find(other)] = find(index)

    twins: dict[str, list[str]] = {}  # a row also belongs to the groups of its removed duplicates
    for one in same:
        twins.setdefault(one.similar_row.id, []).append(one.row.group)
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


def _take_parts(parts: list[list[int]], row_count: int, most: int) -> set[int]:
    """Remove whole groups from `parts` until `row_count` rows are taken, and return the indices of these rows.

    If groups that are too large leave it below half of `row_count`, take the smallest groups too, up to `most` rows.
    """
    taken: set[int] = set()
    for part in list(parts):
        if len(taken) + len(part) <= row_count:
            taken.update(part)
            parts.remove(part)
    for part in sorted(parts, key=len):
        if 2 * len(taken) < row_count and len(taken) + len(part) <= most:
            taken.update(part)
            parts.remove(part)
    return taken


def _near_holdout(near_pairs: Iterable[duplicates.Pair], holdout: set[int]) -> dict[int, tuple[int, float]]:
    """Return the rows outside the hold-out that resemble held-out rows, with the most similar one and the index."""
    found: dict[int, tuple[int, float]] = {}
    for one, other, similarity in near_pairs:
        for inside, outside in ((one, other), (other, one)):
            if inside in holdout and outside not in holdout and similarity > found.get(outside, (0, 0.0))[1]:
                found[outside] = (inside, similarity)
    return found


# ------------------------------------------------------------------ the folder


def write_split(split: Split, folder: Path, source: dict[str, Any], leakage: LeakageReport) -> SplitManifest:
    """Create `folder` with a file for each part and `split.json`, completely or not at all, and return the manifest.

    `source`: the "source" entry of the manifest, which tells where the rows come from. The same rows and settings
    always give the same bytes. Raises AppError("split_exists") if the folder is not empty, and the errors of
    `export_error`.
    """
    folder = folder.absolute()
    require_free_folder(folder)
    temporary = folder.with_name(f".kotae-{secrets.token_hex(8)}.tmp")
    try:
        temporary.mkdir(parents=True)
        manifest = SplitManifest(
            seed=split.settings.seed,
            source=source,
            files={name: _write_part(temporary / f"{name}.jsonl", split.rows_of(name)) for name in PARTS},
            settings=split.settings,
            removed=tuple(one.as_record() for one in split.removed),
            leakage=leakage,
        )
        _put(temporary / MANIFEST, json.dumps(dataclasses.asdict(manifest), ensure_ascii=False, indent=1).encode())
        if folder.exists():
            folder.rmdir()  # Windows cannot rename to an existing path
        temporary.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise export_error(error, folder) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return manifest


def require_free_folder(folder: Path) -> None:
    """Raise an error unless `folder` is missing or empty.

    Raises AppError("split_exists" | "export_not_folder" | "export_forbidden").
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise AppError("export_not_folder", path=str(folder))
        if folder.is_dir() and any(folder.iterdir()):
            raise AppError("split_exists", path=str(folder))
    except OSError as error:
        raise export_error(error, folder / MANIFEST) from error


def _write_part(path: Path, rows: Sequence[TrainingRow]) -> SplitFile:
    raw = "".join(json.dumps(row.as_json(), ensure_ascii=False) + "\n" for row in rows).encode()
    _put(path, raw)
    return SplitFile(path.name, len(rows), hashlib.sha256(raw).hexdigest())


def _put(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


SIMILARITY_BINS = 10


def report_leakage(split: Split) -> LeakageReport:
    asked, measure = (*split.holdout, *split.validation), split.settings.measure
    rows = [*asked, *split.train]
    found = duplicates.nearest_rows(rows, range(len(asked)), range(len(asked), len(rows)), measure)
    held = len(split.holdout)
    similarities = [similarity for _, similarity in found[:held]]
    pairs, compared = duplicates.same_answers(rows)
    known = {place: other for place, other in pairs if place < held and other >= len(asked)}
    return LeakageReport(
        near=sum(similarity >= measure.threshold for similarity in similarities),
        near_validation=sum(similarity >= measure.threshold for _, similarity in found[held:]),
        answers_compared=sum(place < held for place in compared),
        answers_known=tuple(KnownAnswer(rows[place].id, rows[other].id) for place, other in known.items()),
        shared_groups=_shared_groups(split),
        most_similar=max(similarities),
        histogram=tuple(sum(_bin(similarity) == at for similarity in similarities) for at in range(SIMILARITY_BINS)),
        nearest=tuple(
            NearestRow(row.id, rows[place].id, round(similarity, 4))
            for row, (place, similarity) in zip(split.holdout, found, strict=False)
        ),
    )


def _bin(similarity: float) -> int:
    return min(SIMILARITY_BINS - 1, int(similarity * SIMILARITY_BINS + 1e-9))


def _shared_groups(split: Split) -> tuple[str, ...]:
    parts = (split.train, split.validation, split.holdout)
    counted = Counter(group for rows in parts for group in {row.group for row in rows} if group)
    return tuple(sorted(group for group, parts_with in counted.items() if parts_with > 1))
