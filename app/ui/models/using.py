"""A model put to use for questions. A file that brings its own chat template asks first."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.core import local_models
from app.core.records import LocalModel
from app.services import background
from app.services.library import ModelLibrary
from app.services.preferences import Preferences
from app.ui.dialogs import Dialog
from app.ui.models import questions
from app.ui.theme import Theme


class Using(QObject):
    used = Signal()
    failed = Signal(object)  # AppError: the file could not be read

    def __init__(self, theme: Theme, library: ModelLibrary, preferences: Preferences, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._library = library
        self._preferences = preferences
        self._parent = parent
        self.model: LocalModel | None = None  # that is to be used

    def use(self, model: LocalModel) -> None:
        """Whether it asks stands in the file's header."""
        self.model = model
        background.run(lambda: local_models.needs_template_consent(model), self._on_consent_known, self.failed.emit)

    def consent_dialog(self) -> Dialog:
        dialog = questions.consent_dialog(self._theme, self._parent)
        dialog.chosen.connect(self._on_consent_given)
        return dialog

    def _on_consent_known(self, is_needed: bool) -> None:
        if self.model is None:
            return
        if is_needed:
            self.consent_dialog().open()
        else:
            self._use(self.model)

    def _on_consent_given(self, key: str) -> None:
        model = self.model
        if model is None or key == "cancel":
            return
        if key == "allow":
            self._library.allow_template(model.id)
        self._use(model)

    def _use(self, model: LocalModel) -> None:
        self.model = None
        self._preferences.change(model_id=model.id)
        self.used.emit()
