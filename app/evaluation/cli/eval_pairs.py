"""`kotae eval pairs`: collect pairs of answers for preference tuning from ratings and blind comparisons."""

import argparse
from collections import Counter
from pathlib import Path

from app.base import confidentiality
from app.base.cli.commands import Output, set_command
from app.base.confidentiality import ExportRequest
from app.base.errors import AppError
from app.base.files.output_file import check_new_target
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.evaluation import preference_pairs
from app.training.generation import pair_files


def add_options(parser: argparse.ArgumentParser, _name: str) -> None:
    parser.add_argument("--out", metavar="FILE.jsonl", required=True, help=help_text("eval pairs --out"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    set_command(parser, _pairs)


def _pairs(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Write the collected pairs. Exit status: 0; 3 for an expected error."""
    out = Path(options.out).expanduser()
    check_new_target(out, (".jsonl",), "generation_out_format")
    rows = preference_pairs.collect_stored(where)
    if not rows:
        raise AppError("no_preference_pairs")
    label = confidentiality.label_of_rows(rows)
    export = ExportRequest("rows", str(out.absolute()), lambda: label, out.name)
    permit = confidentiality.permit_export(export, where.exports_log, is_agreed=options.allow_secret)
    with permit.open_atomically(out) as file:
        file.write(pair_files.rows_to_lines(rows))
    origins = Counter(row["origin"] for row in rows)
    output.result(
        {"out": str(out), "pairs": len(rows), "origins": dict(origins), "label": label},
        phrase("evaluation.pairs_written", path=out, n=f"{len(rows):,}"),
    )
    return 0
