"""A model put to use for questions. A file that brings its own chat template asks first."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.models import local_models, tuned_models
from app.models.services.library import ModelLibrary
from app.models.ui import questions
from app.uikit.dialogs import Dialog
from app.uikit.page import Navigation
from app.uikit.theme import Theme


class Using(QObject):
    failed = Signal(object)  # AppError: the file could not be read

    def __init__(
        self, theme: Theme, navigation: Navigation, library: ModelLibrary, preferences: Preferences, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._navigation = navigation
        self._library = library
        self._preferences = preferences
        self._parent = parent
        self.model: LocalModel | None = None  # that is to be used

    def use(self, model: LocalModel) -> None:
        """Whether it asks stands in the file's header."""
        self.model = model
        background.run(lambda: local_models.needs_template_consent(model), self._on_consent_known, self.failed.emit)

    def back_to_base(self, model: LocalModel) -> None:
        """The model that this one was trained on answers again."""
        try:
            base = self._library.base_of(model)
        except AppError as error:
            self.failed.emit(error)
            return
        self._preferences.change(model_id=base.id)
        done = phrase("models.questions_are_answered_by_name", name=base.name)
        self._navigation.undo_offered.emit(done, lambda: self._preferences.change(model_id=model.id))

    def remove(self, model: LocalModel) -> None:
        """A tuned one, off the list; its base answers in its place."""
        is_used = self._preferences.value.model_id == model.id
        if is_used and (base := tuned_models.base_of(model, self._library.listed())) is not None:
            self._preferences.change(model_id=base.id)
        self._library.remove(model.id)

        def put_back() -> None:
            self._library.put_back(model)
            if is_used:
                self._preferences.change(model_id=model.id)

        self._navigation.undo_offered.emit(phrase("models.name_was_taken_off_the", name=model.name), put_back)

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
        self._navigation.page_requested.emit("ask")
