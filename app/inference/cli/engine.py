"""Define `kotae engine`: list, add and remove GPU packs of the engine."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from app.base.cli.commands import Output, add_command
from app.base.files.input_file import absolute_path
from app.base.paths import Paths
from app.base.wording import format_size, help_text
from app.inference import engine_packs


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(commands, shared, "engine", help_text("engine"), None)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_command(actions, shared, "list", help_text("engine list"), _list)
    add = add_command(actions, shared, "add", help_text("engine add"), _add)
    add.add_argument("file", metavar="FILE")
    add_command(actions, shared, "remove", help_text("engine remove"), _remove)


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    known, installed = engine_packs.known_packs(), engine_packs.installed(where.engine_packs)
    lines = [
        output.phrase("inference.engine_pack", name=pack.name, size=format_size(pack.size_bytes)) for pack in installed
    ]
    words = "\n".join(lines) or output.phrase(
        "inference.engine_packs_none" if known else "inference.engine_packs_not_for_this"
    )
    data = {"packs": [dataclasses.asdict(pack) for pack in installed], "known": [pack.name for pack in known]}
    output.result(data, words)
    return 0


def _add(options: argparse.Namespace, where: Paths, output: Output) -> int:
    pack = engine_packs.install(absolute_path(Path(options.file)), where.engine_packs)
    output.result(dataclasses.asdict(pack), output.phrase("inference.engine_pack_added", name=pack.name))
    return 0


def _remove(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    removed = [pack.name for pack in engine_packs.installed(where.engine_packs)]
    engine_packs.remove(where.engine_packs)
    output.result(
        {"removed": removed},
        output.phrase("inference.engine_packs_removed" if removed else "inference.engine_packs_none"),
    )
    return 0
