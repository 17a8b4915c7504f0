"""Find the data folder: by an option, by a variable, or by the platform's own rules."""

import os
from collections.abc import Sequence
from pathlib import Path

DATA_DIR_VARIABLE = "KOTAE_DATA_DIR"


def chosen(data_dir: str | None) -> str:
    """Return `data_dir`, else $KOTAE_DATA_DIR, else the platform's own folder, as it was written.

    Raises RuntimeError without a home folder.
    """
    named = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    if named:
        return named
    import platformdirs  # a process whose folder is named does without

    return platformdirs.user_data_dir("Kotae", appauthor=False)


def of_arguments(arguments: Sequence[str]) -> Path:
    """Return the folder that a command line means, without making it: the network guard asks before all else."""
    option = ""
    for at, argument in enumerate(arguments):
        if argument.startswith("--data-dir="):
            option = argument.partition("=")[2]
        elif argument == "--data-dir" and at + 1 < len(arguments):
            option = arguments[at + 1]
    try:
        return Path(chosen(option)).expanduser().absolute()
    except RuntimeError:  # no home, or `~` of nobody: whoever needs the folder reports it
        return Path(option or os.environ.get(DATA_DIR_VARIABLE) or ".")
