"""Store question sets: one folder for each set, with one file for each version. Version files never change.

    NAME/1.jsonl, 2.jsonl, …    the questions (`question_files.to_lines`)
    NAME/about.json             label, and for each version its SHA-256, count, time and source
    .bin/NAME@1/                removed sets that can be restored
`about.json` is written last: a version that it does not list was never stored.
"""

import dataclasses
import hashlib
import json
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.base import confidentiality, json_lines
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.files import output_file, strict_json, work_folder
from app.base.files.output_file import safe_name, write_atomically
from app.base.paths import resources
from app.base.wording import phrase
from app.evaluation import question_files, question_rows
from app.evaluation.question_files import QuestionFile
from app.evaluation.records import Question, QuestionSet
from app.training.data.records import DataRecord, RowRefusedError, shorten

ABOUT, BIN, LOCK = "about.json", ".bin", ".lock"
SHIPPED = ("general", "plain")
_LOCK_LIMIT_S = 10.0  # limit of waiting for another process, whose storing takes a moment
_VERSIONED = re.compile(r"(.+)@(\d{1,9})")


@dataclass(frozen=True, slots=True)
class QuestionSetVersion:
    number: int  # from 1
    sha256: str
    count: int  # number of questions
    made_at: float  # seconds since 1970 (UTC)
    source: str  # origin of the questions, as text to show


@dataclass(frozen=True, slots=True)
class StoredQuestionSet:
    name: str
    label: Label
    versions: tuple[QuestionSetVersion, ...]  # oldest first; () if its `about.json` is damaged

    @property
    def newest(self) -> QuestionSetVersion:
        return self.versions[-1]


# ------------------------------------------------------------------------ looking


def list_all(folder: Path) -> list[StoredQuestionSet]:
    """Return all sets, sorted by name; a damaged set has no versions."""
    found = []
    for place in _places(folder):
        try:
            found.append(_about(place))
        except AppError:
            found.append(StoredQuestionSet(place.name, confidentiality.DEFAULT_LABEL, ()))
    return found


def list_removed(folder: Path) -> list[str]:
    """Return the names of the sets in the bin, which can be restored."""
    return sorted({name for name, _, _ in _removed(folder)})


def load_versions(folder: Path, name: str) -> StoredQuestionSet:
    """Return a set with its versions. Raises AppError("question_set_unknown" | "question_set_damaged")."""
    return _about(_existing_folder(folder, name))


def find_by_name(sets: Sequence[StoredQuestionSet], name: str) -> StoredQuestionSet | None:
    """Return the set to which `store` would add a version under this name; None if there is no such set."""
    return next((one for one in sets if _plain(one.name) == _plain(name)), None)


def newest_version(folder: Path, name: str) -> int:
    """Return the number of the newest version; 0 if no set has the name. Raises AppError("question_set_damaged")."""
    place = _find_folder(folder, name)
    return _about(place).newest.number if place is not None else 0


def find(folder: Path, name: str) -> QuestionSet:
    """Load a version of a stored set. `name`: NAME for the newest version, or NAME@VERSION.

    Raises AppError: question_set_unknown, question_set_version, question_set_damaged.
    """
    versioned = _VERSIONED.fullmatch(name)
    question_set = load_versions(folder, versioned[1] if versioned else name)
    number = int(versioned[2]) if versioned else question_set.newest.number
    version = next((one for one in question_set.versions if one.number == number), None)
    if version is None:
        known = " / ".join(f"{question_set.name}@{one.number}" for one in question_set.versions[-5:])
        raise AppError("question_set_version", name=question_set.name, version=number, known=known)
    path = folder / question_set.name / _file(version.number)
    try:
        raw = strict_json.read_bytes(path)
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if hashlib.sha256(raw).hexdigest() != version.sha256:
        raise _damaged(path, phrase("evaluation.question_set_changed"))
    return QuestionSet(
        question_set.name, number, version.sha256, question_files.from_lines(raw, str(path)), question_set.label
    )


def load(name_or_path: str, folder: Path) -> tuple[QuestionSet, QuestionFile | None]:
    """Load the stored set of that name, or else the file at that path as version 0, and return the file as well.

    Raises AppError as `find` and `question_files.read`.
    """
    versioned = _VERSIONED.fullmatch(name_or_path)
    path = Path(os.path.expanduser(name_or_path))  # noqa: PTH111  (Path.expanduser would raise for an unknown user)
    is_path = path.suffix.lower() in question_files.SUFFIXES or len(path.parts) > 1 or os.path.exists(path)  # noqa: PTH110
    if _find_folder(folder, versioned[1] if versioned else name_or_path) is not None or not is_path:
        return find(folder, name_or_path), None
    found = question_files.read(path)
    label = confidentiality.highest_label((confidentiality.DEFAULT_LABEL, found.label))
    return QuestionSet(path.name, 0, question_files.sha256(found.questions), found.questions, label), found


def shipped() -> QuestionSet:
    """Return the general questions shipped with the app, on none of which the trial model's adapter was trained."""
    files = (resources() / "starter_adapter" / "rows" / f"{kind}_holdout.jsonl" for kind in SHIPPED)
    found = (one for file in files for one in question_files.read(file).questions if one.is_answerable)
    questions = question_files.with_ids(found)[0]
    return QuestionSet(
        phrase("evaluation.question_set_shipped"), 0, question_files.sha256(questions), questions, "public"
    )


def unfit_code(question: Question) -> str:
    """Return why no set can hold the question, as the code of a BadRow; "" if a set can hold it."""
    values = question_rows.as_object(question)
    try:
        question_rows.question_of(DataRecord(1, values), question_rows.find_columns(tuple(values)))
    except RowRefusedError as error:
        return error.code
    return ""


# ----------------------------------------------------------------------- changing


def store(
    folder: Path,
    name: str,
    questions: Sequence[Question],
    label: Label | None = None,
    source: str = "",
    *,
    expected_sha256: str | None = None,
) -> QuestionSet:
    """Store the questions as a new set, or as the next version of the set of that name.

    If the newest version has the same questions, no version is added. `label`: label of the material that the questions
    were made from. A set keeps the highest label it was ever given. None: keep its label, or DEFAULT_LABEL for a new
    set. `expected_sha256`: the SHA-256 of the version that the questions were made from, which must still be the
    newest; "": the set must be new; None: no check. Raises AppError: question_set_name, question_set_damaged,
    questions_unreadable (a file could not hold the questions), question_set_unknown, question_set_taken,
    question_set_outdated (these with `expected_sha256`), journal_busy, and as `output_file.export_error`.
    """
    given, raw = tuple(questions), question_files.to_lines(questions)
    questions = question_files.from_lines(raw, name)
    if questions != given:
        raw = question_files.to_lines(questions)
    sha256 = hashlib.sha256(raw).hexdigest()
    with _locked(folder):
        _check_newest(folder, name, expected_sha256)
        place = _find_folder(folder, name) or folder / checked_name(name)
        before = (
            _about(place)
            if (place / ABOUT).is_file()
            else StoredQuestionSet(place.name, label or confidentiality.DEFAULT_LABEL, ())
        )
        versions = before.versions
        if not versions or versions[-1].sha256 != sha256:
            versions += (QuestionSetVersion(len(versions) + 1, sha256, len(questions), time.time(), source),)
            place.mkdir(mode=0o700, exist_ok=True)
            write_atomically(place / _file(len(versions)), raw)
        now = StoredQuestionSet(
            place.name, confidentiality.highest_label((before.label, label or before.label)), versions
        )
        if now != before:
            about = json.dumps(dataclasses.asdict(now), ensure_ascii=False, indent=1)
            write_atomically(place / ABOUT, about.encode("utf-8", "replace"))
    return QuestionSet(now.name, now.newest.number, sha256, questions, now.label)


def rename(folder: Path, name: str, new_name: str) -> StoredQuestionSet:
    """Rename a set. Existing studies keep their questions and the set's old name.

    Raises AppError: question_set_unknown, question_set_name, question_set_taken, question_set_damaged, journal_busy,
    and as `output_file.export_error`.
    """
    with _locked(folder):
        place = _existing_folder(folder, name)
        target = folder / checked_name(new_name)
        if target.name != place.name:
            if _find_folder(folder, new_name) not in (None, place) or (target.exists() and not target.samefile(place)):
                raise AppError("question_set_taken", name=target.name)
            place.rename(target)
    return _about(target)


def remove(folder: Path, name: str) -> Path:
    """Move the set with all its versions into the bin; return its folder there.

    Raises AppError: question_set_unknown, journal_busy, and as `output_file.export_error`.
    """
    with _locked(folder):
        place = _existing_folder(folder, name)
        (folder / BIN).mkdir(mode=0o700, exist_ok=True)
        last = max((number for name, number, _ in _removed(folder) if _plain(name) == _plain(place.name)), default=0)
        target = folder / BIN / f"{place.name}@{last + 1}"
        place.rename(target)
        work_folder.mark_deleted(target, time.time())
    return target


def restore(folder: Path, name: str) -> StoredQuestionSet:
    """Restore the last removed set of that name, with a number appended if the name is in use.

    Raises AppError: question_set_not_removed, question_set_damaged, journal_busy, and as `output_file.export_error`.
    """
    with _locked(folder):
        same = [(number, one, place) for one, number, place in _removed(folder) if _plain(one) == _plain(name)]
        if not same:
            raise AppError("question_set_not_removed", name=name)
        _, once, newest = max(same)
        free, number = once, 1
        while _find_folder(folder, free) is not None or (folder / free).exists():
            number += 1
            free = f"{once} ({number})"
        newest.rename(folder / free)
        work_folder.unmark_deleted(folder / free)
    return _about(folder / free)


def checked_name(name: str) -> str:
    """Check the name of a set and return it as a folder name. Raises AppError("question_set_name")."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or safe_name(name, "") != name or "@" in name:
        raise AppError("question_set_name", name=shorten(name, 20))
    return name


# -------------------------------------------------------------------------- files


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock for changing sets. Raises AppError("journal_busy") and as `output_file.export_error`."""
    import filelock  # here, because commands wait for this module

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with filelock.FileLock(folder / LOCK, timeout=_LOCK_LIMIT_S):
            yield
    except filelock.Timeout as error:
        raise AppError("journal_busy", path=str(folder)) from error
    except OSError as error:
        raise output_file.export_error(error, folder / ABOUT) from error


def _places(folder: Path) -> list[Path]:
    try:
        return sorted(place for place in folder.iterdir() if (place / ABOUT).is_file())
    except OSError:  # no set was ever stored
        return []


def _removed(folder: Path) -> list[tuple[str, int, Path]]:
    """Return name, number and folder of each set in the bin; of equal names the last removed has the highest number."""
    found = ((_VERSIONED.fullmatch(place.name), place) for place in _places(folder / BIN))
    return [(named[1], int(named[2]), place) for named, place in found if named]


def _find_folder(folder: Path, name: str) -> Path | None:
    """Return the folder of a set; None if there is none. Case and full or half width of the name do not matter."""
    return next((place for place in _places(folder) if _plain(place.name) == _plain(name)), None)


def _existing_folder(folder: Path, name: str) -> Path:
    """Return the folder of a set that must exist. Raises AppError("question_set_unknown")."""
    place = _find_folder(folder, name)
    if place is None:
        raise AppError("question_set_unknown", name=name)
    return place


def _check_newest(folder: Path, name: str, sha256: str | None) -> None:
    """Check that `sha256` (`after` of `store`) still is the hash of the newest version.

    Raises AppError("question_set_outdated" | "question_set_taken" | "question_set_unknown").
    """
    if sha256:
        place = _existing_folder(folder, name)
        if _about(place).newest.sha256 != sha256:
            raise AppError("question_set_outdated", name=place.name)
    elif sha256 is not None and (taken := _find_folder(folder, name)) is not None:
        raise AppError("question_set_taken", name=taken.name)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _file(number: int) -> str:
    return f"{number}.jsonl"


def _about(folder: Path) -> StoredQuestionSet:
    """Read a set's `about.json`. Its name is replaced by the folder's, because a user may have renamed the folder.

    Raises AppError("question_set_damaged").
    """
    path = folder / ABOUT
    try:
        found = json_lines.convert(json_lines.parse_object(strict_json.read_bytes(path)), StoredQuestionSet)
        numbers = [version.number for version in found.versions]
        if not numbers or numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(path)
        return dataclasses.replace(found, name=folder.name)
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _damaged(path, phrase("common.questions_damaged")) from error


def _damaged(path: Path, reason: str) -> AppError:
    return AppError("question_set_damaged", name=path.parent.name, path=str(path), reason=reason)
