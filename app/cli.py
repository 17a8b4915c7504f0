"""Run the `kotae` command with its arguments and return the exit status.

The status is 0 for success; 1 when the command succeeded and its result is negative; 2 for wrong usage; 3 for an
expected error; 130 when interrupted.
"""

import argparse
import errno
import functools
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from app import __version__
from app.base import paths, wording
from app.base.cli.commands import MISSING, Command, Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text
from app.inference import crashes, engine_packs
from app.models import catalogue

if TYPE_CHECKING:  # each command imports what it needs when it runs
    from app.base.confidentiality import Label
    from app.inference.local_model import LocalModel
    from app.models.kits.kit_import import KitPresets
    from app.models.model_store import ModelStore
    from app.models.services.model_library import Publish

# data folder, language, whether in safe mode, GGUF file to add -> exit status
OpenWindow = Callable[[str | None, str | None, bool, str | None], int]

# The module of each command, imported only when it is needed, and its function if that is not `add_parser`.
COMMANDS = {
    "ask": "app.chat.cli.ask",
    "serve": "app.serve.cli.serve",
    "mcp": "app.serve.cli.mcp",
    "models": "app.models.cli.models",
    "docs": "app.documents.cli.docs",
    "chats": "app.chat.cli.chats",
    "data": "app.training.cli.data",
    "train": "app.training.cli.train",
    "eval": "app.evaluation.cli.eval",
    "engine": "app.models.cli.engine",
    "offline-check": "app.compliance.cli.commands:add_offline_check",
    "report": "app.compliance.cli.commands:add_report",
    "licences": "app.compliance.cli.commands:add_licences",
}


def _presets_of(store: "ModelStore") -> "KitPresets":
    from app.chat.services.preset_library import PresetLibrary

    return PresetLibrary(store)


def _label_of_model(documents: Path, model: "LocalModel") -> "Label":
    from app.training.runs import lineage

    return lineage.label_of_model(documents, model)


def _trained(reference: str, form: str | None, strength: float | None, where: Paths) -> "Publish":
    from app.training import published_model
    from app.training.quality_gate import BASE_ADAPTER
    from app.training.runs import run_folders

    folder = run_folders.find_folder(where.runs, reference)
    strength = 1.0 if strength is None else strength
    return functools.partial(published_model.publish, folder, form=form or BASE_ADAPTER, strength=strength)


def _learned_by(documents: Path, adapter: Path) -> "Label":
    from app.training.runs import lineage

    return lineage.label_of_file(documents, adapter)


def _keep_lineage(adapter: Path, merged: Path) -> None:
    from app.training.runs import lineage

    lineage.write_lineage_note(adapter, merged)


def _runs_on(where: Paths, base: Path) -> list[str]:
    from app.training.runs import run_folders

    return run_folders.names_on(where, base)


def _find_run(runs_folder: Path, reference: str) -> Path:
    from app.training.runs import run_folders

    return run_folders.find_folder(runs_folder, reference)


def _shown_presets() -> set[str]:
    from app.chat import presets

    return {preset.id for preset in presets.built_in_presets()}


def _summary_run(*arguments: Any) -> Any:
    from app.chat.services.document_summary import SummaryJob, SummaryRun

    engine, *job = arguments
    return SummaryRun(engine, SummaryJob(*job))


# Functions of other packages that a command may not import itself, by command and parameter name.
HANDED_IN: dict[str, dict[str, Any]] = {
    "docs": {"summary_run": _summary_run, "label_of": _label_of_model},
    "ask": {"find_run": _find_run, "label_of": _label_of_model},
    "models": {
        "trained": _trained,
        "presets_of": _presets_of,
        "label_of": _label_of_model,
        "learned_by": _learned_by,
        "keep_lineage": _keep_lineage,
        "runs_on": _runs_on,
    },
    "report": {"shown_presets": _shown_presets},
}
SHARED = ("--data-dir", "--lang", "--json")
SAFE_MODE = "--safe-mode"  # an option of the window only


def main(arguments: Sequence[str], open_window: OpenWindow) -> int:
    """Run one command, or `open_window` if there is none. It is a parameter because commands load no window."""
    language = _language(arguments)
    wording.use_language(language or "ja", is_command=True)
    output = Output("--json" in arguments)
    try:
        arguments = _options_last(arguments)
        file = _model_file(arguments)
        arguments = arguments if file is None else arguments[1:]
        parser = _parser(output, arguments)
        options = parser.parse_args(arguments, argparse.Namespace(data_dir=None, lang="ja", json=False))
        if options.command is None:
            return _open_window(options, language, output, open_window, file)
        if options.safe_mode:
            parser.error(f"argument {SAFE_MODE}: not allowed with argument {options.command}")
        run: Command = options.run
        where = paths.locate(options.data_dir)
        catalogue.set_user_cards_folder(where.cards)
        engine_packs.use_folder(where.engine_packs)
        crashes.use_file(where.crashes)
        return run(options, where, output)
    except AppError as error:
        output.error(error)
        return 2 if error.code == "bad_option" else 3
    except KeyboardInterrupt:
        output.end_progress()
        output.note("common.interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The program that reads the output has ended (`kotae … | head`). Python would report the broken pipe again at
        # exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # see above
        output.error(AppError("disk_full", path="stdout"))
        return 3


def _open_window(
    options: argparse.Namespace, language: str | None, output: Output, open_window: OpenWindow, file: str | None
) -> int:
    is_headless = sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM")
    )
    if is_headless:
        output.note("shell.no_display")
        return 3
    return open_window(options.data_dir, language, options.safe_mode, file)


def _model_file(arguments: Sequence[str]) -> str | None:
    """Return the GGUF file that the window shall add, as when a file manager opens one; None if there is none."""
    first = arguments[0] if arguments else ""
    is_file = first.casefold().endswith(".gguf") and Path(first).is_file()
    return str(Path(first).absolute()) if is_file else None


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands with their options, for the completion of shells."""
    parser = _parser(Output(False), ("--help",))
    _fill(parser)
    return parser


def _fill(parser: argparse.ArgumentParser) -> None:
    fill, parser.fill = getattr(parser, "fill", None), None  # type: ignore[attr-defined]
    if fill is not None:
        fill()
    for action in parser._actions:
        for command in action.choices.values() if isinstance(action.choices, dict) else ():
            _fill(command)


def _language(arguments: Sequence[str]) -> str | None:
    """Return the value of --lang, or None. It is read before the other arguments, because their errors are shown in
    it."""
    for at, argument in enumerate(arguments):
        value = argument.removeprefix("--lang=") if argument.startswith("--lang=") else ""
        if argument == "--lang" and at + 1 < len(arguments):
            value = arguments[at + 1]
        if value in wording.LANGUAGES:
            return value
    return None


class _Formatter(argparse.HelpFormatter):
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, help_text("usage") if prefix is None else prefix)


class _Parser(argparse.ArgumentParser):
    """A parser whose texts and errors are in the user's language.

    `fill` adds the options of a command when they are needed, so that the overview of all commands imports no modules
    for them.
    """

    output: Output
    fill: Callable[[], None] | None = None

    def __init__(self, **options: Any) -> None:
        # Abbreviated options are refused: `app.base.settings` looks for --data-dir before this parser runs, and would
        # miss them.
        super().__init__(**options, add_help=False, allow_abbrev=False, formatter_class=_Formatter)
        self._positionals.title, self._optionals.title = help_text("arguments"), help_text("options")
        self.add_argument("-h", "--help", action="help", help=help_text("--help"))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        fill, self.fill = self.fill, None
        if fill is not None:
            fill()
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:  # otherwise the parser of `kotae`, which does not have this command's options, would report them
            self.error(UNKNOWN.format(" ".join(unknown)))
        self._check_filled(parsed)
        return parsed, unknown

    def _check_filled(self, parsed: argparse.Namespace) -> None:
        """Refuse empty values for files and names, which would mean the current folder or all items."""
        for action in self._actions:
            given = getattr(parsed, action.dest, None)
            values = given if isinstance(given, list) else [given]
            if given != action.default and action.metavar not in MAY_BE_EMPTY and "" in values:
                self.error(EMPTY.format("/".join(action.option_strings) or action.metavar))

    def error(self, message: str) -> NoReturn:
        phrase = self.output.phrase
        detail = wording.usage_problem(message)
        self.print_usage(sys.stderr)
        next_step = phrase("shell.usage_next", command=self.prog)
        if message == MISSING.format("ACTION"):
            actions = (name for action in self._actions for name in action.choices or () if action.dest == "action")
            next_step = phrase("shell.usage_actions", command=self.prog, actions=" / ".join(actions))
        self.output.failure("usage", wording.ErrorMessage(phrase("shell.usage_error", detail=detail), next_step))
        sys.exit(2)


def _parser(output: Output, arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser with the given command only, or with all commands for the help and for unknown commands.

    Loading all commands takes a second.
    """

    class Parser(_Parser):
        pass

    Parser.output = output
    shared = _shared_options()
    parser = Parser(prog="kotae", description=help_text("kotae"), parents=[shared])
    parser.add_argument("--version", action="version", version=f"kotae {__version__}", help=help_text("--version"))
    parser.add_argument(SAFE_MODE, action="store_true", help=help_text(SAFE_MODE))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title=help_text("commands"))
    gc.disable()  # an import makes no garbage, and looking through it takes a tenth of a command's time
    for name in _commands_to_know(arguments):
        module, _, function = COMMANDS[name].partition(":")
        add = getattr(importlib.import_module(module), function or "add_parser")
        add(commands, shared, **HANDED_IN.get(name, {}))
    gc.freeze()
    gc.enable()
    return parser


def _commands_to_know(arguments: Sequence[str]) -> Sequence[str]:
    first = arguments[0].partition("=")[0] if arguments else SHARED[0]
    if first in (*SHARED, SAFE_MODE, "--version"):
        return ()  # without a command the window opens
    return (first,) if first in COMMANDS else tuple(COMMANDS)


def _shared_options() -> argparse.ArgumentParser:
    """Return the options that every command takes, before or after its name or its action's.

    They have no defaults, with which the parser of an action would overwrite what stands before its name.
    """
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--data-dir", metavar="DIR", help=help_text("--data-dir"))
    shared.add_argument("--lang", choices=wording.LANGUAGES, help=help_text("--lang"))
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=help_text("--json"))
    return shared


def _options_last(arguments: Sequence[str]) -> list[str]:
    """Move the shared options after the command, so that this comes first."""
    rest, shared = list(arguments), []
    while rest and rest[0].startswith("-"):
        option = rest[0].partition("=")[0]
        if option == "--json" or (option in SHARED and "=" in rest[0]):
            shared += [rest.pop(0)]
        elif option in SHARED and len(rest) > 1:
            shared += [rest.pop(0), rest.pop(0)]
        else:
            break
    return [*rest, *shared]


UNKNOWN = "unrecognized arguments: {}"
EMPTY = "argument {}: must not be empty"  # not a text of argparse, but translated like those

MAY_BE_EMPTY = ("TEXT", "QUESTION", "QUERY")  # names of values that are free text; all other values are names
