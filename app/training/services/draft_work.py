"""What is worked on in the background for a training that is planned: its rows and its split, whole or not at all."""

import dataclasses
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.services.background import TaskProgress
from app.base.tables.column_mapping import ColumnMapping
from app.training.data import check, curation, leakage, origin, reading, split
from app.training.data.curation import Curation, Item
from app.training.data.leakage import LeakageReport
from app.training.data.origin import Origin
from app.training.data.rows import PARTS, Row
from app.training.generation import review
from app.training.plan import Data, Frozen
from app.training.runs.lineage import Lineage


def whole(work: Callable[[TaskProgress], Any], made: Sequence[Path], progress: TaskProgress) -> Any:
    """The result of work that nobody has cancelled; otherwise nothing of it stays. Raises what `work` does, and
    Cancelled."""
    try:
        result = work(progress)
        progress.check()
    except BaseException:
        delete(made)
        raise
    return result


def delete(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def counted(data: Data, rows: Curation) -> Data:
    counts = rows.counts
    return dataclasses.replace(
        data,
        revision=rows.revision,
        used=sum(counts[state] for state in curation.TRAINED),
        left_out=counts["left_out"],
        undecided=counts["undecided"],
        label=rows.label or data.label,
    )


def source(data: Data, rows: Curation, file: Origin | None) -> dict[str, Any]:
    """What a split says of the rows that it was made of, as `kotae data split` does. `flagged`: lines of those that are
    used; `decided`: how many rows people have kept, changed and left out. `file`: None: they were generated."""
    told: dict[str, Any] = {"name": data.source}
    if file is not None:
        told |= {"sha256": file.imported.sha256}
    told |= {"rows": len(rows.items), "unusable_rows": data.unusable, "mapping": data.mapping}
    flagged: dict[str, list[int]] = {}
    for item in rows.items:
        if rows.state_of(item) in curation.TRAINED:
            for code in item.flags:
                flagged.setdefault(code, []).append(item.row.line)
    kinds: tuple[curation.Kind, ...] = ("accepted", "edited", "rejected")
    decided = {kind: rows.counts[kind] for kind in kinds if rows.counts[kind]}
    told |= {"flagged": flagged, "used": data.used, "decided": decided}
    return told | lineage_of(data, rows, file).as_json()


def lineage_of(data: Data, rows: Curation, file: Origin | None) -> Lineage:
    """What is known of where the rows are from. `file`: as of `source`."""
    made_of = {(one.evidence.collection, one.evidence.document) for one in rows.items if one.evidence is not None}
    made_of |= set(file.imported.origins) if file is not None else set()
    return Lineage(
        confidentiality.label_from_word(rows.label or data.label), tuple(sorted(made_of | set(data.origins)))
    )


def imported(
    path: Path, mapping: ColumnMapping | None, folder: Path, progress: TaskProgress
) -> tuple[Origin, Curation]:
    file = reading.read(path, mapping)
    progress.check()
    found = check.check(file, report=lambda _step, done, total: progress.report(done, total))
    rows, source = _made(folder, curation.imported(file.rows, found)), origin.of(path, file)
    origin.keep(folder, source)
    return source, rows


def taken(path: Path, folder: Path) -> Curation:
    return _made(folder, curation.generated(review.load(path)))


def _made(folder: Path, items: Sequence[Item]) -> Curation:
    curation.create(folder, items)
    return Curation(folder)


def frozen(
    rows: Sequence[Row],
    revision: int,
    source: dict[str, Any],
    folder: Path,
    known: Collection[str],
    progress: TaskProgress,
) -> tuple[Frozen, LeakageReport]:
    """`known`: ids of rows that the adapter which is trained further knows. Raises Cancelled, AppError."""
    made = split.split(rows, known=known)
    progress.check()
    report = leakage.report(made)
    progress.check()
    manifest = split.write(made, folder, source, report.as_json())
    counts = (len(made.train), len(made.validation), len(made.holdout))
    hashes = tuple(manifest["files"][part]["sha256"] for part in PARTS)
    return Frozen(str(folder), revision, *counts, hashes[-1], report.is_sound, len(made.removed), hashes), report
