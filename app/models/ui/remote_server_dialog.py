"""Add or change a server of the local network on the page モデル: address, key, model, name in the list."""

import dataclasses

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from app.base.addresses import origin_of
from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.inference import local_model
from app.inference.local_model import LocalModel, RemoteModel
from app.inference.services import keychain
from app.inference.services.engine import EngineClient
from app.models import model_registry
from app.models.services.model_library import ModelLibrary
from app.models.services.remote_servers import KEY_MAX, RemoteCheck
from app.uikit import dialogs
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_scrollable
from app.uikit.widgets.fields import AutoSpin, line_field
from app.uikit.widgets.labels import Label, plain_tooltip

WIDTH_PX = 560
SIDES_PX = 48  # total width of the dialog's left and right margins
SCROLL_PX = 12  # space beside the fields for the scroll bar
OTHERS_PX = 250  # height of the rest of the dialog
LEAST_PX = 92
CHARACTERS = 10  # visible at least of a model's name, which the tooltip shows in full
CONTEXT_MAX = 1 << 20  # tokens


class RemoteServerDialog(Dialog):
    """Asks for a server, its key and one of its models.

    The server is contacted only by the button 接続を確かめる. Nothing is stored before `chosen_remote`.
    """

    chosen_remote = Signal(object, str, str, bool)  # RemoteModel, name, key, whether to store the key

    def __init__(self, theme: Theme, parent: QWidget, *, before: LocalModel | None = None, can_store: bool) -> None:
        """Build the dialog. `before`: the model to change; None: a new one. `can_store`: a password store exists."""
        self._check: RemoteCheck | None = None
        self._models: tuple[RemoteModel, ...] = ()
        self._old_model = before
        self._most_px = max(theme.px(LEAST_PX), parent.height() - theme.px(OTHERS_PX))
        self._build_fields(theme, can_store=can_store)
        accept = phrase("models.change") if before else phrase("common.add")
        super().__init__(
            theme,
            phrase("models.change_the_connection_to_a") if before else phrase("models.use_a_server_in_the_lan"),
            phrase("models.asks_a_model_of_an"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("use", accept, "primary"),
            ),
            parent,
            content=self._build_content(),
            width_px=WIDTH_PX,
        )
        self._connect()
        if before is not None and before.remote is not None:
            self.address.setText(before.remote.address)
            self.name.setText(before.name)
            self.context.show_number(before.remote.context_tokens or None)
            self.sees.setChecked(before.remote.sees_pictures)
        self._refresh()
        self.address.setFocus()

    def check(self) -> None:
        """Request the models of the server, and clear those of earlier requests."""
        self._forget()
        try:
            address = local_model.normalize_address(self.address.text())
        except AppError as error:
            self._on_failed(error)
            return
        self._show_note(phrase("common.checking_2"), "muted")
        check = self._check = RemoteCheck(address, self.key.text().strip(), self)
        check.found.connect(self._on_found)
        check.failed.connect(self._on_failed)
        self._refresh()

    def reject(self) -> None:
        self._forget()
        super().reject()

    # ------------------------------------------------------------------ building

    def _build_fields(self, theme: Theme, *, can_store: bool) -> None:
        self.address = line_field(phrase("models.address"), local_model.ADDRESS_MAX, "http://gpu-server:8000")
        self.key = line_field(phrase("models.api_key_only_where_it"), KEY_MAX)
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.store = QCheckBox(phrase("models.keep_the_api_key_in"))
        self.store.setVisible(can_store)
        self.check_button = Button(theme, phrase("models.check_the_connection"), icon="refresh-cw")
        self.note = Label("", "caption", "muted", wraps=True)
        self.model = QComboBox()
        self.model.setAccessibleName(phrase("common.batch_column.model"))
        self.model.setMinimumContentsLength(CHARACTERS)
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.context = AutoSpin(256, CONTEXT_MAX, 1024, 0, "", lambda _number: None)
        self.context.show_auto(phrase("models.as_the_server_says"), None)
        self.context.setAccessibleName(phrase("models.context_length_tokens"))
        self.sees = QCheckBox(phrase("models.server_sees_pictures"))
        self.name = line_field(phrase("models.name_in_the_list"), model_registry.REMOTE_NAME_MAX)

    def _build_content(self) -> QWidget:
        hint = phrase("models.only_servers_on_this_pc")
        self.context_hint = _caption("")
        first = (
            *_with_label(self.address),
            _caption(hint),
            *_with_label(self.key),
            self.store,
            _caption(self._about_key()),
        )
        self._second = _column(
            *_with_label(self.model), *_with_label(self.context), self.context_hint, self.sees, *_with_label(self.name)
        )
        self._fields = _column(*first, self.check_button, self.note, self._second)
        self._fields.setContentsMargins(0, 0, SCROLL_PX, 0)
        self.area = make_scrollable(self._fields)
        return self.area

    def _about_key(self) -> str:
        if self.store.isHidden():
            return phrase("models.remembered_only_until_kotae_is")
        return phrase("models.unless_it_is_kept_it")

    def _connect(self) -> None:
        self.check_button.clicked.connect(self.check)
        self.address.returnPressed.connect(self.check)
        self.key.returnPressed.connect(self.check)
        self.name.returnPressed.connect(self.buttons["use"].click)
        self.address.textEdited.connect(self._on_edited)
        self.key.textEdited.connect(self._on_edited)
        self.model.activated.connect(lambda _place: self._show_chosen(is_new=True))
        self.chosen.connect(self._on_chosen)

    # ------------------------------------------------------------------- showing

    def _on_edited(self) -> None:
        """Clear the models, which belong to the address before the edit."""
        self._forget()
        self._refresh()

    def _forget(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check.deleteLater()
        self._check, self._models = None, ()
        self.model.clear()
        self._show_note("", "muted")

    def _on_found(self, models: tuple[RemoteModel, ...]) -> None:
        self._check = None
        self._models = models
        self.model.addItems([one.model for one in models])
        before = self._old_model.remote if self._old_model else None
        place = next((n for n, one in enumerate(models) if before and one.model == before.model), 0)
        self.model.setCurrentIndex(place)
        self._show_note(phrase("models.connected_models_n", n=len(models)), "success")
        self._show_chosen(is_new=self._old_model is None)
        self._refresh()
        self.model.setFocus()

    def _show_chosen(self, *, is_new: bool) -> None:
        """Show the chosen model. `is_new`: true if the name field is to be filled with this model's name."""
        one = self._models[self.model.currentIndex()]
        self.model.setToolTip(plain_tooltip(one.model))
        if is_new:
            self.name.setText(one.model.rpartition("/")[2])
        self.sees.setChecked(one.sees_pictures or (self.sees.isChecked() and not is_new))
        if one.context_tokens:
            words = phrase("models.this_server_reads_n_tokens", n=f"{one.context_tokens:,}")
        else:
            words = phrase("models.this_server_does_not_say")
        self.context_hint.setText(words)

    def _on_failed(self, error: AppError) -> None:
        self._check = None
        self._show_note(f"× {describe_error(error)}", "danger")
        self._refresh()

    def _show_note(self, words: str, tone: str) -> None:
        self.note.setText(words)
        self.note.set_tone(tone)
        self.note.setVisible(bool(words))

    def _refresh(self) -> None:
        self._second.setVisible(bool(self._models))
        self.check_button.setEnabled(self._check is None and bool(self.address.text().strip()))
        self.buttons["use"].setEnabled(bool(self._models))
        is_ready = bool(self._models) or self._check is not None or bool(self.note.text())
        if not is_ready:
            words = phrase("models.check_the_connection_to_choose")
            if not self.check_button.isEnabled():
                words = phrase("models.enter_the_address_and_check")
            self._show_note(words, "muted")
        self._fit()

    def _fit(self) -> None:
        """Fit the height of the area to its fields, limited by the height of the parent window."""
        layout = self._fields.layout()
        assert layout is not None
        layout.activate()
        needed = layout.totalHeightForWidth(self.width() - SIDES_PX)
        self.area.setFixedHeight(min(self._most_px, needed))
        self.fit_height()
        if self._models:
            QTimer.singleShot(0, self, lambda: self.area.verticalScrollBar().setValue(self._second.y()))

    def _on_chosen(self, key: str) -> None:
        if key == "use" and self._models:
            one = self._models[self.model.currentIndex()]
            context, sees = round(self.context.number() or 0), self.sees.isChecked()
            remote = dataclasses.replace(one, context_tokens=context, sees_pictures=sees)
            secret = self.key.text().strip()
            self.chosen_remote.emit(remote, self.name.text().strip(), secret, self.store.isChecked() and bool(secret))
        self.key.clear()


def _with_label(field: QWidget) -> tuple[Label, QWidget]:
    label = Label(field.accessibleName(), strong=True)
    label.setBuddy(field)
    return label, field


def _caption(words: str) -> Label:
    return Label(words, "caption", "muted", wraps=True)


def _column(*widgets: QWidget) -> QWidget:
    group = QWidget()
    column = make_column(into=group, spacing_px=4)
    for widget in widgets:
        column.addWidget(widget, 0, Qt.AlignmentFlag.AlignLeft if isinstance(widget, Button) else Qt.AlignmentFlag(0))
    return group


class RemoteServerController(QObject):
    """Opens the dialog for a remote model and stores its result."""

    model_requested = Signal(str)  # id of the added model, to be shown

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
        """Ask for a new server, or change the connection of `before`."""
        window = self._parent.window()
        if not self._preferences.value.network_allowed:
            dialog = dialogs.problem_dialog(self._theme, AppError("remote_network_off"), window)
            dialog.open()
            return dialog
        dialog = RemoteServerDialog(self._theme, window, before=before, can_store=keychain.is_available())
        dialog.chosen_remote.connect(lambda *chosen: self._store(before, *chosen))
        dialog.open()
        return dialog

    def _store(self, before: LocalModel | None, remote: RemoteModel, name: str, key: str, is_stored: bool) -> None:
        taken = self._library.listed()
        model = model_registry.describe_remote_model(name, remote, taken)
        if before is not None:
            model = model_registry.with_old_identity(before, model)
        if key or before is None:
            self._engine.remote_keys.give(remote.address, key)
        if is_stored:
            origin = origin_of(remote.address)
            background.run(lambda: keychain.store_credential(key, origin), lambda _: None, self._on_not_stored)
        loaded = self._engine.loaded
        if loaded is not None and loaded.remote is not None and not self._engine.is_computing:
            self._engine.end()  # the next question connects with the new values
        if self._library.add_remote(model):
            self.model_requested.emit(model.id)

    def _on_not_stored(self, error: AppError) -> None:
        dialogs.problem_dialog(self._theme, error, self._parent.window()).open()
