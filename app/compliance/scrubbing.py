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

from app.base import settings
from app.base.addresses import host_of
from app.base.paths import Paths
from app.base.settings import Settings

HIDDEN = "<…>"
SHORTEST = 3  # characters of a name that is looked for: shorter ones are in every other word

# Of the web, of a machine, of a person; and the hub's tokens.
_ADDRESS = re.compile(r"\b\w+://[^\s\"'<>]+|\b\d{1,3}(?:\.\d{1,3}){3}\b|[\w.+-]+@[\w.-]*\w|\bhf_\w+")
_START = r"(?:/(?=[^\s/])|~[/\\]|[A-Za-z]:[\\/]|\\\\|<data>[/\\])"
_QUOTED_PATH = re.compile(rf"([\"'])({_START}(?:(?!\1).|\1(?=\w))*)\1")  # an apostrophe in a name does not end it
_BARE_PATH = re.compile(rf"(?<![\w<>/.~\\]){_START}.*")
_FACT = re.compile(r"(?P<key>'(\w+)': )(?:\[[^\]]*\]|(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote))")
_TOLD_FACTS = ("reason", "cause", "code", "state", "phase")
_FOREIGN = re.compile(r"[^\x00-\x7f…]+")
_METADATA = re.compile(r"(\b(?:general|tokenizer)\.[\w.]+\s*(?:str|arr\[[^\]]*\])?\s*=).*")
_SUFFIX = re.compile(r"\.(gguf|log|sqlite|json|py|pyc|so|dll|dylib|safetensors)\b", re.IGNORECASE)
# Of a log that has tracebacks in it: its own lines, frames, and what kind of error it was without its message.
_RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* [A-Z]+ .*")
_TRACE = re.compile(r"(  File \"|Traceback |During handling|The above exception|\s*$)")
_SOURCE = "    "  # how a line of code begins, below its frame
_KIND = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Cancelled))(?::.*)?$")


def names_of_user(where: Paths) -> list[str]:
    """What is called after the user's matters: documents, collections, conversations, models, servers of the user's.

    The longest first.
    """
    asked = (
        (where.documents, "SELECT name FROM document UNION SELECT path FROM document"),
        (where.documents, "SELECT name FROM collection"),
        (where.database, "SELECT title FROM conversation UNION SELECT name FROM folder UNION SELECT name FROM preset"),
        (where.database, "SELECT name FROM local_model UNION SELECT path FROM local_model"),
        (where.database, "SELECT value FROM remote_model, json_each(entry) WHERE key IN ('name', 'model', 'address')"),
    )
    found: set[str] = set()
    for file, question in asked:
        found.update(_read(file, question))
    addresses = {name for name in found if "://" in name}
    found.update(Path(name).stem for name in found - addresses if "/" in name or "\\" in name or "." in name)
    chosen = settings.stored(where.settings) or Settings()
    found.update(host_of(address) for address in (*addresses, chosen.hub_endpoint, chosen.proxy))
    return sorted((name for name in found if len(name) >= SHORTEST), key=len, reverse=True)


def scrubbed(text: str, where: Paths, names: Sequence[str], *, has_tracebacks: bool = False) -> str:
    """Without messages of errors, which may quote anything. `has_tracebacks`: lines that are neither a record nor part
    of a traceback are left out, too."""
    for name in names:
        if name in text:
            text = text.replace(name, HIDDEN)
    kept = _without_messages(text.splitlines(), keeps_others=not has_tracebacks)
    places, people = _places(where), _people()
    return "\n".join(_line(line, places, people) for line in kept)


def _without_messages(lines: Sequence[str], *, keeps_others: bool) -> Iterator[str]:
    is_frame = False
    for line in lines:
        kind = _KIND.match(line)
        is_frame = line.startswith('  File "') or (is_frame and line.startswith(_SOURCE))
        is_told = is_frame or keeps_others or _RECORD.match(line) or _TRACE.match(line)
        yield kind[1] if kind is not None else line if is_told else HIDDEN


def _line(line: str, places: Sequence[tuple[re.Pattern[str], str]], people: re.Pattern[str] | None) -> str:
    line = _ADDRESS.sub("<address>", line)
    for place, mark in places:
        line = place.sub(mark, line)
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


def _places(where: Paths) -> list[tuple[re.Pattern[str], str]]:
    """Folders that may be named, in a way that tells nothing of this machine; the longest first.

    Whole names alone: another folder whose name only begins like one of them is somebody's.
    """
    program = str(Path(__file__).resolve().parents[2])
    marks = {sys.base_prefix: "<Python>", sys.prefix: "<Python>", program: "<Kotae>", str(where.data): "<data>"}
    with suppress(RuntimeError):
        marks.setdefault(str(Path.home()), "~")
    if getattr(sys, "frozen", False):
        marks[str(Path(sys.executable).parent)] = "<Kotae>"
    found = sorted(((place, mark) for place, mark in marks.items() if len(place) > 1), key=lambda one: -len(one[0]))
    return [(re.compile(rf"{re.escape(place)}(?=[/\\\"':,)]|$)"), mark) for place, mark in found]


def _people() -> re.Pattern[str] | None:
    """This user and this machine, by name."""
    with suppress(OSError, KeyError, ImportError):
        names = [name for name in (getpass.getuser(), platform.node()) if len(name) >= SHORTEST]
        if names:  # with the rest of what they are part of: suzuki_taro, pc-7.example.jp
            found = "|".join(map(re.escape, names))
            return re.compile(rf"(?<![A-Za-z0-9])(?:{found})(?![A-Za-z0-9])(?:[._-]\w+)*", re.IGNORECASE)
    return None


def _read(file: Path, question: str) -> list[str]:
    """[] where the file is missing, damaged or of another version: the other rules stand all the same."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            return [value for (value,) in db.execute(question) if isinstance(value, str)]
    except (sqlite3.Error, UnicodeDecodeError):
        return []
