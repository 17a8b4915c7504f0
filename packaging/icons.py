"""The program's icon in the forms that desktops take, made from resources/icons/kotae.svg.

Qt draws, and Pillow makes the containers of Windows and macOS: in a process of their own, as these scripts run before
either is there.
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

from steps import python_in, run_step

ROOT = Path(__file__).resolve().parent.parent
_VENVS = (".venv-bundle", ".venv")
SVG = ROOT / "resources" / "icons" / "kotae.svg"
HICOLOR_SIZES_PX = (16, 24, 32, 48, 64, 128, 256, 512)
_ICO_SIZES_PX = (16, 24, 32, 48, 64, 128, 256)
_ICNS_SIZES_PX = (32, 64, 128, 256, 512, 1024)
_DRAW = """
import sys
from pathlib import Path
from PySide6.QtGui import QGuiApplication
from app.uikit.theme import render_svg
application = QGuiApplication([])
for size in map(int, sys.argv[2:]):
    if not render_svg("kotae", "", size).save(str(Path(sys.argv[1]) / f"{size}.png")):
        sys.exit(f"{size}.png: not written")
"""
_CONTAIN = """
import sys
from PIL import Image
*smaller, largest = map(Image.open, sys.argv[2:])
largest.save(sys.argv[1], append_images=smaller, sizes=[image.size for image in (*smaller, largest)])
"""


def draw(folder: Path, sizes_px: tuple[int, ...]) -> dict[int, Path]:
    """PNG files by their size, square. Raises SetupError."""
    folder.mkdir(parents=True, exist_ok=True)
    run_step(
        "アイコンの作成 / drawing the icon",
        [_python(), "-c", _DRAW, folder, *map(str, sizes_px)],
        log_name="icons",
        next_step="次に: python3 packaging/dev.py setup",
        env={"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
    )
    return {size: folder / f"{size}.png" for size in sizes_px}


def _python() -> str | Path:
    """One that has PySide6: the one that runs this, or that of an environment that was made for it."""
    if importlib.util.find_spec("PySide6") is not None:
        return sys.executable
    having = (venv for venv in _VENVS if any((ROOT / venv).glob("[Ll]ib*/**/site-packages/PySide6")))
    return python_in(ROOT / next(having, _VENVS[-1]))


def write_ico(target: Path) -> Path:
    """For Windows: the installer and the program."""
    return _contain(target, _ICO_SIZES_PX)


def write_icns(target: Path) -> Path:
    """For the .app of macOS."""
    return _contain(target, _ICNS_SIZES_PX)


def _contain(target: Path, sizes_px: tuple[int, ...]) -> Path:
    """`sizes_px`: smallest first."""
    with tempfile.TemporaryDirectory() as folder:
        pngs = draw(Path(folder), sizes_px)
        run_step("アイコンのファイル / the icon's file", [_python(), "-c", _CONTAIN, target, *pngs.values()],
                 log_name="icon-file")  # fmt: skip
    return target
