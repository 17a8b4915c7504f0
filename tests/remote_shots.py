"""Pictures of a model that another machine computes, for `tests.screenshots`. No server is asked."""

import dataclasses
from collections.abc import Callable

from app.application import AppContext
from app.base.errors import AppError
from app.base.wording import current_language
from app.chat.ui.chat_notices import consent_dialog
from app.inference.local_model import LocalModel, RemoteModel
from app.inference.services.events import EngineStatus, NetworkContact
from app.models import model_registry
from app.models.ui.remote_server_dialog import RemoteServerDialog

ADDRESS = "http://gpu-server:8000/v1"
NAMES = {"ja": "部署の GPU サーバー", "en": "GPU server of the section"}
MODELS = (
    RemoteModel(ADDRESS, "Llama-3.3-Swallow-70B", 32768),
    RemoteModel(ADDRESS, "Qwen/Qwen3-32B-AWQ", 40960),
)


def _chosen(parts: AppContext) -> LocalModel:
    """In the list, and answering."""
    model = model_registry.describe_remote_model(NAMES[current_language()], MODELS[0], parts.library.listed())
    parts.library.add_remote(model)
    parts.preferences.change(model_id=model.id)
    return model


def chat_remote(parts: AppContext) -> None:
    from tests import screenshots

    model = _chosen(parts)
    screenshots.chat(parts)
    status = parts.engine.status
    assert status.facts is not None
    facts = dataclasses.replace(status.facts, path=model.path, context_tokens=32768, remote="gpu-server:8000")
    parts.engine.contacts.append(NetworkContact("gpu-server:8000", 1_764_000_000.0, model.name, place="ask"))
    parts.engine.status = EngineStatus("ready", model.name, facts, 3412, 61.2, 0.4)
    parts.engine.status_changed.emit(parts.engine.status)


def chat_remote_stopped(parts: AppContext) -> None:
    from tests import screenshots

    _chosen(parts)
    screenshots.chat(parts)
    parts.preferences.change(network_allowed=False)


def remote_consent(parts: AppContext) -> None:
    chat_remote(parts)
    model = parts.session.model
    assert model is not None
    consent_dialog(parts.theme, model, parts.window).open()


def models_remote(parts: AppContext) -> None:
    from tests import screenshots

    model = _chosen(parts)
    screenshots.models(parts)
    page = parts.window.page("models")
    page.show_model(model.id)
    page._on_entry_clicked(page.list.currentIndex())


def models_remote_stopped(parts: AppContext) -> None:
    models_remote(parts)
    parts.preferences.change(network_allowed=False)


def _dialog(parts: AppContext) -> RemoteServerDialog:
    models_remote(parts)
    dialog = parts.window.page("models").remote.ask()
    assert isinstance(dialog, RemoteServerDialog)
    return dialog


def remote_dialog(parts: AppContext) -> None:
    _dialog(parts)


def remote_dialog_found(parts: AppContext) -> None:
    dialog = _dialog(parts)
    dialog.address.setText("gpu-server:8000")
    dialog._checked_address = ADDRESS
    dialog._on_found(MODELS)


def remote_dialog_refused(parts: AppContext) -> None:
    dialog = _dialog(parts)
    dialog.address.setText("gpu-server:8000")
    dialog._on_failed(AppError("remote_unreachable", address="gpu-server:8000"))


REMOTE_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot
    for shot in (
        chat_remote, chat_remote_stopped, remote_consent, models_remote, models_remote_stopped, remote_dialog,
        remote_dialog_found, remote_dialog_refused,
    )
}  # fmt: skip
