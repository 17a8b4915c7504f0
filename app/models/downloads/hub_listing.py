"""List a repository with the hub's own library: names, sizes, checksums and the commit."""

import time
from collections.abc import Callable

import httpx2
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.models.downloads import http_source
from app.models.downloads.byte_transfer import with_retries
from app.models.downloads.messages import (
    FileOrigin,
    FilesListed,
    ListedFile,
    ListFiles,
    NetworkContacted,
    TransferPolicy,
    WaitingToRetry,
)

TIMEOUT_S = 30.0


PATIENCE = TransferPolicy(patience=3)

Send = Callable[[NetworkContacted | WaitingToRetry], None]


def list_repository(command: ListFiles, send: Send) -> FilesListed:
    """List the files, retrying transient failures. Raises AppError."""

    def wait(reason: str, wait_s: float) -> None:
        send(WaitingToRetry(command.id, reason, wait_s))
        time.sleep(wait_s)  # to end the wait, the caller closes standard input, which ends the process

    return with_retries(lambda: _request_listing(command, send), PATIENCE, wait)


def _request_listing(command: ListFiles, send: Send) -> FilesListed:
    """Request the listing from the hub once. Raises AppError and TransientError."""
    # The library shares one client; this one has the user's proxy. On redirects to another host it drops the token.
    huggingface_hub.set_client_factory(lambda: _client(command, send))
    origin = FileOrigin(command.place, command.repository, command.revision)
    http_source.file_url(origin)
    endpoint = strip_credentials(command.place).rstrip("/")
    api = huggingface_hub.HfApi(endpoint=endpoint, token=command.access.token or False)
    with http_source.translated_errors(origin):
        try:
            found = api.model_info(
                command.repository, revision=command.revision, files_metadata=True, timeout=TIMEOUT_S
            )
        except HFValidationError as error:
            raise AppError("download_not_found", what=command.repository) from error
        except HfHubHTTPError as error:
            http_source.raise_if_transient(error.response)
            code = error.response.headers.get("X-Error-Code", "")
            raise http_source.refusal_error(error.response.status_code, code, origin) from error
        except ValueError as error:  # not JSON: the sign-in page of a guest network, or a server that is no hub
            raise AppError("download_no_hub", place=endpoint) from error
    files = tuple(
        ListedFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "") for file in found.siblings or ()
    )
    return FilesListed(command.id, found.sha or "", files)


def _client(command: ListFiles, send: Send) -> httpx2.Client:
    client = http_source.http_client(
        command.access, TransferPolicy(), lambda host: send(NetworkContacted(command.id, host))
    )
    client.follow_redirects = True
    client.headers.update(http_source.authorization(httpx2.URL(command.place), command.access.token))
    return client
