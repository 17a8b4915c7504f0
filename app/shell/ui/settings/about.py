"""The section Kotae について: which Kotae this is, how a newer one is had, what to hand on when something is wrong.

Asks no network and opens nothing: addresses are text that can be copied.
"""

from datetime import UTC, date, datetime
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import QLineEdit, QSizePolicy

from app.base import diagnostics
from app.base.diagnostics import BuildFacts
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.shell import update_file
from app.shell.ui.report_opening import show_report
from app.shell.ui.settings.news import NewsWindow
from app.shell.ui.settings.sections import Section
from app.shell.ui.settings.update_file import how_to_install, update_file_dialog
from app.shell.update_file import UpdateFile
from app.uikit.desktop import Pickers
from app.uikit.localization import format_date
from app.uikit.page import Navigation
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.form_rows import SettingRow
from app.uikit.widgets.labels import FactList, Label


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
        self.facts = facts or diagnostics.read_build_facts()
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
            phrase("shell.installing_a_newer_version"),
            self.how,
            phrase("shell.kotae_never_looks_for_newer"),
            is_wide=True,
        )
        if self.facts.home:
            self._add_home()
        self.check_button = Button(self._theme, phrase("shell.check_a_file"), icon="file-search")
        self.check_button.clicked.connect(self._choose_file)
        self._add(
            phrase("shell.file_with_a_newer_version"),
            self.check_button,
            phrase("shell.tells_whether_it_is_whole"),
        )
        self._file_row: SettingRow = self._rows[-1]
        self.first_run_button = Button(self._theme, phrase("shell.show_the_introduction_again"))
        self.first_run_button.clicked.connect(self._navigation.first_run_requested)
        self._add(
            phrase("shell.introduction"),
            self.first_run_button,
            phrase("shell.shows_what_this_pc_can"),
        )
        self._add_papers()

    def _add_version(self) -> None:
        self.version = FactList(self._theme)
        self.version.set_facts(
            (
                (phrase("common.version"), f"Kotae {self.facts.version}"),
                (phrase("shell.built_on"), self._day()),
                (phrase("shell.commit"), self.facts.commit),
            )
        )
        self._add(phrase("shell.this_version"), self.version, phrase("shell.mention_this_when_you_ask"), is_wide=True)
        if self.facts.is_old(_today()):
            years = self.facts.age_days(_today()) // diagnostics.OLD_DAYS
            words = phrase("shell.this_version_is_n_or", n=years)
            self._rows[-1].show_note(words)

    def _add_home(self) -> None:
        self.home = QLineEdit(self.facts.home)
        self.home.setReadOnly(True)
        self.home.setCursorPosition(0)
        about = phrase("shell.copy_it_and_open_it")
        self._add(phrase("shell.address_of_the_publisher"), self.home, about, is_wide=True)

    def _add_papers(self) -> None:
        self.news_button = Button(self._theme, phrase("shell.see_what_is_new"))
        self.news_button.clicked.connect(lambda: NewsWindow(self._theme, self.window()).show())
        self._add(phrase("shell.in_this_version"), self.news_button, phrase("shell.a_short_list_of_what"))
        self.licences_button = Button(self._theme, phrase("shell.licences"), icon="file-text")
        self.licences_button.clicked.connect(self._show_licences)
        self._add(phrase("common.licences"), self.licences_button, phrase("shell.the_terms_of_kotae_and"))
        self.report_button = Button(self._theme, phrase("shell.make_a_problem_report"))
        self.report_button.clicked.connect(lambda: show_report(self._theme, self._paths, self.window()))
        self._add(
            phrase("shell.when_something_is_wrong"),
            self.report_button,
            phrase("shell.puts_logs_and_settings_into"),
        )

    def _day(self) -> str:
        return format_date(self.facts.built_on) if self.facts.built_on is not None else phrase("shell.from_source")

    def _how_to_update(self) -> str:
        if not self.facts.is_bundle:
            return phrase("shell.in_the_folder_of_the")
        return how_to_install()

    # ------------------------------------------------------------------- slots

    def _choose_file(self) -> None:
        if self._task is not None:
            self._task.cancel()
            return
        start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
        kinds = f"Kotae ({' '.join(f'*{suffix}' for suffix in update_file.SUFFIXES)})"
        every = phrase("shell.all_files")
        path = self._pickers.open(self, phrase("shell.choose_the_file_with_a"), start, f"{kinds};;{every}")
        if not path:
            return
        self.check_button.setText(phrase("shell.stop"))
        self._task = background.run_long(
            lambda progress: update_file.look(Path(path), progress.report),
            self._on_looked, self._on_failed, self._on_progressed, self._end_look,
        )  # fmt: skip

    def _on_progressed(self, done: int, total: int) -> None:
        words = phrase("shell.checking_n", n=100 * done // total if total else 0)
        self._file_row.show_note(words)

    def _on_looked(self, found: UpdateFile) -> None:
        self._end_look()
        update_file_dialog(self._theme, found, self.window()).open()

    def _on_failed(self, error: AppError) -> None:
        self._end_look()
        self._file_row.show_note(f"▲ {describe_error(error)}")

    def _end_look(self) -> None:
        self._task = None
        self.check_button.setText(phrase("shell.check_a_file"))
        self._file_row.show_note("")

    def _show_licences(self) -> None:
        from app.compliance.ui.licences_window import LicencesWindow

        LicencesWindow(self._theme, self.window()).show()


def _today() -> date:
    return datetime.now(UTC).date()
