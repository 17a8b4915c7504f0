"""Permits for tests of what is written: of any label and place, and of what becomes confidential meanwhile."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.base.confidentiality import ExportRequest, Label, Permit, permit_export

PERMIT = permit_export(
    ExportRequest("answers", Path("/").absolute().anchor, lambda: "public"), Path("/nowhere"), is_agreed=False
)


def until_secret(target: Path, looks: int = 1) -> Permit:
    """Return a permit for what is secret after so many looks at its label."""
    labels: Iterator[Label] = itertools.chain(["internal"] * looks, itertools.repeat("secret"))
    return permit_export(ExportRequest("answers", str(target), lambda: next(labels)), Path("/nowhere"), is_agreed=False)


def permit_to_lower(name: str) -> Permit:
    """Return a permit to make a confidential collection less confidential."""
    with tempfile.TemporaryDirectory() as folder:
        export = ExportRequest("label", name, lambda: "secret", name, becomes="internal")
        return permit_export(export, Path(folder) / "exports.log", is_agreed=True)
