"""`kotae train …`: fine-tuning, and the environment that it needs."""

import argparse
from typing import Any

from app.base.wording import help_text
from app.training.cli import train_environment, train_gate, train_jobs, train_plan, train_runs


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    train = add_command(commands, shared, "train", help_text("train"), None)
    actions = train.add_subparsers(dest="action", metavar="ACTION", required=True, title=help_text("commands"))
    train_plan.add_parsers(actions, shared)
    train_runs.add_parsers(actions, shared)
    train_gate.add_parsers(actions, shared)
    train_jobs.add_parsers(actions, shared)
    train_environment.add_parsers(actions, shared)
