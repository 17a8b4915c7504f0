"""Load and save the settings, find the data folder, and decide whether Kotae may use a network.

A file `policy.toml` with the line `network = "never"`, for the whole machine or in the data folder, forbids the
network; none can allow what the user has switched off.
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

from app.base.addresses import is_web_address
from app.base.files import strict_json
from app.base.files.input_file import read_regular
from app.base.files.output_file import write_atomically

POLICY_FILE = "policy.toml"
_PROGRAM_DATA = 0x23  # CSIDL_COMMON_APPDATA


def system_policy_file() -> Path:
    """Return the machine's policy file, independent of environment variables, which users can set."""
    if sys.platform == "win32":
        return _windows_program_data() / "Kotae" / POLICY_FILE
    if sys.platform == "darwin":
        return Path("/Library/Application Support/Kotae") / POLICY_FILE
    return Path("/etc/kotae") / POLICY_FILE


def policy_forbidding_network(data: Path, system: Path | None = None) -> Path | None:
    """Return the policy file, of the folder `data` or of the machine (`system`), that forbids the network, or None."""
    return next((file for file in (system or system_policy_file(), data / POLICY_FILE) if forbids_network(file)), None)


def forbids_network(file: Path) -> bool:
    """Whether a policy file forbids the network: a missing one does not, an unreadable or unknown one does."""
    try:
        text = read_regular(file, strict_json.FILE_BYTES).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    import tomllib  # imported here, because every process calls this function and few find a file

    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError):
        return True
    return bool(table.keys() - {"network"} or table.get("network", "allowed") != "allowed")


def is_network_off(data: Path) -> bool:
    """Return whether a policy or the settings forbid the network to processes that use this data folder."""
    is_off = (_read(data / "settings.json") or {}).get("network_allowed") is False
    return is_off or policy_forbidding_network(data) is not None


def _read(path: Path) -> dict[str, Any] | None:
    """Return the object in a settings file; None for a missing or damaged file."""
    try:
        data = strict_json.load_file(path)
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _windows_program_data() -> Path:
    import ctypes

    buffer = ctypes.create_unicode_buffer(260)
    ctypes.windll.shell32.SHGetFolderPathW(None, _PROGRAM_DATA, None, 0, buffer)  # type: ignore[attr-defined,unused-ignore]
    return Path(buffer.value or "C:\\ProgramData")


DATA_DIR_VARIABLE = "KOTAE_DATA_DIR"


def find_data_folder(data_dir: str | None) -> str:
    """Return `data_dir`, else $KOTAE_DATA_DIR, else the platform's, with ~. Raises RuntimeError without a home."""
    named = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    if named:
        return named
    import platformdirs  # imported here, because it is rarely needed

    return platformdirs.user_data_dir("Kotae", appauthor=False)


def data_folder_of_arguments(arguments: Sequence[str]) -> Path:
    """Return the absolute data folder for the arguments of a command line. The folder is not created."""
    option = ""
    for at, argument in enumerate(arguments):
        if argument.startswith("--data-dir="):
            option = argument.partition("=")[2]
        elif argument == "--data-dir" and at + 1 < len(arguments):
            option = arguments[at + 1]
    try:
        return Path(find_data_folder(option)).expanduser().absolute()
    except RuntimeError:  # no home folder, or `~name` of an unknown user: `paths.locate` reports it
        return Path(option or os.environ.get(DATA_DIR_VARIABLE) or ".")


TEXT_SCALES = (90, 100, 115, 130, 150, 175, 200)  # percent
CONTEXT_CHOICES = (2048, 4096, 8192, 16384, 32768)  # tokens


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's settings and their defaults. None in `threads` and "auto" in other fields: the program decides."""

    language: str = "system"  # system | ja | en; applied when the program starts
    theme: str = "system"  # system | light | dark
    text_scale_percent: int = 100
    send_key: str = "enter"  # enter | ctrl_enter
    model_id: str | None = None
    context_tokens: int = 4096
    scope: tuple[str, ...] | None = None  # names of the collections of new conversations; None: never chosen
    unsent_files: tuple[str, ...] = ()  # names of the collections of files that wait with the draft of a new one
    scope_documents: tuple[tuple[str, ...], ...] = ()  # collection and the paths of its documents that are asked alone
    preset_id: str = "standard"  # the preset of new conversations and of the command line
    shows_details: bool = False  # True: the mode 詳細 with numbers and settings; False: やさしい
    threads: int | None = None  # None: one for each core that other programs leave free
    repack: str = "auto"  # auto | on | off
    kv_type: str = "f16"  # f16 | q8_0
    graphics: str = "auto"  # auto | off | the name of a pack of `app.inference.engine_packs`
    models_folder: str | None = None  # None: in the data folder; changed only by `models_folder.move`
    training_folder: str = ""  # of the training environment, set when it is made; "": in the data folder
    reranks: bool = True  # a reranker that is installed reorders what a search finds
    first_run_done: bool = False  # the welcome page of the first start was closed
    network_allowed: bool = True  # False: 外部通信をすべて止める, including downloads that the user starts
    hub_endpoint: str = ""  # a mirror of the model hub; "": the environment's HF_ENDPOINT, else the hub itself
    proxy: str = ""  # "http://host:port" without user and password; "": the system's proxy
    download_limit_bytes_per_s: int = 0  # 0: no limit


_CHOICES: dict[str, tuple[Any, ...]] = {
    "language": ("system", "ja", "en"),
    "theme": ("system", "light", "dark"),
    "text_scale_percent": TEXT_SCALES,
    "send_key": ("enter", "ctrl_enter"),
    "repack": ("auto", "on", "off"),
    "kv_type": ("f16", "q8_0"),
    "graphics": ("auto", "off", "cuda13", "cuda12", "rocm", "metal", "vulkan"),
}


def load(path: Path) -> Settings:
    """Return the stored settings or defaults, with the network off by policy; a damaged file becomes `.bad`.

    Of it a stored choice to switch the network off is kept.
    """
    try:
        data = strict_json.load_file(path)
    except FileNotFoundError:
        data = None
    except (ValueError, OSError):
        data = _rescue_network_choice(path)
        with contextlib.suppress(OSError):  # a file that cannot be renamed is tried again at the next start
            path.replace(path.with_suffix(".bad"))
    return apply_policy(path, _sanitize(data) if isinstance(data, dict) else Settings())


def _rescue_network_choice(damaged: Path) -> dict[str, Any] | None:
    """Return {"network_allowed": False} if a damaged settings file contains that value; else None."""
    try:
        raw = strict_json.read_bytes(damaged)
        is_forbidden = re.search(rb'"network_allowed"\s*:\s*false', raw) is not None
    except OSError:
        return None
    return {"network_allowed": False} if is_forbidden else None


def apply_policy(path: Path, settings: Settings) -> Settings:
    """Return the settings, without network if a policy, also one beside the settings file `path`, forbids it."""
    if settings.network_allowed and policy_forbidding_network(path.parent) is not None:
        return dataclasses.replace(settings, network_allowed=False)
    return settings


def load_stored(path: Path) -> Settings | None:
    """Return the stored settings without applying policies or renaming files; None for a missing or damaged file."""
    data = _read(path)
    return None if data is None else _sanitize(data)


def save(path: Path, settings: Settings) -> None:
    """Store the settings with values of a newer version, and the network's as it was before a policy. Raises
    OSError."""
    if not settings.network_allowed and policy_forbidding_network(path.parent) is not None:
        chosen = load_stored(path) or Settings()
        settings = dataclasses.replace(settings, network_allowed=chosen.network_allowed)
    text = json.dumps(dataclasses.asdict(settings) | _find_unknown_values(path, settings), ensure_ascii=False, indent=1)
    write_atomically(path, text.encode("utf-8", "replace"))


def _find_unknown_values(path: Path, settings: Settings) -> dict[str, Any]:
    """Return stored values of a newer version for `save`: unknown fields, and choices where `settings` has the
    default."""
    ours, defaults = dataclasses.asdict(settings), dataclasses.asdict(Settings())
    return {
        key: value
        for key, value in (_read(path) or {}).items()
        if key not in ours or (key in _CHOICES and value not in _CHOICES[key] and ours[key] == defaults[key])
    }


def _sanitize(data: dict[str, Any]) -> Settings:
    """Return settings from stored values; each invalid or missing value is replaced by its default."""
    defaults = dataclasses.asdict(Settings())
    valid = {key: value for key, value in data.items() if key in defaults and _is_valid(key, value, defaults[key])}
    if valid.get("scope") is not None:
        valid["scope"] = tuple(valid["scope"])
    valid["unsent_files"] = tuple(valid.get("unsent_files", ()))
    valid["scope_documents"] = tuple(map(tuple, valid.get("scope_documents", ())))
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
    if key in ("scope", "unsent_files"):
        is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
        return is_list or (key == "scope" and value is None)
    if key == "scope_documents":
        are_lists = isinstance(value, list | tuple) and all(isinstance(one, list | tuple) and one for one in value)
        return are_lists and all(isinstance(text, str) for one in value for text in one)
    if key == "model_id":
        return value is None or isinstance(value, str)
    return isinstance(value, type(default))
