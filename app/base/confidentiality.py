"""Confidentiality labels (public, internal, secret): their order, and what an answer inherits."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from app.base.wording import phrases

Label = Literal["public", "internal", "secret"]  # 公開, 社外秘, 機密; the last asks before anything is exported
LABELS: tuple[Label, ...] = ("public", "internal", "secret")
DEFAULT: Label = "internal"  # of what no document says anything about
HIGHEST = LABELS[-1]


def highest(labels: Iterable[Label], default: Label = LABELS[0]) -> Label:
    return max(labels, key=LABELS.index, default=default)


def of_told(told: object) -> Label:
    """What a record says; DEFAULT where that is no label."""
    return next((label for label in LABELS if label == told), DEFAULT)


def of_stored(value: object) -> Label:
    """Return a label that was kept; HIGHEST where it is none: damaged, of a later program, or made by somebody else."""
    return next((label for label in LABELS if label == value), HIGHEST)


def of_rows(rows: Iterable[Mapping[str, Any]]) -> Label:
    """The highest that rows carry in their provenance (`app.training.generation.rows`); the lowest where none does."""
    return told_of_rows(rows) or LABELS[0]


def told_of_rows(rows: Iterable[Mapping[str, Any]]) -> Label | None:
    """As `of_rows`; None where none does. What is no label of ours, by key or by word, says nothing."""
    rows = list(rows)
    origins = (row.get("provenance") for row in rows)
    told = [origin.get("label") for origin in origins if isinstance(origin, Mapping)]
    known = [found for label in told if isinstance(label, str) and (found := label_of(label)) is not None]
    # Of a table of answers that was exported. In anybody's table such a column can raise the label, but not lower it.
    names = ("label", *phrases("common.batch_column.label"))
    column = {label for row in rows for name in names if isinstance(label := row.get(name), str)}
    known += [found for label in column if (found := label_of(label)) is not None and found != LABELS[0]]
    return highest(known) if known else None


def label_of(word: str) -> Label | None:
    """公開, 社外秘, 機密, in any of the languages or by their keys: a file may be of somebody who uses another one."""
    word = unicodedata.normalize("NFKC", word).strip().casefold()
    return next(
        (label for label in LABELS if word in (label, *map(str.casefold, phrases(f"common.label.{label}")))), None
    )
