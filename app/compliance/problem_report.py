"""Compose a report on a problem as one text, which the user can read before saving it. Nothing is sent.

It has facts about the program and the ends of its logs, but no questions, answers, documents, and no names of these, of
people and machines; no logs of processes that read documents, as foreign libraries write them. Logs are not meant to
have such texts: `scrub` removes those of errors and libraries, in doubt too much, but is not made for people's texts.
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

from app.base import diagnostics, settings
from app.base.addresses import host_of
from app.base.files.input_file import open_regular, size_of
from app.base.files.output_file import open_atomically
from app.base.paths import Paths
from app.base.wording import format_size, format_time, phrase
from app.compliance import components

REDACTED = "<…>"
REDACTED_NAME_MIN = 3  # characters: shorter names occur inside ordinary words

# Web, IPv4 and mail addresses, and access tokens of the Hugging Face Hub.
_ADDRESS = re.compile(r"\b\w+://[^\s\"'<>]+|\b\d{1,3}(?:\.\d{1,3}){3}\b|[\w.+-]+@[\w.-]*\w|\bhf_\w+")
_START = r"(?:/(?=[^\s/])|~[/\\]|[A-Za-z]:[\\/]|\\\\|<data>[/\\])"
_QUOTED_PATH = re.compile(rf"([\"'])({_START}(?:(?!\1).|\1(?=\w))*)\1")  # an apostrophe in a word does not end it
_BARE_PATH = re.compile(rf"(?<![\w<>/.~\\]){_START}.*")
_FACT = re.compile(r"(?P<key>'(\w+)': )(?:\[[^\]]*\]|(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote))")
_KEPT_FACTS = ("reason", "cause", "code", "state", "phase")
_FOREIGN = re.compile(r"[^\x00-\x7f…]+")
_METADATA = re.compile(r"(\b(?:general|tokenizer)\.[\w.]+\s*(?:str|arr\[[^\]]*\])?\s*=).*")
_SUFFIX = re.compile(r"\.(gguf|log|sqlite|json|py|pyc|so|dll|dylib|safetensors)\b", re.IGNORECASE)
# Lines that are kept of a log with tracebacks: records, parts of tracebacks, and the classes of errors.
_RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* [A-Z]+ .*")
_TRACE = re.compile(r"(  File \"|Traceback |During handling|The above exception|\s*$)")
_SOURCE = "    "  # the indentation of a line of code below its frame
_KIND = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Cancelled))(?::.*)?$")


def find_user_names(where: Paths) -> list[str]:
    """Return the user's names of documents, conversations, presets, models and so on, the longest first."""
    queries = (
        (where.documents, "SELECT name FROM document UNION SELECT path FROM document"),
        (where.documents, "SELECT name FROM collection"),
        (where.database, "SELECT title FROM conversation UNION SELECT name FROM folder UNION SELECT name FROM preset"),
        (where.database, "SELECT name FROM local_model UNION SELECT path FROM local_model"),
        (where.database, "SELECT value FROM remote_model, json_each(entry) WHERE key IN ('name', 'model', 'address')"),
    )
    names: set[str] = set()
    for file, query in queries:
        names.update(_read(file, query))
    addresses = {name for name in names if "://" in name}
    names.update(Path(name).stem for name in names - addresses if "/" in name or "\\" in name or "." in name)
    chosen = settings.load_stored(where.settings) or settings.Settings()
    names.update(host_of(address) for address in (*addresses, chosen.hub_endpoint, chosen.proxy))
    return sorted((name for name in names if len(name) >= REDACTED_NAME_MIN), key=len, reverse=True)


def scrub(text: str, where: Paths, names: Sequence[str], *, has_tracebacks: bool = False) -> str:
    """Return a log without private text, the names of `find_user_names` and messages of errors.

    `has_tracebacks`: replace also lines that are neither a record nor part of a traceback.
    """
    for name in names:
        if name in text:
            text = text.replace(name, REDACTED)
    kept = _hide_messages(text.splitlines(), keeps_other_lines=not has_tracebacks)
    places, people = _places(where), _people()
    return "\n".join(_scrub_line(line, places, people) for line in kept)


def _hide_messages(lines: Sequence[str], *, keeps_other_lines: bool) -> Iterator[str]:
    """Yield records and tracebacks with the class of errors only, and other lines hidden unless kept."""
    is_frame = False
    for line in lines:
        kind = _KIND.match(line)
        is_frame = line.startswith('  File "') or (is_frame and line.startswith(_SOURCE))
        is_kept = is_frame or keeps_other_lines or _RECORD.match(line) or _TRACE.match(line)
        yield kind[1] if kind is not None else line if is_kept else REDACTED


def _scrub_line(line: str, places: Sequence[tuple[re.Pattern[str], str]], people: re.Pattern[str] | None) -> str:
    line = _ADDRESS.sub("<address>", line)
    for place, mark in places:
        line = place.sub(mark, line)
    line = _FACT.sub(lambda match: match[0] if match[2] in _KEPT_FACTS else f"{match['key']}'{REDACTED}'", line)
    line = _QUOTED_PATH.sub(lambda match: f"{match[1]}{_redacted_path(match[2])}{match[1]}", line)
    line = _BARE_PATH.sub(lambda match: _redacted_path(match[0]), line)
    line = _METADATA.sub(rf"\1 {REDACTED}", line)
    if people is not None:
        line = people.sub("<user>", line)
    return _FOREIGN.sub("…", line)


def _redacted_path(path: str) -> str:
    """Return a placeholder for a path, with its suffix if that is a known one."""
    kinds = _SUFFIX.findall(path)
    return f"<path>.{kinds[-1].lower()}" if kinds else "<path>"


def _places(where: Paths) -> list[tuple[re.Pattern[str], str]]:
    """Return patterns of known folders and their placeholders, the longest first; only complete names match."""
    program = str(Path(__file__).resolve().parents[2])
    marks = {sys.base_prefix: "<Python>", sys.prefix: "<Python>", program: "<Kotae>", str(where.data): "<data>"}
    with suppress(RuntimeError):
        marks.setdefault(str(Path.home()), "~")
    if getattr(sys, "frozen", False):
        marks[str(Path(sys.executable).parent)] = "<Kotae>"
    longest = sorted(((place, mark) for place, mark in marks.items() if len(place) > 1), key=lambda one: -len(one[0]))
    return [(re.compile(rf"{re.escape(place)}(?=[/\\\"':,)]|$)"), mark) for place, mark in longest]


def _people() -> re.Pattern[str] | None:
    """Return a pattern for the names of this user and this machine; None if there are no names long enough."""
    with suppress(OSError, KeyError, ImportError):
        names = [name for name in (getpass.getuser(), platform.node()) if len(name) >= REDACTED_NAME_MIN]
        if names:  # the pattern includes suffixes, as in suzuki_taro or pc-7.example.jp
            choices = "|".join(map(re.escape, names))
            return re.compile(rf"(?<![A-Za-z0-9])(?:{choices})(?![A-Za-z0-9])(?:[._-]\w+)*", re.IGNORECASE)
    return None


def _read(file: Path, query: str) -> list[str]:
    """Return a query's column of texts of an SQLite file; [] if it is missing, damaged or of another version."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            return [value for (value,) in db.execute(query) if isinstance(value, str)]
    except (sqlite3.Error, UnicodeDecodeError):
        return []


SUFFIX = ".txt"
TAIL_LINES = 200
TAIL_BYTES = 100_000
# The name of each log, and whether it consists of records and tracebacks.
LOGS = (
    ("kotae.log", True),
    (diagnostics.CRASH_LOG, False),
    ("engine.log", False),
    ("engine.previous.log", False),
    ("embedding.log", False),
    ("reranker.log", False),
    ("download.log", False),
    ("training-setup.log", False),
)
_LIBRARIES = ("llama-cpp-python", "numpy")
_JOURNAL_MODES = {b"\1\1": "delete", b"\2\2": "wal"}  # https://www.sqlite.org/fileformat2.html, bytes 18 and 19
# Settings reported with their values. Of the others (paths, addresses, names) only whether they are set is reported.
_PLAIN = (
    "language", "theme", "text_scale_percent", "send_key", "context_tokens", "shows_details", "threads", "repack",
    "kv_type", "first_run_done", "network_allowed", "download_limit_bytes_per_s",
)  # fmt: skip


def compose(where: Paths, now: float, qt_versions: Mapping[str, str], shown_presets: Collection[str]) -> str:
    """Return the whole report in the current language; not in the window's thread, as it reads files.

    `now`: seconds since 1970. `qt_versions`: by name. `shown_presets`: ids of those that the user has not named.
    """
    return "\n".join(_lines(where, now, qt_versions, shown_presets)) + "\n"


def save(text: str, target: Path) -> None:
    """Write the report and replace an existing `target`. Raises AppError as `open_atomically`."""
    with open_atomically(target) as file:
        file.write(text.encode("utf-8", "replace"))


def file_name(now: float) -> str:
    return time.strftime("kotae-report-%Y%m%d-%H%M", time.localtime(now)) + SUFFIX


def _lines(where: Paths, now: float, qt_versions: Mapping[str, str], shown_presets: Collection[str]) -> Iterator[str]:
    yield phrase("compliance.report_title", version=diagnostics.read_build_facts().version)
    yield phrase("compliance.report_promise")
    start = diagnostics.read_start_record(diagnostics.start_record_file(where))
    for heading, facts in (
        ("compliance.report_program", _program_facts(now, qt_versions)),
        ("compliance.report_machine", _machine_facts(where)),
        ("compliance.report_settings", _setting_facts(where, shown_presets)),
        ("compliance.report_data", _database_facts(where)),
        ("compliance.report_start", dataclasses.asdict(start).items()),
    ):
        yield ""
        yield f"== {phrase(heading)}"
        yield from (f"{name}: {value}" for name, value in facts)
    names = find_user_names(where)
    for name, has_tracebacks in LOGS:
        text = scrub(_tail(where.logs / name), where, names, has_tracebacks=has_tracebacks)
        if text:
            yield ""
            yield f"== {phrase('compliance.report_log', name=name)}"
            yield text


def _program_facts(now: float, qt_versions: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    facts = diagnostics.read_build_facts()
    yield "Kotae", facts.version
    yield (
        phrase("compliance.report_built_on"),
        facts.built_on or phrase("compliance.report_from_source"),
    )
    if facts.commit:
        yield phrase("compliance.report_commit"), facts.commit
    yield phrase("compliance.report_made_at"), format_time(now)
    yield "Python", platform.python_version() + (" (frozen)" if getattr(sys, "frozen", False) else "")
    yield from qt_versions.items()
    for name in _LIBRARIES:
        yield name, _version(name)


def _machine_facts(where: Paths) -> Iterator[tuple[str, object]]:
    memory = psutil.virtual_memory()
    yield phrase("compliance.report_system"), platform.platform()
    yield (
        phrase("compliance.report_processor"),
        f"{platform.machine()}, {psutil.cpu_count(logical=False) or '?'}",
    )
    yield (
        phrase("compliance.report_memory"),
        f"{format_size(memory.total)} / {format_size(memory.available)}",
    )
    try:
        yield phrase("compliance.report_disk"), format_size(shutil.disk_usage(where.data).free)
    except OSError:
        yield phrase("compliance.report_disk"), "?"


def _setting_facts(where: Paths, shown_presets: Collection[str]) -> Iterator[tuple[str, object]]:
    """Yield each setting with its value, or with whether it is set."""
    chosen, defaults = settings.load_stored(where.settings) or settings.Settings(), settings.Settings()
    for field in dataclasses.fields(settings.Settings):
        value = getattr(chosen, field.name)
        if field.name in _PLAIN:
            yield field.name, value
        elif field.name == "preset_id":
            yield field.name, value if value in shown_presets else REDACTED
        else:
            is_set = value != getattr(defaults, field.name)
            yield field.name, phrase("compliance.report_set" if is_set else "compliance.report_not_set")


def _database_facts(where: Paths) -> Iterator[tuple[str, object]]:
    for file in (where.database, where.documents):
        yield (
            file.name,
            f"{format_size(size_of(file))}, journal_mode={_journal_mode(file)}",
        )
    yield phrase("compliance.report_backups"), len(list(where.backups.glob("kotae-*.sqlite")))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # a bundle has its own list
        part = components.find(components.load(), name)
        return part.version if part is not None else "-"


def _journal_mode(file: Path) -> str:
    """Return the mode of `PRAGMA journal_mode` from the header, also of a damaged or locked file; or "-"."""
    try:
        with open_regular(file) as opened:
            head = opened.read(20)
    except OSError:
        return "-"
    return _JOURNAL_MODES.get(head[18:], "?")


def _tail(file: Path) -> str:
    """Return the last complete lines of a log, as `scrub` knows no partial path; "" if it is unreadable."""
    try:
        with open_regular(file) as opened:
            start = max(0, file.stat().st_size - TAIL_BYTES)
            opened.seek(start)
            lines = opened.read().decode("utf-8", "replace").splitlines()[1 if start else 0 :]
    except OSError:
        return ""
    return "\n".join(lines[-TAIL_LINES:])
