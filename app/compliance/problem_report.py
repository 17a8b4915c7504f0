"""A report on a problem, as one text that the user can read before it is saved. Nothing is sent.

It holds the program's own facts and the ends of its logs. Never in it: questions, answers, documents, and names of
documents, collections, conversations, models, people and machines (`app.compliance.problem_report`). Logs of what reads
documents stay out as a whole, since foreign libraries write them.

Lines of our logs without what belongs to the user: texts, names of files, places, addresses, the user's name.

Our logs are written in English and hold no such text on purpose; this takes out what an error, or a library, may have
put there all the same. In doubt a line loses more than it must. Not for texts of people.
"""

import dataclasses
import getpass
import importlib.metadata
import platform
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import psutil

from app.base import diagnostics, settings, wording
from app.base.addresses import host_of
from app.base.files.input_file import open_regular
from app.base.files.output_file import open_atomically
from app.base.paths import Paths
from app.base.settings import Settings
from app.compliance import components

REDACTED = "<…>"
REDACTED_NAME_MIN = 3  # characters of a name that is looked for: shorter ones are in every other word

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


def find_user_names(where: Paths) -> list[str]:
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
    chosen = settings.load_stored(where.settings) or Settings()
    found.update(host_of(address) for address in (*addresses, chosen.hub_endpoint, chosen.proxy))
    return sorted((name for name in found if len(name) >= REDACTED_NAME_MIN), key=len, reverse=True)


def scrub(text: str, where: Paths, names: Sequence[str], *, has_tracebacks: bool = False) -> str:
    """Without messages of errors, which may quote anything. `has_tracebacks`: lines that are neither a record nor part
    of a traceback are left out, too."""
    for name in names:
        if name in text:
            text = text.replace(name, REDACTED)
    kept = _without_messages(text.splitlines(), keeps_others=not has_tracebacks)
    places, people = _places(where), _people()
    return "\n".join(_line(line, places, people) for line in kept)


def _without_messages(lines: Sequence[str], *, keeps_others: bool) -> Iterator[str]:
    is_frame = False
    for line in lines:
        kind = _KIND.match(line)
        is_frame = line.startswith('  File "') or (is_frame and line.startswith(_SOURCE))
        is_told = is_frame or keeps_others or _RECORD.match(line) or _TRACE.match(line)
        yield kind[1] if kind is not None else line if is_told else REDACTED


def _line(line: str, places: Sequence[tuple[re.Pattern[str], str]], people: re.Pattern[str] | None) -> str:
    line = _ADDRESS.sub("<address>", line)
    for place, mark in places:
        line = place.sub(mark, line)
    line = _FACT.sub(lambda found: found[0] if found[2] in _TOLD_FACTS else f"{found['key']}'{REDACTED}'", line)
    line = _QUOTED_PATH.sub(lambda found: f"{found[1]}{_shape(found[2])}{found[1]}", line)
    line = _BARE_PATH.sub(lambda found: _shape(found[0]), line)
    line = _METADATA.sub(rf"\1 {REDACTED}", line)
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
        names = [name for name in (getpass.getuser(), platform.node()) if len(name) >= REDACTED_NAME_MIN]
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


SUFFIX = ".txt"
TAIL_LINES = 200
TAIL_BYTES = 100_000
# Name, and whether tracebacks are in it.
LOGS = (
    ("kotae.log", True),
    (diagnostics.CRASH_LOG, False),
    ("engine.log", False),
    ("engine.previous.log", False),
    ("embedding.log", False),
    ("download.log", False),
    ("training-setup.log", False),
)
_LIBRARIES = ("llama-cpp-python", "numpy")
_JOURNAL_MODES = {b"\1\1": "delete", b"\2\2": "wal"}  # https://www.sqlite.org/fileformat2.html, bytes 18 and 19
# What is told as it is; of the others only whether they are set, since they are places, addresses and names.
_PLAIN = (
    "language", "theme", "text_scale_percent", "send_key", "context_tokens", "shows_details", "threads", "repack",
    "kv_type", "first_run_done", "network_allowed", "download_limit_bytes_per_s",
)  # fmt: skip


def compose(where: Paths, now: float, qt_versions: Mapping[str, str], shown_presets: Collection[str]) -> str:
    """Return the whole report, in the language in use. Reads some small files: not for the thread of a window.

    `qt_versions`: of Qt and its binding, by their names. `shown_presets`: ids that are not the user's own words.
    """
    return "\n".join(_lines(where, now, qt_versions, shown_presets)) + "\n"


def save(text: str, target: Path) -> None:
    """Replaces `target`, which the user was asked about. Raises AppError as `whole_file`."""
    with open_atomically(target) as file:
        file.write(text.encode("utf-8", "replace"))


def file_name(now: float) -> str:
    return time.strftime("kotae-report-%Y%m%d-%H%M", time.localtime(now)) + SUFFIX


def _lines(where: Paths, now: float, qt_versions: Mapping[str, str], shown_presets: Collection[str]) -> Iterator[str]:
    yield wording.phrase("compliance.report_title", version=diagnostics.read_build_facts().version)
    yield wording.phrase("compliance.report_promise")
    for heading, facts in (
        ("compliance.report_program", _program(now, qt_versions)),
        ("compliance.report_machine", _machine(where)),
        ("compliance.report_settings", _settings(where, shown_presets)),
        ("compliance.report_data", _data(where)),
        ("compliance.report_start", _start(where)),
    ):
        yield ""
        yield f"== {wording.phrase(heading)}"
        yield from (f"{name}: {value}" for name, value in facts)
    names = find_user_names(where)
    for name, has_tracebacks in LOGS:
        text = scrub(_tail(where.logs / name), where, names, has_tracebacks=has_tracebacks)
        if text:
            yield ""
            yield f"== {wording.phrase('compliance.report_log', name=name)}"
            yield text


def _program(now: float, qt_versions: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    facts = diagnostics.read_build_facts()
    yield "Kotae", facts.version
    yield (
        wording.phrase("compliance.report_built_on"),
        facts.built_on or wording.phrase("compliance.report_from_source"),
    )
    if facts.commit:
        yield wording.phrase("compliance.report_commit"), facts.commit
    yield wording.phrase("compliance.report_made_at"), time.strftime("%Y-%m-%d %H:%M", time.localtime(now))
    yield "Python", platform.python_version() + (" (frozen)" if getattr(sys, "frozen", False) else "")
    yield from qt_versions.items()
    for name in _LIBRARIES:
        yield name, _version(name)


def _machine(where: Paths) -> Iterator[tuple[str, object]]:
    memory = psutil.virtual_memory()
    yield wording.phrase("compliance.report_system"), platform.platform()
    yield (
        wording.phrase("compliance.report_processor"),
        f"{platform.machine()}, {psutil.cpu_count(logical=False) or '?'}",
    )
    yield (
        wording.phrase("compliance.report_memory"),
        f"{wording.format_size(memory.total)} / {wording.format_size(memory.available)}",
    )
    try:
        yield wording.phrase("compliance.report_disk"), wording.format_size(shutil.disk_usage(where.data).free)
    except OSError:
        yield wording.phrase("compliance.report_disk"), "?"


def _settings(where: Paths, shown_presets: Collection[str]) -> Iterator[tuple[str, object]]:
    """By the names that they have in the file."""
    chosen, defaults = settings.load_stored(where.settings) or Settings(), Settings()
    for field in dataclasses.fields(Settings):
        value = getattr(chosen, field.name)
        if field.name in _PLAIN:
            yield field.name, value
        elif field.name == "preset_id":
            yield field.name, value if value in shown_presets else REDACTED
        else:
            is_set = value != getattr(defaults, field.name)
            yield field.name, wording.phrase("compliance.report_set" if is_set else "compliance.report_not_set")


def _data(where: Paths) -> Iterator[tuple[str, object]]:
    for file in (where.database, where.documents):
        yield (
            file.name,
            f"{wording.format_size(diagnostics.crash_log_size_bytes(file))}, journal_mode={_journal_mode(file)}",
        )
    yield wording.phrase("compliance.report_backups"), len(list(where.backups.glob("kotae-*.sqlite")))


def _start(where: Paths) -> Iterator[tuple[str, object]]:
    record = diagnostics.read_start_record(diagnostics.start_record_file(where))
    yield from dataclasses.asdict(record).items()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # a bundle has its own list
        part = components.find(components.load(), name)
        return part.version if part is not None else "-"


def _journal_mode(file: Path) -> str:
    """As `PRAGMA journal_mode` names it, by the file's head, which can be read where the rest is damaged or held."""
    try:
        with open_regular(file) as opened:
            head = opened.read(20)
    except OSError:
        return "-"
    return _JOURNAL_MODES.get(head[18:], "?")


def _tail(file: Path) -> str:
    """The last whole lines: half a path would not be known for one. "" where there is no file that can be read."""
    try:
        with open_regular(file) as opened:
            start = max(0, file.stat().st_size - TAIL_BYTES)
            opened.seek(start)
            lines = opened.read().decode("utf-8", "replace").splitlines()[1 if start else 0 :]
    except OSError:
        return ""
    return "\n".join(lines[-TAIL_LINES:])
