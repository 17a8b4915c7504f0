"""`kotae train plan --job`, `kotae train import`: runs that another machine trains."""

import argparse
from pathlib import Path
from typing import Any

from app.base.cli.commands import Output
from app.base.confidentiality import Permit
from app.base.paths import Paths
from app.base.wording import format_size, help_text
from app.training import job_return, jobs
from app.training.cli import train_words
from app.training.runs import runs
from trainer.spec import RunSpec


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    parser = add_command(actions, shared, "import", help_text("train import"), _import)
    parser.add_argument("folder", metavar="DIR", help=help_text("train import folder"))


def make(asked: RunSpec, folder: Path, *, permit: Permit, with_base: bool, output: Output) -> int:
    """The run is listed here as one that has not begun; what comes back goes there. Exit status 0."""
    folder = folder.expanduser().absolute()
    output.progress("training.job_working")
    try:
        job = jobs.make(asked, folder, permit=permit, with_base=with_base)
    finally:
        output.end_progress()
    run = runs.create(asked).name
    lines = [output.phrase("training.job_made", path=job.folder, size=format_size(job.size_bytes), id=run)]
    if not job.has_base:
        lines.append(output.phrase("training.job_base_missing", files=", ".join(job.base_files)))
    lines.append(output.phrase("training.job_next", path=job.folder))
    data = {
        "job": str(job.folder), "run": run, "size_bytes": job.size_bytes, "has_base": job.has_base,
        "base_files": list(job.base_files),
    }  # fmt: skip
    output.result(data, "\n".join(lines))
    return 0


def _import(options: argparse.Namespace, where: Paths, output: Output) -> int:
    run = job_return.take(Path(options.folder), where.runs)
    output.result(train_words.described(run), output.phrase("training.job_taken", id=run.id))
    return 0
