"""The commands that the manual gives, against the program."""

import re
import shlex
from pathlib import Path

import pytest

from app import cli as main
from app.base.cli.commands import Output
from app.base.paths import resources

# In a sentence, without what they work on, or of the window alone.
NAMED = [["models", "import"], ["data", "split"], ["--lang", "en"], ["--safe-mode"]]

languages = pytest.mark.parametrize("language", ["ja", "en"])


def commands(language: str) -> list[list[str]]:
    """Their arguments."""
    text = (resources() / "manual" / f"manual.{language}.md").read_text(encoding="utf-8")
    found = re.findall(r"`kotae ([^`]+)`|^    kotae (.+)$", text, re.MULTILINE)
    return [shlex.split(within or alone) for within, alone in found]


@languages
def test_every_command_is_one(language: str) -> None:
    told = [arguments for arguments in commands(language) if arguments not in NAMED]
    assert len(told) > 40
    for arguments in told:
        options = main._parser(Output(is_json=False), arguments).parse_args(arguments)
        assert callable(options.run), arguments


@languages
def test_a_table_for_review_is_read_back_beside_the_file_that_it_was_made_of(language: str) -> None:
    (_, _, pairs, *to_table), (_, _, table, *_) = (one for one in commands(language) if one[:2] == ["data", "review"])
    assert to_table == ["--out", table]
    assert Path(table).with_suffix(".jsonl") == Path(pairs)
