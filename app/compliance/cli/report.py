"""`kotae report`: what the window offers as 報告用のファイル, for a window that does not open."""

import argparse
import time
from pathlib import Path
from typing import Any

import PySide6
from PySide6.QtCore import qVersion

from app.base.cli.output import Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text
from app.compliance import problem_report


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.command_tree import add_command

    report = add_command(commands, shared, "report", help_text("report"), _report)
    report.add_argument("--out", metavar="FILE", required=True, help=help_text("report --out"))


def _report(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Nothing that exists is replaced."""
    target = Path(options.out)
    if target.is_dir():
        raise AppError("export_is_folder", path=options.out)
    if target.exists():
        raise AppError("export_exists", path=options.out)
    text = problem_report.compose(where, time.time(), {"Qt": qVersion(), "PySide6": PySide6.__version__})
    problem_report.save(text, target)
    path = str(target.absolute())
    output.result({"path": path, "size_bytes": target.stat().st_size}, output.phrase("report_written", path=path))
    return 0
