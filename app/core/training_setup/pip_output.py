"""What pip says while it installs: the package it is at, the machines it speaks to, and why it has failed.

pip has no structured output for this. The lines of 22.3, 23.2, 24.3, 25.3 and 26.3 are alike.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from app.core.errors import AppError

INDEX_HOST = "pypi.org"
FILES_HOST = "files.pythonhosted.org"  # pip shows files of this machine without their address

_COLLECTING = re.compile(r"^\s*Collecting ([A-Za-z0-9][\w.-]*)")
_FILE = re.compile(r"^\s*(Downloading|Using cached|Processing) (\S.*?\.whl)")
_INDEXES = re.compile(r"^Looking in indexes: (.+)$")
_ADDRESS = re.compile(r"https?://[^\s,]+")
_NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")
_UNREACHABLE = re.compile(
    r"(NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|ProxyError|SSLError|MaxRetryError"
    r"|ProtocolError|IncompleteRead|ConnectionResetError|RemoteDisconnected)"
)
_NO_SPACE = re.compile(r"No space left on device|\[Errno (28|122)\]|\[WinError 112\]")
_REASON_MAX = 300  # characters


class PipOutput:
    """Is fed line by line."""

    def __init__(self, requirements: Path, wheels: Path | None) -> None:
        """`requirements`: what is installed. `wheels`: the folder that all is taken from; None: the package index."""
        self._requirements = requirements
        self._wheels = wheels
        self._index_hosts = [INDEX_HOST]
        self._last_error = self._last_line = ""
        self._missing = self._unreachable = ""
        self._is_full = False
        self.package = ""  # the last one named
        self.hosts: list[str] = []  # that were spoken to, in order, each once
        self.is_unpacking = False  # everything is here; it is being written to where it belongs

    def note(self, line: str) -> None:
        self._note_progress(line)
        if self._wheels is None:
            self._note_hosts(line)
        self._note_failure(line)

    def failure(self, log: Path, folder: Path) -> AppError:
        """Why it has ended with a failure. `folder`: where it has written."""
        if self._is_full:
            return AppError("training_disk_full", path=str(folder))
        if self._wheels is not None and self._missing:
            lists = {"path": str(self._wheels), "requirements": str(self._requirements)}
            return AppError("training_wheel_missing", package=self._missing, **lists)
        if self._wheels is None and self._unreachable:
            host = (self.hosts or self._index_hosts)[-1]
            return AppError("training_index_unreachable", host=host, reason=self._unreachable)
        if self._missing:
            host = ", ".join(self._index_hosts)
            return AppError("training_package_missing", package=self._missing, host=host)
        reason = (self._last_error or self._last_line)[:_REASON_MAX]
        return AppError("training_setup_failed", reason=reason, log=str(log))

    def _note_progress(self, line: str) -> None:
        if collecting := _COLLECTING.match(line):
            self.package = _plain(collecting[1])
        elif file := _FILE.match(line):
            self.package = _plain(re.split(r"[\\/]", file[2])[-1].partition("-")[0])
        elif line.startswith("Installing collected packages:"):
            self.is_unpacking = True

    def _note_hosts(self, line: str) -> None:
        """The index is spoken to before anything is collected from it; where it does not answer, pip tries again."""
        if indexes := _INDEXES.match(line):
            self._index_hosts = [urlsplit(address).hostname or "?" for address in _ADDRESS.findall(indexes[1])]
        elif _COLLECTING.match(line) or "Retrying (" in line or _NOT_FOUND.search(line):
            self._spoke_to(*self._index_hosts)
        elif line.lstrip().startswith("Downloading "):
            address = _ADDRESS.search(line)
            self._spoke_to((urlsplit(address[0]).hostname or "?") if address else FILES_HOST)

    def _spoke_to(self, *hosts: str) -> None:
        self.hosts += [host for host in dict.fromkeys(hosts) if host not in self.hosts]

    def _note_failure(self, line: str) -> None:
        text = line.strip()
        if text:
            self._last_line = text
        if text.startswith("ERROR:"):
            self._last_error = text.removeprefix("ERROR:").strip()
        if missing := _NOT_FOUND.search(text):
            self._missing = missing[1]
        if unreachable := _UNREACHABLE.search(text):
            self._unreachable = unreachable[1]
        self._is_full = self._is_full or bool(_NO_SPACE.search(text))


def _plain(name: str) -> str:
    """As the index writes names; files and requirements each have their own ways."""
    return name.lower().replace("_", "-")
