"""`kotae data split`: training data into files for training, validation and evaluation that share nothing."""

import argparse
import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.cli import data
from app.cli.output import Output
from app.core.datasets import leakage, reading, rows, split
from app.core.datasets.leakage import LeakageReport
from app.core.datasets.reading import Imported
from app.core.datasets.split import LEAST_SHARE, MOST_SHARE, PAPER, Settings, Split
from app.core.errors import AppError
from app.core.paths import Paths
from app.core.wording import help_text

SHOWN_REMOVED = 10  # on the terminal; split.json has all
BAR_CHARACTERS = 40


def add_parser(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.cli.main import add_command

    parser = add_command(actions, shared, "split", help_text("data split"), _split)
    data.add_file(parser, help_text("data check file"))
    parser.add_argument("--out", metavar="DIR", required=True, help=help_text("data split --out"))
    parser.add_argument("--seed", metavar="N", type=int, default=0, help=help_text("data split --seed"))
    for part in ("holdout", "validation"):
        parser.add_argument(f"--{part}", metavar="SHARE", type=float, help=help_text(f"data split --{part}"))
    parser.add_argument("--paper", action="store_true", help=help_text("data split --paper"))


def _split(options: argparse.Namespace, _where: Paths, output: Output) -> int:
    """Exit status: 0; 1 something of the hold-out is known from training; 3 expected error."""
    settings = replace(
        PAPER if options.paper else Settings(),
        seed=options.seed,
        holdout=_share("--holdout", options.holdout),
        validation=_share("--validation", options.validation),
    )
    folder = Path(options.out).expanduser()
    split.require_free(folder)
    output.progress("split_reading")
    imported = reading.read(Path(options.file), data.mapping_of(options))
    output.progress("split_comparing", rows=f"{len(imported.rows):,}")
    made = split.split(imported.rows, settings)
    report = leakage.report(made)
    manifest = split.write(made, folder, _source(imported), report.as_json())
    output.end_progress()
    lines = _text(imported, made, report, folder, output)
    output.result({"folder": str(folder), **manifest}, "\n".join(lines))
    return 0 if report.is_sound else 1


def _share(option: str, share: float | None) -> float | None:
    if share is None or LEAST_SHARE <= share <= MOST_SHARE:
        return share
    raise AppError("bad_option", option=option, value=share, expected=f"{LEAST_SHARE} - {MOST_SHARE}")


def _source(imported: Imported) -> dict[str, Any]:
    return {
        "name": imported.name,
        "sha256": imported.sha256,
        "rows": len(imported.rows),
        "unusable_rows": len(imported.bad),
        "mapping": imported.mapping.as_dict(),
    }


def _text(imported: Imported, made: Split, report: LeakageReport, folder: Path, output: Output) -> Iterator[str]:
    counts = {name: f"{len(made.part(name)):,}" for name in rows.PARTS}
    yield output.phrase("split_done", name=imported.name, rows=f"{len(imported.rows):,}", path=folder, **counts)
    mapping = imported.mapping.as_dict()
    if mapping.get("group"):
        yield output.phrase("split_group", column=mapping["group"])
    if imported.bad:
        yield output.phrase("split_unusable", count=f"{len(imported.bad):,}")
    yield from _removed(made, output)
    yield from _leakage(made, report, output)


def _removed(made: Split, output: Output) -> Iterator[str]:
    if made.removed:
        counts = {reason: sum(one.reason == reason for one in made.removed) for reason in split.REASONS}
        yield output.phrase("split_removed", count=f"{len(made.removed):,}", **counts)
    for one in made.removed[:SHOWN_REMOVED]:
        similarity = f"{one.similarity:.2f}"
        key = f"split_removed_{one.reason}"
        yield "  " + output.phrase(key, line=one.row.line, other=one.other.line, similarity=similarity)
    if len(made.removed) > SHOWN_REMOVED:
        yield "  " + output.phrase("split_removed_more", count=f"{len(made.removed) - SHOWN_REMOVED:,}")


def _leakage(made: Split, report: LeakageReport, output: Output) -> Iterator[str]:
    """What there is to see of how near the hold-out is to training: counts for each tenth."""
    measure = made.settings.measure
    similarities = [one.similarity for one in report.nearest]
    yield output.phrase(
        "split_sound" if report.is_sound else "split_leaks",
        near=report.near,
        groups=len(report.shared_groups),
        threshold=measure.threshold,
    )
    part = output.phrase(f"split_part_{measure.part}")
    if report.near_validation:
        yield output.phrase("split_validation_near", near=f"{report.near_validation:,}")
    # Rounded down: just under the threshold must not read as if it had been reached.
    median, most = (math.floor(100 * one) / 100 for one in (statistics.median(similarities), max(similarities)))
    yield output.phrase("split_nearest", part=part, n=measure.n, median=f"{median:.2f}", most=f"{most:.2f}")
    longest = max(report.histogram)
    for at, count in enumerate(report.histogram):
        if count:
            bar = "█" * round(BAR_CHARACTERS * count / longest) or "▏"
            yield f"    {at / leakage.BINS:.1f}–{(at + 1) / leakage.BINS:.1f}  {bar} {count:,}"
