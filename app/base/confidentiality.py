"""Define the confidentiality labels (public, internal, secret), and control every export of content in one place.

Code that writes a file for the user, answers another program or fills the clipboard needs a `Permit`. `permit_export`
makes it with the current label; 機密 (secret) takes the user's consent (a dialog of the window or the option
--allow-secret) and is recorded.
"""

import datetime
import json
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from msgspec import Struct

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files.output_file import append_line, open_atomically
from app.base.wording import phrases

Label = Literal["public", "internal", "secret"]  # 公開, 社外秘, 機密; exporting the last needs consent
LABELS: tuple[Label, ...] = ("public", "internal", "secret")
DEFAULT_LABEL: Label = "internal"  # for content that does not come from a document
HIGHEST_LABEL = LABELS[-1]


def highest_label(labels: Iterable[Label], default: Label = LABELS[0]) -> Label:
    """Return the most confidential of the labels; `default` if there are none."""
    return max(labels, key=LABELS.index, default=default)


def label_from(value: object) -> Label:
    """Return `value`, the label field of a record, if it is a label, else DEFAULT_LABEL."""
    return next((label for label in LABELS if label == value), DEFAULT_LABEL)


def stored_label(value: object) -> Label:
    """Return `value`, read from Kotae's own storage, if it is a label; else (damaged or forged) HIGHEST_LABEL."""
    return next((label for label in LABELS if label == value), HIGHEST_LABEL)


def label_of_rows(rows: Iterable[Mapping[str, Any]]) -> Label:
    """Return the result of `label_of_rows_or_none`; the lowest label if that is None."""
    return label_of_rows_or_none(rows) or LABELS[0]


def label_of_rows_or_none(rows: Iterable[Mapping[str, Any]]) -> Label | None:
    """Return the highest label in the field `provenance`, or a column of labels, of rows of data; None without any."""
    rows = list(rows)
    origins = (row.get("provenance") for row in rows)
    words = [origin.get("label") for origin in origins if isinstance(origin, Mapping)]
    known = [label for word in words if isinstance(word, str) and (label := label_from_word(word)) is not None]
    # An exported table of answers has a column of labels. In a foreign table it can raise the label, but not lower it.
    names = ("label", *phrases("common.batch_column.label"))
    column = {word for row in rows for name in names if isinstance(word := row.get(name), str)}
    known += [label for word in column if (label := label_from_word(word)) is not None and label != LABELS[0]]
    return highest_label(known) if known else None


def label_from_word(word: str) -> Label | None:
    """Return the label for a word such as 公開 or "secret" in any language of the program; None for other words."""
    word = unicodedata.normalize("NFKC", word).strip().casefold()
    return next(
        (label for label in LABELS if word in (label, *map(str.casefold, phrases(f"common.label.{label}")))), None
    )


ExportKind = Literal[
    "conversations", "conversation", "answer", "answers", "pairs", "questions", "rows", "job", "kit", "served", "copy",
    "label", "move", "overview",
]  # fmt: skip
_REFUSALS: dict[str, str] = {"label": "secret_lowering", "move": "secret_move"}  # codes; other kinds: "secret_export"
CLIPBOARD = "clipboard"
_KEY = object()  # only this module can make a `Permit` with it


class ExportRequest(Struct, frozen=True):
    """Content that is about to leave the program, to the `target`: a file or folder, an address, or CLIPBOARD.

    `label_now`: returns its current label, in any thread. `content_name`: for the text of an error. If `what` is
    "label" or "move", the label of `target` becomes `becomes`, or content moves into `target` with this label: a lower
    one than secret needs consent like an export, because the content can be exported without it afterwards.
    """

    what: ExportKind
    target: str
    label_now: Callable[[], Label]
    content_name: str = ""
    becomes: Label | None = None

    def check(self, *, is_agreed: bool) -> Label:
        """Return the label, also before long work. Raises AppError("secret_export" | "secret_lowering" |
        "secret_move")."""
        label = self.label_now()
        if self.needs_consent(label) and not is_agreed:
            raise AppError(_REFUSALS.get(self.what, "secret_export"), what=self.content_name)
        return label

    def needs_consent(self, label: Label) -> bool:
        """Return whether consent is needed if the content has this label: only for "secret", unless it stays secret."""
        return label == HIGHEST_LABEL != self.becomes


class Permit:
    """The permission for one export, which only `permit_export` gives."""

    __slots__ = ("_export", "_label")

    def __init__(self, export: ExportRequest, label: Label, key: object) -> None:
        if key is not _KEY:
            raise TypeError("only the gate gives permits")
        self._export, self._label = export, label

    @property
    def label(self) -> Label:
        """Return the label that the content had when the permit was given."""
        return self._label

    @property
    def is_agreed(self) -> bool:
        """Whether the user has consented to this export, because it needed consent."""
        return self._export.needs_consent(self._label)

    def at(self, path: Path) -> Path:
        """Return the absolute path of a file to write. Raises ValueError unless it is the target, in or beside it."""
        target, path = Path(self._export.target).absolute(), path.absolute()
        if target not in (path, *path.parents) and path.parent != target.parent:
            raise ValueError("the permit is for another place")
        return path

    @contextmanager
    def open_atomically(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file as `output_file` does, but keep the old one if the content became secret. Raises as `at`."""
        with open_atomically(self.at(path)) as file:
            yield file
            self.require()

    @contextmanager
    def write_folder(self, folder: Path) -> Iterator[None]:
        """Delete `folder`, which the block writes, if it has become secret. Raises as `at` and `require`."""
        self.at(folder)
        yield
        try:
            self.require()
        except AppError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def require(self) -> None:
        """Raise AppError("secret_export") if the content has become secret since the permit was given."""
        if self._label != HIGHEST_LABEL and self._export.label_now() == HIGHEST_LABEL:
            raise AppError("secret_export", what=self._export.content_name)


def permit_export(export: ExportRequest, log: Path, *, is_agreed: bool) -> Permit:
    """Return a permit, for secret content with consent (`is_agreed`), which `log` records first.

    Raises AppError as `ExportRequest.check`; "export_log_unwritable".
    """
    label = export.check(is_agreed=is_agreed)
    if export.needs_consent(label):
        _record_export(log, export, label)
    return Permit(export, label, _KEY)


def _record_export(log: Path, export: ExportRequest, label: Label) -> None:
    """Append one line to the log of exports; it names the kind, label and target, and holds no content."""
    at = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    facts = {"at": at, "what": export.what, "label": label, "target": export.target}
    if export.becomes is not None:
        facts["to"] = export.becomes
    # A path can hold control characters of a terminal, or characters that look like the end of a line.
    line = invisible_characters.escape_json(json.dumps(facts, ensure_ascii=False))
    try:
        append_line(log, line.encode("utf-8", "replace"))
    except OSError as error:
        raise AppError("export_log_unwritable", path=str(log)) from error
