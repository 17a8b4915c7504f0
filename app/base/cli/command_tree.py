"""How a command is added to the parser of `kotae`."""

import argparse
from collections.abc import Callable
from typing import Any

from app.base.cli.output import Output
from app.base.paths import Paths

Command = Callable[[argparse.Namespace, Paths, Output], int]
# argparse's words, which are said in the user's language.
MISSING = "the following arguments are required: {}"


def add_command(commands: Any, shared: argparse.ArgumentParser, name: str, help_text: str, run: Command | None) -> Any:
    """A subcommand with the shared options; `run` None for one that only groups others.

    Its options have `missing(name)`, which ends like argparse where an argument that depends on others is not given.
    """
    parser = commands.add_parser(name, help=help_text, description=help_text, parents=[shared])
    if run is not None:
        set_command(parser, run)
    return parser


def set_command(parser: argparse.ArgumentParser, run: Command) -> None:
    """What a parser's command line runs."""
    parser.set_defaults(run=run, missing=lambda name: parser.error(MISSING.format(name)))
