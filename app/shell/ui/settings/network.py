"""Show the section 通信: whether traffic may leave this machine, proxy, mirror and token (passwords in memory only)."""

import functools
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QLineEdit, QWidget

from app.base.addresses import is_web_address, origin_of
from app.base.errors import AppError
from app.base.isolation import network_guard
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings, policy_forbidding_network
from app.base.wording import describe_error, phrase
from app.compliance.services.offline_check import OfflineCheck
from app.compliance.ui.offline_panel import OfflineCheckPanel
from app.inference.services import keychain
from app.models.services.downloads import Downloads
from app.models.services.hub_search import hub_address
from app.models.ui.download_controller import TokenDialog
from app.shell.ui.settings.sections import SettingsSection
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.input_method import conversion_guard_of
from app.uikit.localization import join_sentences
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, escape_mnemonic
from app.uikit.widgets.containers import FlowBox, make_box, make_column
from app.uikit.widgets.form_rows import SettingRow
from app.uikit.widgets.labels import Label, plain_tooltip

TEXT_MAX = 200  # characters


class ProxyLoginDialog(Dialog):
    login_given = Signal(str, str)  # user name, password

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        self.user, self.password = QLineEdit(), QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        super().__init__(
            theme,
            phrase("shell.user_name_and_password_of"),
            phrase("shell.they_are_remembered_until_kotae"),
            cancel_or("use", phrase("common.use")),
            parent,
            content=self._content(),
        )
        self.user.textChanged.connect(self._on_changed)
        self.chosen.connect(self._on_chosen)
        self._on_changed()
        self.user.setFocus()

    def _content(self) -> QWidget:
        items: list[QWidget | int] = []
        for name, field in ((phrase("shell.user_name"), self.user), (phrase("shell.password"), self.password)):
            label = Label(name)
            label.setBuddy(field)
            field.setAccessibleName(name)
            field.setMaxLength(TEXT_MAX)
            items += [label, field, 6]
        return make_box(*items, spacing_px=4)

    def _on_changed(self) -> None:
        self.buttons["use"].setEnabled(bool(self.user.text().strip()))

    def _on_chosen(self, key: str) -> None:
        if key == "use":
            self.login_given.emit(self.user.text().strip(), self.password.text())
        self.password.clear()


LIMITS_MB = (0, 1, 2, 5, 10, 20, 50)  # MB/s; 0: no limit
ADDRESS_MAX = 300  # characters


class AddressField(QLineEdit):
    """A field for a web address or nothing. Enter or leaving it stores a valid one; a note explains others."""

    def __init__(self, placeholder: str, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take
        self.row: SettingRow | None = None
        self.setMaxLength(ADDRESS_MAX)
        self.setPlaceholderText(placeholder)
        self.editingFinished.connect(self._on_finished)

    def show_address(self, address: str) -> None:
        if not self.hasFocus() or not self.isModified():
            conversion_guard_of(self).run_after_conversion(lambda: self.setText(address))

    def _on_finished(self) -> None:
        text = self.text().strip()
        is_good = not text or is_web_address(text)
        if self.row is not None:
            secret = "@" in text
            wrong = phrase("shell.enter_it_as_http_host")
            hidden = phrase("shell.a_user_name_and_a")
            self.row.show_note("" if is_good else hidden if secret else wrong)
        if is_good:
            self.setModified(False)
            self._take(text)


SHOWN_LINES = 20  # lines about the use of the network at first, and more at each click


class TrafficList(QWidget):
    """What used the network since the program started, and what was refused. Each line leads to where more is said."""

    chosen = Signal(str)  # ask | models | training | log

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._lines: list[tuple[str, str]] = []
        self.buttons: list[Button] = []
        self._most = SHOWN_LINES
        self._nothing = Label(phrase("shell.nothing_has_used_the_network"), wraps=True)
        self.more_button = Button(theme, "", "link")
        self.more_button.hide()
        self.more_button.clicked.connect(self._show_more)
        left = Qt.AlignmentFlag.AlignLeft
        self._column = make_column(self._nothing, (self.more_button, 0, left), into=self, spacing_px=2)

    def show_lines(self, lines: list[tuple[str, str]]) -> None:
        """Show lines of `TrafficIndicator.lines`; of many, the last ones and a button for those before."""
        if lines == self._lines:
            return
        self._lines = lines
        for button in self.buttons:
            self._column.removeWidget(button)
            button.deleteLater()
        self.buttons = [self._make_button(*line) for line in lines[-self._most :]]
        for button in self.buttons:
            self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        more = len(lines) - len(self.buttons)
        self.more_button.setText(phrase("shell.and_n_before", n=more))
        self.more_button.setVisible(more > 0)
        self._nothing.setVisible(not lines)

    def _show_more(self) -> None:
        lines, self._lines = self._lines, []
        self._most += SHOWN_LINES
        self.show_lines(lines)

    def _make_button(self, text: str, place: str) -> Button:
        button = Button(self._theme, escape_mnemonic(text), "link")
        button.setAccessibleName(text)
        button.setToolTip(plain_tooltip(phrase(f"shell.traffic_leads_to.{place}")))
        button.clicked.connect(functools.partial(self.chosen.emit, place))
        return button


class NetworkSection(SettingsSection):
    def __init__(self, theme: Theme, preferences: Preferences, paths: Paths, title: str, downloads: Downloads) -> None:
        self._downloads = downloads
        super().__init__(theme, preferences, paths, title)

    def show_settings(self, settings: Settings) -> None:
        policy = policy_forbidding_network(self._paths.data)
        self.block.setChecked(not settings.network_allowed)
        self.block.setEnabled(policy is None)
        self._block_row.show_note(self._protection_text(settings, str(policy) if policy else ""))
        self.mirror.show_address(settings.hub_endpoint)
        self.proxy.show_address(settings.proxy)
        self.limit.show_value(settings.download_limit_bytes_per_s)
        for control in (self.mirror, self.proxy, self.limit, self._login, self._tokens):
            control.setEnabled(settings.network_allowed)
        is_stopped = not settings.network_allowed
        self._limit_row.show_note(phrase("shell.as_long_as_all_traffic") if is_stopped else "")

    def _fill(self) -> None:
        self.block = QCheckBox(phrase("shell.block_all_outside_traffic"))
        self.block.toggled.connect(lambda is_on: self._preferences.change(network_allowed=not is_on))
        self._add(phrase("shell.network"), self.block, phrase("shell.kotae_uses_the_network_only"), is_wide=True)
        self._block_row = self._rows[-1]
        self.traffic = TrafficList(self._theme)
        self._add(
            phrase("shell.traffic_since_the_start"), self.traffic, phrase("shell.each_line_leads_to"), is_wide=True
        )
        self.check = OfflineCheckPanel(self._theme, OfflineCheck(self._paths, self))
        self._add(
            phrase("shell.check_that_nothing_is_sent"),
            self.check,
            phrase("shell.reads_a_document_asks_a"),
            is_wide=True,
        )
        self.limit = self._chooser("download_limit_bytes_per_s", self._limits())
        self._add(phrase("shell.speed_limit"), self.limit, phrase("shell.keeps_downloads_out_of_the"))
        self._limit_row = self._rows[-1]
        self.proxy = self._address(phrase("shell.empty_as_the_system_says"), "proxy")
        self._login = Button(self._theme, phrase("shell.user_name_and_password"))
        self._login.clicked.connect(self.ask_login)
        self._add(
            phrase("shell.proxy"),
            make_box(self.proxy, FlowBox(self._login), spacing_px=6),
            phrase("shell.as_http_host_port_user"),
            is_wide=True,
        )
        self.proxy.setAccessibleName(phrase("shell.proxy"))
        self.proxy.row = self._rows[-1]
        self.mirror = self._address("https://huggingface.co", "hub_endpoint")
        self._add(phrase("shell.mirror"), self.mirror, phrase("shell.the_address_of_a_server"), is_wide=True)
        self.mirror.row = self._rows[-1]
        self._add_token()

    def _protection_text(self, settings: Settings, policy: str) -> str:
        """Return what blocks traffic (Kotae, the kernel, the `policy`), or how to end the kernel's block."""
        is_closed = network_guard.socket_filter_state() == "on"
        if settings.network_allowed:
            return phrase("shell.close_kotae_and_open_it") if is_closed else ""
        words = phrase("shell.kotae_refuses_all_traffic")
        if policy:
            words = phrase("shell.an_administrator_has_forbidden_it", path=policy)
        if is_closed:
            return join_sentences(words, phrase("shell.the_systems_kernel_lets_no"))
        if network_guard.is_filter_supported() and network_guard.socket_filter_state() == "off":
            return join_sentences(words, phrase("shell.from_the_next_start_of"))
        return join_sentences(words, phrase("shell.on_this_machine_the_kernel"))

    def _address(self, placeholder: str, field: str) -> AddressField:
        return AddressField(placeholder, lambda text: self._preferences.change(**{field: text}))

    def _limits(self) -> list[tuple[str, int]]:
        words = {0: phrase("common.none")}
        return [(words.get(megabytes, f"{megabytes} MB/s"), megabytes * 1_000_000) for megabytes in LIMITS_MB]

    def _add_token(self) -> None:
        self.token_button = Button(self._theme, phrase("common.enter_a_token"))
        self.stored_button = Button(self._theme, phrase("shell.use_the_stored_token"))
        self.forget_button = Button(self._theme, phrase("shell.delete_the_stored_token"), "danger")
        self._tokens = FlowBox(self.token_button, self.stored_button, self.forget_button)
        has_store = keychain.is_available()
        self.stored_button.setVisible(has_store)
        self.forget_button.setVisible(has_store)
        self.token_button.clicked.connect(self.ask_token)
        self.stored_button.clicked.connect(self._use_stored)
        self.forget_button.clicked.connect(self._forget_token)
        self._add(phrase("common.access_token"), self._tokens, phrase("shell.for_models_that_are_given"), is_wide=True)
        self._token_row = self._rows[-1]

    # ------------------------------------------------------------------- secrets

    def ask_login(self) -> ProxyLoginDialog:
        dialog = ProxyLoginDialog(self._theme, self.window())
        dialog.login_given.connect(self._downloads.set_proxy_login)
        dialog.open()
        return dialog

    def ask_token(self) -> TokenDialog:
        is_for_stored = origin_of(hub_address(self._preferences.value)) == origin_of(keychain.PLACE)
        can_store = is_for_stored and keychain.is_available()
        dialog = TokenDialog(self._theme, "", self.window(), can_store=can_store)
        dialog.token_given.connect(self._on_token_given)
        dialog.store_requested.connect(self._store)
        dialog.open()
        return dialog

    def _on_token_given(self, token: str, address: str = "") -> None:
        self._downloads.set_token(token, address)
        self._token_row.show_note(phrase("shell.this_token_is_used_until"))

    def _store(self, token: str) -> None:
        done = phrase("shell.kept_in_the_systems_password")
        background.run(
            lambda: keychain.store_credential(token), functools.partial(self._show_done, done), self._on_failed
        )

    def _use_stored(self) -> None:
        background.run(keychain.stored_credential, self._on_stored, self._on_failed)

    def _on_stored(self, token: str) -> None:
        if token:
            self._on_token_given(token, keychain.PLACE)
        else:
            self._token_row.show_note(phrase("shell.no_token_is_stored"))

    def _forget_token(self) -> None:
        done = phrase("shell.the_stored_token_was_deleted")
        background.run(keychain.forget_credential, functools.partial(self._show_done, done), self._on_failed)

    def _show_done(self, words: str, _nothing: None) -> None:
        self._token_row.show_note(words)

    def _on_failed(self, error: AppError) -> None:
        self._token_row.show_note(f"▲ {describe_error(error)}")
