"""The sections of the settings. Each follows `Preferences` and changes it at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.settings import CONTEXT_CHOICES, TEXT_SCALES, Settings
from app.inference import engine_packs
from app.shell.ui.settings.engine_packs import EnginePacks
from app.uikit.desktop import open_folder
from app.uikit.theme import Theme
from app.uikit.widgets.auto_spin import AutoSpin
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import Label, Rule
from app.uikit.widgets.setting_rows import Chooser, SettingRow

MAX_THREADS = 64


class Section(QWidget):
    """A heading and rows. Subclasses add rows in `_fill` and follow the settings in `show_settings`."""

    def __init__(self, theme: Theme, preferences: Preferences, paths: Paths, title: str) -> None:
        super().__init__()
        self._theme = theme
        self._preferences = preferences
        self._paths = paths
        self._rows: list[SettingRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(32, 24, 32, 24)
        self._column.setSpacing(16)
        self._column.addWidget(Label(title, "heading2"))
        self._fill()
        self._column.addStretch(1)
        preferences.changed.connect(self.show_settings)
        self.show_settings(preferences.value)

    def set_stacked(self, is_stacked: bool) -> None:
        for row in self._rows:
            row.set_stacked(is_stacked)

    def show_settings(self, settings: Settings) -> None:
        """Shows what is in force."""

    def _fill(self) -> None:
        raise NotImplementedError

    def _add(self, label: str, control: QWidget, sentence: str = "", *, is_wide: bool = False) -> QWidget:
        """Returns what can be hidden: the row with the line above it."""
        block = QWidget()
        rows = QVBoxLayout(block)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(16)
        if self._rows:
            rows.addWidget(Rule())
        row = SettingRow(self._theme, label, control, sentence, is_wide=is_wide)
        rows.addWidget(row)
        self._rows.append(row)
        self._column.addWidget(block)
        return block

    def _chooser(self, field: str, choices: list[tuple[str, Any]]) -> Chooser:
        return Chooser(choices, lambda value: self._preferences.change(**{field: value}))

    def _open_button(self, words: str, folder: str) -> Button:
        button = Button(self._theme, words, icon="folder-open")
        button.clicked.connect(lambda: open_folder(Path(folder)))
        return button


class AppearanceSection(Section):
    def _fill(self) -> None:
        self.theme_choice = self._chooser(
            "theme",
            [(self.tr("OS に合わせる"), "system"), (self.tr("明るい"), "light"), (self.tr("暗い"), "dark")],
        )
        self.text_size = self._chooser("text_scale_percent", [(f"{percent} %", percent) for percent in TEXT_SCALES])
        self.language = self._chooser(
            "language", [(self.tr("OS に合わせる"), "system"), ("日本語", "ja"), ("English", "en")]
        )
        self._add(self.tr("言語 / Language"), self.language, self.tr("次に Kotae を開いたときから変わります。"))
        self._add(self.tr("テーマ"), self.theme_choice, self.tr("「OS に合わせる」では、OS の明るさの設定に従います。"))
        self._add(
            self.tr("文字の大きさ"),
            self.text_size,
            self.tr("画面全体の文字と余白が変わります。Ctrl と + または − でも変えられます。"),
        )

        self.details = self._chooser("shows_details", [(self.tr("やさしい"), False), (self.tr("詳細"), True)])
        self._add(
            self.tr("表示のくわしさ"),
            self.details,
            self.tr("「やさしい」では、ふだん使う設定だけを出します。「詳細」では、細かい数値と設定も出します。"),
        )

    def show_settings(self, settings: Settings) -> None:
        self.details.show_value(settings.shows_details)
        self.language.show_value(settings.language)
        self.theme_choice.show_value(settings.theme)
        self.text_size.show_value(settings.text_scale_percent)


class QuestionSection(Section):
    def _fill(self) -> None:
        self.send_key = self._chooser(
            "send_key", [(self.tr("Enter で送信"), "enter"), (self.tr("Ctrl + Enter で送信"), "ctrl_enter")]
        )
        tokens = self.tr("{n} トークン")
        self.context = self._chooser("context_tokens", [(tokens.format(n=f"{n:,}"), n) for n in CONTEXT_CHOICES])
        self._add(
            self.tr("送信キー"),
            self.send_key,
            self.tr("変換中の Enter では送信しません。Shift + Enter はいつも改行です。"),
        )
        self._add(
            self.tr("文脈の長さ"),
            self.context,
            self.tr("一度に読める量です。長くするとメモリを多く使い、次の質問でモデルを読み込み直します。"),
        )

    def show_settings(self, settings: Settings) -> None:
        self.send_key.show_value(settings.send_key)
        self.context.show_value(settings.context_tokens)


class ModelSection(Section):
    def __init__(
        self, theme: Theme, preferences: Preferences, paths: Paths, title: str, make_storage: Callable[[], QWidget]
    ) -> None:
        """`make_storage`: where the models are."""
        self._make_storage = make_storage
        super().__init__(theme, preferences, paths, title)

    def _fill(self) -> None:
        self.threads = AutoSpin(
            1,
            MAX_THREADS,
            1,
            0,
            self.tr(" スレッド"),
            lambda n: self._preferences.change(threads=int(n) if n else None),
        )
        self.repack = self._chooser(
            "repack", [(self.tr("自動"), "auto"), (self.tr("する"), "on"), (self.tr("しない"), "off")]
        )
        self.kv_type = self._chooser(
            "kv_type", [(self.tr("標準（f16）"), "f16"), (self.tr("省メモリ（q8_0）"), "q8_0")]
        )
        self.storage = self._make_storage()
        about = self.tr("取り込んだキットとダウンロードしたモデルを、ここに置きます。")
        self._add(self.tr("モデルの保存先"), self.storage, about, is_wide=True)
        if engine_packs.known():
            self.packs = EnginePacks(self._theme, self._paths)
            about = self.tr("グラフィックスカードで計算する部品です。配布ファイルから追加します。通信はしません。")
            self._add(self.tr("GPU の部品"), self.packs, about, is_wide=True)
        self._hint = Label(
            self.tr("スレッド数などの細かい設定は、「表示」の「表示のくわしさ」で「詳細」を選ぶと出ます。"),
            "caption",
            "muted",
            wraps=True,
        )
        self._column.addWidget(self._hint)
        self._add_details()

    def _add_details(self) -> None:
        threads = self._add(
            self.tr("スレッド数"),
            self.threads,
            self.tr("「自動」は物理コア数から 1 を引いた数です。ほかのプログラムが忙しいときは減らします。"),
        )
        repack = self._add(
            self.tr("重みの並べ替え"),
            self.repack,
            self.tr(
                "すると回答が速くなりますが、メモリを 1.6 倍ほど使い、長い文章の読み込みは遅くなります。"
                "「自動」は両方を測って速いほうを選びます。"
            ),
        )
        kv_type = self._add(
            self.tr("KV の精度"),
            self.kv_type,
            self.tr("読んだ会話を覚えておく細かさです。省メモリにすると、文脈に使うメモリがほぼ半分になります。"),
        )
        self._details = {"threads": threads, "repack": repack, "kv_type": kv_type}

    def show_settings(self, settings: Settings) -> None:
        for field, row in self._details.items():
            is_changed = getattr(settings, field) != getattr(Settings(), field)
            row.setVisible(settings.shows_details or is_changed)  # nothing works unseen
        self._hint.setVisible(not settings.shows_details)
        self.threads.show_number(settings.threads)
        self.repack.show_value(settings.repack)
        self.kv_type.show_value(settings.kv_type)


class DataSection(Section):
    def _fill(self) -> None:
        self._add(
            self.tr("データの場所"),
            self._open_button(self.tr("データの場所を開く"), str(self._paths.data)),
            self.tr("会話と設定はここにだけ保存します：{path}").format(path=self._paths.data),
        )
        self._add(
            self.tr("記録"),
            self._open_button(self.tr("記録を見る"), str(self._paths.logs)),
            self.tr("困ったときに見る記録です。質問や回答の文章は書き込みません：{path}").format(path=self._paths.logs),
        )
        self._add(
            self.tr("バックアップ"),
            self._open_button(self.tr("フォルダを開く"), str(self._paths.backups)),
            self.tr("会話は 1 日 1 回、自動で控えを取り、新しい 7 日分を残します。"),
        )
