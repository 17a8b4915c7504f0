"""What people with Linux install: kotae-VERSION-linux-MACHINE.tar.zst with its install.sh, and a .deb."""

import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import archive
import deb
import desktop_files
import linux_requirements
from linux_requirements import Requirements

_SCRIPTS = ("install.sh", "uninstall.sh")
_TEXT = "README.txt"


def build(tree: Path, out: Path, version: str, python: Path, extra_files: Sequence[Path] = ()) -> list[Path]:
    """Archive, package and their SHA256SUMS in `out`, made of PyInstaller's folder `tree` with the program `Kotae`.

    `python`: as for `desktop_files.write`. `extra_files`: files of `out` that go with them, for their sums.

    Raises SetupError.
    """
    out.mkdir(parents=True, exist_ok=True)
    built_at = archive.build_time()
    requirements = linux_requirements.read(tree, platform.machine())
    with tempfile.TemporaryDirectory(dir=out) as folder:
        share = Path(folder) / "share"
        desktop_files.write(share, version, built_at, python)
        made = [
            pack(tree, share, out, version, requirements, built_at),
            deb.build(tree, share, out, version, requirements, built_at),
        ]
    return [*made, archive.write_sums([*made, *extra_files], out)]


def pack(tree: Path, share: Path, out: Path, version: str, requirements: Requirements, built_at: int) -> Path:
    """The archive for a home folder. `share`: as `desktop_files` lays it out."""
    name = f"kotae-{version}-linux-{requirements.machine}"
    with tempfile.TemporaryDirectory(dir=out) as folder:
        top = Path(folder) / name
        shutil.copytree(tree, top / "kotae", symlinks=True)
        shutil.copytree(share, top / "share")
        for script in _SCRIPTS:
            shutil.copy(desktop_files.TEMPLATES / script, top / script)
            (top / script).chmod(0o755)
        shutil.copyfile(desktop_files.TEMPLATES / _TEXT, top / _TEXT)
        for text in [desktop_files.ROOT / "LICENSE", *deb.notices_of(tree)]:
            shutil.copyfile(text, top / text.name)
        (top / "release").write_text(_facts(tree, version, requirements), encoding="utf-8")
        return archive.pack(top, out / f"{name}.tar.zst", built_at)


def _facts(tree: Path, version: str, requirements: Requirements) -> str:
    """What install.sh compares with the machine, one `name=value` a line."""
    size_kib = sum(path.stat().st_size // 1024 + 1 for path in tree.rglob("*") if path.is_file())
    libraries = " ".join(f"{name}:{package}" for name, package in requirements.libraries.items())
    facts = {
        "version": version,
        "machine": requirements.machine,
        "glibc": ".".join(map(str, requirements.glibc)),
        "size_kib": size_kib,
        "libraries": libraries,
    }
    return "".join(f"{name}={value}\n" for name, value in facts.items())
