"""The program's own log, without any text of questions, answers or documents."""

import faulthandler
import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path


def keep(folder: Path) -> None:
    """Two files of 1 MB; beside them the traceback of a crash in native code, which Python alone would not survive to
    write."""
    crashes = (folder / "crash.log").open("a", encoding="utf-8")
    faulthandler.enable(crashes)  # keeps the file open
    handler = RotatingFileHandler(folder / "kotae.log", maxBytes=1_000_000, backupCount=1, encoding="utf-8")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
