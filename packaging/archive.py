"""Archives that come out the same each time they are made of the same files, and their sums.

Names are sorted; owner, time and all but the x of the permissions are the same for every file.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from steps import SetupError

ROOT = Path(__file__).resolve().parent.parent
SUMS = "SHA256SUMS"
_LEVEL = "-12"  # 19 takes ten times as long and saves a twentieth


def build_time(root: Path = ROOT) -> int:
    """Seconds since 1970 that stand for the time of a build: $SOURCE_DATE_EPOCH, else the last commit's, else the
    changelog's."""
    if os.environ.get("SOURCE_DATE_EPOCH", "").isdecimal():
        return int(os.environ["SOURCE_DATE_EPOCH"])
    git = shutil.which("git")
    if git is not None and (root / ".git").exists():
        argv = [git, "-C", str(root), "log", "-1", "--format=%ct"]
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
        if said.isdecimal():
            return int(said)
    return int((root / "CHANGELOG.md").stat().st_mtime)


def pack(folder: Path, target: Path, built_at: int) -> Path:
    """`folder` with its name as one tar.zst at `target`. Raises SetupError, and leaves no half archive."""
    zstd = shutil.which("zstd")
    if zstd is None:
        raise SetupError("zstd がありません / is missing.\n次に / next: sudo apt-get install -y zstd")
    part = target.with_name(f"{target.name}.part")
    argv = [zstd, "-q", "-f", _LEVEL, "-T0", "-o", str(part)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stderr is not None
        try:
            with tarfile.open(fileobj=child.stdin, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                _add_all(tar, folder, built_at)
            child.stdin.close()
        except BrokenPipeError:  # its reason is what it said
            pass
        said = child.stderr.read().decode("utf-8", "replace").strip()
    if child.returncode != 0:
        part.unlink(missing_ok=True)
        raise SetupError(f"{said}\n次に: 空き容量を確かめてください / check the free space.")
    part.replace(target)
    return target


def write_sums(files: Iterable[Path], folder: Path) -> Path:
    """For `sha256sum -c SHA256SUMS` in that folder."""
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(files)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return folder / SUMS


def mode_of(path: Path) -> int:
    """The permissions in a package. Libraries are loaded, not run."""
    is_program = path.stat().st_mode & 0o111 and ".so" not in path.suffixes
    return 0o755 if path.is_dir() or is_program else 0o644


def _add_all(tar: tarfile.TarFile, folder: Path, built_at: int) -> None:
    for path in [folder, *sorted(folder.rglob("*"))]:
        info = tar.gettarinfo(str(path), str(path.relative_to(folder.parent)))
        if info.islnk():  # a second name of the same file becomes a file of its own
            info.type, info.size = tarfile.REGTYPE, path.stat().st_size
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = built_at
        info.mode = 0o777 if info.issym() else mode_of(path)
        if info.isreg():
            with path.open("rb") as file:
                tar.addfile(info, file)
        else:
            tar.addfile(info)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
