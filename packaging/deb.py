"""A package for Debian and Ubuntu, made of the folder that PyInstaller leaves. Needs dpkg-deb, and no root.

The same tree and time make the same package. Its files: /usr/lib/kotae, /usr/bin/kotae, and what desktops look for.
"""

import gzip
import hashlib
import os
import re
import shutil
import tempfile
import textwrap
import time
from pathlib import Path

import archive
import desktop_files
from linux_requirements import Requirements
from steps import SetupError, run_step

# Nobody answers there yet: .invalid is reserved for addresses that cannot exist (RFC 2606).
MAINTAINER = "Kotae developers <kotae@kotae.invalid>"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# The window does without these, but shows boxes for rare kanji, or opens no folder.
RECOMMENDS = ("fonts-noto-cjk | fonts-japanese-gothic", "xdg-utils")
# Text in pictures of scanned documents; old Word and PowerPoint documents.
SUGGESTS = ("tesseract-ocr", "tesseract-ocr-jpn", "libreoffice-writer", "libreoffice-impress")
DESCRIPTION = """\
Japanese questions about your own documents, answered offline
 Kotae answers questions in Japanese with a language model that runs on this
 computer. Nothing is sent anywhere, and no network is needed. Each sentence
 of an answer names the clause and the page of the document it rests on.
 .
 Kotae（答え）は、この PC の中で動く言語モデルで、日本語の質問に答えます。
 回答の一文ごとに、根拠の条文とページを示します。
"""


def build(tree: Path, share: Path, out: Path, version: str, requirements: Requirements, built_at: int) -> Path:
    """`share`: as `desktop_files` lays it out. Raises SetupError where dpkg-deb is missing or refuses."""
    if shutil.which("dpkg-deb") is None:
        raise SetupError("dpkg-deb がありません / is missing.\n次に / next: sudo apt-get install -y dpkg")
    architecture = ARCHITECTURES[requirements.machine]
    target = out / f"kotae_{debian_version(version)}_{architecture}.deb"
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder) / "kotae"
        _lay_out(root, tree, share, version, built_at)
        _write_control(root, version, architecture, requirements)
        _same_for_everyone(root, built_at)
        # Debian's own tools take no zstd in a package; xz at its usual level 6 takes six minutes, and saves a tenth.
        run_step(
            "deb パッケージの作成 / building the deb",
            ["dpkg-deb", "--root-owner-group", "-Zxz", "-z2", "--build", root, target],
            log_name="dpkg-deb",
            next_step="次に: 空き容量を確かめてください / check the free space.",
            env={"SOURCE_DATE_EPOCH": str(built_at)},
        )
    return target


def debian_version(version: str) -> str:
    """Preliminary versions sort before the version itself: 0.2.0rc1 becomes 0.2.0~rc1."""
    return re.sub(r"\.?((?:a|b|rc|dev)\d+)$", r"~\1", version)


def _lay_out(root: Path, tree: Path, share: Path, version: str, built_at: int) -> None:
    shutil.copytree(tree, root / "usr" / "lib" / "kotae", symlinks=True)
    shutil.copytree(share, root / "usr" / "share")
    (root / "usr" / "bin").mkdir()
    (root / "usr" / "bin" / "kotae").symlink_to("../lib/kotae/Kotae")
    documents = root / "usr" / "share" / "doc" / "kotae"
    documents.mkdir(parents=True)
    shutil.copyfile(desktop_files.TEMPLATES / "copyright", documents / "copyright")
    for notices in notices_of(tree):
        shutil.copyfile(notices, documents / notices.name)
    changelog = _changelog(version, built_at).encode()
    (documents / "changelog.gz").write_bytes(gzip.compress(changelog, 9, mtime=0))
    manual = root / "usr" / "share" / "man" / "man1"
    manual.mkdir(parents=True)
    (manual / "kotae.1.gz").write_bytes(gzip.compress((desktop_files.TEMPLATES / "kotae.1").read_bytes(), 9, mtime=0))
    overrides = root / "usr" / "share" / "lintian" / "overrides"
    overrides.mkdir(parents=True)
    shutil.copyfile(desktop_files.TEMPLATES / "lintian-overrides", overrides / "kotae")


def notices_of(tree: Path) -> list[Path]:
    """Texts about other people's work: beside the program, or where bundle.py collects them."""
    return sorted(
        path
        for folder in (tree, tree / "_internal" / "resources" / "licences")
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file() and "NOTICE" in path.name.upper()
    )


def _changelog(version: str, built_at: int) -> str:
    changes = desktop_files.changes_of((desktop_files.ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    day = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(built_at))
    points = "".join(f"{_wrapped(change)}\n" for change in changes or ["Packaged."])
    return f"kotae ({debian_version(version)}) stable; urgency=medium\n\n{points}\n -- {MAINTAINER}  {day}\n"


def _wrapped(change: str) -> str:
    return textwrap.fill(change, 78, initial_indent="  * ", subsequent_indent="    ", break_long_words=False)


def _write_control(root: Path, version: str, architecture: str, requirements: Requirements) -> None:
    control = root / "DEBIAN"
    control.mkdir()
    files = sorted(path for path in (root / "usr").rglob("*") if path.is_file() and not path.is_symlink())
    sums = [f"{_md5(path)}  {path.relative_to(root)}\n" for path in files]
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")
    fields = {
        "Package": "kotae",
        "Version": debian_version(version),
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(sum(path.stat().st_size // 1024 + 1 for path in files)),
        "Depends": ", ".join(requirements.depends()),
        "Recommends": ", ".join(RECOMMENDS),
        "Suggests": ", ".join(SUGGESTS),
        "Section": "science",
        "Priority": "optional",
    }
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    (control / "control").write_text(f"{text}Description: {DESCRIPTION}", encoding="utf-8")


def _same_for_everyone(root: Path, built_at: int) -> None:
    """Permissions and times that do not depend on who builds."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(archive.mode_of(path))
        os.utime(path, (built_at, built_at), follow_symlinks=False)


def _md5(path: Path) -> str:
    with path.open("rb") as file:  # the form of Debian's md5sums, which guards against accidents only
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
