"""Locks the training environment: exact versions with hashes, one file for a kind of machine and a Python.

    python3 packaging/training_lock.py [PYTHON...]

Asks pip of each PYTHON (this one without any) what it would install for resources/training_environment/requirements.txt
now, and writes that to locked/<cpu or cuda>-<system>-<machine>-py<version>.txt beside that file. Which torch is found
depends on pip's own settings: PyPI has the one for CUDA on Linux; the one without is found where
`PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu` is set. Nothing is installed.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from steps import SetupError

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "resources" / "training_environment" / "requirements.txt"
LOCKED = REQUIREMENTS.parent / "locked"
_PIP = (
    "-m", "pip", "install", "--dry-run", "--ignore-installed", "--only-binary", ":all:", "--quiet", "--no-input",
    "--disable-pip-version-check", "--report", "-", "--requirement", str(REQUIREMENTS),
)  # fmt: skip


def main(arguments: list[str]) -> int:
    for python in arguments or [sys.executable]:
        run = subprocess.run([python, *_PIP], stdout=subprocess.PIPE, encoding="utf-8", check=False)
        if run.returncode != 0:
            raise SetupError(f"{python}: pip {run.returncode}")
        print(write(json.loads(run.stdout), LOCKED))
    return 0


def write(report: dict[str, Any], folder: Path) -> Path:
    """`report`: pip's, of version 1."""
    found = {item["metadata"]["name"].lower().replace("_", "-"): item for item in report["install"]}
    machine = report["environment"]
    kind = "cpu" if found["torch"]["metadata"]["version"].endswith("+cpu") else "cuda"
    python = machine["python_version"].replace(".", "")
    lines = ["# Written by packaging/training_lock.py. Not for editing."]
    for name, item in sorted(found.items()):
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        lines += [f"{name}=={item['metadata']['version']} \\", f"    --hash=sha256:{digest}"]
    folder.mkdir(exist_ok=True)
    path = folder / f"{kind}-{machine['sys_platform']}-{machine['platform_machine']}-py{python}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as problem:
        sys.exit(str(problem))
