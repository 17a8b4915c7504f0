"""What can be told of a split that was written earlier, from its own record."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.training.data import split, split_record
from app.training.data.duplicates import Measure
from app.training.data.rows import PARTS, Row

LEAKING_MOST = 20  # told


@dataclass(frozen=True, slots=True)
class RemovedRow:
    """`reason`: of `split.REASONS`; `other_line`: of the row that stays instead."""

    line: int
    reason: str
    other_line: int
    similarity: float


@dataclass(frozen=True, slots=True)
class FrozenSplit:
    """`near`, `known`, `shared_groups`: of the hold-out, and none in a sound split (`LeakageReport`). `median`, `most`:
    of the similarities of each held-out row to its nearest row of training, 0 to 1."""

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
    leaking_ids: tuple[str, ...]  # of held-out rows that training knows

    @property
    def is_sound(self) -> bool:
        return not (self.near or self.known or self.shared_groups)


def read(folder: Path) -> FrozenSplit:
    """Of a folder that still is what was written. Raises AppError as `split.verify`."""
    manifest = split.verify(folder)
    try:
        return _of(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AppError("split_changed", path=str(folder), file=split_record.MANIFEST) from error


def leaking_lines(found: FrozenSplit, rows: Iterable[Row]) -> list[int]:
    """Of the held-out rows that training knows, at most LEAKING_MOST. `rows`: that were split."""
    wanted = set(found.leaking_ids)
    return [row.line for row in rows if wanted and row.id in wanted][:LEAKING_MOST]


def _of(manifest: Mapping[str, Any]) -> FrozenSplit:
    files, leakage = manifest["files"], manifest["leakage"]
    threshold = Measure(**manifest["settings"]["measure"]).threshold
    similarities = [one["similarity"] for one in leakage["nearest"]]
    near = [one["id"] for one in leakage["nearest"] if one["similarity"] >= threshold]
    return FrozenSplit(
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
