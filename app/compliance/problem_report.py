"""A report on a problem, as one text that the user can read before it is saved. Nothing is sent.

It holds the program's own facts and the ends of its logs. Never in it: questions, answers, documents, and names of
documents, collections, conversations, models, people and machines (`app.compliance.scrubbing`). Logs of what reads
documents stay out as a whole, since foreign libraries write them.
"""

import dataclasses
import importlib.metadata
import platform
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import psutil

from app.base import build_facts, program_log, settings, start_record, wording
from app.base.files.plain_file import open_regular
from app.base.files.whole_file import whole_file
from app.base.paths import Paths
from app.base.settings import Settings
from app.compliance import components, scrubbing

SUFFIX = ".txt"
TAIL_LINES = 200
TAIL_BYTES = 100_000
# Name, and whether tracebacks are in it.
LOGS = (
    ("kotae.log", True),
    (program_log.CRASH_LOG, False),
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
    with whole_file(target) as file:
        file.write(text.encode("utf-8", "replace"))


def file_name(now: float) -> str:
    return time.strftime("kotae-report-%Y%m%d-%H%M", time.localtime(now)) + SUFFIX


def _lines(where: Paths, now: float, qt_versions: Mapping[str, str], shown_presets: Collection[str]) -> Iterator[str]:
    yield wording.phrase("compliance.report_title", version=build_facts.read().version)
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
    names = scrubbing.names_of_user(where)
    for name, has_tracebacks in LOGS:
        text = scrubbing.scrubbed(_tail(where.logs / name), where, names, has_tracebacks=has_tracebacks)
        if text:
            yield ""
            yield f"== {wording.phrase('compliance.report_log', name=name)}"
            yield text


def _program(now: float, qt_versions: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    facts = build_facts.read()
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
    yield wording.phrase("compliance.report_memory"), f"{wording.size(memory.total)} / {wording.size(memory.available)}"
    try:
        yield wording.phrase("compliance.report_disk"), wording.size(shutil.disk_usage(where.data).free)
    except OSError:
        yield wording.phrase("compliance.report_disk"), "?"


def _settings(where: Paths, shown_presets: Collection[str]) -> Iterator[tuple[str, object]]:
    """By the names that they have in the file."""
    chosen, defaults = settings.stored(where.settings) or Settings(), Settings()
    for field in dataclasses.fields(Settings):
        value = getattr(chosen, field.name)
        if field.name in _PLAIN:
            yield field.name, value
        elif field.name == "preset_id":
            yield field.name, value if value in shown_presets else scrubbing.HIDDEN
        else:
            is_set = value != getattr(defaults, field.name)
            yield field.name, wording.phrase("compliance.report_set" if is_set else "compliance.report_not_set")


def _data(where: Paths) -> Iterator[tuple[str, object]]:
    for file in (where.database, where.documents):
        yield file.name, f"{wording.size(program_log.size_bytes(file))}, journal_mode={_journal_mode(file)}"
    yield wording.phrase("compliance.report_backups"), len(list(where.backups.glob("kotae-*.sqlite")))


def _start(where: Paths) -> Iterator[tuple[str, object]]:
    record = start_record.read(start_record.file_of(where))
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
