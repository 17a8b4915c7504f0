"""What macOS is told of Kotae.app. Never tried on a Mac.

    python3 packaging/macos/bundle_info.py RESOURCES   writes the localised names and reasons below that folder

macOS shows the reasons when the user opens a file or folder at such a place for the first time.
"""

import sys
from pathlib import Path

IDENTIFIER = "jp.kotae.Kotae"
ROOT = Path(__file__).resolve().parent.parent.parent
MINIMUM_SYSTEM = "13.0"  # the wheels of PySide6 6.11

_PLACES = {
    "NSDesktopFolderUsageDescription": ("デスクトップ", "the Desktop folder"),
    "NSDocumentsFolderUsageDescription": ("書類フォルダ", "the Documents folder"),
    "NSDownloadsFolderUsageDescription": ("ダウンロードフォルダ", "the Downloads folder"),
    "NSRemovableVolumesUsageDescription": ("外付けのディスク", "a removable disk"),
    "NSNetworkVolumesUsageDescription": ("共有フォルダ", "a shared folder"),
}
REASONS = {
    "ja": {
        key: f"選んだ資料やモデルを読み、結果を書き出すために、{place}を使います。"
        for key, (place, _) in _PLACES.items()
    },
    "en": {
        key: f"To read the documents and models that you choose in {place}, and to export results there."
        for key, (_, place) in _PLACES.items()
    },
}
NAMES = {
    "ja": {"CFBundleDisplayName": "Kotae（答え）", "CFBundleName": "Kotae"},
    "en": {"CFBundleDisplayName": "Kotae", "CFBundleName": "Kotae"},
}


def version() -> str:
    lines = (ROOT / "app" / "__init__.py").read_text(encoding="utf-8").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("__version__"))


INFO: dict[str, object] = {
    "CFBundleIdentifier": IDENTIFIER,
    "CFBundleName": "Kotae",
    "CFBundleDisplayName": "Kotae",
    "CFBundleShortVersionString": version(),
    "CFBundleVersion": version(),
    "CFBundleDevelopmentRegion": "ja",
    "CFBundleLocalizations": ["ja", "en"],
    "LSMinimumSystemVersion": MINIMUM_SYSTEM,
    "LSApplicationCategoryType": "public.app-category.productivity",
    "LSBackgroundOnly": False,  # PyInstaller takes a program with a console for one without windows
    "NSHighResolutionCapable": True,
    "NSRequiresAquaSystemAppearance": False,  # dark where the system is
    "NSSupportsAutomaticGraphicsSwitching": True,
    "NSHumanReadableCopyright": "Apache-2.0",
    **REASONS["ja"],
}


def write_localisations(resources: Path) -> list[Path]:
    """`resources`: Contents/Resources of the .app, before it is signed."""
    made = []
    for language in NAMES:
        target = resources / f"{language}.lproj" / "InfoPlist.strings"
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = [f'"{key}" = "{value}";\n' for key, value in (NAMES[language] | REASONS[language]).items()]
        target.write_text("".join(lines), encoding="utf-8")
        made.append(target)
    return made


if __name__ == "__main__":
    write_localisations(Path(sys.argv[1]))
