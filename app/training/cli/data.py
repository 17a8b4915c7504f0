"""`kotae data …`: what is in a file of training data, before anything is trained on it."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.base.cli.output import Output
from app.base.files.columns import ColumnMapping
from app.base.paths import Paths
from app.base.wording import help_text
from app.training.data import check_file, reading
from app.training.data.check import CheckReport, Finding, check
from app.training.data.lengths import Lengths
from app.training.data.reading import Imported
from app.training.data.records import BadRow, short

SHOWN_BAD = 20  # on the terminal; the file of results has all
SHOWN_LINES = 8
SHOWN_EXAMPLES = 2
PREVIEW_CHARACTERS = 160
BAR_CHARACTERS = 40
MAPPED = ("question", "answer", "input", "system", "group")


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.command_tree import add_command
    from app.training.cli import data_generate, data_review, data_split  # data_split takes options from here

    group = add_command(commands, shared, "data", help_text("data"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    parser = add_command(actions, shared, "check", help_text("data check"), _check)
    add_file(parser, help_text("data check file"))
    parser.add_argument("--out", metavar="FILE", help=help_text("data check --out"))
    parser.add_argument("--base", metavar="ID|FILE", help=help_text("data check --base"))
    data_split.add_parser(actions, shared)
    data_generate.add_parser(actions, shared)
    data_review.add_parser(actions, shared)


def add_file(parser: argparse.ArgumentParser, help: str) -> None:
    """The file, and which of its columns hold what."""
    parser.add_argument("file", metavar="FILE", help=help)
    for name in MAPPED:
        parser.add_argument(f"--{name}", metavar="COL", default="", help=help_text(f"data --{name}"))


def mapping_of(options: argparse.Namespace) -> ColumnMapping:
    return ColumnMapping(**{name: getattr(options, name) for name in MAPPED})


def _check(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 1 rows that cannot be used, or something to be looked at; 3 expected error."""
    out = Path(options.out).expanduser() if options.out else None
    if out is not None:
        check_file.check_target(out)
    imported = reading.read(Path(options.file), mapping_of(options))
    tokens = _tokens(options.base, imported, where, output) if options.base else None
    found = check(
        imported, tokens, lambda step, done, total: output.progress(f"data_checking_{step}", done=done, total=total)
    )
    output.end_progress()
    if out is not None:
        check_file.save(out, imported, found)
    base = options.base if tokens else ""
    output.result(check_file.as_object(imported, found), "\n".join(_text(imported, found, base, out, output)))
    return 1 if imported.bad or found.findings else 0


def _tokens(base: str, imported: Imported, where: Paths, output: Output) -> list[int] | None:
    from app.training.cli import data_tokens  # Qt

    model = data_tokens.model_of(base, where)
    if model is None:
        output.note("data_tokens_later")
        return None
    return data_tokens.count(imported.rows, model, where, output)


# -------------------------------------------------------------------------- text


def _text(imported: Imported, found: CheckReport, base: str, out: Path | None, output: Output) -> Iterator[str]:
    yield from _source(imported, output)
    yield from _preview(imported, output)
    if imported.bad:
        yield ""
        yield output.phrase("data_bad", count=len(imported.bad))
        yield from (f"  {_reason(row, output)}" for row in imported.bad[:SHOWN_BAD])
        if len(imported.bad) > SHOWN_BAD:
            key = "data_more_out" if out else "data_more_without_out"
            yield "  " + output.phrase(key, count=len(imported.bad) - SHOWN_BAD, path=out)
    if imported.rows:
        yield ""
        yield output.phrase("data_findings" if found.findings else "data_clean_rest" if imported.bad else "data_clean")
    for finding in found.findings:
        yield from _finding(finding, output)
    for unit, parts in (("characters", found.characters), ("tokens", found.tokens)):
        yield from _lengths(unit, parts, base, output)
    if out is not None:
        yield ""
        yield output.phrase("data_written", path=out)


def _source(imported: Imported, output: Output) -> Iterator[str]:
    place = ""
    if imported.sheet:
        place = output.phrase("data_head_sheet", sheet=imported.sheet)
    elif imported.encoding:
        place = output.phrase("data_head_encoding", encoding=reading.encoding_name(imported.encoding))
    shape = output.phrase(f"data_shape_{imported.shape}")
    yield output.phrase(
        "data_head_some" if imported.bad else "data_head",
        name=imported.name,
        count=f"{len(imported.rows):,}",
        total=f"{len(imported.rows) + len(imported.bad):,}",
        shape=shape,
        encoding=place,
    )
    mapping = imported.mapping.as_dict()
    if mapping:
        named = [
            output.phrase("data_mapping_one", field=output.phrase(f"data_field_{field}"), column=short(column))
            for field, column in mapping.items()
        ]
        yield output.phrase("data_mapping", mapping=output.phrase("data_gap").join(named))
        unused = [short(column) for column in imported.columns if column not in mapping.values()]
        if unused:
            yield output.phrase("data_unused", columns=" / ".join(unused[:SHOWN_BAD]))
    if imported.other_sheets:
        yield output.phrase("data_other_sheets", sheets=" / ".join(map(short, imported.other_sheets)))
    if imported.blank:
        yield output.phrase("data_blank", count=imported.blank)


def _preview(imported: Imported, output: Output) -> Iterator[str]:
    for row in imported.rows[: check_file.PREVIEW_ROWS]:
        yield ""
        yield output.phrase("data_preview", line=row.line)
        for message in row.messages:
            name = output.phrase(f"data_role_{message.role}")
            yield "  " + output.phrase("data_said", role=name, text=short(message.text, PREVIEW_CHARACTERS))


def _reason(row: BadRow, output: Output) -> str:
    reason = output.phrase(f"data_bad_{row.code}")
    return output.phrase(
        "data_bad_row_detail" if row.detail else "data_bad_row", line=row.line, reason=reason, detail=row.detail
    )


def _finding(finding: Finding, output: Output) -> Iterator[str]:
    lines = list(dict.fromkeys(place.line for place in finding.places))
    shown = output.phrase("data_gap").join(map(str, lines[:SHOWN_LINES])) + ("…" if len(lines) > SHOWN_LINES else "")
    what = output.phrase(f"data_found_{finding.code}")
    yield "  " + output.phrase("data_finding", what=what, count=f"{len(finding.places):,}", lines=shown)
    for place in finding.places[:SHOWN_EXAMPLES]:
        detail = check_file.detail(finding.code, place)
        key = "data_example_detail" if detail else "data_example"
        yield "    " + output.phrase(key, line=place.line, text=place.text, detail=detail)


def _lengths(unit: str, parts: dict[str, Lengths], base: str, output: Output) -> Iterator[str]:
    if not parts:
        return
    yield ""
    yield output.phrase(f"data_lengths_{unit}", model=base)
    for part, lengths in parts.items():
        yield "  " + output.phrase(
            "data_length",
            what=output.phrase(f"data_length_{part}"),
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
