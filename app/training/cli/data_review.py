"""`kotae data review FILE --out FILE`: generated pairs into a table for a person, and the filled-in table back."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.cli import secret
from app.base.cli.output import Output
from app.base.files.whole_file import check_new, whole_file
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.training.generation import review, rows
from app.training.generation.review import Review

LINES = ".jsonl"
SHOWN_PROBLEMS = 20  # on the terminal; JSON has all


def add_parser(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.command_tree import add_command

    parser = add_command(actions, shared, "review", help_text("data review"), _review)
    parser.add_argument("file", metavar="FILE", help=help_text("data review file"))
    parser.add_argument("--out", metavar="FILE", required=True, help=help_text("data review --out"))
    parser.add_argument("--rows", metavar="FILE", help=help_text("data review --rows"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def _review(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 1 rows of the table that cannot be used, or nothing was accepted; 3 expected error."""
    path, out = Path(options.file).expanduser(), Path(options.out).expanduser()
    kind = path.suffix.lower()
    allowed = review.TABLES if kind == LINES else (LINES,) if kind in review.TABLES else ()
    check_new(out, allowed, "review_format", name=path.name, out=out.name)
    if kind == LINES:
        pairs = review.load(path)
        _permit(pairs, path, out, where, is_allowed=options.allow_secret)
        return _write(pairs, path, out, output)
    pairs = review.load(Path(options.rows).expanduser() if options.rows else path.with_suffix(LINES))
    found = review.read(path, pairs)
    if found.kept:
        _permit(found.kept, path, out, where, is_allowed=options.allow_secret)
        with whole_file(out) as file:
            file.write(rows.lines_of(found.kept))
    output.result(_as_object(found, out), "\n".join(_text(found, out)))
    return 0 if found.kept and not found.problems else 1


def _permit(pairs: Sequence[dict[str, Any]], path: Path, out: Path, where: Paths, *, is_allowed: bool) -> None:
    """Both files hold passages. Raises AppError("secret_export" | "export_log_unwritable")."""
    secret.permit(confidentiality.of_rows(pairs), path.name, "pairs", out, where, is_allowed=is_allowed)


def _write(pairs: Sequence[dict[str, Any]], path: Path, out: Path, output: Output) -> int:
    review.write(pairs, out)
    back = f"{path.stem}-reviewed{LINES}"
    text = output.phrase("review_written", count=len(pairs), path=out, back=back, rows=path)
    output.result({"out": str(out), "pairs": len(pairs)}, text)
    return 0


def _as_object(found: Review, out: Path) -> dict[str, Any]:
    problems = [{"line": one.line, "code": one.code, "message": phrase(f"review_{one.code}")} for one in found.problems]
    return {
        "out": str(out) if found.kept else None,
        "total": found.total,
        "kept": len(found.kept),
        "accepted": found.accepted,
        "edited": found.edited,
        "rejected": found.rejected,
        "undecided": found.undecided,
        "missing": found.missing,
        "problems": problems,
    }


def _text(found: Review, out: Path) -> list[str]:
    facts = {"kept": len(found.kept), "accepted": found.accepted, "edited": found.edited, "total": found.total}
    lines = [phrase("review_done" if found.kept else "review_nothing", path=out, **facts)]
    counts = {name: getattr(found, name) for name in ("rejected", "undecided", "missing")}
    lines += [phrase(f"review_{name}", count=count) for name, count in counts.items() if count]
    shown = found.problems[:SHOWN_PROBLEMS]
    lines += ["  " + phrase("review_problem", line=one.line, what=phrase(f"review_{one.code}")) for one in shown]
    return lines
