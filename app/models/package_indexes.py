"""Find the package indexes to use: PyPI, or those that the user has configured for pip.

Companies put their mirror, folder, proxy or certificate authority into pip's own files and variables, so these are
read, in pip's order (variables win). Settings used: index-url, extra-index-url, find-links, no-index, proxy, cert,
timeout, retries.
"""

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PYPI = "https://pypi.org/simple"
PYTORCH = "https://download.pytorch.org/whl"  # below it an index for each kind: cpu, cu130
_SECTIONS = ("global", "download", "install")  # later ones win


@dataclass(frozen=True, slots=True)
class PackageIndexes:
    """Holds the sources of packages. Addresses may contain passwords: never log them or show them whole."""

    pages: tuple[str, ...] = (PYPI,)  # indexes, queried in this order
    links: tuple[str, ...] = ()  # pages with links, and folders; searched before the indexes
    torch: str = PYTORCH  # parent of PyTorch's own indexes; "": torch also comes from `pages`
    proxy: str = ""
    certificates: str = ""  # file with certificate authorities; "": the system's
    timeout_s: float = 30.0
    retries: int = 5


def from_settings(variables: Mapping[str, str], home: Path | None = None) -> PackageIndexes:
    """Return pip's settings. `variables`: the environment. Unreadable files are ignored."""
    settings = _settings(variables, home or Path.home())
    default = PackageIndexes()
    pages = [settings.get("index-url", PYPI), *settings.get("extra-index-url", "").split()]
    if settings.get("no-index", "").strip().lower() in ("1", "true", "yes", "on"):
        pages = []
    is_own = bool(pages) and pages[0].rstrip("/") == PYPI  # behind a mirror no other host is contacted
    return PackageIndexes(
        tuple(page.rstrip("/") for page in pages),
        tuple(settings.get("find-links", "").split()),
        PYTORCH if is_own else "",
        settings.get("proxy", "").strip(),
        settings.get("cert", "").strip(),
        _number(settings.get("timeout", ""), default.timeout_s),
        round(_number(settings.get("retries", ""), default.retries)),
    )


def folder_of(link: str) -> Path | None:
    """Return the folder that an entry of find-links names; None if it is a page."""
    if link.startswith("file:"):
        return Path(url2pathname(urlsplit(link).path))
    return None if "://" in link else Path(link).expanduser()


def _settings(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    settings: dict[str, str] = {}
    for path in _files(variables, home):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, ValueError, OSError):
            continue
        for section in _SECTIONS:
            if parser.has_section(section):
                settings |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for key, value in variables.items():
        if key.upper().startswith("PIP_") and value:
            settings[key[4:].lower().replace("_", "-")] = value
    if "default-timeout" in settings:  # an alias
        settings["timeout"] = settings["default-timeout"]
    return settings


def _files(variables: Mapping[str, str], home: Path) -> list[Path]:
    """Return pip's configuration files in its order: the machine's, the user's, and the one in PIP_CONFIG_FILE."""
    named = variables.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    if sys.platform == "win32":
        shared = [Path(variables.get("PROGRAMDATA", "C:/ProgramData")) / "pip" / "pip.ini"]
        own = [home / "pip" / "pip.ini", Path(variables.get("APPDATA", home)) / "pip" / "pip.ini"]
    else:
        wide = variables.get("XDG_CONFIG_DIRS", "") or "/etc/xdg"
        config = Path(variables.get("XDG_CONFIG_HOME", "") or home / ".config")
        shared = [Path(folder) / "pip" / "pip.conf" for folder in wide.split(os.pathsep)] + [Path("/etc/pip.conf")]
        own = [home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
        if sys.platform == "darwin":
            support = "Library/Application Support/pip/pip.conf"
            shared, own = [*shared, Path("/") / support], [*own, home / support]
    return [*shared, *own, *([Path(named)] if named else [])]


def _number(text: str, otherwise: float) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return otherwise
