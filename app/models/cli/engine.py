"""Define `kotae engine`: list, add, choose and remove the engine's packs for graphics cards."""

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from app.base import settings
from app.base.cli.commands import Output, add_command
from app.base.errors import AppError
from app.base.files.input_file import absolute_path
from app.base.paths import Paths
from app.base.wording import format_size, help_text
from app.inference import engine_packs, machine
from app.models.cli.model_download import answer_of, opened_downloads


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(commands, shared, "engine", help_text("engine"), None)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_command(actions, shared, "list", help_text("engine list"), _list)
    add = add_command(actions, shared, "add", help_text("engine add"), _add)
    add.add_argument("place", metavar="FILE|DIR|URL")
    use = add_command(actions, shared, "use", help_text("engine use"), _use)
    use.add_argument("graphics", metavar="auto|off|NAME", choices=["auto", "off", *engine_packs.TITLES])
    add_command(actions, shared, "remove", help_text("engine remove"), _remove)


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Print the packs and, as their drivers tell a child, the cards that a model will be loaded onto."""
    known, installed = engine_packs.known_packs(), engine_packs.installed(where.engine_packs)
    graphics = settings.load(where.settings).graphics
    cards = machine.list_engine_cards(graphics)
    lines = [
        output.phrase("inference.engine_pack", name=pack.name, size=format_size(pack.size_bytes)) for pack in installed
    ]
    lines += [
        output.phrase(
            "inference.engine_card",
            name=f"{card.name} {card.description}",
            free=format_size(card.free_bytes),
            total=format_size(card.total_bytes),
        )
        for card in cards
    ]
    if graphics == "off":
        lines.append(output.phrase("inference.engine_off"))
    elif installed and not cards:
        lines.append(output.phrase("inference.engine_no_card"))
    words = (
        "\n".join(lines)
        if installed
        else output.phrase("inference.engine_packs_none" if known else "inference.engine_packs_not_for_this")
    )
    data = {
        "packs": [dataclasses.asdict(pack) for pack in installed],
        "known": [pack.name for pack in known],
        "graphics": graphics,
        "cards": [dataclasses.asdict(card) for card in cards],
    }
    output.result(data, words)
    return 0


def _add(options: argparse.Namespace, where: Paths, output: Output) -> int:
    if "://" in options.place:
        # Not in the system's folder for temporary files, which may be in memory: packs have gigabytes.
        with opened_downloads(where) as (downloads, *_), tempfile.TemporaryDirectory(dir=where.data) as folder:
            fetched: Path = answer_of(downloads.catalogue.fetch([options.place], Path(folder)))
            pack = engine_packs.install(fetched, where.engine_packs)
    else:
        pack = engine_packs.install(absolute_path(Path(options.place)), where.engine_packs)
    output.result(dataclasses.asdict(pack), output.phrase("inference.engine_pack_added", name=pack.name))
    return 0


def _use(options: argparse.Namespace, where: Paths, output: Output) -> int:
    installed = [pack.name for pack in engine_packs.installed(where.engine_packs)]
    if options.graphics not in ("auto", "off", *installed):
        raise AppError("engine_pack_missing", name=options.graphics)
    stored = settings.load_stored(where.settings) or settings.Settings()
    settings.save(where.settings, dataclasses.replace(stored, graphics=options.graphics))
    key = options.graphics if options.graphics in ("auto", "off") else "pack"
    words = output.phrase(f"inference.engine_use.{key}", name=engine_packs.TITLES.get(options.graphics, ""))
    output.result({"graphics": options.graphics}, words)
    return 0


def _remove(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    removed = [pack.name for pack in engine_packs.installed(where.engine_packs)]
    engine_packs.remove(where.engine_packs)
    output.result(
        {"removed": removed},
        output.phrase("inference.engine_packs_removed" if removed else "inference.engine_packs_none"),
    )
    return 0
