"""A permit for tests of what is written, whatever its label and its place."""

from pathlib import Path

from app.base.export_gate import Export, pass_out

PERMIT = pass_out(Export("answers", Path("/").absolute().anchor, lambda: "public"), Path("/nowhere"), is_agreed=False)
