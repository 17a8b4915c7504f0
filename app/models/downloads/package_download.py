"""Download locked packages from package indexes (PEP 503, PEP 691), each by its file name and hash.

An index need not be trusted: a file with another hash is refused. The indexes are PyPI, or those that the user has
configured for pip: companies put their mirror, folder, proxy or certificate authority into pip's own files and
variables, so these are read, in pip's order (variables win). Settings used: index-url, extra-index-url, find-links,
no-index, proxy, cert, timeout, retries.
"""

import configparser
import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

import httpx2
from selectolax.lexbor import LexborHTMLParser

from app.base.addresses import host_of
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import sha256_of
from app.models import package_folder, package_locks
from app.models.downloads import http_source
from app.models.downloads.byte_transfer import PermanentError, TransferControl, with_retries
from app.models.downloads.file_download import fetch_file
from app.models.downloads.messages import (
    Done,
    Event,
    Fetch,
    FileOrigin,
    InstallOcr,
    NetworkAccess,
    NetworkContacted,
    Progress,
    TransferPolicy,
    Verifying,
)
from app.models.package_locks import LockedFile

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


def indexes_of_pip(variables: Mapping[str, str], home: Path | None = None) -> PackageIndexes:
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


_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_WRONG = ("download_damaged", "download_other_file", "download_wrong_size", "download_changing")
_PERMANENT = {f"download_{reason}": reason for reason in ("stalled", "cut", "busy", "unreachable", "server")}


class PackageListener(Protocol):
    """Receives the progress of a package download."""

    def contacted(self, host: str) -> None:
        """Report each host once, before it is contacted."""

    def progressed(self, package: str, done_bytes: int, /) -> None:
        """Report progress. `package`: the one being received. `done_bytes`: the bytes of all files received so far."""


def fetch_packages(
    files: Sequence[LockedFile], folder: Path, indexes: PackageIndexes, proxy: str, listener: PackageListener
) -> None:
    """Download the files into `folder`, keeping complete ones and resuming partial ones.

    `proxy` takes precedence over the one of `indexes`. Raises AppError: training_index_unreachable,
    training_package_missing, training_package_wrong, and the codes of `fetch_file`.
    """
    _PackageFetch(folder, indexes, proxy, listener).run(files)


class _PackageFetch:
    """Runs one download of locked packages."""

    def __init__(self, folder: Path, indexes: PackageIndexes, proxy: str, listener: PackageListener) -> None:
        self._folder, self._indexes, self._listener = folder, indexes, listener
        self._access = NetworkAccess(proxy=proxy or indexes.proxy)
        self._pace = TransferPolicy(stall_s=max(1.0, indexes.timeout_s), patience=indexes.retries)
        self._hosts: set[str] = set()
        self._done_bytes = 0
        self._package = ""

    def run(self, files: Sequence[LockedFile]) -> None:
        with contextlib.closing(http_source.http_client(self._access, self._pace, self._contacted)) as client:
            for file in files:
                self._package = file.package
                self._listener.progressed(file.package, self._done_bytes)
                if not _is_complete(self._folder / file.name, file):
                    self._fetch(file, client)
                self._done_bytes += file.size_bytes
                self._listener.progressed(file.package, self._done_bytes)

    def _fetch(self, file: LockedFile, client: httpx2.Client) -> None:
        (self._folder / file.name).unlink(missing_ok=True)  # it is incomplete or damaged
        wrong: AppError | None = None
        for place in self._places(file, client):
            try:
                fetch_file(self._command(file, place), TransferControl(), self._on_event)
            except AppError as error:
                if error.code not in _WRONG:
                    raise self._with_host(error, place) from error
                wrong = wrong or AppError("training_package_wrong", package=str(file), host=host_of(place) or place)
            else:
                return
        hosts = ", ".join(dict.fromkeys(host_of(page) for page in self._indexes.pages)) or "-"
        raise wrong or AppError("training_package_missing", package=str(file), host=hosts)

    def _command(self, file: LockedFile, source: str) -> Fetch:
        origin = FileOrigin(source) if host_of(source) else FileOrigin(source, file=file.name)
        access, pace = self._access, self._pace
        return Fetch(
            file.package, origin, str(self._folder), file.name, file.size_bytes, file.sha256, access=access, pace=pace
        )

    def _places(self, file: LockedFile, client: httpx2.Client) -> Iterator[str]:
        """Yield the folders and addresses that have a file with the locked file's name."""
        pages = []
        for link in self._indexes.links:
            folder = folder_of(link)
            if folder is None:
                pages.append(link)
            elif (folder / file.name).is_file():
                yield str(folder)
        pages += [f"{page}/{file.package}/" for page in self._indexes.pages]
        kind = file.version.partition("+")[2]
        if kind and file.package == "torch" and self._indexes.torch:  # PyPI does not have these builds
            pages.append(f"{self._indexes.torch}/{kind}/torch/")
        for page in pages:
            yield from (link for link in self._links(page, client) if _file_name(link) == file.name)

    def _links(self, page: str, client: httpx2.Client) -> list[str]:
        """Return the links of an index page, retrying transient failures."""
        try:
            return with_retries(
                lambda: self._request_links(page, client), self._pace, lambda _reason, wait_s: time.sleep(wait_s)
            )
        except PermanentError as error:
            raise self._with_host(error, page) from error

    def _request_links(self, page: str, client: httpx2.Client) -> list[str]:
        with http_source.translated_errors(FileOrigin(page)):
            response = client.get(page, headers={"Accept": _ACCEPT}, follow_redirects=True)
        http_source.raise_if_transient(response)
        if response.status_code in (404, 410):
            return []
        if response.status_code != 200:
            raise http_source.refusal_error(response.status_code, "", FileOrigin(page))
        address = str(response.url)
        if "json" in response.headers.get("Content-Type", ""):
            links = _json_links(response.text)
        else:
            anchors = LexborHTMLParser(response.text).css("a")
            links = [link for anchor in anchors if (link := anchor.attributes.get("href"))]
        return [whole for link in links if (whole := _absolute(address, link, page))]

    def _with_host(self, error: AppError, source: str) -> AppError:
        if error.code in _PERMANENT:
            return AppError("training_index_unreachable", host=host_of(source), reason=_PERMANENT[error.code])
        return error

    def _contacted(self, host: str) -> None:
        if host not in self._hosts:
            self._hosts.add(host)
            self._listener.contacted(host)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, NetworkContacted):
            self._contacted(event.host)
        elif isinstance(event, Progress):
            self._listener.progressed(self._package, self._done_bytes + event.done_bytes)


@dataclasses.dataclass
class _InstallListener:
    """Reports an installation as events of its command."""

    command: InstallOcr
    total_bytes: int
    send: Callable[[Event], None]

    def contacted(self, host: str) -> None:
        self.send(NetworkContacted(self.command.id, host))

    def progressed(self, _package: str, done_bytes: int) -> None:
        self.send(Progress(self.command.id, done_bytes, self.total_bytes, 0.0))


def install_ocr(command: InstallOcr, send: Callable[[Event], None]) -> Done:
    """Install the packages that recognize text.

    Raises AppError("ocr_no_lock" | "ocr_index_unreachable") and as `package_folder.install` and `fetch_packages` do.
    """
    lock = package_locks.ocr_lock()
    if lock is None:
        python = ".".join(map(str, sys.version_info[:2]))
        raise AppError("ocr_no_lock", system=package_locks.this_system(), python=python)
    settings = indexes_of_pip(os.environ)
    if command.wheels:
        settings = PackageIndexes(pages=(), links=(command.wheels,), torch="")
    elif settings.certificates:
        os.environ["SSL_CERT_FILE"] = settings.certificates
    listener = _InstallListener(command, lock.size_bytes, send)

    def fetch(folder: Path) -> None:
        try:
            fetch_packages(lock.files, folder, settings, command.access.proxy, listener)
        except AppError as error:
            if error.code == "training_index_unreachable":  # its text offers a kit for training
                raise AppError("ocr_index_unreachable", **error.facts) from error
            raise
        send(Verifying(command.id))

    package_folder.install(lock, Path(command.folder), fetch)
    return Done(command.id, command.folder, lock.size_bytes, "", is_verified=True, repaired_bytes=0)


def _json_links(text: str) -> list[str]:
    """Return the addresses in an index's JSON answer (PEP 691); none if it is malformed."""
    try:
        return [str(file["url"]) for file in strict_json.loads(text)["files"]]
    except (ValueError, KeyError, TypeError):
        return []


def _is_complete(path: Path, file: LockedFile) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    return sha256_of(path) == file.sha256


def _file_name(address: str) -> str:
    return unquote(urlsplit(address).path).rpartition("/")[2]


def _absolute(address: str, link: str, page: str) -> str:
    """Return the absolute web address of a link on a page; "" if it is no web address."""
    try:
        whole = _with_user(urljoin(address, link), page)
    except ValueError:
        return ""
    return whole if host_of(whole) else ""


def _with_user(address: str, page: str) -> str:
    """Return the address without fragment, with the index page's credentials if it is on the same host.

    Raises ValueError for a malformed address.
    """
    parts, own = urlsplit(address), urlsplit(page)
    user = own.netloc.rpartition("@")[0]
    is_home = (parts.scheme, parts.hostname, parts.port) == (own.scheme, own.hostname, own.port)
    place = f"{user}@{parts.netloc}" if user and is_home and "@" not in parts.netloc else parts.netloc
    return urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
