"""Japanese input through fcitx, for which PySide6 brings no plugin: fcitx also speaks the protocol of IBus."""

from collections.abc import MutableMapping
from pathlib import Path

_LIST, _ONE = "QT_IM_MODULES", "QT_IM_MODULE"  # Qt reads the list first, separated by semicolons
_NAMES = ("fcitx", "fcitx5")
_HINTS = (("XMODIFIERS", "@im="), ("INPUT_METHOD", ""), ("GTK_IM_MODULE", ""))


def prepare(environment: MutableMapping[str, str], plugins: Path) -> None:
    """Points Qt at fcitx by way of its ibus plugin. Only before the QApplication is made, and only on Linux.

    `plugins`: where Qt looks for plugins. Without this Qt would look for a plugin that is not there, and Japanese
    could not be typed. fcitx answers at the portal's name on the session bus, as IBUS_USE_PORTAL makes Qt ask.
    """
    if any((plugins / "platforminputcontexts").glob("*fcitx*")):
        return
    chosen = [name for name in environment.get(_LIST, "").split(";") if name]
    if chosen:
        if not set(chosen) & set(_NAMES):
            return
        environment[_LIST] = ";".join(dict.fromkeys("ibus" if name in _NAMES else name for name in chosen))
    elif environment.get(_ONE):
        if environment[_ONE] not in _NAMES:
            return
        environment[_ONE] = "ibus"
    elif _is_hinted(environment):
        environment[_ONE] = "ibus"
    else:
        return
    environment["IBUS_USE_PORTAL"] = "1"


def _is_hinted(environment: MutableMapping[str, str]) -> bool:
    """Other programs are told to use fcitx. On Wayland Qt needs no telling: the compositor hands Japanese over."""
    is_wayland = environment.get("XDG_SESSION_TYPE") == "wayland" or bool(environment.get("WAYLAND_DISPLAY"))
    if is_wayland and environment.get("QT_QPA_PLATFORM", "wayland").startswith("wayland"):
        return False
    return any(environment.get(variable, "").removeprefix(prefix) in _NAMES for variable, prefix in _HINTS)
