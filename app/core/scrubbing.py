"""Lines of our logs without what belongs to the user: texts, names of files, places, addresses, the user's name.

Our logs are written in English and hold no such text on purpose; this takes out what an error, or a library, may have
put there all the same. In doubt a line loses more than it must. Not for texts of people.
"""

import getpass
import platform
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from app.core.paths import Paths

HIDDEN = "<…>"
SHORTEST = 3  # characters of a name that is looked for: shorter ones are in every other word

_OURS = ("<Kotae>", "<Python>")
_ADDRESS = re.compile(r"\b\w+://[^\s\"'<>]+")
_START = r"(?:/(?=[^\s/])|~[/\\]|[A-Za-z]:[\\/]|\\\\|<data>[/\\])"
_QUOTED_PATH = re.compile(rf"([\"'])({_START}(?:(?!\1).)*)\1")
_BARE_PATH = re.compile(rf"(?<![\w<>/.\"'~\\]){_START}.*")
_FACT = re.compile(r"(?P<key>'(\w+)': )(?P<quote>[\"'])(?:(?!(?P=quote)).)*(?P=quote)")
_TOLD_FACTS = ("reason", "cause", "code", "state", "phase")
_FOREIGN = re.compile(r"[^\x00-\x7f…]+")
_METADATA = re.compile(r"(\b(?:general|tokenizer)\.[\w.]+\s*(?:str|arr\[[^\]]*\])?\s*=).*")
_SUFFIX = re.compile(r"\.(gguf|log|sqlite|json|py|pyc|so|dll|dylib|safetensors)\b", re.IGNORECASE)
# Of a log that has tracebacks in it: its own lines, frames, and what kind of error it was without its message.
_RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* [A-Z]+ .*")
_TRACE = re.compile(r"(  File \"|    \S|Traceback |During handling|The above exception|\s*$)")
_KIND = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Cancelled))(?::.*)?$")


def names_of_user(where: Paths) -> list[str]:
    """What is called after the user's matters: documents, collections, conversations, models. The longest first."""
    asked = (
        (where.documents, "SELECT name FROM document UNION SELECT path FROM document"),
        (where.documents, "SELECT name FROM collection"),
        (where.database, "SELECT title FROM conversation UNION SELECT name FROM folder UNION SELECT name FROM preset"),
        (where.database, "SELECT name FROM local_model UNION SELECT path FROM local_model"),
    )
    found: set[str] = set()
    for file, question in asked:
        found.update(_read(file, question))
    found.update(Path(name).stem for name in tuple(found) if "/" in name or "\\" in name or "." in name)
    return sorted((name for name in found if len(name) >= SHORTEST), key=len, reverse=True)


def scrubbed(text: str, where: Paths, names: Sequence[str], *, has_tracebacks: bool = False) -> str:
    """`has_tracebacks`: lines that are neither a record nor part of a traceback are left out, as are messages of
    errors, which may quote anything."""
    for name in names:
        if name in text:
            text = text.replace(name, HIDDEN)
    lines = text.splitlines()
    kept = _without_messages(lines) if has_tracebacks else lines
    places, people = _places(where), _people()
    return "\n".join(_line(line, places, people) for line in kept)


def _without_messages(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        kind = _KIND.match(line)
        if _RECORD.match(line) or _TRACE.match(line):
            yield line
        elif kind is not None:
            yield kind[1]
        else:
            yield HIDDEN


def _line(line: str, places: Sequence[tuple[str, str]], people: re.Pattern[str] | None) -> str:
    line = _ADDRESS.sub("<address>", line)
    for place, mark in places:
        line = line.replace(place, mark)
    line = _FACT.sub(lambda found: found[0] if found[2] in _TOLD_FACTS else f"{found['key']}'{HIDDEN}'", line)
    line = _QUOTED_PATH.sub(lambda found: f"{found[1]}{_shape(found[2])}{found[1]}", line)
    line = _BARE_PATH.sub(lambda found: _shape(found[0]), line)
    line = _METADATA.sub(rf"\1 {HIDDEN}", line)
    if people is not None:
        line = people.sub("<user>", line)
    return _FOREIGN.sub("…", line)


def _shape(path: str) -> str:
    """Of a path only what kind of file it is."""
    kinds = _SUFFIX.findall(path)
    return f"<path>.{kinds[-1].lower()}" if kinds else "<path>"


def _places(where: Paths) -> list[tuple[str, str]]:
    """Folders that may be named, in a way that tells nothing of this machine; the longest first."""
    program = str(Path(__file__).resolve().parents[2])
    marks = {sys.base_prefix: "<Python>", sys.prefix: "<Python>", program: "<Kotae>", str(where.data): "<data>"}
    with suppress(RuntimeError):
        marks.setdefault(str(Path.home()), "~")
    if getattr(sys, "frozen", False):
        marks[str(Path(sys.executable).parent)] = "<Kotae>"
    found = [(place, mark) for place, mark in marks.items() if len(place) > 1]
    return sorted(found, key=lambda one: len(one[0]), reverse=True)


def _people() -> re.Pattern[str] | None:
    """This user and this machine, by name."""
    with suppress(OSError, KeyError, ImportError):
        names = [name for name in (getpass.getuser(), platform.node()) if len(name) >= SHORTEST]
        return re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names)) if names else None
    return None


def _read(file: Path, question: str) -> list[str]:
    """[] where the file is missing, damaged or of another version: the other rules stand all the same."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            return [value for (value,) in db.execute(question) if isinstance(value, str)]
    except (sqlite3.Error, UnicodeDecodeError):
        return []
