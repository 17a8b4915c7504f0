"""Keep the files that Kotae writes private to their user, whatever the system's defaults are.

`restrict_umask`, which every process calls first, makes modes 0600 and 0700 also for files of sqlite, libraries and
children; `tighten_permissions` corrects files of earlier versions. On Windows a folder outside the user's profile gets
an access list.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

_OTHERS = 0o077
# Names of the files and folders that Kotae creates in its data folder; tests/faults/test_file_modes.py reports missing
# ones.
_OWN = (
    *("kotae.sqlite*", "kotae.damaged-*", "kotae.restored*", "kotae.tmp*", "documents.sqlite*", "documents-vectors"),
    *("documents-summaries", "exports.log", "made_here.txt*", "seal.key*", "kotae.checked*", "documents.checked*"),
    *("settings.json*", "glossary.csv*", "serve.key*", "window.*", "start.json*", "days.json*", "downloads.json*"),
    *("models-move.json*", "speed.json*", "verified.json*", "crashes.json*", "policy.toml", "training-environment*"),
    *("backups", "bases", "cards", "drafts", "engine-packs", "evaluations", "logs", "offline-check", "prefix-states"),
    *("questions", "runs"),
)
_PERHAPS_SHARED = ("models", "pythons")  # treated as Kotae's unless the data folder also holds foreign files


def restrict_umask() -> None:
    """Deny group and others all rights to the files that this process and its children create."""
    os.umask(_OTHERS)


def tighten_permissions(folder: Path) -> None:
    """Remove the rights of group and others from the data folder, if it holds nothing foreign, and Kotae's files in it.

    Links, entries of another user, files with several hard links, and what cannot be changed are skipped.
    """
    if os.name == "nt":
        import subprocess  # here, as in `copy_folder`

        # There may be no home folder, and FAT has no access lists.
        with contextlib.suppress(OSError, RuntimeError, subprocess.SubprocessError):
            _restrict_on_windows(folder)
        return
    with contextlib.suppress(OSError):
        entries = list(os.scandir(folder))
        is_shared = _holds_others(entries)
        own = [entry for entry in entries if _is_own(entry.name)] if is_shared else entries
        is_any_open = any(_is_open(entry) or any(map(_is_open, _inside(entry))) for entry in own)
        if is_any_open and _has_modes(folder):
            # The deepest entries come first, so that after a kill in between the next start still sees an open one
            # above.
            for entry in own:
                _tighten_all(entry)
        if not is_shared:
            _tighten_one(folder, folder.lstat())


def copy_folder(source: Path, target: Path, ignore: Callable[[str, list[str]], Iterable[str]] | None = None) -> None:
    """Copy a folder's contents with private modes. `ignore`: as for `shutil.copytree`. Raises OSError."""
    import shutil  # here, because every process imports this module, and only for `restrict_umask`

    try:
        shutil.copytree(source, target, ignore=ignore, copy_function=shutil.copyfile)
    except shutil.Error as failed:
        # shutil.Error holds only texts, without an errno: copying the files again raises the OSError itself.
        for source_path, copy, reason in sorted(failed.args[0], key=lambda one: Path(one[0]).is_dir()):
            if Path(source_path).is_dir():
                raise OSError(reason) from failed
            shutil.copyfile(source_path, copy)
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o700)


def _has_modes(folder: Path) -> bool:
    """Return whether the drive of `folder` stores permission bits; FAT reports the same bits for every file."""
    import tempfile  # here, as in `copy_folder`

    with tempfile.TemporaryFile(dir=folder) as file:
        return not os.fstat(file.fileno()).st_mode & _OTHERS


def _is_own(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _OWN)


def _holds_others(entries: list[os.DirEntry[str]]) -> bool:
    """Return whether an entry is not Kotae's."""
    return not all(_is_own(entry.name) or entry.name in _PERHAPS_SHARED for entry in entries)


def _is_open(entry: os.DirEntry[str]) -> bool:
    """Return whether group or others have rights to the entry."""
    try:
        return _must_change(entry.stat(follow_symlinks=False))
    except OSError:
        return False


def _must_change(status: os.stat_result) -> bool:
    is_ours = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
    return is_ours and status.st_uid == os.geteuid() and bool(status.st_mode & _OTHERS)


def _inside(entry: os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder; nothing for a file."""
    if entry.is_dir(follow_symlinks=False):
        with contextlib.suppress(OSError), os.scandir(entry.path) as entries:
            yield from entries


def _tighten_all(entry: os.DirEntry[str]) -> None:
    for one in _inside(entry):
        _tighten_all(one)
    with contextlib.suppress(OSError):
        _tighten_one(Path(entry.path), entry.stat(follow_symlinks=False))


def _tighten_one(path: Path, status: os.stat_result) -> None:
    if _must_change(status):
        with contextlib.suppress(OSError):  # a drive without modes, or a read-only one
            path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)


def _restrict_on_windows(folder: Path) -> None:
    """Replace the folder's inherited rights by full access for the user, the system and the administrators."""
    import subprocess  # here, as in `copy_folder`

    home = Path.home().resolve()
    user = os.environ.get("USERNAME", "")
    if home in folder.resolve().parents or not user or _holds_others(list(os.scandir(folder))):
        return
    domain = os.environ.get("USERDOMAIN", "")
    account = f"{domain}\\{user}" if domain else user
    tool = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "icacls.exe"
    everything = "(OI)(CI)F"  # full access, inherited by later files and folders
    granted = [f"{account}:{everything}", f"*S-1-5-18:{everything}", f"*S-1-5-32-544:{everything}"]
    subprocess.run(
        [str(tool), str(folder), "/inheritance:r", "/grant:r", *granted],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )  # fmt: skip
