"""The section Kotae について: which Kotae this is, how a newer one is had, what to hand on when something is wrong.

Asks no network and opens nothing: addresses are text that can be copied.
"""

from datetime import UTC, date, datetime
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import QLineEdit, QSizePolicy

from app.base import build_facts
from app.base.build_facts import BuildFacts
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask
from app.base.services.preferences import Preferences
from app.base.wording import describe_error
from app.shell import update_file
from app.shell.ui.report_opening import show_report
from app.shell.ui.settings.news import NewsWindow
from app.shell.ui.settings.sections import Section
from app.shell.ui.settings.update_file import how_to_install, update_file_dialog
from app.shell.update_file import UpdateFile
from app.uikit.language import full_date
from app.uikit.navigation import Navigation
from app.uikit.pickers import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.fact_list import FactList
from app.uikit.widgets.labels import Label
from app.uikit.widgets.setting_rows import SettingRow


class AboutSection(Section):
    def __init__(
        self,
        theme: Theme,
        preferences: Preferences,
        paths: Paths,
        title: str,
        navigation: Navigation,
        facts: BuildFacts | None = None,
        pickers: Pickers | None = None,
    ) -> None:
        """`facts` None: those of this program."""
        self.facts = facts or build_facts.read()
        self._navigation = navigation
        self._pickers = pickers or Pickers()
        self._task: LongTask | None = None
        super().__init__(theme, preferences, paths, title)

    def _fill(self) -> None:
        self._add_version()
        self.how = Label(self._how_to_update(), wraps=True)
        self.how.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.how.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._add(
            self.tr("新しい版を入れるには"),
            self.how,
            self.tr("Kotae は新しい版を自分では探しません。配布元や情報システム部門から受け取ってください。"),
            is_wide=True,
        )
        if self.facts.home:
            self._add_home()
        self.check_button = Button(self._theme, self.tr("ファイルを確かめる…"), icon="file-search")
        self.check_button.clicked.connect(self._choose_file)
        self._add(
            self.tr("新しい版のファイル"),
            self.check_button,
            self.tr(
                "壊れていないか、どの版かを調べます。USB メモリで受け取ったものも調べられます。入れることはしません。"
            ),
        )
        self._file_row: SettingRow = self._rows[-1]
        self.first_run_button = Button(self._theme, self.tr("はじめの案内をもう一度見る"))
        self.first_run_button.clicked.connect(self._navigation.first_run_requested)
        self._add(
            self.tr("はじめの案内"),
            self.first_run_button,
            self.tr("この PC でできることと、モデルの選び方を表示します。会話や設定は変わりません。"),
        )
        self._add_papers()

    def _add_version(self) -> None:
        self.version = FactList(self._theme)
        self.version.set_facts(
            (
                (self.tr("版"), f"Kotae {self.facts.version}"),
                (self.tr("版の日付"), self._day()),
                (self.tr("変更の番号"), self.facts.commit),
            )
        )
        self._add(
            self.tr("この版"), self.version, self.tr("問い合わせのときは、この内容をお伝えください。"), is_wide=True
        )
        if self.facts.is_old(_today()):
            years = self.facts.age_days(_today()) // build_facts.OLD_DAYS
            words = self.tr("▲ {n} 年以上前の版です。新しい版が出ているかもしれません。").format(n=years)
            self._rows[-1].show_note(words)

    def _add_home(self) -> None:
        self.home = QLineEdit(self.facts.home)
        self.home.setReadOnly(True)
        self.home.setCursorPosition(0)
        about = self.tr("コピーして、通信できる PC のブラウザーで開いてください。Kotae からは開きません。")
        self._add(self.tr("配布元のアドレス"), self.home, about, is_wide=True)

    def _add_papers(self) -> None:
        self.news_button = Button(self._theme, self.tr("新しくなったことを見る"))
        self.news_button.clicked.connect(lambda: NewsWindow(self._theme, self.window()).show())
        self._add(self.tr("この版の内容"), self.news_button, self.tr("この版で変わったことの短い一覧です。"))
        self.licences_button = Button(self._theme, self.tr("ライセンス…"), icon="file-text")
        self.licences_button.clicked.connect(self._show_licences)
        self._add(self.tr("ライセンス"), self.licences_button, self.tr("Kotae と、中で使っている部品の使用条件です。"))
        self.report_button = Button(self._theme, self.tr("報告用のファイルを作る…"))
        self.report_button.clicked.connect(lambda: show_report(self._theme, self._paths, self.window()))
        self._add(
            self.tr("困ったとき"),
            self.report_button,
            self.tr(
                "記録と設定を 1 つの文書にまとめます。保存する前に全部読めます。"
                "質問や資料の内容は入らず、送信もしません。"
            ),
        )

    def _day(self) -> str:
        return full_date(self.facts.built_on) if self.facts.built_on is not None else self.tr("開発版")

    def _how_to_update(self) -> str:
        if not self.facts.is_bundle:
            return self.tr("ソースのフォルダで、git pull のあとに python3 packaging/dev.py run を実行してください。")
        return how_to_install()

    # ------------------------------------------------------------------- slots

    def _choose_file(self) -> None:
        if self._task is not None:
            self._task.cancel()
            return
        start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
        kinds = f"Kotae ({' '.join(f'*{suffix}' for suffix in update_file.SUFFIXES)})"
        every = self.tr("すべてのファイル (*)")
        path = self._pickers.open(self, self.tr("新しい版のファイルを選ぶ"), start, f"{kinds};;{every}")
        if not path:
            return
        self.check_button.setText(self.tr("やめる"))
        self._task = background.run_long(
            lambda progress: update_file.look(Path(path), progress.report),
            self._on_looked, self._on_failed, self._on_progressed, self._end_look,
        )  # fmt: skip

    def _on_progressed(self, done: int, total: int) -> None:
        words = self.tr("調べています… {n} %").format(n=100 * done // total if total else 0)
        self._file_row.show_note(words)

    def _on_looked(self, found: UpdateFile) -> None:
        self._end_look()
        update_file_dialog(self._theme, found, self.window()).open()

    def _on_failed(self, error: AppError) -> None:
        self._end_look()
        self._file_row.show_note(f"▲ {describe_error(error)}")

    def _end_look(self) -> None:
        self._task = None
        self.check_button.setText(self.tr("ファイルを確かめる…"))
        self._file_row.show_note("")

    def _show_licences(self) -> None:
        from app.compliance.ui.licences_window import LicencesWindow

        LicencesWindow(self._theme, self.window()).show()


def _today() -> date:
    return datetime.now(UTC).date()
