"""What the tests of packaging/*.py share: the scripts as modules, and a world without system commands."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "packaging"
# Stands in for .venv's Python, the tools and apt-get: writes down how it was called, and fails when told to.
STAND_IN = """#!/bin/sh
echo "${0##*/}${*:+ $*}" >> "$CALLS"
case "$1" in -c) echo cp311;; esac
case "$*" in *"$FAILING"*) echo "it broke here"; exit 7;; esac
"""


def load_scripts(*names):
    """Imports by name as `python3 packaging/dev.py` does, and takes the folder off the path again."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(SCRIPTS))


steps, system_packages, llama_build, training_setup, fault_table = load_scripts(
    "steps", "system_packages", "llama_build", "training_setup", "fault_table"
)


def write_script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def isolate(folder, monkeypatch):
    """Hides the user's cache, compiler flags and system commands (apt-get above all); returns the PATH's one folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    commands = folder / "commands"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.setattr(system_packages, "SEARCH_PATH", str(commands))
    return commands
