"""Whether the settings let a remote model be used."""

from app.base.errors import AppError
from app.base.settings import Settings
from app.inference.local_model import LocalModel


def require_network(model: LocalModel, settings: Settings) -> None:
    """Raises AppError("remote_no_network") where the settings, or an administrator, let nothing out."""
    if model.remote is not None and not settings.network_allowed:
        raise AppError("remote_no_network", name=model.name)
