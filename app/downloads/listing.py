"""What a repository holds: names, sizes, checksums and the commit, through the hub's own library."""

import httpx2
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from app.core.errors import AppError
from app.downloads import network
from app.downloads.messages import List, Listed, ListedFile, Origin, Pace
from app.downloads.part import without_secrets

TIMEOUT_S = 30.0


def listing(command: List) -> Listed:
    """Raises AppError."""
    # The library shares one client; ours has the proxy that was given. Its redirects drop the token at another host.
    huggingface_hub.set_client_factory(lambda: _client(command))
    origin = Origin(command.place, command.repository, command.revision)
    api = huggingface_hub.HfApi(endpoint=command.place.rstrip("/"), token=command.access.token or False)
    try:
        found = api.model_info(command.repository, revision=command.revision, files_metadata=True, timeout=TIMEOUT_S)
    except HFValidationError as error:
        raise AppError("download_not_found", what=command.repository) from error
    except HfHubHTTPError as error:
        response = error.response
        raise network.refused(response.status_code, response.headers.get("X-Error-Code", ""), origin) from error
    except httpx2.HTTPError as error:
        raise AppError("download_unreachable", place=without_secrets(command.place)) from error
    files = tuple(
        ListedFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "") for file in found.siblings or ()
    )
    return Listed(command.id, found.sha or "", files)


def _client(command: List) -> httpx2.Client:
    client = network.client(command.access, Pace())
    client.follow_redirects = True
    return client
