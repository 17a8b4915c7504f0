"""Run `kotae licences`: list the components of Kotae, show the licence text of one, or write a CycloneDX file."""

import argparse
import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app import __version__
from app.base.cli.commands import Output, add_command
from app.base.errors import AppError
from app.base.files.output_file import open_atomically
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.compliance import components


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(commands, shared, "licences", help_text("licences"), _run)
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("name", metavar="NAME", nargs="?", help=help_text("licences name"))
    wanted.add_argument("--sbom", metavar="FILE", help=help_text("licences --sbom"))


def _run(options: argparse.Namespace, _where: Paths, output: Output) -> int:
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
    text = "\n".join([*filter(None, heading), "", chosen.notice])
    output.result(dataclasses.asdict(chosen), text)
    return 0


def _write_sbom(file: Path, output: Output) -> int:
    """Write the list of components as CycloneDX. Raises AppError("export_exists") if the file exists."""
    if file.exists():
        raise AppError("export_exists", path=str(file))
    bill = components.make_cyclonedx(components.load(), __version__, datetime.now(UTC))
    with open_atomically(file) as target:
        target.write((json.dumps(bill, ensure_ascii=False, indent=1) + "\n").encode())
    count = len(bill["components"])
    output.result(
        {"path": str(file), "components": count}, phrase("compliance.licences_sbom_written", path=file, n=count)
    )
    return 0
