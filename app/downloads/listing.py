"""What a repository holds: names, sizes, checksums and the commit, through the hub's own library."""

from collections.abc import Callable

import httpx2
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from app.core.addresses import without_secrets
from app.core.errors import AppError
from app.downloads import network
from app.downloads.messages import Contacted, List, Listed, ListedFile, Origin, Pace

TIMEOUT_S = 30.0


def listing(command: List, send: Callable[[Contacted], None]) -> Listed:
    """Raises AppError."""
    # The library shares one client; ours has the proxy that was given. Its redirects drop the token at another host.
    huggingface_hub.set_client_factory(lambda: _client(command, send))
    origin = Origin(command.place, command.repository, command.revision)
    api = huggingface_hub.HfApi(
        endpoint=without_secrets(command.place).rstrip("/"), token=command.access.token or False
    )
    try:
        found = api.model_info(command.repository, revision=command.revision, files_metadata=True, timeout=TIMEOUT_S)
    except HFValidationError as error:
        raise AppError("download_not_found", what=command.repository) from error
    except HfHubHTTPError as error:
        response = error.response
        raise network.refused(response.status_code, response.headers.get("X-Error-Code", ""), origin) from error
    except httpx2.InvalidURL as error:
        raise AppError("download_bad_address", address=without_secrets(command.place)) from error
    except ValueError as error:  # no JSON: the sign-in page of a guest network, a server that is no hub
        raise AppError("download_no_hub", place=without_secrets(command.place)) from error
    except httpx2.HTTPError as error:
        raise AppError("download_unreachable", place=without_secrets(command.place)) from error
    files = tuple(
        ListedFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "") for file in found.siblings or ()
    )
    return Listed(command.id, found.sha or "", files)


def _client(command: List, send: Callable[[Contacted], None]) -> httpx2.Client:
    client = network.client(command.access, Pace(), lambda host: send(Contacted(command.id, host)))
    client.follow_redirects = True
    client.headers.update(network.authorization(httpx2.URL(command.place), command.access.token))
    return client
