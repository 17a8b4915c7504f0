"""Confidentiality labels (public, internal, secret): their order, and what an answer inherits.

Let content out of the program by one gate: it looks at the label now, and where that is 機密, wants a yes and
keeps a record.

Whatever writes a file for the user, answers another program or fills the clipboard asks for a `Permit`, and only
`pass_out` makes one. The window asks by its dialog (`app.uikit.confidentiality_guard`), the command line by --allow-
secret.
"""

import datetime
import json
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files.output_file import append_line, open_atomically
from app.base.wording import phrases

Label = Literal["public", "internal", "secret"]  # 公開, 社外秘, 機密; the last asks before anything is exported
LABELS: tuple[Label, ...] = ("public", "internal", "secret")
DEFAULT_LABEL: Label = "internal"  # of what no document says anything about
HIGHEST_LABEL = LABELS[-1]


def highest_label(labels: Iterable[Label], default: Label = LABELS[0]) -> Label:
    return max(labels, key=LABELS.index, default=default)


def label_from(told: object) -> Label:
    """What a record says; DEFAULT where that is no label."""
    return next((label for label in LABELS if label == told), DEFAULT_LABEL)


def stored_label(value: object) -> Label:
    """Return a label that was kept; HIGHEST where it is none: damaged, of a later program, or made by somebody else."""
    return next((label for label in LABELS if label == value), HIGHEST_LABEL)


def label_of_rows(rows: Iterable[Mapping[str, Any]]) -> Label:
    """The highest that rows carry in their provenance (`app.training.generation.pair_files`); the lowest where none
    does.
    """
    return label_of_rows_or_none(rows) or LABELS[0]


def label_of_rows_or_none(rows: Iterable[Mapping[str, Any]]) -> Label | None:
    """As `of_rows`; None where none does. What is no label of ours, by key or by word, says nothing."""
    rows = list(rows)
    origins = (row.get("provenance") for row in rows)
    told = [origin.get("label") for origin in origins if isinstance(origin, Mapping)]
    known = [found for label in told if isinstance(label, str) and (found := label_from_word(label)) is not None]
    # Of a table of answers that was exported. In anybody's table such a column can raise the label, but not lower it.
    names = ("label", *phrases("common.batch_column.label"))
    column = {label for row in rows for name in names if isinstance(label := row.get(name), str)}
    known += [found for label in column if (found := label_from_word(label)) is not None and found != LABELS[0]]
    return highest_label(known) if known else None


def label_from_word(word: str) -> Label | None:
    """公開, 社外秘, 機密, in any of the languages or by their keys: a file may be of somebody who uses another one."""
    word = unicodedata.normalize("NFKC", word).strip().casefold()
    return next(
        (label for label in LABELS if word in (label, *map(str.casefold, phrases(f"common.label.{label}")))), None
    )


ExportKind = Literal[
    "conversations", "conversation", "answer", "answers", "pairs", "questions", "rows", "job", "kit", "served", "copy",
    "label",
]  # fmt: skip
CLIPBOARD = "clipboard"
_KEY = object()  # of this module alone


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is about to leave. `target`: the file or folder, an address, or CLIPBOARD. `named`: what is confidential,
    for the refusal. `label_now` looks the label up, each time it is called and in any thread. `becomes`: of a "label"
    that is changed, after which the content may leave unasked; `target` is whose label it is then."""

    what: ExportKind
    target: str
    label_now: Callable[[], Label]
    named: str = ""
    becomes: Label | None = None

    def check(self, *, is_agreed: bool) -> Label:
        """Look at the label before long work begins, at whose end the gate is passed.

        Raises AppError("secret_export" | "secret_lowering").
        """
        label = self.label_now()
        if self.is_asked_about(label) and not is_agreed:
            raise AppError("secret_export" if self.becomes is None else "secret_lowering", what=self.named)
        return label

    def is_asked_about(self, label: Label) -> bool:
        """Whether it needs a yes with this label: all that is confidential, but for a label that stays."""
        return label == HIGHEST_LABEL != self.becomes


class Permit:
    """Stands for one passage of the gate, which nothing but `pass_out` can give."""

    __slots__ = ("_export", "_label")

    def __init__(self, export: ExportRequest, label: Label, key: object) -> None:
        if key is not _KEY:
            raise TypeError("only the gate gives permits")
        self._export, self._label = export, label

    @property
    def label(self) -> Label:
        """Return what was found when the permit was given: a file says it of itself."""
        return self._label

    def at(self, path: Path) -> Path:
        """Return the path of a file that is about to be written. Raises ValueError for one that lies elsewhere than
        what the permit was given for."""
        target, path = Path(self._export.target).absolute(), path.absolute()
        if target not in (path, *path.parents) and path.parent != target.parent:
            raise ValueError("the permit is for another place")
        return path

    @contextmanager
    def open_atomically(self, path: Path) -> Iterator[BinaryIO]:
        """Write a file as `whole_file` does. It is put in place only if what is in it has not become confidential
        while it was written. Raises as `whole_file`, and AppError("secret_export")."""
        with open_atomically(self.at(path)) as file:
            yield file
            self.require()

    @contextmanager
    def whole_folder(self, folder: Path) -> Iterator[None]:
        """Write a folder, of which nothing stays where what is in it has become confidential while it was written.
        Raises ValueError as `at`, and AppError("secret_export")."""
        self.at(folder)
        yield
        try:
            self.require()
        except AppError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def require(self) -> None:
        """Look at the label once more, in work that goes on for long. Raises AppError("secret_export") where it has
        become confidential since."""
        if self._label != HIGHEST_LABEL and self._export.label_now() == HIGHEST_LABEL:
            raise AppError("secret_export", what=self._export.named)


def permit_export(export: ExportRequest, log: Path, *, is_agreed: bool) -> Permit:
    """Let through what is not confidential by now, and the rest with a yes, which is on record before anything is
    written. Raises AppError("secret_export" | "secret_lowering" | "export_log_unwritable")."""
    label = export.check(is_agreed=is_agreed)
    if export.is_asked_about(label):
        _record_export(log, export, label)
    return Permit(export, label, _KEY)


def _record_export(log: Path, export: ExportRequest, label: Label) -> None:
    """One line, without any of the content."""
    at = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    facts = {"at": at, "what": export.what, "label": label, "target": export.target}
    if export.becomes is not None:
        facts["to"] = export.becomes
    line = json.dumps(facts, ensure_ascii=False)
    line = invisible_characters.escape_json(
        line
    )  # a path can hold what a terminal obeys, or what looks like another line
    try:
        append_line(log, line.encode("utf-8", "replace"))
    except OSError as error:
        raise AppError("export_log_unwritable", path=str(log)) from error
