"""`kotae bench`: measurements that anyone can repeat. Ratios within one run; the machine may be noisy."""

import argparse
from typing import Any

from app.base.cli.output import Output
from app.base.paths import Paths
from app.base.wording import help_text


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.command_tree import add_command

    group = add_command(commands, shared, "bench", help_text("bench"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    engine = add_command(actions, shared, "engine", help_text("bench engine"), _engine)
    engine.add_argument("--model", metavar="ID|FILE")
    engine.add_argument("--runs", metavar="N", type=int, default=5, help=help_text("bench engine --runs"))
    engine.add_argument("--prompt-tokens", metavar="N", type=int, default=512)
    engine.add_argument("--answer-tokens", metavar="N", type=int, default=64)
    engine.add_argument("--context", metavar="N", type=int, default=2048)
    engine.add_argument("--threads", metavar="N", type=int)
    engine.add_argument("--repack", action="store_true", help=help_text("bench engine --repack"))
    start = add_command(actions, shared, "start", help_text("bench start"), _start)
    start.add_argument("--conversations", metavar="N", type=int, default=1000)
    start.add_argument("--runs", metavar="N", type=int, default=5)


def _engine(options: argparse.Namespace, where: Paths, output: Output) -> int:
    from app.shell.cli import bench_engine

    return bench_engine.run(options, where, output)


def _start(options: argparse.Namespace, where: Paths, output: Output) -> int:
    from app.shell.cli import bench_start

    return bench_start.run(options, where, output)
