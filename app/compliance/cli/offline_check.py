"""Run `kotae offline-check`: use Kotae without a network, count network attempts, and write a report page."""

import argparse
from pathlib import Path
from typing import Any

from app.base.cli.commands import Output, add_command
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text

NAME = "offline-check"


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:

    parser = add_command(commands, shared, NAME, help_text(NAME), run)
    parser.add_argument("--report", metavar="FILE.html", help=help_text(f"{NAME} --report"))


def run(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run the check. Exit status: 0 without an attempt; 1 with one, or incomplete. Raises AppError for 3."""
    from app.compliance.offline_check import report_page
    from app.compliance.offline_check.check_run import OfflineCheckRun

    report = _report(options.report) if options.report is not None else None

    def show(stage: str, done: float) -> None:
        percent = f" {done:.0%}" if done else ""
        output.progress(
            "compliance.offline_stage", stage=output.phrase(f"compliance.offline_part.{stage}"), percent=percent
        )

    check = OfflineCheckRun(where, show)
    try:
        result = check.run()
    except KeyboardInterrupt:
        check.stop()
        raise
    sbom = report_page.write_page(result, report) if report is not None else None
    output.end_progress()
    lines = [f"{report_page.verdict_title(result)}: {report_page.verdict_text(result)}"]
    if report is not None:
        lines.append(output.phrase("compliance.offline_report", path=report, sbom=sbom))
    data = result.as_json() | {"report": str(report) if report else None, "sbom": str(sbom) if sbom else None}
    output.result(data, "\n".join(lines))
    return 0 if result.is_good else 1


def _report(text: str) -> Path:
    """Return the page's absolute path, before the long check, so that no file is replaced. Raises AppError."""
    from app.compliance.offline_check import report_page

    path = Path(text).expanduser().absolute()
    try:
        if not path.parent.is_dir():
            raise AppError("export_folder_gone", path=str(path.parent))
        if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
            raise AppError("bad_option", option="--report", value=text, expected="FOLDER/FILE.html")
        for one in (path, report_page.sbom_path(path)):
            if one.exists():
                raise AppError("export_exists", path=str(one))
    except OSError as error:  # a folder without access, a name that is too long
        reason = error.strerror or str(error)
        raise AppError("offline_check_unwritable", path=str(path.parent), reason=reason) from error
    return path
