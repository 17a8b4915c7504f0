"""List repositories with the hub's own library: search them, and read names, sizes, checksums and the commit."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx2
import huggingface_hub
from huggingface_hub import ModelInfo
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.models.downloads import http_source
from app.models.downloads.byte_transfer import with_retries
from app.models.downloads.messages import (
    FileOrigin,
    FilesListed,
    HubRepository,
    HubSearched,
    ListedFile,
    ListFiles,
    NetworkContacted,
    SearchHub,
    TransferPolicy,
    WaitingToRetry,
)

TIMEOUT_S = 30.0
FOUND_MOST = 20  # repositories of one search
CONNECTIONS = 5
ANSWER_MOST_BYTES = 16 << 20  # a repository of 10,000 files has 4 MB
TEXT_MOST = 120  # characters of a licence or name that a repository states


PATIENCE = TransferPolicy(patience=3)

Send = Callable[[NetworkContacted | WaitingToRetry], None]
Found = TypeVar("Found")


def list_repository(command: ListFiles, send: Send) -> FilesListed:
    """List the files, retrying transient failures. Raises AppError."""
    hub = _Hub(command, send)
    info = _persistently(lambda: hub.describe(command.repository, command.revision), command.id, send)
    return FilesListed(command.id, info.sha or "", _files(info))


def search_hub(command: SearchHub, send: Send) -> HubSearched:
    """Search, or describe one repository, retrying transient failures. Raises AppError.

    Searching leaves out repositories that cannot be described, such as those removed meanwhile.
    """
    hub = _Hub(command, send)
    if command.repository:
        info = _persistently(lambda: hub.describe(command.repository, command.revision), command.id, send)
        return HubSearched(command.id, (_repository(info, is_newest=command.revision == "main"),))
    # The library itself tries to search six times, in some 25 s.
    names = _persistently(lambda: hub.search(command.words), command.id, send, TransferPolicy(patience=0))

    def describe(name: str) -> HubRepository | None:
        try:
            return _repository(_persistently(lambda: hub.describe(name, "main"), command.id, send))
        except AppError:
            return None

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return HubSearched(command.id, tuple(found for found in pool.map(describe, names) if found is not None))


def _persistently(request: Callable[[], Found], command_id: str, send: Send, pace: TransferPolicy = PATIENCE) -> Found:
    def wait(reason: str, wait_s: float) -> None:
        send(WaitingToRetry(command_id, reason, wait_s))
        time.sleep(wait_s)  # to end the wait, the caller closes standard input, which ends the process

    return with_retries(request, pace, wait)


class _Hub:
    """Requests listings from one hub. Each method raises AppError and TransientError."""

    def __init__(self, command: ListFiles | SearchHub, send: Send) -> None:
        # The library shares one client; this one has the user's proxy. On redirects to another host it drops the token.
        huggingface_hub.set_client_factory(lambda: _client(command, send))
        self._place = command.place
        self._endpoint = strip_credentials(command.place).rstrip("/")
        self._api = huggingface_hub.HfApi(endpoint=self._endpoint, token=command.access.token or False)

    def describe(self, repository: str, revision: str) -> ModelInfo:
        with self._translated_errors(FileOrigin(self._place, repository, revision)):
            return self._api.model_info(repository, revision=revision, files_metadata=True, timeout=TIMEOUT_S)

    def search(self, words: str) -> list[str]:
        """Return the names of repositories with GGUF files, the most downloaded first."""
        with self._translated_errors(FileOrigin(self._place)):
            found = self._api.list_models(search=words, filter="gguf", sort="downloads", limit=FOUND_MOST)
            return [one.id for one in found]

    @contextlib.contextmanager
    def _translated_errors(self, origin: FileOrigin) -> Iterator[None]:
        http_source.file_url(origin)
        with http_source.translated_errors(origin):
            try:
                yield
            except HFValidationError as error:
                raise AppError("download_not_found", what=origin.repository) from error
            except HfHubHTTPError as error:
                http_source.raise_if_transient(error.response)
                code = error.response.headers.get("X-Error-Code", "")
                raise http_source.refusal_error(error.response.status_code, code, origin) from error
            except (ValueError, KeyError, TypeError, RecursionError) as error:  # not JSON: a guest network, or no hub
                raise AppError("download_no_hub", place=self._endpoint) from error


def _client(command: ListFiles | SearchHub, send: Send) -> httpx2.Client:
    client = http_source.http_client(
        command.access, TransferPolicy(), lambda host: send(NetworkContacted(command.id, host))
    )
    client.follow_redirects = True
    client.event_hooks = {**client.event_hooks, "response": [_read]}
    client.headers.update(http_source.authorization(httpx2.URL(command.place), command.access.token))
    return client


def _read(response: httpx2.Response) -> None:
    """Read an answer, which the library would do without a limit. Raises ValueError."""
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > ANSWER_MOST_BYTES:
            raise ValueError("no list of files is so long")
    response._content = bytes(content)  # as its own `read` does


def _files(info: ModelInfo) -> tuple[ListedFile, ...]:
    return tuple(
        ListedFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "") for file in info.siblings or ()
    )


def _repository(info: ModelInfo, *, is_newest: bool = True) -> HubRepository:
    stated: dict[str, Any] = dict(vars(info.card_data)) if info.card_data is not None else {}
    measured = info.gguf if isinstance(info.gguf, dict) else {}
    licence = _text(stated.get("license"))
    if licence in ("", "other"):
        licence = _text(stated.get("license_name")) or licence
    return HubRepository(
        info.id,
        info.sha or "",
        _files(info),
        licence,
        bool(info.gated),
        _count(measured.get("total")),
        _count(measured.get("context_length")),
        _text(measured.get("architecture")),
        _text(stated.get("base_model")),
        is_newest,
    )


def _text(value: object) -> str:
    """Return a stated text, or the first of a list of them, in one line; "" for anything else."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return " ".join(value.split())[:TEXT_MOST] if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 1 << 60 else 0
