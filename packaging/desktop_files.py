"""What Linux knows of an installed program: menu entry, page in the software centre, icons, file type, completions.

Laid out below `share` as the specifications of freedesktop.org ask, for a package and for a home folder alike.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from xml.sax.saxutils import escape

import icons
from steps import SetupError

APP_ID = "jp.kotae.Kotae"  # the window says it too: app.DESKTOP_ID
ROOT = icons.ROOT
TEMPLATES = ROOT / "packaging" / "linux"
MOST_CHANGES = 8  # a software centre shows a short list


def write(share: Path, version: str, built_at: int, python: Path) -> None:
    """`built_at`: seconds since 1970. `python`: it has the program and shtab. Raises SetupError."""
    _copy(TEMPLATES / f"{APP_ID}.desktop", share / "applications" / f"{APP_ID}.desktop")
    page = (TEMPLATES / f"{APP_ID}.metainfo.xml").read_text(encoding="utf-8")
    changes = changes_of((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    target = share / "metainfo" / f"{APP_ID}.metainfo.xml"
    target.parent.mkdir(parents=True)
    target.write_text(page.replace("  <releases/>\n", releases(version, built_at, changes)), encoding="utf-8")
    _copy(TEMPLATES / f"{APP_ID}.xml", share / "mime" / "packages" / f"{APP_ID}.xml")
    subprocess.run(
        [python, ROOT / "packaging" / "completions.py", share], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    hicolor = share / "icons" / "hicolor"
    _copy(icons.SVG, hicolor / "scalable" / "apps" / f"{APP_ID}.svg")
    with tempfile.TemporaryDirectory() as folder:
        for size, png in icons.draw(Path(folder), icons.HICOLOR_SIZES_PX).items():
            _copy(png, hicolor / f"{size}x{size}" / "apps" / f"{APP_ID}.png")


def changes_of(changelog: str, version: str) -> list[str]:
    """The points of the changelog below the heading that names `version`, without Markdown. Raises SetupError."""
    sections = re.split(r"^## +", changelog, flags=re.MULTILINE)[1:]
    section = next((text for text in sections if version in re.findall(r"[\w.]+", text.splitlines()[0])), None)
    if section is None:
        raise SetupError(f"CHANGELOG.md に版 {version} の見出しがありません / has no heading for version {version}.")
    points = re.split(r"^- ", section, flags=re.MULTILINE)[1:]
    return [" ".join(point.split("\n## ")[0].replace("`", "").replace("**", "").split()) for point in points]


def releases(version: str, built_at: int, changes: list[str]) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(built_at))
    points = [f"          <li>{escape(change)}</li>\n" for change in changes[:MOST_CHANGES]]
    description = ["      <description>\n        <ul>\n", *points, "        </ul>\n      </description>\n"]
    return "".join(
        [
            "  <releases>\n",
            f'    <release version="{escape(version)}" date="{day}">\n',
            *(description if points else ()),
            "    </release>\n  </releases>\n",
        ]
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
