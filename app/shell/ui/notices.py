"""At the foot of the window, after a start: safe mode, an end that was none, or another version. One of them, once."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Signal
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from app import __version__
from app.base.paths import Paths
from app.base.start_record import Record
from app.shell.ui.main_window import MainWindow
from app.shell.ui.report_opening import show_report
from app.uikit.dialogs import Choice, Dialog, scrolled_height
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.labels import Rule, set_surface

WIDTH_PX = 680
TEXT_PX = 400  # the height of what can be read at once

translate = QCoreApplication.translate


class StartNotice(QWidget):
    """Takes no room once it is closed."""

    restart_requested = Signal()
    report_requested = Signal()
    news_requested = Signal()
    more_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.banner = Banner(theme)
        set_surface(self, "base")
        inside = QVBoxLayout()
        inside.setContentsMargins(16, 8, 16, 8)
        inside.addWidget(self.banner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Rule())
        column.addLayout(inside)
        self.banner.installEventFilter(self)
        self.banner.action_requested.connect(self._on_action)
        self.hide()

    def tell(self, last: Record, *, is_safe: bool) -> None:
        """`last`: what is on record of the start before this one. Once it has its place: it may show itself."""
        report = ("report", self.tr("報告を作る…"))
        if is_safe:
            self.banner.show_message(
                "warning",
                self.tr("セーフモードで開いています。"),
                self._why_safe(last),
                (("more", self.tr("詳細…")), ("restart", self.tr("ふつうに起動し直す")), report),
            )
        elif last.was_cut_off:
            what = self.tr("前回は正しく終わりませんでした。")
            self.banner.show_message("warning", what, self.tr("会話は保存されています。"), (report,))
        elif last.is_of_a_newer_version:
            what = self.tr("前回より古い版の Kotae です（今は {version}、前回は {before}）。")
            sentence = self.tr("新しい版で増えた設定は、消さずに残しておきます。")
            self.banner.show_message("warning", what.format(version=__version__, before=last.version), sentence)
        elif last.is_of_another_version:
            what = self.tr("Kotae {version} になりました。").format(version=__version__)
            self.banner.show_message("success", what, "", (("news", self.tr("新しくなったこと")),))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self.setVisible(not self.banner.isHidden())
        return super().eventFilter(watched, event)

    def _why_safe(self, last: Record) -> str:
        if last.is_safe_mode_due:
            why = self.tr("起動に {n} 回続けて失敗したため、一部の働きを止め、表示を既定に戻しています。")
            return why.format(n=last.failed_by_now)
        return self.tr("一部の働きを止め、表示を既定に戻しています。設定は変えていません。")

    def _on_action(self, key: str) -> None:
        {
            "restart": self.restart_requested,
            "report": self.report_requested,
            "news": self.news_requested,
            "more": self.more_requested,
        }[key].emit()


def show_notices(
    window: MainWindow, where: Paths, last: Record, is_safe: bool, restart: Callable[[], None]
) -> StartNotice:
    """Only where there is something to say does it take room. `restart`: as the user does, in the usual way."""
    notice = StartNotice(window.theme)

    def news() -> None:
        from app.shell.ui.settings.news import NewsWindow

        notice.banner.dismiss()
        NewsWindow(window.theme, window).show()

    notice.restart_requested.connect(restart)
    notice.report_requested.connect(lambda: show_report(window.theme, where, window))
    notice.news_requested.connect(news)
    notice.more_requested.connect(lambda: safe_mode_dialog(window.theme, where, window).open())
    window.show_at_foot(notice)
    notice.tell(last, is_safe=is_safe)
    return notice


def safe_mode_dialog(theme: Theme, where: Paths, parent: QWidget) -> Dialog:
    """What is off, and what can be tried. The places are text to be copied; nothing is opened."""
    text = QPlainTextEdit(_what_to_try(where))
    text.setReadOnly(True)
    text.setProperty("field", True)
    text.setTabChangesFocus(True)
    text.setAccessibleName(translate("SafeMode", "止めているものと、試せること"))
    text.setFixedHeight(scrolled_height(theme, parent, theme.px(TEXT_PX)))
    return Dialog(
        theme,
        translate("SafeMode", "セーフモードについて"),
        translate("SafeMode", "質問、会話の検索、書き出しは、ふだんどおりに使えます。"),
        (Choice("cancel", translate("SafeMode", "閉じる"), is_default=True),),
        parent,
        icon=("info", "text2"),
        content=text,
        width_px=WIDTH_PX,
    )


def _what_to_try(where: Paths) -> str:
    off = (
        translate("SafeMode", "テーマ、文字の大きさ、ウィンドウの位置：既定に戻しています"),
        translate("SafeMode", "画面の描画：グラフィックスを使わず、ソフトウェアで描きます"),
        translate("SafeMode", "モデルの先読みと重みの並べ替え：しません。質問したときに読み込みます"),
        translate("SafeMode", "GPU の部品：使いません"),
        translate("SafeMode", "資料の読み取りと、フォルダの変更の確認：「資料」の画面で再開できます"),
        translate("SafeMode", "ダウンロードなどの、続きからの案内：出しません"),
    )
    hints = (
        translate("SafeMode", "まず「ふつうに起動し直す」を押してください。一度きりの問題なら、これで戻ります。"),
        translate("SafeMode", "最近追加したモデルがあれば、そのファイルを別の場所へ移してください：{path}").format(
            path=where.models
        ),
        translate("SafeMode", "画面が乱れる、または出ないときは、グラフィックスのドライバーを更新してください。"),
        translate(
            "SafeMode",
            "会話が開けないときは、Kotae を閉じて {database} を（名前に -wal や -shm が付いたものも一緒に）"
            "別の場所へ移し、{backups} の新しい控えを同じ名前で置いてください。",
        ).format(database=where.database, backups=where.backups),
        translate("SafeMode", "続くときは、報告用のファイルを作り、管理者や配布元に渡してください。"),
    )
    heading = translate("SafeMode", "止めているもの"), translate("SafeMode", "試せること")
    bullet = translate("SafeMode", "・{text}")
    parts = zip(heading, (off, hints), strict=True)
    return "\n\n".join("\n".join([name, *(bullet.format(text=line) for line in lines)]) for name, lines in parts)
