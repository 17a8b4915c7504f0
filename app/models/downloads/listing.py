"""What a repository holds: names, sizes, checksums and the commit, through the hub's own library."""

import time
from collections.abc import Callable

import httpx2
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.models.downloads import network
from app.models.downloads.messages import Contacted, List, Listed, ListedFile, Origin, Pace, Waiting
from app.models.downloads.source import TransientError
from app.models.downloads.transfer import Patience

TIMEOUT_S = 30.0


PATIENCE = Pace(patience=3)

Send = Callable[[Contacted | Waiting], None]


def listing(command: List, send: Send) -> Listed:
    """Asks again where that may help. Raises AppError."""
    patience = Patience(PATIENCE)
    while True:
        try:
            return _asked(command, send)
        except TransientError as error:
            wait_s = patience.next_wait_s(error)
            send(Waiting(command.id, error.reason, wait_s))
            time.sleep(wait_s)  # whoever does not want to wait closes our input, which ends the process


def _asked(command: List, send: Send) -> Listed:
    """Raises AppError and TransientError."""
    # The library shares one client; ours has the proxy that was given. Its redirects drop the token at another host.
    huggingface_hub.set_client_factory(lambda: _client(command, send))
    origin = Origin(command.place, command.repository, command.revision)
    network.url_of(origin)
    endpoint = strip_credentials(command.place).rstrip("/")
    api = huggingface_hub.HfApi(endpoint=endpoint, token=command.access.token or False)
    with network.explained(origin):
        try:
            found = api.model_info(
                command.repository, revision=command.revision, files_metadata=True, timeout=TIMEOUT_S
            )
        except HFValidationError as error:
            raise AppError("download_not_found", what=command.repository) from error
        except HfHubHTTPError as error:
            network.check_transient(error.response)
            code = error.response.headers.get("X-Error-Code", "")
            raise network.refused(error.response.status_code, code, origin) from error
        except ValueError as error:  # no JSON: the sign-in page of a guest network, a server that is no hub
            raise AppError("download_no_hub", place=endpoint) from error
    files = tuple(
        ListedFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "") for file in found.siblings or ()
    )
    return Listed(command.id, found.sha or "", files)


def _client(command: List, send: Send) -> httpx2.Client:
    client = network.client(command.access, Pace(), lambda host: send(Contacted(command.id, host)))
    client.follow_redirects = True
    client.headers.update(network.authorization(httpx2.URL(command.place), command.access.token))
    return client
