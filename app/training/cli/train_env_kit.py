"""`kotae train env-kit`: what makes the training environment on a machine without a network, written to a folder."""

import argparse
from pathlib import Path
from typing import Any

from app.base.cli.output import Output
from app.base.errors import AppError
from app.base.files.absolute_path import absolute
from app.base.paths import Paths
from app.base.wording import help_text
from app.models import package_locks as locks
from app.models.kits.kit_part_size import part_bytes_from
from app.training.cli.train_environment import run_setup
from app.training.environment import kit
from app.training.environment.messages import KitJob


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.command_tree import add_command

    parser = add_command(actions, shared, "env-kit", help_text("train env-kit"), _write)
    parser.add_argument("--out", metavar="DIR", required=True, help=help_text("train env-kit --out"))
    parser.add_argument("--variant", choices=locks.VARIANTS, help=help_text("train env-kit --variant"))
    parser.add_argument("--python-version", metavar="X.Y", help=help_text("train env-kit --python-version"))
    parser.add_argument("--system", metavar="SYSTEM", help=help_text("train env-kit --system"))
    parser.add_argument("--python", metavar="ARCHIVE", help=help_text("train env-kit --python"))
    parser.add_argument("--wheels", metavar="DIR", help=help_text("train env-kit --wheels"))
    parser.add_argument("--part-size", metavar="SIZE", default="3.9GB", help=help_text("train env-kit --part-size"))


def _write(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 3 expected error; 130 interrupted: the same command goes on."""
    version = options.python_version or ""
    if version and locks.python_from(version) is None:
        raise AppError("bad_option", option="--python-version", value=version, expected="3.12")
    out = absolute(Path(options.out))
    wheels, archive = (absolute(Path(name)) if name else None for name in (options.wheels, options.python))
    if wheels is not None and not wheels.is_dir():
        raise AppError("wheels_folder_missing", path=str(wheels))
    job = KitJob(str(out), options.system or "", version, str(archive or ""), part_bytes_from(options.part_size))
    try:
        seconds = run_setup(where, output, lambda setup: setup.write_kit(job, wheels, options.variant or ""))
    except (AppError, KeyboardInterrupt):
        if out.is_dir() and any(out.glob("*.whl*")):
            output.note("training_kit_kept", path=str(out))
        raise
    written = kit.read(out)
    facts = {"lock": written.lock, "files": len(list(written.entries)), "size_bytes": written.size_bytes}
    python = written.python.name if written.python else None
    data = {"folder": str(out), "seconds": seconds, "python": python, **facts}
    output.result(data, output.phrase("training_kit_written", path=str(out), **facts))
    return 0
