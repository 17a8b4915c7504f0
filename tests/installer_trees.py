"""A small stand-in for the folder that PyInstaller makes, and what the tests of packaging/linux do with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dev_scripts import load_scripts, write_script

archive, completions, deb, desktop_files, elf, icons, linux_installers, linux_requirements = load_scripts(
    "archive", "completions", "deb", "desktop_files", "elf", "icons", "linux_installers", "linux_requirements"
)
VERSION = "0.1.0"
BUILT_AT = 1_790_000_000
PROGRAM = """#!/bin/sh
echo "Kotae of $(basename "$(dirname "$(readlink -f "$0")")"): $*"
"""


def needs(command):
    """Skips where `command` is not installed (packaging/dev.py setup installs it)."""
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")


def make_tree(folder, program=PROGRAM):
    """`program`: a script's text, or the path of a program to copy."""
    inside = folder / "_internal" / "resources" / "資料 の例"
    inside.mkdir(parents=True)
    (inside / "例.txt").write_text("例", encoding="utf-8")
    (folder / "_internal" / "libexample.so.1").write_bytes(b"no library")
    (folder / "_internal" / "libexample.so").symlink_to("libexample.so.1")
    if isinstance(program, Path):
        shutil.copy(program, folder / "Kotae")
    else:
        write_script(folder / "Kotae", program)
    return folder


def make_share(folder):
    desktop_files.write(folder, VERSION, BUILT_AT, Path(sys.executable))
    return folder


def requirements(machine="x86_64", glibc=(2, 34), libraries=None):
    return linux_requirements.Requirements(machine, glibc, "", libraries or {})


def run(*argv, home, **environment):
    """A command of somebody who lives at `home` and speaks Japanese."""
    inherited = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "ja_JP.UTF-8"}
    return subprocess.run(
        [str(word) for word in argv],
        env={**inherited, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
