"""Ask the user about adding and using models, on the page モデル and in the first run, and set the answering model.

A file with an unknown chat template asks for consent first.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.models import base_models, local_models, model_registry
from app.models.services.model_library import ModelLibrary
from app.uikit.dialogs import Dialog, DialogButton, cancel_or
from app.uikit.localization import join_names
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction


def choose_gguf_file(parent: QWidget) -> str:
    """Ask for a GGUF file and return its path; "" if none was chosen."""
    start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
    kinds = phrase("models.gguf_files_gguf_all_files")
    path, _ = QFileDialog.getOpenFileName(parent, phrase("models.choose_a_gguf_file"), start, kinds)
    return path


def template_consent_dialog(theme: Theme, parent: QWidget) -> Dialog:
    """Return a dialog that asks whether a file's own chat template may run. `chosen`: allow, plain or cancel."""
    return Dialog(
        theme,
        phrase("models.this_file_brings_its_authors"),
        phrase("models.in_isolation_a_separate_process"),
        (
            DialogButton("plain", phrase("models.do_without_it")),
            DialogButton("allow", phrase("models.use_it_in_isolation"), "primary", is_default=True),
        ),
        parent,
        icon=("file-text", "text2"),
    )


def licence_dialog(theme: Theme, url: str, parent: QWidget) -> Dialog:
    """Return a dialog that asks before opening a licence text in the browser."""
    dialog = Dialog(
        theme,
        phrase("models.open_the_licence_in_the"),
        phrase("models.this_connects_to_the_internet", url=url),
        (
            DialogButton("cancel", phrase("common.cancel"), is_default=True),
            DialogButton("open", phrase("common.open_in_the_browser")),
        ),
        parent,
    )
    dialog.chosen.connect(lambda key: QDesktopServices.openUrl(QUrl(url)) if key == "open" else None)
    return dialog


def removal_dialog(theme: Theme, model: LocalModel, parent: QWidget) -> Dialog:
    """Return a dialog that asks before removing a model from the list. `chosen`: remove or cancel."""
    return Dialog(
        theme,
        phrase("models.take_name_off_the_list", name=model.name),
        phrase("models.the_file_stays_path_to", path=model.path),
        cancel_or("remove", phrase("models.take_off_the_list_2"), is_grave=True),
        parent,
    )


def ask_to_delete_base(
    theme: Theme,
    base: Path,
    runs_on: Callable[[Path], list[str]],
    deleted: Callable[[None], None],
    failed: Callable[[AppError], None],
    parent: QWidget,
) -> None:
    """Delete fetched weights after a question that names the trainings on them; refuse while one of these runs."""
    try:
        runs = runs_on(base)
    except AppError as error:
        failed(error)
        return
    question = phrase("models.delete_base_name", name=base_models.fetched_name(base))
    body = phrase("models.base_needed_by", runs=join_names(runs)) if runs else phrase("models.base_is_not_needed")
    choices = cancel_or("delete", phrase("models.delete_base"), is_grave=True)
    work = partial(base_models.delete_fetched, base)
    Dialog(theme, question, body, choices, parent).ask(lambda: background.run(work, deleted, failed))


class UseModelAction(QObject):
    """Changes which model answers, and removes models with an undo."""

    failed = Signal(object)  # AppError: the file could not be read

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        library: ModelLibrary,
        preferences: Preferences,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._navigation = navigation
        self._library = library
        self._preferences = preferences
        self._parent = parent
        self.model: LocalModel | None = None  # the model to use after consent; None: none

    def use(self, model: LocalModel) -> None:
        """Use a model for questions, after consent if its file's header has an unknown chat template."""
        self.model = model
        background.run(lambda: local_models.needs_template_consent(model), self._on_consent_known, self.failed.emit)

    def back_to_base(self, model: LocalModel) -> None:
        """Use the base of a tuned model for questions, with an undo."""
        try:
            base = self._library.base_of(model)
        except AppError as error:
            self.failed.emit(error)
            return
        self._preferences.change(model_id=base.id)
        action = UndoableAction(
            done=phrase("models.questions_are_answered_by_name", name=base.name),
            undone=phrase("common.model_is_back", name=model.name),
            undo=lambda: self._preferences.change(model_id=model.id),
            redo=lambda: self.back_to_base(model),
        )
        self._navigation.undo_offered.emit(action)

    def remove(self, model: LocalModel) -> None:
        """Remove a tuned or remote model from the list, with an undo; if it was in use, its base replaces it."""
        is_used = self._preferences.value.model_id == model.id
        if is_used and (base := model_registry.base_of(model, self._library.listed())) is not None:
            self._preferences.change(model_id=base.id)
        self._library.remove(model.id)

        def put_back() -> None:
            self._library.put_back(model)
            if is_used:
                self._preferences.change(model_id=model.id)

        action = UndoableAction(
            done=phrase("models.name_was_taken_off_the", name=model.name),
            undone=phrase("models.name_is_on_the_list", name=model.name),
            undo=put_back,
            redo=lambda: self.remove(model),
        )
        self._navigation.undo_offered.emit(action)

    def change_projector(self, model: LocalModel) -> None:
        """Let the user choose the part with which a model reads pictures, or take it off if it has one."""
        path = "" if model.projector else choose_gguf_file(self._parent)
        if model.projector:
            self._library.update(dataclasses.replace(model, projector=""))
        elif path:
            found = partial(local_models.with_projector, model, Path(path))
            background.run(found, self._library.update, self.failed.emit)

    def consent_dialog(self) -> Dialog:
        dialog = template_consent_dialog(self._theme, self._parent)
        dialog.chosen.connect(self._on_consent_given)
        return dialog

    def _on_consent_known(self, is_needed: bool) -> None:
        if self.model is None:
            return
        if is_needed:
            self.consent_dialog().open()
        else:
            self._use_for_questions(self.model)

    def _on_consent_given(self, key: str) -> None:
        model = self.model
        if model is None or key == "cancel":
            return
        if key == "allow":
            self._library.allow_template(model.id)
        self._use_for_questions(model)

    def _use_for_questions(self, model: LocalModel) -> None:
        self.model = None
        self._preferences.change(model_id=model.id)
        self._navigation.page_requested.emit("ask")
