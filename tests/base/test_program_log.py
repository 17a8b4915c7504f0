"""The program's own log, where it cannot be written."""

import subprocess
import sys
from pathlib import Path

KEEP = """
import logging, sys
from pathlib import Path
from app.base import diagnostics as program_log
program_log.set_up_logging(Path(sys.argv[1]))
logging.getLogger("kotae").warning("said")
"""


def test_a_log_that_cannot_be_opened_keeps_nothing_else_from_going_on(tmp_path: Path) -> None:
    for taken, kept in (("crash.log", "kotae.log"), ("kotae.log", "crash.log")):
        folder = tmp_path / taken
        (folder / taken).mkdir(parents=True)
        run = subprocess.run([sys.executable, "-c", KEEP, folder], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert (folder / kept).is_file()
    assert "WARNING said" in (tmp_path / "crash.log" / "kotae.log").read_text("utf-8")
