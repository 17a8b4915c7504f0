"""Names of files: a conversation's title as one that every system and a USB stick take, and one that is free."""

import re
import unicodedata
from pathlib import Path

CHARACTERS_MAX = 80
BYTES_MAX = 200  # of UTF-8; file systems take 255, and a number and a suffix come behind
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?:\.|$)", re.IGNORECASE)


def safe_name(title: str, otherwise: str) -> str:
    """Without suffix. `otherwise` is taken where nothing of the title is left."""
    # Control characters, and those that turn the direction of what is shown: a name must not pretend another suffix.
    kept = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", title)
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    name = _cut(" ".join(_FORBIDDEN.sub("_", kept).split())).strip(" .")
    if not name.strip("_ "):
        name = otherwise
    return f"_{name}" if _DEVICE.match(name.replace(" ", "")) else name


def _cut(name: str) -> str:
    return name[:CHARACTERS_MAX].encode()[:BYTES_MAX].decode("utf-8", "ignore")


def free_place(path: Path) -> Path:
    """Return the path, or one with a number where it is taken: a clock that goes back comes to the same name again."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free
