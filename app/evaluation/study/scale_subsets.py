"""Make the data of a scale study: subsets to train on, with one validation part and one hold-out for all of them.

Nested subsets are the first rows of a split's training part, whose order comes from the split's seed. Those of the
paper (arXiv 2603.18037) keep their order, and are not nested.
"""

import dataclasses
import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular, read_regular
from app.base.wording import phrase
from app.evaluation.study import request as study_request
from app.evaluation.study.request import LEAST_SCALE_ROWS, StudyRequest
from app.training.data import data_split, duplicates, file_import, rows, split_record
from app.training.data.rows import RowMessage, TrainingRow
from app.training.runs import lineage

SHARES = (0.125, 0.25, 0.5, 1.0)  # shares of the training rows that are the sizes by default
LEAST_HELD = 20  # least rows of the hold-out
_MOST_HOLDOUT, _MOST_VALIDATION = 400, 200  # limits as in a split
_REDUCED_HOLDOUT, _REDUCED_VALIDATION = 50, 20  # lower limits if a divisor reduces everything
PAPER_SIZES, PAPER_SEED, PAPER_SHARE = (1000, 2000, 3000, 4000, 5000), 42, 0.7
_INDEX_BYTES = 100_000_000
_DATA_BYTES = 1 << 31  # limit for one part


@dataclass(frozen=True, slots=True)
class Subset:
    """The data of one size. `raw`: JSON Lines in the order in which the trainer gets and then shuffles them."""

    rows: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class SubsetFiles:
    """The files of a scale study. `validation`, `holdout`: JSON Lines, the same for every run.

    `subsets`: the data of each size, in ascending order. `name`, `label`: name and label of the source. `is_nested`:
    each subset is the beginning of the next. `unusable`: number of lines of the source that are no rows.
    """

    name: str
    subsets: tuple[Subset, ...]
    validation: bytes
    holdout: bytes
    is_nested: bool
    unusable: int = 0
    label: Label = confidentiality.DEFAULT_LABEL


def subsets_of(request: StudyRequest) -> SubsetFiles:
    """Return the data of a scale study. Raises AppError as `require_complete` and `nested_subsets`."""
    study_request.require_complete(request)
    return nested_subsets(Path(request.data), request.sizes)


def nested_subsets(data: Path, sizes: Sequence[int] = ()) -> SubsetFiles:
    """Return the first rows of a split as subsets.

    `data`: the split's folder, or a file, which is split in the same way. `sizes`: numbers of rows, ascending; ():
    SHARES of all rows. Raises AppError: split_*, scale_few_rows, scale_sizes_order, scale_size_small, scale_size_large,
    and as `file_import.import_file`.
    """
    unusable, label = 0, confidentiality.DEFAULT_LABEL
    if data.is_dir():
        split_record.verify_split(data)
        label = lineage.lineage_of_data(data).label or confidentiality.DEFAULT_LABEL
        train, validation, holdout = (read_regular(data / f"{part}.jsonl", _DATA_BYTES) for part in rows.PARTS)
    else:
        imported = file_import.import_file(data)
        made, unusable, label = (
            data_split.split_rows(imported.rows),
            len(imported.bad_rows),
            confidentiality.label_from(imported.label),
        )
        train, validation, holdout = (_json_lines(made.rows_of(part)) for part in rows.PARTS)
    lines = [line for line in train.splitlines(keepends=True) if line.strip()]
    wanted = list(sizes) or _default(len(lines))
    _check(wanted, len(lines))
    subsets = tuple(Subset(size, b"".join(lines[:size])) for size in wanted)
    return SubsetFiles(data.stem, subsets, validation, holdout, is_nested=True, unusable=unusable, label=label)


def paper_material(data: Path, indices: Path | None, divisor: int = 1, system_prompt: str = "") -> SubsetFiles:
    """Return the paper's subsets of its JSON Lines file.

    `indices`: {"1000": [lines from 0, in their order], …}; None: drawn as in the paper (`paper_subsets`). `divisor` k:
    use the first 1/k of each subset, for a machine on which all would take too long; hold-out and validation shrink
    too, but not below a minimum. Both are drawn from rows that no subset has, without those that are similar to a row
    of a subset by the paper's measure (`data_split.PAPER`). `system_prompt`: begins each row.
    Raises AppError: scale_indices_unreadable, scale_index_outside, scale_no_holdout, scale_sizes_order,
    scale_size_small, and as `file_import.import_file`.
    """
    found = file_import.import_file(data)
    by_place = {row.line - 1: _with_system(row, system_prompt) for row in found.rows}
    subsets_of_places = _read_indices(indices) if indices else paper_subsets(data)
    drawn = sorted((places[: len(places) // divisor] for places in subsets_of_places), key=len)
    used = {place for places in drawn for place in places}
    outside = min(used - by_place.keys(), default=None)
    if outside is not None:
        raise AppError("scale_index_outside", path=str(indices), index=outside, data=str(data))
    free = {row.id: row for place, row in by_place.items() if place not in used}
    holdout, validation = _held_out_rows(free.values(), divisor)
    holdout = _unlike([by_place[place] for place in sorted(used)], holdout)
    validation = _unlike(holdout, validation)
    _check([len(places) for places in drawn], len(by_place))
    subsets = tuple(Subset(len(places), _json_lines(by_place[place] for place in places)) for places in drawn)
    return SubsetFiles(
        data.stem, subsets, _json_lines(validation), _json_lines(holdout),
        is_nested=False, unusable=len(found.bad_rows), label=confidentiality.label_from(found.label),
    )  # fmt: skip


def paper_subsets(data: Path) -> list[list[int]]:
    """Return the places, from 0, of the paper's subsets of 1,000 to 5,000 rows, in their order.

    Each is drawn anew with the seed 42, from each kind (`metadata.rel_type`) in proportion to its rows; the largest
    kind gets 0.7 of its share, and the next ones get the rows that rounding leaves over. Found by comparing with the
    published subsets, which it gives exactly.
    """
    kinds: dict[str, list[int]] = {}
    for place, row in enumerate(rows.read_objects(data)):
        metadata = row.get("metadata")
        kinds.setdefault(str(metadata.get("rel_type")) if isinstance(metadata, dict) else "", []).append(place)
    by_size = sorted(kinds, key=lambda kind: -len(kinds[kind]))
    count, largest = sum(map(len, kinds.values())), len(kinds[by_size[0]]) if kinds else 0
    found = []
    for size in PAPER_SIZES:
        if size > count:
            raise AppError("scale_size_large", size=size, rows=count)
        taken = {by_size[0]: int(size * largest // count * PAPER_SHARE)}
        left = size - taken[by_size[0]]
        taken |= {kind: left * len(kinds[kind]) // max(1, count - largest) for kind in by_size[1:]}
        for kind in by_size[1 : 1 + size - sum(taken.values())]:
            taken[kind] += 1
        if any(taken[kind] > len(kinds[kind]) for kind in kinds):  # other data than the paper's
            raise AppError("scale_size_large", size=size, rows=count)
        draw = random.Random(PAPER_SEED)  # noqa: S311  no secret
        places = [place for kind in kinds for place in draw.sample(kinds[kind], taken[kind])]
        draw.shuffle(places)
        found.append(places)
    return found


def _default(count: int) -> list[int]:
    least = math.ceil(LEAST_SCALE_ROWS / SHARES[0])
    if count < least:
        raise AppError("scale_few_rows", rows=count, least=least)
    return [round(count * share) for share in SHARES]


def _check(sizes: Sequence[int], count: int) -> None:
    error = study_request.find_sizes_problem(sizes)
    if error is not None:
        raise error
    if sizes[-1] > count:
        raise AppError("scale_size_large", size=sizes[-1], rows=count)


def _read_indices(indices: Path) -> list[list[int]]:
    """Return the row numbers (from 0) of each subset in a JSON file. Raises AppError("scale_indices_unreadable")."""
    try:
        with open_regular(indices) as file:
            data = strict_json.loads(file.read(_INDEX_BYTES))
        if not isinstance(data, dict) or not data:
            raise ValueError(phrase("evaluation.scale_indices_shape"))
        for name, places in data.items():
            is_list = isinstance(places, list) and all(type(place) is int and place >= 0 for place in places)
            if not is_list or len(set(places)) != len(places):
                raise ValueError(f"{name}: {phrase('evaluation.scale_indices_shape')}")
    except OSError as error:
        raise AppError("scale_indices_unreadable", path=str(indices), reason=error.strerror or str(error)) from error
    except ValueError as error:
        raise AppError("scale_indices_unreadable", path=str(indices), reason=str(error)[:200]) from error
    return list(data.values())


def _held_out_rows(free: Iterable[TrainingRow], divisor: int) -> tuple[list[TrainingRow], list[TrainingRow]]:
    """Return the rows of hold-out and validation. Raises AppError("scale_no_holdout").

    The rows are ordered by id, which is as good as random, because an id is a hash of the row's text.
    """
    ordered = sorted(free, key=lambda row: row.id)
    most = min(max(_REDUCED_HOLDOUT, _MOST_HOLDOUT // divisor), len(ordered) // 2)
    end = most + max(_REDUCED_VALIDATION, _MOST_VALIDATION // divisor)
    holdout, validation = ordered[:most], ordered[most:end]
    if len(holdout) < LEAST_HELD:
        raise AppError("scale_no_holdout", rows=len(ordered), least=2 * LEAST_HELD)
    return holdout, validation


def _with_system(row: TrainingRow, prompt: str) -> TrainingRow:
    return dataclasses.replace(row, messages=(RowMessage("system", prompt), *row.messages)) if prompt else row


def _unlike(held: Sequence[TrainingRow], others: Sequence[TrainingRow]) -> list[TrainingRow]:
    """Return those of `others` that ask nearly the same as none of the rows `held`, and have another answer."""
    measure, together = data_split.PAPER.measure, [*held, *others]
    near = [
        (one, other)
        for one, other, _ in duplicates.near_duplicates(together, measure.threshold, measure.n, measure.part)
    ]
    answers, _ = duplicates.same_answers(together)
    count = len(held)
    like = {together[other].id for one, other in (*near, *answers) if one < count <= other}
    return [row for row in others if row.id not in like]


def _json_lines(training_rows: Iterable[TrainingRow]) -> bytes:
    return "".join(json.dumps(row.as_json(), ensure_ascii=False) + "\n" for row in training_rows).encode()
