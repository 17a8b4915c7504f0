"""Collect facts about this machine that affect which data may leave it, without values that may be passwords."""

import importlib.util
import os
import site
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from app.base.isolation import network_guard
from app.base.paths import resources
from app.compliance.offline_check.records import CheckFact
from app.inference.local_model import LocalModel, address_label

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
_HUB = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "WANDB_", "PIP_", "UV_")
_LOADED = ("LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES")
_NETWORK_DRIVES = (
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "davfs", "9p"),
    *("fuse.sshfs", "fuse.rclone"),
)
_CLOUDS = "offline_places.toml"
_CLIPBOARD = r"Software\Microsoft\Clipboard"
_RECALL = r"SOFTWARE\Policies\Microsoft\Windows\WindowsAI"


def collect_facts(folders: dict[str, Path], elsewhere: Sequence[LocalModel] = ()) -> tuple[CheckFact, ...]:
    """Return the facts. `folders`: the folders "data" and "models". `elsewhere`: models on other machines."""
    places = ", ".join(sorted({address_label(one.remote.address) for one in elsewhere if one.remote is not None}))
    facts = [
        CheckFact("remote", "warning", places) if places else CheckFact("remote_none", "ok"),
        CheckFact("display", "warning") if network_guard.is_display_remote() else CheckFact("display_none", "ok"),
        *_variable_facts(),
        *_python_plugin_facts(),
        *_core_dump_facts(),
        CheckFact("swap", "note") if psutil.swap_memory().total else CheckFact("swap_none", "ok"),
    ]
    for what, folder in folders.items():
        facts += [_cloud_folder_fact(what, folder), _drive_fact(what, folder)]
    return (*facts, *_windows_facts())


def _variable_facts() -> Iterator[CheckFact]:
    proxies = sorted(name for name in os.environ if name.lower() in _PROXIES)
    yield CheckFact("proxies", "note", ", ".join(proxies)) if proxies else CheckFact("proxies_none", "ok")
    own = set(network_guard.SWITCHES)
    hub = sorted(name for name in os.environ if name.startswith(_HUB) and name not in own)
    yield CheckFact("hub", "note", ", ".join(hub)) if hub else CheckFact("hub_none", "ok")
    loaded = sorted(name for name in _LOADED if os.environ.get(name))
    if loaded:
        yield CheckFact("preloaded", "warning", ", ".join(loaded))


def _python_plugin_facts() -> Iterator[CheckFact]:
    """Yield facts about code that Python runs in addition to Kotae. A frozen program loads none."""
    if getattr(sys, "frozen", False):
        yield CheckFact("plugins_none", "ok")
        return
    names = [name for name in ("PYTHONSTARTUP", "PYTHONHOME") if os.environ.get(name)]
    names += [name for name in ("sitecustomize", "usercustomize") if importlib.util.find_spec(name)]
    for folder in {Path(one) for one in (*site.getsitepackages(), site.getusersitepackages())}:
        names += sorted(path.name for path in folder.glob("*.pth") if _runs_code(path)) if folder.is_dir() else []
    yield CheckFact("plugins", "note", ", ".join(names)) if names else CheckFact("plugins_none", "ok")


def _runs_code(path: Path) -> bool:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith(("import ", "import\t")) for line in lines)


def _core_dump_facts() -> Iterator[CheckFact]:
    """Yield whether the system may write this process's memory to a file when it crashes; nothing on Windows."""
    if sys.platform == "win32":
        return
    import resource

    is_off = resource.getrlimit(resource.RLIMIT_CORE)[0] <= 1
    yield CheckFact("dumps_off", "ok") if is_off else CheckFact("dumps_on", "warning")


def _cloud_folder_fact(what: str, folder: Path) -> CheckFact:
    parts = [part.casefold() for part in folder.resolve().parts]
    clouds = tomllib.loads((resources() / "report" / _CLOUDS).read_text("utf-8"))
    for name, marks in clouds.items():
        if any(part == mark or part.startswith((f"{mark} ", f"{mark}-")) for part in parts for mark in marks):
            return CheckFact(f"cloud_{what}", "warning", f"{name}: {folder}")
    return CheckFact(f"cloud_{what}_none", "ok", str(folder))


def _drive_fact(what: str, folder: Path) -> CheckFact:
    kind = _drive_kind(folder.resolve())
    if kind:
        return CheckFact(f"drive_{what}", "warning", f"{kind}: {folder}")
    return CheckFact(f"drive_{what}_none", "ok", str(folder))


def _drive_kind(folder: Path) -> str:
    """Return the type of the file system if the folder is on another machine's drive; else ""."""
    if sys.platform == "win32":
        import ctypes

        is_remote = ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == 4  # DRIVE_REMOTE
        return "SMB" if is_remote or folder.anchor.startswith("\\\\") else ""
    mounted = [one for one in psutil.disk_partitions(all=True) if folder.is_relative_to(one.mountpoint)]
    nearest = max(mounted, key=lambda one: len(one.mountpoint), default=None)
    return nearest.fstype if nearest is not None and nearest.fstype in _NETWORK_DRIVES else ""


def _windows_facts() -> Iterator[CheckFact]:
    """Yield facts about Windows features that store or send copied text or the content of the screen."""
    if sys.platform != "win32":
        return
    cloud = _registry("user", _CLIPBOARD, "EnableCloudClipboard")
    yield CheckFact("clipboard_cloud", "warning") if cloud else CheckFact("clipboard_cloud_none", "ok")
    history = _registry("user", _CLIPBOARD, "EnableClipboardHistory")
    yield CheckFact("clipboard_history", "note") if history else CheckFact("clipboard_history_none", "ok")
    if _registry("machine", _RECALL, "DisableAIDataAnalysis"):
        yield CheckFact("recall_none", "ok")


def _registry(hive: str, path: str, name: str) -> int:
    """Return a number in the Windows registry; 0 if it is missing. `hive`: user | machine."""
    if sys.platform != "win32":
        return 0
    import winreg

    root = winreg.HKEY_CURRENT_USER if hive == "user" else winreg.HKEY_LOCAL_MACHINE
    try:
        with winreg.OpenKey(root, path) as key:
            return int(winreg.QueryValueEx(key, name)[0])
    except (OSError, ValueError):
        return 0
