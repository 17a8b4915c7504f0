"""Read `split.json`, the record that lies next to the files of a split, and verify the files by it.

The record holds how the rows were split, which were removed, how much of the hold-out the training rows reveal, and in
its "source" the label and the origins of the rows.
"""

import contextlib
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from app.base.confidentiality import HIGHEST_LABEL, Label, stored_label
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import sha256_of
from app.documents.collection_lookup import Origin
from app.training.data.rows import PARTS, TrainingRow

MANIFEST = "split.json"
SPLIT_VERSION = 1
LEAKING_MOST = 20  # most line numbers that are reported

Part = Literal["row", "question"]  # compared text: question and answer joined by a line break, or the question


@dataclass(frozen=True, slots=True)
class SimilarityMeasure:
    """The rule for near-duplicates: the Jaccard index of their sets of character n-grams reaches `threshold`."""

    n: int = 5
    threshold: float = 0.8  # above 0, at most 1
    part: Part = "row"


DEFAULT_MEASURE = SimilarityMeasure()
PAPER_MEASURE = SimilarityMeasure(n=2, threshold=0.45, part="question")  # the measure of arXiv 2603.18037


@dataclass(frozen=True, slots=True)
class SplitSettings:
    seed: int = 0
    holdout: float | None = None  # share of all rows, LEAST_SHARE to MOST_SHARE; None: a tenth, 20 to 400 rows
    validation: float | None = None  # share, as for `holdout`; None: a tenth, 20 to 200 rows
    measure: SimilarityMeasure = DEFAULT_MEASURE  # rule for near-duplicates
    # True: near-duplicates stay together. False: training and validation rows that resemble a held-out row are removed,
    # as in the paper, with whose low threshold nearly all rows would stay together.
    keeps_alike: bool = True


@dataclass(frozen=True, slots=True)
class RemovedRow:
    """A row that the split removed. `reason`: "same" | "near_holdout"; `other_…` describe the row kept instead."""

    id: str
    line: int
    reason: str
    other_id: str
    other_line: int
    similarity: float


@dataclass(frozen=True, slots=True)
class NearestRow:
    """The ids of a held-out row and of the training row that is most similar to it."""

    id: str
    train_id: str
    similarity: float  # 0 to 1, by the split's measure


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """The ids of a held-out row and of a training row that has the same answer."""

    id: str
    train_id: str


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """How much the training rows of a split reveal of its held-out rows."""

    near: int = 0  # held-out rows with a near-duplicate in training; 0 in a sound split
    near_validation: int = 0  # validation rows with one; may be above 0 without `keeps_alike`
    answers_compared: int = 0  # held-out rows whose answers were compared (see `duplicates.same_answers`)
    answers_known: tuple[KnownAnswer, ...] = ()  # empty in a sound split
    shared_groups: tuple[str, ...] = ()  # groups in more than one part; empty in a sound split
    most_similar: float = 0.0
    histogram: tuple[int, ...] = ()  # held-out rows by highest similarity: below 0.1, below 0.2, …, 0.9 to 1
    nearest: tuple[NearestRow, ...] = ()  # one for each held-out row, in their order

    @property
    def is_sound(self) -> bool:
        """Return whether training reveals nothing of the hold-out. Leaks into validation only improve its losses."""
        return not (self.near or self.answers_known or self.shared_groups)

    @property
    def median(self) -> float:
        """Return the median similarity of a held-out row to its nearest training row."""
        return statistics.median([one.similarity for one in self.nearest] or [0.0])


@dataclass(frozen=True, slots=True)
class SplitFile:
    """The file of one part of a split."""

    file: str = ""  # only for readers of the record: a part's file always has the part's name
    rows: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class SplitManifest:
    """The content of `split.json`. `source`: where the rows come from. The keys of `files` are the names of PARTS."""

    version: int = SPLIT_VERSION
    seed: int = 0
    source: dict[str, Any] = field(default_factory=dict)
    files: dict[str, SplitFile] = field(default_factory=dict)
    settings: SplitSettings = SplitSettings()
    removed: tuple[RemovedRow, ...] = ()  # in the order of the source file
    leakage: LeakageReport = LeakageReport()

    @property
    def hashes(self) -> tuple[str, ...]:
        """Return the hash of each part's file, in the order of PARTS. Raises KeyError for a part without a file."""
        return tuple(self.files[part].sha256 for part in PARTS)

    def leaking_lines(self, rows: Iterable[TrainingRow]) -> list[int]:
        """Return the lines of the first LEAKING_MOST held-out rows that resemble a training row or share its answer.

        `rows`: all rows that were split.
        """
        leakage, threshold = self.leakage, self.settings.measure.threshold
        wanted = {one.id for one in leakage.nearest if one.similarity >= threshold}
        wanted |= {one.id for one in leakage.answers_known}
        return [row.line for row in rows if wanted and row.id in wanted][:LEAKING_MOST]


def read_manifest(folder: Path) -> SplitManifest:
    """Read `split.json` without checking the files of the parts. Raises OSError, ValueError."""
    return msgspec.convert(strict_json.load_file(folder / MANIFEST), SplitManifest)


def verify_split(folder: Path) -> SplitManifest:
    """Return the content of `split.json` if no part has changed. Call it before training or evaluation.

    Raises AppError("split_unusable" | "split_changed" | "newer_data").
    """
    try:
        raw = strict_json.load_file(folder / MANIFEST)
        if isinstance(raw, dict) and isinstance(raw.get("version"), int) and raw["version"] > SPLIT_VERSION:
            raise AppError("newer_data")
        manifest = msgspec.convert(raw, SplitManifest)
        hashes = dict(zip(PARTS, manifest.hashes, strict=True))
    except OSError as error:
        raise AppError("split_unusable", path=str(folder)) from error
    except (ValueError, KeyError) as error:
        raise AppError("split_changed", path=str(folder), file=MANIFEST) from error
    for name, sha256 in hashes.items():
        file = folder / f"{name}.jsonl"
        with contextlib.suppress(OSError):
            if sha256_of(file) == sha256:
                continue
        raise AppError("split_changed", path=str(folder), file=file.name)
    return manifest


def read_label_and_origins(folder: Path) -> tuple[Label | None, tuple[Origin, ...]]:
    """Return the label and the origins that `split.json` in `folder` records; (None, ()) if it records none.

    An unreadable record gives the highest label, because it may have held any label.
    """
    try:
        return parse_label_and_origins(strict_json.load_file(folder / MANIFEST)["source"])
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return None, ()
    except (OSError, ValueError, TypeError):
        return HIGHEST_LABEL, ()


def parse_label_and_origins(source: Any) -> tuple[Label | None, tuple[Origin, ...]]:
    """Return the label and the origins of a record's "source"; unreadable origins give the highest label."""
    label, origins = (source.get(key) for key in ("label", "origins")) if isinstance(source, dict) else (None, None)
    known: Label | None = stored_label(label) if label else None
    try:
        return known, tuple((str(collection), str(document)) for collection, document in origins or ())
    except (TypeError, ValueError):
        return HIGHEST_LABEL, ()
