"""What the user has chosen, as one frozen value in one small file.

Whether Kotae may use a network at all: what an administrator has laid down, and what the user has chosen.

A file `policy.toml` with the line `network = "never"` forbids it. The one for the whole machine can be written by
administrators alone; one in the data folder comes with a folder that somebody has prepared. They only forbid: none of
them allows what the user has switched off.

Find the data folder: by an option, by a variable, or by the platform's own rules.
"""

import contextlib
import dataclasses
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.base.files import strict_json
from app.base.files.input_file import read_regular
from app.base.files.output_file import write_atomically

POLICY_FILE = "policy.toml"
_PROGRAM_DATA = 0x23  # CSIDL_COMMON_APPDATA


def system_policy_file() -> Path:
    """For the whole machine. No variable of the environment leads elsewhere: users can change those."""
    if sys.platform == "win32":
        return _program_data() / "Kotae" / POLICY_FILE
    if sys.platform == "darwin":
        return Path("/Library/Application Support/Kotae") / POLICY_FILE
    return Path("/etc/kotae") / POLICY_FILE


def forbidding_policy(data: Path, system: Path | None = None) -> Path | None:
    """The file that forbids the network; None where nothing does. `data`: the data folder."""
    return next((file for file in (system or system_policy_file(), data / POLICY_FILE) if forbids_network(file)), None)


def forbids_network(file: Path) -> bool:
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


def is_network_off(data: Path) -> bool:
    """Whether the next process for this data folder must not reach a network, by a policy or by the settings."""
    return forbidding_policy(data) is not None or _is_switched_off(data / "settings.json")


def _is_switched_off(settings: Path) -> bool:
    try:
        stored = strict_json.load_file(settings)
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and stored.get("network_allowed") is False


def _program_data() -> Path:
    import ctypes

    buffer = ctypes.create_unicode_buffer(260)
    ctypes.windll.shell32.SHGetFolderPathW(None, _PROGRAM_DATA, None, 0, buffer)  # type: ignore[attr-defined,unused-ignore]
    return Path(buffer.value or "C:\\ProgramData")


DATA_DIR_VARIABLE = "KOTAE_DATA_DIR"


def find_data_folder(data_dir: str | None) -> str:
    """Return `data_dir`, else $KOTAE_DATA_DIR, else the platform's own folder, as it was written.

    Raises RuntimeError without a home folder.
    """
    named = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    if named:
        return named
    import platformdirs  # a process whose folder is named does without

    return platformdirs.user_data_dir("Kotae", appauthor=False)


def data_folder_of_arguments(arguments: Sequence[str]) -> Path:
    """Return the folder that a command line means, without making it: the network guard asks before all else."""
    option = ""
    for at, argument in enumerate(arguments):
        if argument.startswith("--data-dir="):
            option = argument.partition("=")[2]
        elif argument == "--data-dir" and at + 1 < len(arguments):
            option = arguments[at + 1]
    try:
        return Path(find_data_folder(option)).expanduser().absolute()
    except RuntimeError:  # no home, or `~` of nobody: whoever needs the folder reports it
        return Path(option or os.environ.get(DATA_DIR_VARIABLE) or ".")


TEXT_SCALES = (90, 100, 115, 130, 150, 175, 200)  # percent
CONTEXT_CHOICES = (2048, 4096, 8192, 16384, 32768)  # tokens


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices and their defaults. `None` and "auto" leave the decision to measurement."""

    language: str = "system"  # system | ja | en; applied when the program starts
    theme: str = "system"  # system | light | dark
    text_scale_percent: int = 100
    send_key: str = "enter"  # enter | ctrl_enter
    model_id: str | None = None
    context_tokens: int = 4096
    scope: tuple[str, ...] | None = None  # collections that new conversations ask, by name; None: never chosen
    preset_id: str = "standard"  # of new conversations, and of the command line
    shows_details: bool = False  # 詳細: numbers and settings for those who want them; else やさしい
    threads: int | None = None  # None: physical cores - 1, fewer while other programs are busy
    repack: str = "auto"  # auto | on | off
    kv_type: str = "f16"  # f16 | q8_0
    models_folder: str | None = None  # None: in the data folder; changed only by `models_folder.move`
    training_folder: str = ""  # where the training environment is; "": in the data folder. Changed once one is made
    first_run_done: bool = False  # the greeting of the first start was closed
    network_allowed: bool = True  # False: 外部通信をすべて止める, also what the user asks for
    hub_endpoint: str = ""  # a mirror of the model hub; "": the environment's HF_ENDPOINT, else the hub itself
    proxy: str = ""  # "http://host:port"; "": what the system says. A user and a password are never kept here
    download_limit_bytes_per_s: int = 0  # 0: none


_CHOICES: dict[str, tuple[Any, ...]] = {
    "language": ("system", "ja", "en"),
    "theme": ("system", "light", "dark"),
    "text_scale_percent": TEXT_SCALES,
    "send_key": ("enter", "ctrl_enter"),
    "repack": ("auto", "on", "off"),
    "kv_type": ("f16", "q8_0"),
}


def load(path: Path) -> Settings:
    """The stored settings. A missing file gives the defaults; a damaged one is kept as `.bad` and gives them too.

    What a policy forbids (`app.base.settings`) is off in them, whatever is stored.
    """
    try:
        data = strict_json.load_file(path)
    except FileNotFoundError:
        data = None
    except (ValueError, OSError):
        data = _left_of(path)
        with contextlib.suppress(OSError):  # what can be neither read nor moved stays for the next start
            path.replace(path.with_suffix(".bad"))
    return apply_policy(path, _sanitized(data) if isinstance(data, dict) else Settings())


def _left_of(damaged: Path) -> dict[str, Any] | None:
    """Who has forbidden the network must not find it allowed because the file was cut short."""
    try:
        raw = strict_json.read_bytes(damaged)
        is_forbidden = re.search(rb'"network_allowed"\s*:\s*false', raw) is not None
    except OSError:
        return None
    return {"network_allowed": False} if is_forbidden else None


def apply_policy(path: Path, settings: Settings) -> Settings:
    """Without a network where a policy forbids it. `path`: of the settings, in the data folder."""
    if settings.network_allowed and forbidding_policy(path.parent) is not None:
        return dataclasses.replace(settings, network_allowed=False)
    return settings


def load_stored(path: Path) -> Settings | None:
    """As `load`, but leaves everything as it is. None: there is no file, or a damaged one."""
    try:
        data = strict_json.load_file(path)
    except (ValueError, OSError):
        return None
    return _sanitized(data) if isinstance(data, dict) else None


def save(path: Path, settings: Settings) -> None:
    """What a newer version has written there, and this one does not know, stays.

    A policy does not become the user's own choice: that stays as it is stored.
    """
    if not settings.network_allowed and forbidding_policy(path.parent) is not None:
        chosen = load_stored(path) or Settings()
        settings = dataclasses.replace(settings, network_allowed=chosen.network_allowed)
    text = json.dumps(dataclasses.asdict(settings) | _unknown(path, settings), ensure_ascii=False, indent=1)
    write_atomically(path, text.encode("utf-8", "replace"))


def _unknown(path: Path, settings: Settings) -> dict[str, Any]:
    """Settings of other versions, and choices of theirs where ours is left at its default."""
    try:
        data = strict_json.load_file(path)
    except (ValueError, OSError):
        return {}
    ours, defaults = dataclasses.asdict(settings), dataclasses.asdict(Settings())
    return {
        key: value
        for key, value in (data.items() if isinstance(data, dict) else ())
        if key not in ours or (key in _CHOICES and value not in _CHOICES[key] and ours[key] == defaults[key])
    }


def is_web_address(text: str) -> bool:
    """Whether it can be kept as the address of a mirror or a proxy: no user, no password, nothing that may be a key."""
    try:
        address = urlsplit(text)
        has_port = address.port != 0  # raises ValueError for what is none
    except ValueError:
        return False
    is_plain = text.isprintable() and " " not in text and not {"@", "?", "#", "\\"} & set(text)
    return address.scheme in ("http", "https") and bool(address.hostname) and has_port and is_plain


def _sanitized(data: dict[str, Any]) -> Settings:
    """Takes what is valid and leaves the rest at its default, so that one bad value costs only itself."""
    defaults = dataclasses.asdict(Settings())
    valid = {key: value for key, value in data.items() if key in defaults and _is_valid(key, value, defaults[key])}
    if valid.get("scope") is not None:
        valid["scope"] = tuple(valid["scope"])
    return Settings(**valid)


def _is_valid(key: str, value: Any, default: Any) -> bool:
    if key in _CHOICES:
        return value in _CHOICES[key]
    if key == "context_tokens":
        return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1 << 20
    if key in ("hub_endpoint", "proxy"):
        return isinstance(value, str) and (value == "" or is_web_address(value))
    if key == "download_limit_bytes_per_s":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 40
    if key == "threads":
        return value is None or (isinstance(value, int) and 1 <= value <= 1024)
    if key == "models_folder":
        return value is None or (isinstance(value, str) and "\0" not in value and Path(value).is_absolute())
    if key == "training_folder":
        return isinstance(value, str) and (value == "" or ("\0" not in value and Path(value).is_absolute()))
    if key == "scope":
        return value is None or (isinstance(value, list) and all(isinstance(name, str) for name in value))
    if key == "model_id":
        return value is None or isinstance(value, str)
    return isinstance(value, type(default))
