"""Servers of the local network on the page モデル: added, changed, with their keys."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.base.addresses import origin_of
from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.inference.local_model import LocalModel, RemoteModel
from app.inference.services import keychain
from app.inference.services.engine import EngineClient
from app.models import remote_models
from app.models.services.library import ModelLibrary
from app.models.ui.remote_dialog import RemoteDialog
from app.uikit import dialogs
from app.uikit.theme import Theme


class RemoteDesk(QObject):
    model_wanted = Signal(str)  # id of what was added: it is to be shown

    def __init__(
        self, theme: Theme, library: ModelLibrary, preferences: Preferences, engine: EngineClient, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._library = library
        self._preferences = preferences
        self._engine = engine
        self._parent = parent

    def ask(self, before: LocalModel | None = None) -> dialogs.Dialog:
        """For a new server, or about the connection of one that is there."""
        window = self._parent.window()
        if not self._preferences.value.network_allowed:
            dialog = dialogs.problem_dialog(self._theme, AppError("remote_network_off"), window)
            dialog.open()
            return dialog
        asking = RemoteDialog(self._theme, window, before=before, can_store=keychain.is_available())
        asking.chosen_remote.connect(lambda *chosen: self._keep(before, *chosen))
        asking.open()
        return asking

    def _keep(self, before: LocalModel | None, remote: RemoteModel, name: str, key: str, is_stored: bool) -> None:
        taken = self._library.listed()
        model = remote_models.described(name, remote, taken)
        if before is not None:
            model = remote_models.changed(before, model)
        if key or before is None:
            self._engine.remote_keys.give(remote.address, key)
        if is_stored:
            origin = origin_of(remote.address)
            background.run(lambda: keychain.store_token(key, origin), lambda _: None, self._on_not_stored)
        loaded = self._engine.loaded
        if loaded is not None and loaded.remote is not None and not self._engine.is_computing:
            self._engine.end()  # the next question connects again, with what was changed
        if self._library.add_remote(model):
            self.model_wanted.emit(model.id)

    def _on_not_stored(self, error: AppError) -> None:
        dialogs.problem_dialog(self._theme, error, self._parent.window()).open()
