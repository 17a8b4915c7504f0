"""Completions for shells: `python packaging/completions.py SHARE`, run by a Python that has the program and shtab.

They are in the words of the English help.
"""

import sys
from pathlib import Path

# Where each shell looks for them below `share`.
PLACES = {
    "bash": "bash-completion/completions/kotae",
    "zsh": "zsh/vendor-completions/_kotae",
    "fish": "fish/vendor_completions.d/kotae.fish",
}


def main(share: Path) -> None:
    import shtab

    from app import cli
    from app.base import wording

    wording.use_language("en", is_command=True)
    parser = cli.command_parser()
    for shell, place in PLACES.items():
        target = share / place
        target.parent.mkdir(parents=True)
        target.write_text(shtab.complete(parser, shell), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
