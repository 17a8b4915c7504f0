"""Pins the Pythons that may go into a training environment kit: files of python-build-standalone with their hashes.

    python packaging/training_pythons.py

Writes resources/training_environment/locked/pythons.txt: for each kind of machine and Python that has a lock, the
newest releases that uv knows. Needs no network: uv carries the hashes of what it would fetch. It does not list them,
but names the one that it expects when it is given another file under that name, which is what is done here.
"""

import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import uv
from steps import SetupError
from training_lock import PYTHONS, TRAINING

PINS = TRAINING.parent / "locked" / "pythons.txt"
RELEASES = 3  # of each Python: who has fetched one lately need not fetch another
_SYSTEMS = {  # kind of machine -> what uv calls it
    "linux-x86_64": "linux-x86_64-gnu",
    "win32-x86_64": "windows-x86_64-none",
    "darwin-arm64": "macos-aarch64-none",
}
_KIND = "-install_only_stripped.tar.gz"
_EXPECTED = re.compile(r"Expected:\s+([0-9a-f]{64})\b")


def main() -> int:
    lines = ["# Written by packaging/training_pythons.py. Not for editing. SYSTEM PYTHON SHA256 FILE"]
    releases = _listed()
    for system, called in _SYSTEMS.items():
        for python in PYTHONS:
            wanted = [release for release in releases if _is_of(release, called, python)]
            wanted.sort(key=lambda one: int(one["version_parts"]["patch"]), reverse=True)
            if len(wanted) < RELEASES:
                raise SetupError(f"{system}, Python {python[0]}.{python[1]}: uv knows {len(wanted)}")
            for one in wanted[:RELEASES]:
                name = unquote(urlsplit(one["url"]).path).rpartition("/")[2]
                lines.append(f"{system} {python[0]}.{python[1]} {_expected(one)} {name}")
    PINS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(PINS)
    return 0


def _listed() -> list[dict[str, Any]]:
    argv = [uv.find_uv_bin(), "python", "list", "--no-config", "--only-downloads", "--all-versions", "--all-platforms",
            "--all-arches", "--show-urls", "--output-format", "json"]  # fmt: skip
    run = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", check=True)
    listed: list[dict[str, Any]] = json.loads(run.stdout)
    return listed


def _is_of(entry: dict[str, Any], called: str, python: tuple[int, int]) -> bool:
    parts = entry["version_parts"]
    is_release = entry["version"] == f"{python[0]}.{python[1]}.{parts['patch']}"
    return is_release and entry["key"] == f"cpython-{entry['version']}-{called}" and str(entry["url"]).endswith(_KIND)


def _expected(entry: dict[str, Any]) -> str:
    """The hash that uv has of that release: it is offered an empty archive, from a folder."""
    with tempfile.TemporaryDirectory() as folder:
        mirror = Path(folder) / "mirror"
        path = mirror / "/".join(unquote(urlsplit(entry["url"]).path).split("/")[-2:])
        path.parent.mkdir(parents=True)
        with tarfile.open(path, "w:gz") as tar:
            tar.addfile(tarfile.TarInfo("python/none"), io.BytesIO())
        argv = [uv.find_uv_bin(), "python", "install", entry["key"], "--no-config", "--no-bin", "--no-registry",
                "--mirror", mirror.as_uri(), "--install-dir", f"{folder}/pythons", "--cache-dir", f"{folder}/cache",
                "--color", "never"]  # fmt: skip
        run = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False)
    match = _EXPECTED.search(run.stderr)
    if run.returncode == 0 or match is None:
        raise SetupError(f"{entry['key']}: uv has not named the hash that it expects: {run.stderr.strip()}")
    return match[1]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (SetupError, subprocess.CalledProcessError) as problem:
        sys.exit(str(problem))
