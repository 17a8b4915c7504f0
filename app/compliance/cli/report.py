"""Run `kotae report`: write the problem report, which the window calls 報告用のファイル, without the window."""

import argparse
import functools
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import PySide6
from PySide6.QtCore import qVersion

from app.base.cli.commands import Output, add_command
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text
from app.compliance import problem_report


def add_parser(commands: Any, shared: argparse.ArgumentParser, *, shown_presets: Callable[[], Collection[str]]) -> None:
    report = add_command(commands, shared, "report", help_text("report"), functools.partial(_report, shown_presets))
    report.add_argument("--out", metavar="FILE", required=True, help=help_text("report --out"))


def _report(
    shown_presets: Callable[[], Collection[str]], options: argparse.Namespace, where: Paths, output: Output
) -> int:
    """Compose and save the report. Raises AppError("export_exists" | "export_is_folder") if the path exists."""
    target = Path(options.out)
    if target.is_dir():
        raise AppError("export_is_folder", path=options.out)
    if target.exists():
        raise AppError("export_exists", path=options.out)
    versions = {"Qt": qVersion(), "PySide6": PySide6.__version__}
    text = problem_report.compose(where, time.time(), versions, shown_presets())
    problem_report.save(text, target)
    path = str(target.absolute())
    output.result(
        {"path": path, "size_bytes": target.stat().st_size}, output.phrase("compliance.report_written", path=path)
    )
    return 0
