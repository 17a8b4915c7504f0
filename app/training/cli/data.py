"""Run `kotae data …`: check, split, generate and review training data.

The file is long because check, split and review share options and output texts.
"""

import argparse
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.cli.commands import Output, add_command
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.confidentiality import ExportKind, ExportRequest, Permit
from app.base.errors import AppError
from app.base.files.output_file import check_new_target
from app.base.paths import Paths
from app.base.services.child_process import ChildExit
from app.base.tables.column_mapping import FIELDS, ColumnMapping
from app.base.wording import help_text, phrase
from app.documents import collection_lookup
from app.inference import child_commands, gguf, memory_estimate
from app.inference.engine.messages import Event, Failed, Load, Ready, Tokenize, Tokenized
from app.inference.local_model import LocalModel
from app.inference.prompts import Segment
from app.inference.services.engine import EngineClient
from app.models.model_registry import choose_model
from app.training.cli import data_generate
from app.training.data import check, data_split, duplicates, file_import
from app.training.data.check import DataCheckReport, DataFinding, LengthSummary
from app.training.data.data_split import LEAST_SHARE, MOST_SHARE, PAPER, Split
from app.training.data.file_import import ImportedRows
from app.training.data.records import BadRow, shorten
from app.training.data.rows import PARTS, TrainingRow
from app.training.data.split_record import LeakageReport, SplitSettings
from app.training.generation import pair_files
from app.training.generation.pair_files import PairReview, rows_to_lines
from app.training.quality_gate import FEW_EXAMPLES
from app.training.runs.lineage import Lineage

SHOWN_BAD = 20  # unusable rows shown on the terminal; the report lists all
SHOWN_LINES = 8
SHOWN_EXAMPLES = 2
PREVIEW_CHARACTERS = 160
BAR_CHARACTERS = 40
SHOWN_REMOVED = 10  # removed rows shown on the terminal; split.json lists all
FEW_TRAINED = 50  # with fewer training rows, the trainer's checks warn
LINES = ".jsonl"
SHOWN_PROBLEMS = 20  # problems shown on the terminal; the JSON output lists all
CONTEXT_TOKENS = 256  # only used to tokenize: the smallest context takes the least memory
BATCH_CHARACTERS = 200_000


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    group = add_command(commands, shared, "data", help_text("data"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    parser = add_command(actions, shared, "check", help_text("data check"), _check)
    add_file(parser, help_text("data check file"))
    parser.add_argument("--out", metavar="FILE", help=help_text("data check --out"))
    parser.add_argument("--base", metavar="ID|FILE", help=help_text("data check --base"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    _add_split(actions, shared)
    data_generate.add_parser(actions, shared)
    _add_review(actions, shared)


def add_file(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the argument FILE and the options that name its columns."""
    parser.add_argument("file", metavar="FILE", help=help)
    for name in FIELDS:
        parser.add_argument(f"--{name}", metavar="COL", default="", help=help_text(f"data --{name}"))


def mapping_of(options: argparse.Namespace) -> ColumnMapping:
    return ColumnMapping(**{name: getattr(options, name) for name in FIELDS})


def _check(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Check a file. Exit status: 0; 1 if there are unusable rows or findings; 3 for an expected error."""
    out = Path(options.out).expanduser() if options.out else None
    if out is not None:
        check.check_target(out)
    imported = file_import.import_file(Path(options.file), mapping_of(options))
    tokens = _tokens(options.base, imported, where, output) if options.base else None
    check_report = check.check_rows(
        imported,
        tokens,
        lambda step, done, total: output.progress(f"training.data_checking.{step}", done=done, total=total),
    )
    output.end_progress()
    if out is not None:
        known = Lineage.of_stored_label(imported.label, imported.origins)
        permit = _pass_out("rows", known, Path(options.file), out, where, is_allowed=options.allow_secret)
        check.save_report(out, imported, check_report, permit=permit)
    base = options.base if tokens else ""
    output.result(
        check.report_object(imported, check_report), "\n".join(_check_text(imported, check_report, base, out, output))
    )
    return 1 if imported.bad_rows or check_report.findings else 0


def _tokens(base: str, imported: ImportedRows, where: Paths, output: Output) -> list[int] | None:
    model = model_of(base, where)
    if model is None:
        output.note("training.data_tokens_later")
        return None
    return _count_tokens(imported.rows, model, where, output)


# ------------------------------------------------------------------ check: text


def _check_text(
    imported: ImportedRows, report: DataCheckReport, base: str, out: Path | None, output: Output
) -> Iterator[str]:
    yield from _source(imported, output)
    yield from _preview(imported, output)
    if imported.bad_rows:
        yield ""
        yield output.phrase("training.data_bad", count=len(imported.bad_rows))
        yield from (f"  {_reason(row, output)}" for row in imported.bad_rows[:SHOWN_BAD])
        if len(imported.bad_rows) > SHOWN_BAD:
            key = "training.data_more_out" if out else "training.data_more_without_out"
            yield "  " + output.phrase(key, count=len(imported.bad_rows) - SHOWN_BAD, path=out)
    if imported.rows:
        yield ""
        yield output.phrase(
            "training.data_findings"
            if report.findings
            else "training.data_clean_rest"
            if imported.bad_rows
            else "training.data_clean"
        )
    for finding in report.findings:
        yield from _finding(finding, output)
    for unit, parts in (("characters", report.characters), ("tokens", report.tokens)):
        yield from _lengths(unit, parts, base, output)
    if out is not None:
        yield ""
        yield output.phrase("training.data_written", path=out)


def _source(imported: ImportedRows, output: Output) -> Iterator[str]:
    place = ""
    if imported.sheet:
        place = output.phrase("training.data_head_sheet", sheet=imported.sheet)
    elif imported.encoding:
        place = output.phrase("training.data_head_encoding", encoding=file_import.encoding_name(imported.encoding))
    shape = output.phrase(f"training.data_shape.{imported.shape}")
    yield output.phrase(
        "training.data_head_some" if imported.bad_rows else "training.data_head",
        name=imported.name,
        count=f"{len(imported.rows):,}",
        total=f"{len(imported.rows) + len(imported.bad_rows):,}",
        shape=shape,
        encoding=place,
    )
    mapping = imported.mapping.as_dict()
    if mapping:
        named = [
            output.phrase(
                "common.data_mapping_one", field=output.phrase(f"training.data_field.{field}"), column=shorten(column)
            )
            for field, column in mapping.items()
        ]
        yield output.phrase("common.data_mapping", mapping=output.phrase("common.data_gap").join(named))
        unused = [shorten(column) for column in imported.columns if column not in mapping.values()]
        if unused:
            yield output.phrase("common.data_unused", columns=" / ".join(unused[:SHOWN_BAD]))
    if imported.other_sheets:
        yield output.phrase("common.data_other_sheets", sheets=" / ".join(map(shorten, imported.other_sheets)))
    if imported.blank:
        yield output.phrase("training.data_blank", count=imported.blank)


def _preview(imported: ImportedRows, output: Output) -> Iterator[str]:
    for row in imported.rows[: check.PREVIEW_ROWS]:
        yield ""
        yield output.phrase("training.data_preview", line=row.line)
        for message in row.messages:
            name = output.phrase(f"training.data_role.{message.role}")
            yield "  " + output.phrase("training.data_said", role=name, text=shorten(message.text, PREVIEW_CHARACTERS))


def _reason(row: BadRow, output: Output) -> str:
    reason = output.phrase(f"common.data_bad.{row.code}")
    return output.phrase(
        "common.data_bad.row_detail" if row.detail else "common.data_bad.row",
        line=row.line,
        reason=reason,
        detail=row.detail,
    )


def _finding(finding: DataFinding, output: Output) -> Iterator[str]:
    lines = list(dict.fromkeys(place.line for place in finding.places))
    shown = output.phrase("common.data_gap").join(map(str, lines[:SHOWN_LINES])) + (
        "…" if len(lines) > SHOWN_LINES else ""
    )
    what = output.phrase(f"training.data_found.{finding.code}")
    yield "  " + output.phrase("training.data_finding", what=what, count=f"{len(finding.places):,}", lines=shown)
    for place in finding.places[:SHOWN_EXAMPLES]:
        detail = check.place_detail(finding.code, place)
        key = "training.data_example_detail" if detail else "training.data_example"
        yield "    " + output.phrase(key, line=place.line, text=place.text, detail=detail)


def _lengths(unit: str, parts: dict[str, LengthSummary], base: str, output: Output) -> Iterator[str]:
    if not parts:
        return
    yield ""
    yield output.phrase(f"training.data_lengths.{unit}", model=base)
    for part, lengths in parts.items():
        yield "  " + output.phrase(
            "training.data_length",
            what=output.phrase(f"training.length_of.{part}"),
            median=f"{lengths.median:,.0f}",
            mean=f"{lengths.mean:,.0f}",
            p95=f"{lengths.p95:,}",
            longest=f"{lengths.longest:,}",
        )
    histogram = parts["row"].histogram
    width = len(f"{histogram[-1][0]:,}")
    most = max(count for _, count in histogram)
    for bound, count in histogram:
        bar = "█" * round(BAR_CHARACTERS * count / most) or ("▏" if count else "")
        yield f"    ≤ {bound:>{width},}  {bar} {count:,}"


# ------------------------------------------------------------- check: tokens


def _count_tokens(rows: Sequence[TrainingRow], model: LocalModel, where: Paths, output: Output) -> list[int]:
    """Return for each row the number of tokens of all its messages, without a chat template's markup.

    Raises AppError("memory_short" | "engine_died"), the engine's errors, and KeyboardInterrupt.
    """
    _check_memory(model)
    app = core_application()
    engine = EngineClient(child_commands.engine(), where.logs / "engine-data.log")
    counting = _TokenCounter(engine, rows, output)
    try:
        counting.load(model)
        if counting.error is None:
            counting.run()
    finally:
        engine.shut_down()
        output.end_progress()
    del app
    if counting.error is not None:
        raise counting.error
    if len(counting.counts) < len(rows):
        raise KeyboardInterrupt
    return counting.counts


def model_of(base: str, where: Paths) -> LocalModel | None:
    """Return the model that `base` names; None if it is a folder. Raises AppError as `choose_model` does."""
    if Path(base).expanduser().is_dir():
        return None
    return choose_model(base, where)


def _check_memory(model: LocalModel) -> None:
    needed = memory_estimate.estimate_memory(
        gguf.read_header(Path(model.path)), CONTEXT_TOKENS, batch_tokens=CONTEXT_TOKENS
    )
    available = memory_estimate.available_memory_bytes()
    if memory_estimate.judge_fit(needed, available) == "insufficient":
        raise AppError("memory_short", need_bytes=needed.total_bytes, free_bytes=available, others_bytes=0)


class _TokenCounter(CommandEventLoop):
    """Counts the tokens of rows with the engine, one batch at a time so that it can be interrupted."""

    def __init__(self, engine: EngineClient, rows: Sequence[TrainingRow], output: Output) -> None:
        super().__init__(self.stop)
        self._engine = engine
        self._batches = _batches(rows)
        self._total = len(rows)
        self._output = output
        self._id = ""
        self._empty: int | None = None  # tokens of an empty prompt; None: not counted yet
        self.counts: list[int] = []
        engine.event_received.connect(self._on_event)
        engine.died.connect(self._on_died)

    def load(self, model: LocalModel) -> None:
        self._id = self._engine.new_id()
        self._engine.send(
            Load(self._id, model.path, CONTEXT_TOKENS, batch_tokens=CONTEXT_TOKENS, cpu_reason="not_requested")
        )

    def _on_event(self, event: Event) -> None:
        match event:
            case Ready(id=self._id):
                self._send(((),))
            case Tokenized(id=self._id):
                if self._empty is None:
                    self._empty = event.counts[0]
                else:
                    self.counts += [count - self._empty for count in event.counts]
                    self._output.progress("training.data_counting", done=len(self.counts), total=self._total)
                self._next()
            case Failed(id=self._id):
                self.fail(AppError(event.code, **event.facts))

    def _next(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self.stop()
        else:
            self._send(tuple(tuple(Segment(message.text) for message in row.messages) for row in batch))

    def _send(self, prompts: tuple[tuple[Segment, ...], ...]) -> None:
        self._id = self._engine.new_id()
        self._engine.send(Tokenize(self._id, prompts))

    def _on_died(self, child_exit: ChildExit) -> None:
        self.fail(AppError("engine_died", cause=child_exit.reason))


def _batches(rows: Sequence[TrainingRow]) -> Iterator[list[TrainingRow]]:
    sizes = itertools.accumulate(sum(len(message.text) for message in row.messages) for row in rows)
    for _, batch in itertools.groupby(zip(rows, sizes, strict=True), lambda one: one[1] // BATCH_CHARACTERS):
        yield [row for row, _ in batch]


# --------------------------------------------------------------------- split


def _add_split(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "split", help_text("data split"), _split)
    add_file(parser, help_text("data check file"))
    parser.add_argument("--out", metavar="DIR", required=True, help=help_text("data split --out"))
    parser.add_argument("--seed", metavar="N", type=int, default=0, help=help_text("data split --seed"))
    for part in ("holdout", "validation"):
        parser.add_argument(f"--{part}", metavar="SHARE", type=float, help=help_text(f"data split --{part}"))
    for option in ("--drop-flagged", "--paper"):
        parser.add_argument(option, action="store_true", help=help_text(f"data split {option}"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def _split(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Split a file. Exit status: 0; 1 if training rows reveal part of the hold-out; 3 for an expected error."""
    settings = replace(
        PAPER if options.paper else SplitSettings(),
        seed=options.seed,
        holdout=_share("--holdout", options.holdout),
        validation=_share("--validation", options.validation),
    )
    folder = Path(options.out).expanduser()
    data_split.require_free_folder(folder)
    output.progress("training.split_reading")
    imported = file_import.import_file(Path(options.file), mapping_of(options))
    gate: AbstractContextManager[None] = nullcontext()
    if Path(options.file).resolve().is_relative_to(where.data.resolve()):  # files elsewhere need no permit
        known = Lineage.of_stored_label(imported.label, imported.origins)
        permit = _pass_out("rows", known, Path(options.file), folder, where, is_allowed=options.allow_secret)
        gate = permit.write_folder(folder)  # ask now: comparing thousands of rows takes minutes
    output.progress("training.split_comparing", rows=f"{len(imported.rows):,}")
    flagged = check.flagged(imported.rows)
    is_dropped = options.drop_flagged
    made = data_split.split_rows([row for row in imported.rows if not is_dropped or row.line not in flagged], settings)
    if not is_dropped:
        kept = {row.line for name in PARTS for row in made.rows_of(name)}
        flagged = {line: codes for line, codes in flagged.items() if line in kept}
    report = data_split.report_leakage(made)
    source = _split_source(imported) | {"flagged": _by_code(flagged), "flagged_dropped": is_dropped}
    with gate:
        manifest = data_split.write_split(made, folder, source, report)
    output.end_progress()
    lines = [*_split_text(imported, made, folder, output), *_flagged(source, len(flagged), options.file, output)]
    lines += [*_removed(made, output), *_leakage(made, report, output), *_few_rows_warnings(made, output)]
    output.result({"folder": str(folder), **asdict(manifest)}, "\n".join(lines))
    return 0 if report.is_sound else 1


def _share(option: str, share: float | None) -> float | None:
    if share is None or LEAST_SHARE <= share <= MOST_SHARE:
        return share
    raise AppError("bad_option", option=option, value=share, expected=f"{LEAST_SHARE} - {MOST_SHARE}")


def _split_source(imported: ImportedRows) -> dict[str, Any]:
    return {
        "name": imported.name,
        "sha256": imported.sha256,
        "rows": len(imported.rows),
        "unusable_rows": len(imported.bad_rows),
        "mapping": imported.mapping.as_dict(),
    } | Lineage.of_stored_label(imported.label, imported.origins).as_json()


def _by_code(flagged: Mapping[int, Collection[str]]) -> dict[str, list[int]]:
    """Return the line numbers for each flag of `check.FLAGS` that occurs."""
    by_code = {code: [line for line, codes in flagged.items() if code in codes] for code in check.FLAGS}
    return {code: lines for code, lines in by_code.items() if lines}


def _split_text(imported: ImportedRows, split: Split, folder: Path, output: Output) -> Iterator[str]:
    counts = {name: f"{len(split.rows_of(name)):,}" for name in PARTS}
    yield output.phrase(
        "training.split_done", name=imported.name, rows=f"{len(imported.rows):,}", path=folder, **counts
    )
    mapping = imported.mapping.as_dict()
    if mapping.get("group"):
        yield output.phrase("training.split_group", column=mapping["group"])
    if imported.bad_rows:
        yield output.phrase("common.split_unusable", count=f"{len(imported.bad_rows):,}")
    if imported.label:
        yield output.phrase("training.split_label", label=output.phrase(f"common.label.{imported.label}"))


def _flagged(source: Mapping[str, Any], count: int, file: str, output: Output) -> Iterator[str]:
    if not count:
        return
    kinds = [
        output.phrase(
            "training.split_flag", what=output.phrase(f"training.split_doubt.{code}"), count=f"{len(lines):,}"
        )
        for code, lines in source["flagged"].items()
    ]
    key = "training.split_flagged_dropped" if source["flagged_dropped"] else "training.split_flagged"
    yield output.phrase(key, count=f"{count:,}", kinds=output.phrase("common.data_gap").join(kinds), file=file)


def _few_rows_warnings(split: Split, output: Output) -> Iterator[str]:
    """Yield warnings about too few rows, which the training checks and the verdict would give only later."""
    if len(split.train) < FEW_TRAINED:
        yield output.phrase("training.split_few_trained", count=len(split.train), least=FEW_TRAINED)
    units = len({row.group or row.id for row in split.holdout})  # units of the quality gate: groups, or single rows
    if units < FEW_EXAMPLES:
        yield output.phrase("training.split_few_judged", count=units, least=FEW_EXAMPLES)


def _removed(split: Split, output: Output) -> Iterator[str]:
    if split.removed:
        counts = {reason: sum(one.reason == reason for one in split.removed) for reason in ("same", "near_holdout")}
        yield output.phrase("training.split_removed", count=f"{len(split.removed):,}", **counts)
    for one in split.removed[:SHOWN_REMOVED]:
        similarity = f"{one.similarity:.2f}"
        key = f"training.split_removal.{one.reason}"
        yield "  " + output.phrase(key, line=one.row.line, other=one.similar_row.line, similarity=similarity)
    if len(split.removed) > SHOWN_REMOVED:
        yield "  " + output.phrase("training.split_removed_more", count=f"{len(split.removed) - SHOWN_REMOVED:,}")


def _leakage(split: Split, report: LeakageReport, output: Output) -> Iterator[str]:
    """Yield lines on how similar the hold-out is to the training rows, with a count for each tenth of similarity."""
    measure = split.settings.measure
    part = output.phrase(f"training.split_part.{measure.part}")
    yield output.phrase(
        "training.split_sound" if report.is_sound else "training.split_leaks",
        near=report.near,
        known=len(report.answers_known),
        groups=len(report.shared_groups),
        threshold=measure.threshold,
        part=part,
    )
    yield output.phrase(
        "training.split_compared",
        compared=report.answers_compared,
        holdout=len(split.holdout),
        characters=duplicates.ANSWER_CHARACTERS,
        rows=duplicates.ANSWER_ROWS,
    )
    if report.near_validation:
        yield output.phrase("training.split_validation_near", near=f"{report.near_validation:,}")
    # The similarities are rounded down: a value just under the threshold must not look as if it reached the threshold.
    median, most = (math.floor(100 * one) / 100 for one in (report.median, report.most_similar))
    yield output.phrase("training.split_nearest", part=part, n=measure.n, median=f"{median:.2f}", most=f"{most:.2f}")
    longest = max(report.histogram)
    for at, count in enumerate(report.histogram):
        if count:
            bar = "█" * round(BAR_CHARACTERS * count / longest) or "▏"
            low, high = at / data_split.SIMILARITY_BINS, (at + 1) / data_split.SIMILARITY_BINS
            yield f"    {low:.1f}–{high:.1f}  {bar} {count:,}"


# -------------------------------------------------------------------- review


def _add_review(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "review", help_text("data review"), _review)
    parser.add_argument("file", metavar="FILE", help=help_text("data review file"))
    parser.add_argument("--out", metavar="FILE", required=True, help=help_text("data review --out"))
    parser.add_argument("--rows", metavar="FILE", help=help_text("data review --rows"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def _review(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Write a review table from pairs, or read an edited review table back.

    Exit status: 0; 1 if rows are unusable or none is accepted; 3 for an expected error.
    """
    path, out = Path(options.file).expanduser(), Path(options.out).expanduser()
    kind = path.suffix.lower()
    allowed = pair_files.TABLES if kind == LINES else (LINES,) if kind in pair_files.TABLES else ()
    check_new_target(out, allowed, "review_format", name=path.name, out=out.name)
    if kind == LINES:
        pairs = pair_files.load_pairs(path)
        permit = _pass_out("pairs", _lineage_of_pairs(pairs), path, out, where, is_allowed=options.allow_secret)
        return _write_table(pairs, path, out, output, permit)
    pairs = pair_files.load_pairs(Path(options.rows).expanduser() if options.rows else path.with_suffix(LINES))
    pair_review = pair_files.read_review_table(path, pairs)
    if pair_review.kept_pairs:
        permit = _pass_out(
            "pairs", _lineage_of_pairs(pair_review.kept_pairs), path, out, where, is_allowed=options.allow_secret
        )
        with permit.open_atomically(out) as file:
            file.write(rows_to_lines(pair_review.kept_pairs))
    output.result(_review_object(pair_review, out), "\n".join(_review_text(pair_review, out)))
    return 0 if pair_review.kept_pairs and not pair_review.problems else 1


def _lineage_of_pairs(pairs: Sequence[dict[str, Any]]) -> Lineage:
    """Return the lineage of the pairs' documents, because both files of a review contain passages of them."""
    return Lineage(confidentiality.label_of_rows(pairs), collection_lookup.origins_of_rows(pairs))


def _pass_out(
    export_kind: ExportKind, known_lineage: Lineage, path: Path, out: Path, where: Paths, *, is_allowed: bool
) -> Permit:
    """Return the permit to export the file `out`. Raises AppError("secret_export" | "export_log_unwritable")."""
    export = ExportRequest(
        export_kind, str(out.absolute()), lambda: known_lineage.label_now(where.documents), path.name
    )
    return confidentiality.permit_export(export, where.exports_log, is_agreed=is_allowed)


def _write_table(pairs: Sequence[dict[str, Any]], path: Path, out: Path, output: Output, permit: Permit) -> int:
    pair_files.write_review_table(pairs, out, permit=permit)
    back = f"{path.stem}-reviewed{LINES}"
    text = output.phrase("training.review_written", count=len(pairs), path=out, back=back, rows=path)
    output.result({"out": str(out), "pairs": len(pairs)}, text)
    return 0


def _review_object(review: PairReview, out: Path) -> dict[str, Any]:
    problems = [
        {"line": problem.line, "code": problem.code, "message": phrase(f"training.review_note.{problem.code}")}
        for problem in review.problems
    ]
    return {
        "out": str(out) if review.kept_pairs else None,
        "total": review.total,
        "kept": len(review.kept_pairs),
        "accepted": review.accepted,
        "edited": review.edited,
        "rejected": review.rejected,
        "undecided": review.undecided,
        "missing": review.missing,
        "problems": problems,
    }


def _review_text(review: PairReview, out: Path) -> list[str]:
    facts = {
        "kept": len(review.kept_pairs),
        "accepted": review.accepted,
        "edited": review.edited,
        "total": review.total,
    }
    lines = [phrase("training.review_done" if review.kept_pairs else "training.review_nothing", path=out, **facts)]
    counts = {name: getattr(review, name) for name in ("rejected", "undecided", "missing")}
    lines += [phrase(f"training.review_note.{name}", count=count) for name, count in counts.items() if count]
    shown = review.problems[:SHOWN_PROBLEMS]
    lines += [
        "  " + phrase("training.review_problem", line=one.line, what=phrase(f"training.review_note.{one.code}"))
        for one in shown
    ]
    return lines
