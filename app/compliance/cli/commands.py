"""Run `kotae offline-check`, `kotae licences` and `kotae report`. Each loads only what it needs."""

import argparse
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app import __version__
from app.base.cli.commands import Output, add_command
from app.base.errors import AppError
from app.base.files.output_file import open_atomically
from app.base.paths import Paths
from app.base.wording import help_text


def add_offline_check(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(commands, shared, "offline-check", help_text("offline-check"), check_offline)
    parser.add_argument("--report", metavar="FILE.html", help=help_text("offline-check --report"))


def check_offline(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Use Kotae without a network, count network attempts, and write a report page.

    Exit status: 0 without an attempt; 1 with one, or incomplete. Raises AppError for 3.
    """
    from app.compliance.offline_check import report_page
    from app.compliance.offline_check.check_run import OfflineCheckRun

    report = _report_page(options.report) if options.report is not None else None

    def show(stage: str, done: float) -> None:
        part, percent = output.phrase(f"compliance.offline_part.{stage}"), f" {done:.0%}" if done else ""
        output.progress("compliance.offline_stage", stage=part, percent=percent)

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


def _report_page(text: str) -> Path:
    """Return the page's absolute path, before the long check, so that no file is replaced. Raises AppError."""
    from app.compliance.offline_check import report_page

    path = Path(text).expanduser().absolute()
    try:
        if not path.parent.is_dir():
            raise AppError("export_folder_gone", path=str(path.parent))
        if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
            raise AppError("bad_option", option="--report", value=text, expected="FOLDER/FILE.html")
        for one in (path, report_page.sbom_path(path)):
            _require_new(one)
    except OSError as error:  # a folder without access, a name that is too long
        reason = error.strerror or str(error)
        raise AppError("offline_check_unwritable", path=str(path.parent), reason=reason) from error
    return path


def _require_new(path: Path) -> None:
    if path.exists():
        raise AppError("export_exists", path=str(path))


def add_licences(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(commands, shared, "licences", help_text("licences"), _show_licences)
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("name", metavar="NAME", nargs="?", help=help_text("licences name"))
    wanted.add_argument("--sbom", metavar="FILE", help=help_text("licences --sbom"))


def _show_licences(options: argparse.Namespace, _where: Paths, output: Output) -> int:
    from app.compliance import components

    if options.sbom is not None:
        return _write_sbom(Path(options.sbom), output)
    parts = components.load_all()
    if options.name is None:
        lines = [f"{part.name}\t{part.version}\t{part.licence}\t{part.homepage}" for part in parts]
        output.result({"components": [components.summary(part) for part in parts]}, "\n".join(lines))
        return 0
    chosen = components.find(parts, options.name)
    if chosen is None:
        raise AppError("component_unknown", name=options.name)
    heading = (f"{chosen.name} {chosen.version}".strip(), chosen.licence, chosen.copyright, chosen.homepage)
    output.result(dataclasses.asdict(chosen), "\n".join([*filter(None, heading), "", chosen.notice]))
    return 0


def _write_sbom(file: Path, output: Output) -> int:
    """Write the list of components as CycloneDX. Raises AppError("export_exists") if the file exists."""
    from app.compliance import components

    _require_new(file)
    bill = components.make_cyclonedx(components.load(), __version__, datetime.now(UTC))
    with open_atomically(file) as target:
        target.write((json.dumps(bill, ensure_ascii=False, indent=1) + "\n").encode())
    count = len(bill["components"])
    told = output.phrase("compliance.licences_sbom_written", path=file, n=count)
    output.result({"path": str(file), "components": count}, told)
    return 0


def add_report(commands: Any, shared: argparse.ArgumentParser, *, shown_presets: Callable[[], Collection[str]]) -> None:
    run = functools.partial(_write_report, shown_presets)
    report = add_command(commands, shared, "report", help_text("report"), run)
    report.add_argument("--out", metavar="FILE", required=True, help=help_text("report --out"))


def _write_report(
    shown_presets: Callable[[], Collection[str]], options: argparse.Namespace, where: Paths, output: Output
) -> int:
    """Write the problem report, which the window calls 報告用のファイル, without the window.

    Raises AppError("export_exists" | "export_is_folder") if the path exists.
    """
    import PySide6
    from PySide6.QtCore import qVersion

    from app.compliance import problem_report

    target = Path(options.out)
    if target.is_dir():
        raise AppError("export_is_folder", path=options.out)
    _require_new(target)
    versions = {"Qt": qVersion(), "PySide6": PySide6.__version__}
    problem_report.save(problem_report.compose(where, time.time(), versions, shown_presets()), target)
    path = str(target.absolute())
    told = output.phrase("compliance.report_written", path=path)
    output.result({"path": path, "size_bytes": target.stat().st_size}, told)
    return 0
