"""The program's icon in the forms that desktops take, made from resources/icons/kotae.svg.

Qt draws, in a process of its own: these scripts run before Qt is there. The containers of Windows and macOS hold PNG
files as they are (since Windows Vista and Mac OS X 10.7).
"""

import importlib.util
import struct
import sys
import tempfile
from pathlib import Path

from steps import python_in, run_step

ROOT = Path(__file__).resolve().parent.parent
_VENVS = (".venv-bundle", ".venv")
SVG = ROOT / "resources" / "icons" / "kotae.svg"
HICOLOR_SIZES_PX = (16, 24, 32, 48, 64, 128, 256, 512)
_ICO_SIZES_PX = (16, 24, 32, 48, 64, 128, 256)
# Type -> size in pixels. Those of 16 and 32 points at simple resolution are no PNG in every macOS, and are left out:
# the Finder takes the ones of double resolution.
_ICNS_TYPES = {
    "ic11": 32, "ic12": 64, "ic07": 128, "ic13": 256, "ic08": 256, "ic14": 512, "ic09": 512, "ic10": 1024,
}  # fmt: skip
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
    with tempfile.TemporaryDirectory() as folder:
        pngs = draw(Path(folder), _ICO_SIZES_PX)
        target.write_bytes(ico({size: path.read_bytes() for size, path in pngs.items()}))
    return target


def write_icns(target: Path) -> Path:
    """For the .app of macOS."""
    with tempfile.TemporaryDirectory() as folder:
        pngs = draw(Path(folder), tuple(sorted(set(_ICNS_TYPES.values()))))
        target.write_bytes(icns({size: path.read_bytes() for size, path in pngs.items()}))
    return target


def ico(pngs: dict[int, bytes]) -> bytes:
    """`pngs`: by size in pixels, at most 256."""
    header = struct.pack("<HHH", 0, 1, len(pngs))
    place = len(header) + 16 * len(pngs)
    entries = []
    for size, png in sorted(pngs.items()):
        side = size % 256  # 0 stands for 256
        entries.append(struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(png), place))
        place += len(png)
    return b"".join([header, *entries, *(png for _, png in sorted(pngs.items()))])


def icns(pngs: dict[int, bytes]) -> bytes:
    """`pngs`: by size in pixels; every size of the container must be there."""
    parts = [struct.pack(">4sI", kind.encode(), 8 + len(pngs[size])) + pngs[size] for kind, size in _ICNS_TYPES.items()]
    return struct.pack(">4sI", b"icns", 8 + sum(map(len, parts))) + b"".join(parts)
