"""The section 通信: whether anything may leave this machine, and the way it takes when the user has asked for it."""

import functools
from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QLineEdit, QVBoxLayout, QWidget

from app.base import no_network
from app.base.addresses import origin_of
from app.base.errors import AppError
from app.base.isolation import network_policy
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings, is_address
from app.base.wording import Sentence, describe_error
from app.compliance.services.offline_check import OfflineCheck
from app.compliance.ui.offline_panel import OfflineCheckPanel
from app.inference.services import keychain
from app.models.services.downloads import Downloads
from app.models.services.reach import hub
from app.models.ui.token_dialog import TokenDialog
from app.shell.ui.settings.proxy_login import ProxyLoginDialog
from app.shell.ui.settings.sections import Section
from app.uikit.input_method import guard_of
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.setting_rows import SettingRow

LIMITS_MB = (0, 1, 2, 5, 10, 20, 50)  # MB/s; 0: none
ADDRESS_MAX = 300  # characters


class AddressField(QLineEdit):
    """Empty, or an address that may be kept; said below where it is neither. Taken when the field is left, or Enter."""

    def __init__(self, placeholder: str, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take
        self.row: SettingRow | None = None
        self.setMaxLength(ADDRESS_MAX)
        self.setPlaceholderText(placeholder)
        self.editingFinished.connect(self._on_finished)

    def show_address(self, address: str) -> None:
        if not self.hasFocus() or not self.isModified():
            guard_of(self).when_free(lambda: self.setText(address))

    def _on_finished(self) -> None:
        text = self.text().strip()
        is_good = not text or is_address(text)
        if self.row is not None:
            secret = "@" in text
            wrong = self.tr("▲ 「http://ホスト:ポート」の形で入れてください。")
            hidden = self.tr("▲ ユーザー名とパスワードは、ここには入れられません。")
            self.row.show_note("" if is_good else hidden if secret else wrong)
        if is_good:
            self.setModified(False)
            self._take(text)


class NetworkSection(Section):
    def __init__(self, theme: Theme, preferences: Preferences, paths: Paths, title: str, downloads: Downloads) -> None:
        self._downloads = downloads
        super().__init__(theme, preferences, paths, title)

    def show_settings(self, settings: Settings) -> None:
        policy = network_policy.forbidding(self._paths.data)
        self.block.setChecked(not settings.network_allowed)
        self.block.setEnabled(policy is None)
        self._block_row.show_note(self._stopped_words(settings, str(policy) if policy else ""))
        self.mirror.show_address(settings.hub_endpoint)
        self.proxy.show_address(settings.proxy)
        self.limit.show_value(settings.download_limit_bytes_per_s)
        for control in (self.mirror, self.proxy, self.limit, self._login, self._tokens):
            control.setEnabled(settings.network_allowed)
        is_stopped = not settings.network_allowed
        self._limit_row.show_note(self.tr("通信を止めているあいだ、ここから下は変えられません。") if is_stopped else "")

    def _fill(self) -> None:
        self.block = QCheckBox(self.tr("外部通信をすべて止める"))
        self.block.toggled.connect(lambda is_on: self._preferences.change(network_allowed=not is_on))
        self._add(
            self.tr("外部通信"),
            self.block,
            self.tr(
                "Kotae が通信するのは、モデルのダウンロードや学習環境の取得を始めたときと、"
                "登録したほかの機械のモデルに質問したときだけです。"
                "止めると、それも行いません。途中のものも止まります。"
            ),
            is_wide=True,
        )
        self._block_row = self._rows[-1]
        self._add_check()
        self.limit = self._chooser("download_limit_bytes_per_s", self._limits())
        self._add(
            self.tr("速度の上限"),
            self.limit,
            self.tr("ダウンロードが、ほかの人やアプリの通信を妨げないようにします。すぐに効きます。"),
        )
        self._limit_row = self._rows[-1]
        self._add_proxy()
        self.mirror = self._address("https://huggingface.co", "hub_endpoint")
        self._add(
            self.tr("配布元のミラー"),
            self.mirror,
            self.tr(
                "Hugging Face と同じ形で配る、社内などのサーバーのアドレスです。空なら huggingface.co を使います。"
            ),
            is_wide=True,
        )
        self.mirror.row = self._rows[-1]
        self._add_token()

    def _add_check(self) -> None:
        self.check = OfflineCheckPanel(self._theme, OfflineCheck(self._paths, self))
        self._add(
            self.tr("送信されないことの確認"),
            self.check,
            self.tr(
                "外につながらない場所で資料の読み込みや質問をひととおり行い、送ろうとした回数を数えます。"
                "情報システム部門に渡せる報告書（1 枚の要点と別紙）と部品表ができます。数分かかることがあります。"
            ),
            is_wide=True,
        )

    def _stopped_words(self, settings: Settings, policy: str) -> str:
        """Who stops what is sent now: the program alone, or the system too. "" while nothing is stopped."""
        is_closed = no_network.state() == "on"
        if settings.network_allowed:
            return self.tr("▲ Kotae を閉じて開き直すと、通信できるようになります。") if is_closed else ""
        words = self.tr("✓ Kotae が、すべての通信を断ります。")
        if policy:
            words = self.tr("✓ 管理者が止めているため、ここでは変えられません（{path}）。").format(path=policy)
        if is_closed:
            return _both(words, self.tr("OS のカーネルも、Kotae のどの処理にも通信させません。"))
        if no_network.is_supported() and no_network.state() == "off":
            return _both(words, self.tr("次に Kotae を開いたときからは、OS のカーネルも止めます。"))
        return _both(words, self.tr("この PC では、OS のカーネルでは止められません。止め方は確認の報告書にあります。"))

    def _address(self, placeholder: str, field: str) -> AddressField:
        return AddressField(placeholder, lambda text: self._preferences.change(**{field: text}))

    def _limits(self) -> list[tuple[str, int]]:
        words = {0: self.tr("なし")}
        return [(words.get(megabytes, f"{megabytes} MB/s"), megabytes * 1_000_000) for megabytes in LIMITS_MB]

    def _add_proxy(self) -> None:
        self.proxy = self._address(self.tr("空なら OS の設定に従います"), "proxy")
        self._login = Button(self._theme, self.tr("ユーザー名とパスワード…"))
        self._login.clicked.connect(self.ask_login)
        self._add(
            self.tr("プロキシ"),
            _stacked(self.proxy, Flow(self._login)),
            self.tr(
                "「http://ホスト:ポート」の形で入れます。"
                "ユーザー名とパスワードは、Kotae を閉じるまで覚えておくだけです。"
            ),
            is_wide=True,
        )
        self.proxy.setAccessibleName(self.tr("プロキシ"))
        self.proxy.row = self._rows[-1]

    def _add_token(self) -> None:
        self.token_button = Button(self._theme, self.tr("トークンを入れる…"))
        self.stored_button = Button(self._theme, self.tr("保存したトークンを使う"))
        self.forget_button = Button(self._theme, self.tr("保存したトークンを消す"), "danger")
        self._tokens = Flow(self.token_button, self.stored_button, self.forget_button)
        has_store = keychain.is_available()
        self.stored_button.setVisible(has_store)
        self.forget_button.setVisible(has_store)
        self.token_button.clicked.connect(self.ask_token)
        self.stored_button.clicked.connect(self._use_stored)
        self.forget_button.clicked.connect(self._forget)
        self._add(
            self.tr("アクセストークン"),
            self._tokens,
            self.tr(
                "使用条件に同意した人にだけ配られるモデルで使います。ふだんは Kotae を閉じるまで覚えておくだけで、"
                "頼まれたときだけ OS のパスワード管理に保存します。配布元のほかには送りません。"
            ),
            is_wide=True,
        )
        self._token_row = self._rows[-1]

    # ------------------------------------------------------------------- secrets

    def ask_login(self) -> ProxyLoginDialog:
        dialog = ProxyLoginDialog(self._theme, self.window())
        dialog.login_given.connect(self._downloads.set_proxy_login)
        dialog.open()
        return dialog

    def ask_token(self) -> TokenDialog:
        is_for_stored = origin_of(hub(self._preferences.value)) == origin_of(keychain.PLACE)
        can_store = is_for_stored and keychain.is_available()
        dialog = TokenDialog(self._theme, "", self.window(), can_store=can_store)
        dialog.token_given.connect(self._on_token_given)
        dialog.store_requested.connect(self._store)
        dialog.open()
        return dialog

    def _on_token_given(self, token: str, place: str = "") -> None:
        self._downloads.set_token(token, place)
        self._token_row.show_note(self.tr("✓ Kotae を閉じるまで、このトークンを使います。"))

    def _store(self, token: str) -> None:
        done = self.tr("✓ OS のパスワード管理に保存しました。")
        background.run(lambda: keychain.store_token(token), functools.partial(self._show_done, done), self._on_failed)

    def _use_stored(self) -> None:
        background.run(keychain.stored_token, self._on_stored, self._on_failed)

    def _on_stored(self, token: str) -> None:
        if token:
            self._on_token_given(token, keychain.PLACE)
        else:
            self._token_row.show_note(self.tr("▲ 保存したトークンはありません。"))

    def _forget(self) -> None:
        done = self.tr("✓ 保存したトークンを消しました。")
        background.run(keychain.forget_token, functools.partial(self._show_done, done), self._on_failed)

    def _show_done(self, words: str, _nothing: None) -> None:
        self._token_row.show_note(words)

    def _on_failed(self, error: AppError) -> None:
        self._token_row.show_note(f"▲ {describe_error(error)}")


def _both(first: str, second: str) -> str:
    return str(Sentence(first, second))


def _stacked(*widgets: QWidget) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(6)
    for widget in widgets:
        column.addWidget(widget)
    return holder
