"""`kotae data split`: training data into files for training, validation and evaluation that share nothing."""

import argparse
import math
import statistics
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.base.cli.output import Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text
from app.training.cli import data
from app.training.data import check, duplicates, leakage, reading, rows, split
from app.training.data.leakage import LeakageReport
from app.training.data.reading import Imported
from app.training.data.split import LEAST_SHARE, MOST_SHARE, PAPER, Settings, Split
from app.training.gate import FEW_EXAMPLES

SHOWN_REMOVED = 10  # on the terminal; split.json has all
BAR_CHARACTERS = 40
FEW_TRAINED = 50  # rows; the trainer's checks warn below it


def add_parser(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.command_tree import add_command

    parser = add_command(actions, shared, "split", help_text("data split"), _split)
    data.add_file(parser, help_text("data check file"))
    parser.add_argument("--out", metavar="DIR", required=True, help=help_text("data split --out"))
    parser.add_argument("--seed", metavar="N", type=int, default=0, help=help_text("data split --seed"))
    for part in ("holdout", "validation"):
        parser.add_argument(f"--{part}", metavar="SHARE", type=float, help=help_text(f"data split --{part}"))
    for option in ("--drop-flagged", "--paper"):
        parser.add_argument(option, action="store_true", help=help_text(f"data split {option}"))


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
    flagged = check.flagged(imported.rows)
    is_dropped = options.drop_flagged
    made = split.split([row for row in imported.rows if not is_dropped or row.line not in flagged], settings)
    if not is_dropped:
        kept = {row.line for name in rows.PARTS for row in made.part(name)}
        flagged = {line: codes for line, codes in flagged.items() if line in kept}
    report = leakage.report(made)
    source = _source(imported) | {"flagged": _by_code(flagged), "flagged_dropped": is_dropped}
    manifest = split.write(made, folder, source, report.as_json())
    output.end_progress()
    lines = [*_text(imported, made, folder, output), *_flagged(source, len(flagged), options.file, output)]
    lines += [*_removed(made, output), *_leakage(made, report, output), *_few(made, output)]
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
    } | ({"label": imported.label} if imported.label else {})


def _by_code(flagged: Mapping[int, Collection[str]]) -> dict[str, list[int]]:
    """Lines of the file by what was found in them."""
    by_code = {code: [line for line, codes in flagged.items() if code in codes] for code in check.FLAGS}
    return {code: lines for code, lines in by_code.items() if lines}


def _text(imported: Imported, made: Split, folder: Path, output: Output) -> Iterator[str]:
    counts = {name: f"{len(made.part(name)):,}" for name in rows.PARTS}
    yield output.phrase("split_done", name=imported.name, rows=f"{len(imported.rows):,}", path=folder, **counts)
    mapping = imported.mapping.as_dict()
    if mapping.get("group"):
        yield output.phrase("split_group", column=mapping["group"])
    if imported.bad:
        yield output.phrase("split_unusable", count=f"{len(imported.bad):,}")
    if imported.label:
        yield output.phrase("split_label", label=output.phrase(f"label_{imported.label}"))


def _flagged(source: Mapping[str, Any], count: int, file: str, output: Output) -> Iterator[str]:
    if not count:
        return
    kinds = [
        output.phrase("split_flag", what=output.phrase(f"split_flag_{code}"), count=f"{len(lines):,}")
        for code, lines in source["flagged"].items()
    ]
    key = "split_flagged_dropped" if source["flagged_dropped"] else "split_flagged"
    yield output.phrase(key, count=f"{count:,}", kinds=output.phrase("data_gap").join(kinds), file=file)


def _few(made: Split, output: Output) -> Iterator[str]:
    """What the checks before training and the verdict after it would say too late."""
    if len(made.train) < FEW_TRAINED:
        yield output.phrase("split_few_trained", count=len(made.train), least=FEW_TRAINED)
    units = len({row.group or row.id for row in made.holdout})  # as the verdict counts
    if units < FEW_EXAMPLES:
        yield output.phrase("split_few_judged", count=units, least=FEW_EXAMPLES)


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
    part = output.phrase(f"split_part_{measure.part}")
    yield output.phrase(
        "split_sound" if report.is_sound else "split_leaks",
        near=report.near,
        known=len(report.known),
        groups=len(report.shared_groups),
        threshold=measure.threshold,
        part=part,
    )
    yield output.phrase(
        "split_compared",
        compared=report.compared,
        holdout=len(made.holdout),
        characters=duplicates.ANSWER_CHARACTERS,
        rows=duplicates.ANSWER_ROWS,
    )
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
