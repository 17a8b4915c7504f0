"""`kotae eval`: measure how well Kotae works on the user's own documents and questions.

Each command returns its exit status: 0; 3 after an expected error; those that run a study as `eval_run.run_study`.
"""

import argparse
import functools
import importlib
from typing import Any

from app.base.wording import help_text
from app.evaluation.cli import eval_sets

# The module of an action adds its options, and is imported only for that action: importing all modules takes a second.
ACTIONS = {
    "questions": "eval_studies",
    "documents": "eval_studies",
    "thinking": "eval_studies",
    "quant": "eval_studies",
    "scale": "eval_trainings",
    "paper": "eval_trainings",
    "judge": "eval_studies",
    "list": "eval_run",
    "show": "eval_run",
    "compare": "eval_run",
    "resume": "eval_run",
    "remove": "eval_run",
    "restore": "eval_run",
    "ratings": "eval_run",
    "pairs": "eval_run",
    "retrieval": "eval_retrieval",
}


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    group = add_command(commands, shared, "eval", help_text("eval"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    for name, module in ACTIONS.items():
        parser = add_command(actions, shared, name, help_text(f"eval {name}"), None)
        parser.fill = functools.partial(_add_options_of_module, parser, name, module)
    eval_sets.add_parser(actions, shared)


def _add_options_of_module(parser: argparse.ArgumentParser, name: str, module: str) -> None:
    importlib.import_module(f"app.evaluation.cli.{module}").add_options(parser, name)
