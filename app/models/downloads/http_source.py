"""Read a file of a download from an HTTP server.

Certificates are checked against the operating system's trust store; the system's proxy is used unless the user has set
one.
"""

import base64
import contextlib
import email.utils
import re
import ssl
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit

import httpx2

from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.models.downloads.download_source import (
    BadRangeError,
    ChangedError,
    FileIdentity,
    NoRangesError,
    TransientError,
)
from app.models.downloads.messages import FileOrigin, NetworkAccess, TransferPolicy

MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 20.0
LONGEST_WAIT_S = 900.0  # a longer wait that a server demands is cut to this
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def http_client(access: NetworkAccess, pace: TransferPolicy, report: Callable[[str], None]) -> httpx2.Client:
    """Return a client that calls `report` with each host once, before contacting it.

    Raises AppError("download_bad_proxy").
    """
    reported: set[str] = set()

    def report_host(request: httpx2.Request) -> None:
        host = request.url.host
        if host not in reported:
            reported.add(host)
            report(host)

    try:
        return httpx2.Client(
            event_hooks={"request": [report_host]},
            proxy=access.proxy or None,
            follow_redirects=False,
            timeout=httpx2.Timeout(pace.stall_s, connect=min(CONNECT_TIMEOUT_S, pace.stall_s)),
            headers={"User-Agent": "kotae", "Accept-Encoding": "identity"},
        )
    except (ValueError, TypeError, httpx2.InvalidURL, ImportError) as error:
        raise AppError("download_bad_proxy") from error  # the cause may contain the password, so it is not shown


def file_address(origin: FileOrigin) -> str:
    if not origin.repository:
        return origin.place
    path = "/".join((origin.repository, "resolve", quote(origin.revision, safe=""), quote(origin.file)))
    return f"{origin.place.rstrip('/')}/{path}"


def file_url(origin: FileOrigin) -> httpx2.URL:
    """Return the file's URL. Raises AppError("download_bad_address") before any request."""
    try:
        url = httpx2.URL(file_address(origin))
        parts = urlsplit(origin.place)
        is_good = url.scheme in ("http", "https") and parts.port != 0 and not re.search(r"\s", parts.netloc)
    except (httpx2.InvalidURL, ValueError) as error:  # ValueError: brackets, a port above 65535
        raise AppError("download_bad_address", address=strip_credentials(origin.place)) from error
    if not (is_good and parts.hostname):
        raise AppError("download_bad_address", address=strip_credentials(origin.place))
    return url


class HttpSource:
    """Reads a file on a server as a `DownloadSource`."""

    def __init__(self, client: httpx2.Client, origin: FileOrigin, access: NetworkAccess, pace: TransferPolicy) -> None:
        self._client = client
        self._origin = origin
        self.connections = pace.connections
        url = file_url(origin)
        # With credentials in the address, the library would send them instead of the token.
        self._url = url.copy_with(userinfo=b"")
        self._auth = authorization(url, access.token)

    def probe(self) -> FileIdentity:
        try:
            return self._probe({"Range": "bytes=0-0"})
        except BadRangeError:
            return self._probe({})

    def _probe(self, headers: dict[str, str]) -> FileIdentity:
        linked: dict[str, str] = {}
        with self._opened(headers, linked) as response:
            etag = response.headers.get("ETag", "")
            tags = map(_unquoted, (linked.get("x-linked-etag", ""), etag))
            sha256 = next((tag for tag in tags if _SHA256.fullmatch(tag)), "")
            return FileIdentity(_size_of(response), etag, sha256, response.headers.get("Last-Modified", ""))

    def read(self, identity: FileIdentity, start: int, end: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-{end - 1}"}
        if identity.etag and not identity.etag.startswith("W/"):
            headers["If-Range"] = identity.etag
        elif identity.modified and not identity.etag:
            headers["If-Range"] = identity.modified
        with self._opened(headers) as response:
            if response.status_code == 200:
                _check_same(identity, response, int(response.headers.get("Content-Length", identity.size_bytes)))
                raise NoRangesError
            match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if match is None or int(match[1]) != start:
                raise BadRangeError
            _check_same(identity, response, identity.size_bytes if match[3] == "*" else int(match[3]))
            yield from response.iter_raw()

    def read_whole(self, identity: FileIdentity) -> Iterator[bytes]:
        with self._opened({}) as response:
            _check_same(identity, response, int(response.headers.get("Content-Length", identity.size_bytes)))
            yield from response.iter_raw()

    @contextlib.contextmanager
    def _opened(self, headers: dict[str, str], linked: dict[str, str] | None = None) -> Iterator[httpx2.Response]:
        """Yield the checked response after all redirects; the hub's x-linked-… headers are added to `linked`."""
        with translated_errors(self._origin), contextlib.closing(self._follow_redirects(headers, linked)) as response:
            self._check_status(response)
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise TransientError("server")  # ranges of compressed bytes are not ranges of the file
            yield response

    def _follow_redirects(self, headers: dict[str, str], linked: dict[str, str] | None) -> httpx2.Response:
        """Follow redirects and return the final response; the token is sent to its own host only."""
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            is_home = _origin_of(url) == _origin_of(self._url)
            request = self._client.build_request("GET", url, headers=headers | (self._auth if is_home else {}))
            response = self._client.send(request, stream=True, follow_redirects=False)
            if not response.has_redirect_location:
                return response
            response.close()
            if linked is not None:
                linked |= {key: value for key, value in response.headers.items() if key.startswith("x-linked-")}
            target = url.join(response.headers["Location"])
            if target.scheme not in ("http", "https") or (url.scheme == "https" and target.scheme == "http"):
                raise AppError("download_redirects", place=self._url.host)
            url = target
        raise AppError("download_redirects", place=self._url.host)

    def _check_status(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status in (200, 206):
            return
        if status == 416:
            raise BadRangeError
        raise_if_transient(response)
        if status == 407:
            raise AppError("download_proxy")
        is_home = _origin_of(response.url) == _origin_of(self._url)
        if status in (401, 403) and not is_home:
            raise TransientError("server")  # an expired link of a storage server; the hub makes a new one
        raise refusal_error(status, response.headers.get("X-Error-Code", ""), self._origin)


def authorization(url: httpx2.URL, token: str) -> dict[str, str]:
    """Return the Authorization header: with the token, else the credentials in the address; {} without both.

    Raises AppError("download_bad_token") if a header cannot carry the token.
    """
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise AppError("download_bad_token")
    if token:
        return {"Authorization": f"Bearer {token}"}
    if url.userinfo:
        pair = f"{url.username}:{url.password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}
    return {}


def raise_if_transient(response: httpx2.Response) -> None:
    """Raise TransientError for a status that a retry may change."""
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        raise TransientError("busy" if status in (429, 503) else "server", _retry_after(response))


def refusal_error(status: int, error_code: str, origin: FileOrigin) -> AppError:
    """Return the error for a hub's refusal. The hub answers 401 also for repositories that do not exist."""
    what = "/".join(part for part in (origin.repository, origin.file) if part) or _host(origin.place)
    if status in (404, 410) or error_code in ("RepoNotFound", "EntryNotFound", "RevisionNotFound"):
        return AppError("download_not_found", what=what)
    if status == 407:
        return AppError("download_proxy")
    if status in (401, 403):
        page = (
            f"{strip_credentials(origin.place).rstrip('/')}/{origin.repository}"
            if origin.repository
            else _host(origin.place)
        )
        return AppError("download_gated", repository=origin.repository or what, page=page)
    return AppError("download_refused", status=status, place=_host(origin.place))


@contextlib.contextmanager
def translated_errors(origin: FileOrigin) -> Iterator[None]:
    """Translate the library's errors into AppError and TransientError."""
    try:
        yield
    except httpx2.ReadTimeout as error:
        raise TransientError("stalled") from error
    except (httpx2.ConnectError, httpx2.ProxyError) as error:
        if _is_certificate(error):
            raise AppError("download_certificate", place=_host(origin.place)) from error
        if isinstance(error, httpx2.ProxyError) and "407" in str(error):
            raise AppError("download_proxy") from error
        raise TransientError("unreachable") from error
    except httpx2.ConnectTimeout as error:
        raise TransientError("unreachable") from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise AppError("download_bad_address", address=_host(origin.place)) from error
    except httpx2.HTTPError as error:
        raise TransientError("cut") from error


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _check_same(identity: FileIdentity, response: httpx2.Response, size_bytes: int) -> None:
    etag = response.headers.get("ETag", identity.etag)
    if etag != identity.etag or size_bytes != identity.size_bytes:
        raise ChangedError
    if not etag and response.headers.get("Last-Modified", identity.modified) != identity.modified:
        raise ChangedError


def _size_of(response: httpx2.Response) -> int:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    size = found[3] if response.status_code == 206 and found else response.headers.get("Content-Length", "")
    if not size.isdigit():
        raise TransientError("server")
    return int(size)


def _retry_after(response: httpx2.Response) -> float:
    """Return the seconds of a Retry-After header, given as a number or a date; at most LONGEST_WAIT_S."""
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return min(float(value), LONGEST_WAIT_S)
    try:
        return min(max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time()), LONGEST_WAIT_S)
    except (ValueError, TypeError):
        return 0.0


def _origin_of(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _unquoted(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _host(source: str) -> str:
    return strip_credentials(source).partition("://")[2].partition("/")[0]
