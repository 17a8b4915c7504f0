"""Whether Kotae may use a network at all: what an administrator has laid down, and what the user has chosen.

A file `policy.toml` with the line `network = "never"` forbids it. The one for the whole machine can be written by
administrators alone; one in the data folder comes with a folder that somebody has prepared. They only forbid: none of
them allows what the user has switched off.
"""

import sys
from pathlib import Path

from app.base.files import strict_json
from app.base.files.plain_file import read_regular

NAME = "policy.toml"
_PROGRAM_DATA = 0x23  # CSIDL_COMMON_APPDATA


def system_file() -> Path:
    """For the whole machine. No variable of the environment leads elsewhere: users can change those."""
    if sys.platform == "win32":
        return _program_data() / "Kotae" / NAME
    if sys.platform == "darwin":
        return Path("/Library/Application Support/Kotae") / NAME
    return Path("/etc/kotae") / NAME


def forbidding(data: Path, system: Path | None = None) -> Path | None:
    """The file that forbids the network; None where nothing does. `data`: the data folder."""
    return next((file for file in (system or system_file(), data / NAME) if forbids(file)), None)


def forbids(file: Path) -> bool:
    """Also a file that cannot be read, or in which anything is not understood: somebody meant to forbid something."""
    try:
        text = read_regular(file, strict_json.FILE_BYTES).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    import tomllib  # every process asks, and few find a file

    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError):
        return True
    return bool(table.keys() - {"network"} or table.get("network", "allowed") != "allowed")


def is_off(data: Path) -> bool:
    """Whether the next process for this data folder must not reach a network, by a policy or by the settings."""
    return forbidding(data) is not None or _is_switched_off(data / "settings.json")


def _is_switched_off(settings: Path) -> bool:
    try:
        stored = strict_json.of_file(settings)
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and stored.get("network_allowed") is False


def _program_data() -> Path:
    import ctypes

    buffer = ctypes.create_unicode_buffer(260)
    ctypes.windll.shell32.SHGetFolderPathW(None, _PROGRAM_DATA, None, 0, buffer)  # type: ignore[attr-defined,unused-ignore]
    return Path(buffer.value or "C:\\ProgramData")
