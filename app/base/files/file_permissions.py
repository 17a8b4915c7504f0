"""Keep what Kotae writes for its user alone, whatever the system's defaults and the folder's past are.

Every process calls `begin` before it does anything else: files and folders then come into being as 0600 and 0700,
also those of sqlite, of libraries and of children, which inherit it. `tighten` mends what an earlier version has left.
Windows knows no such modes. There a folder in the user's profile is the user's own already, and any other one gets an
access list of its own.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

_OTHERS = 0o077
# What Kotae makes in its data folder; `tests/faults/test_file_modes.py` finds what is missing here.
_OWN = (
    *("kotae.sqlite*", "kotae.damaged-*", "kotae.restored*", "kotae.tmp*", "documents.sqlite*", "documents-vectors"),
    *("exports.log", "made_here.txt*", "seal.key*"),
    *("settings.json*", "glossary.csv*", "serve.key*", "window.*", "start.json*", "days.json*", "downloads.json*"),
    *("models-move.json*", "speed.json*", "verified.json*", "policy.toml", "training-environment*"),
    *(
        "backups",
        "bases",
        "cards",
        "drafts",
        "engine-packs",
        "evaluations",
        "logs",
        "offline-check",
        "questions",
        "runs",
    ),
)
_PERHAPS_SHARED = ("models", "pythons")  # ours where nothing else lies beside them


def restrict_umask() -> None:
    """Take the rights of the group and of others from all that this process and its children make."""
    os.umask(_OTHERS)


def tighten_permissions(folder: Path) -> None:
    """Take the rights of others from the data folder and from what Kotae has made in it.

    In a folder that holds other things too, the folder and those stay as they are. Left alone are links, what belongs
    to another user, and files with several names, one of which may be another program's. What cannot be changed stays.
    """
    if os.name == "nt":
        with contextlib.suppress(OSError, RuntimeError, subprocess.SubprocessError):  # no home; FAT has no lists
            _own_on_windows(folder)
        return
    with contextlib.suppress(OSError):
        entries = list(os.scandir(folder))
        is_shared = _holds_others(entries)
        own = [entry for entry in entries if _is_own(entry.name)] if is_shared else entries
        is_any_open = any(_is_open(entry) or any(map(_is_open, _inside(entry))) for entry in own)
        if is_any_open and _has_modes(folder):
            # The deepest first: a start that is killed amid this leaves the sign for the next one.
            for entry in own:
                _tighten_all(entry)
        if not is_shared:
            _tighten_one(folder, folder.lstat())


def copy_folder(source: Path, target: Path, ignore: Callable[[str, list[str]], Iterable[str]] | None = None) -> None:
    """Copy the contents of a folder without its modes, which may be those of a program that is there for everybody.

    Raises OSError.
    """
    try:
        shutil.copytree(source, target, ignore=ignore, copy_function=shutil.copyfile)
    except shutil.Error as failed:
        # Its reasons are sentences, and a full disk would be none of known errors: files say it once more themselves.
        for source_path, copy, reason in sorted(failed.args[0], key=lambda one: Path(one[0]).is_dir()):
            if Path(source_path).is_dir():
                raise OSError(reason) from failed
            shutil.copyfile(source_path, copy)
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o700)


def _has_modes(folder: Path) -> bool:
    """Whether the drive keeps modes: on FAT everything looks open, and nothing can be changed."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return not os.fstat(file.fileno()).st_mode & _OTHERS


def _is_own(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _OWN)


def _holds_others(entries: list[os.DirEntry[str]]) -> bool:
    return not all(_is_own(entry.name) or entry.name in _PERHAPS_SHARED for entry in entries)


def _is_open(entry: os.DirEntry[str]) -> bool:
    try:
        return _must_change(entry.stat(follow_symlinks=False))
    except OSError:
        return False


def _must_change(status: os.stat_result) -> bool:
    is_ours = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
    return is_ours and status.st_uid == os.geteuid() and bool(status.st_mode & _OTHERS)


def _inside(entry: os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    if entry.is_dir(follow_symlinks=False):
        with contextlib.suppress(OSError), os.scandir(entry.path) as found:
            yield from found


def _tighten_all(entry: os.DirEntry[str]) -> None:
    for one in _inside(entry):
        _tighten_all(one)
    with contextlib.suppress(OSError):
        _tighten_one(Path(entry.path), entry.stat(follow_symlinks=False))


def _tighten_one(path: Path, status: os.stat_result) -> None:
    if _must_change(status):
        with contextlib.suppress(OSError):  # a drive without modes, or one that may only be read
            path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)


def _own_on_windows(folder: Path) -> None:
    """Replace what the folder inherits by full access for the user, the system and the administrators."""
    home = Path.home().resolve()
    user = os.environ.get("USERNAME", "")
    if home in folder.resolve().parents or not user or _holds_others(list(os.scandir(folder))):
        return
    domain = os.environ.get("USERDOMAIN", "")
    account = f"{domain}\\{user}" if domain else user
    tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "icacls.exe"
    everything = "(OI)(CI)F"  # also for what is made in it later
    granted = [f"{account}:{everything}", f"*S-1-5-18:{everything}", f"*S-1-5-32-544:{everything}"]
    subprocess.run(
        [str(tool), str(folder), "/inheritance:r", "/grant:r", *granted],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )  # fmt: skip
