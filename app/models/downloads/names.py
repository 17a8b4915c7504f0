"""File names that come from outside: they never become a path (CVE-2024-37032 was one that did)."""

import re
import unicodedata

from app.base.errors import AppError

LONGEST_BYTES = 200  # file systems take 255; `.part.json` and a number must still fit
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = set('<>:"|?*')


def safe_name(name: str) -> str:
    """The last part of `name` as a plain file name for every system.

    Raises AppError("download_bad_name") where nothing of it is left, or where it could deceive: control characters,
    marks that turn the direction of writing, names that Windows keeps for devices.
    """
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    is_odd = any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for character in base)
    if is_odd or _FORBIDDEN & set(base) or base.strip(". ") != base or not base or _RESERVED.fullmatch(base):
        raise AppError("download_bad_name", name=repr(name)[:120])
    if len(base.encode("utf-8")) > LONGEST_BYTES:
        raise AppError("download_bad_name", name=repr(name)[:120])
    return base
