"""What of a split's hold-out, and of its validation, is known from its training rows."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from app.training.data import duplicates
from app.training.data.rows import Row
from app.training.data.split import Split

BINS = 10


@dataclass(frozen=True, slots=True)
class Nearest:
    """A held-out row and the training row that is most like it."""

    row: Row
    train: Row
    similarity: float  # 0 to 1, by the split's measure


@dataclass(frozen=True, slots=True)
class LeakageReport:
    nearest: tuple[Nearest, ...]  # for each held-out row, in its order
    histogram: tuple[int, ...]  # held-out rows whose nearest is 0 to under 0.1, …, 0.9 to 1
    near: int  # held-out rows with a near-duplicate in training: 0 in a sound split
    near_validation: int  # the same of validation: not 0 where a split does not keep alike rows together
    shared_groups: tuple[str, ...]  # in more than one part: none in a sound split
    known: tuple[tuple[Row, Row], ...]  # a held-out row and a training row with its answer: none in a sound split
    compared: int  # held-out rows whose answers were looked for there (see `duplicates.same_answers`)

    @property
    def is_sound(self) -> bool:
        """Of the hold-out; what is near in validation only makes its losses look better than they are."""
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


def report(split: Split) -> LeakageReport:
    asked, measure = (*split.holdout, *split.validation), split.settings.measure
    rows = [*asked, *split.train]
    found = duplicates.nearest(rows, range(len(asked)), range(len(asked), len(rows)), measure)
    every = [Nearest(row, rows[place], similarity) for row, (place, similarity) in zip(asked, found, strict=True)]
    held = len(split.holdout)
    nearest, validation = tuple(every[:held]), every[held:]
    pairs, compared = duplicates.same_answers(rows)
    known = {place: other for place, other in pairs if place < held and other >= len(asked)}
    return LeakageReport(
        nearest=nearest,
        histogram=tuple(sum(_bin(one.similarity) == at for one in nearest) for at in range(BINS)),
        near=sum(one.similarity >= measure.threshold for one in nearest),
        near_validation=sum(one.similarity >= measure.threshold for one in validation),
        shared_groups=_shared_groups(split),
        known=tuple((rows[place], rows[other]) for place, other in known.items()),
        compared=sum(place < held for place in compared),
    )


def _bin(similarity: float) -> int:
    return min(BINS - 1, int(similarity * BINS + 1e-9))


def _shared_groups(split: Split) -> tuple[str, ...]:
    parts = (split.train, split.validation, split.holdout)
    counted = Counter(group for rows in parts for group in {row.group for row in rows} if group)
    return tuple(sorted(group for group, parts_with in counted.items() if parts_with > 1))
