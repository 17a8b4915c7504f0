"""Show the section Kotae について: version, newer ones by a checked file, reports; addresses are text to copy."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app import __version__
from app.base import diagnostics
from app.base.diagnostics import BuildFacts
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.background import LongTask
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase, shell_word
from app.inference import engine_packs
from app.shell import update_file
from app.shell.ui.help_windows import NewsWindow, show_report
from app.shell.ui.settings.sections import SettingsSection
from app.shell.update_file import UpdateFile
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.localization import format_date, make_breakable
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.form_rows import SettingRow
from app.uikit.widgets.labels import FactList, Label

WIDTH_PX = 620


class UpdateFacts(QWidget):
    """Shows the facts about an update file, and compares its checksum with a pasted one of the publisher."""

    judged = Signal()

    def __init__(self, theme: Theme, file: UpdateFile) -> None:
        super().__init__()
        self._update_file = file
        facts = FactList(theme)
        sums = (
            (phrase("shell.sha_256"), _in_pieces(file.sha256)),
            (phrase("shell.in_the_list"), _in_pieces(file.listed_sha256)),
        )
        version = file.version or phrase("shell.the_name_does_not_tell")
        versions = ((phrase("common.version"), version), (phrase("shell.this_version_2"), __version__))
        facts.set_facts(sums if file.add_on else (*versions, *sums))
        self.verdict = Label(wraps=True, strong=True)
        self.checksum_field = QLineEdit()
        self.checksum_field.setAccessibleName(phrase("shell.the_sha_256_that_the"))
        self.checksum_field.setPlaceholderText(phrase("shell.paste_the_sha_256_that"))
        self.checksum_field.setVisible(_needs_checksum(file))
        instructions = _how_to_import(file.add_on) if file.add_on else how_to_install(file)
        self.instructions = Label(instructions, tone="text2", wraps=True, selectable=True)
        make_column(facts, self.checksum_field, self.verdict, self.instructions, into=self, spacing_px=8)
        self.checksum_field.textChanged.connect(self._judge)
        self._judge()

    def _judge(self) -> None:
        pasted = self.checksum_field.text()
        is_same, is_whole = self._update_file.matches_checksum(pasted), self._update_file.matches_listed_checksum
        if self._update_file.is_empty:
            is_same, tone = False, "danger"
            words = phrase("shell.the_file_is_empty_0")
        elif is_same is None and is_whole is False:
            is_same, tone = False, "danger"
            words = phrase("shell.it_differs_from_the_list")
        elif is_same is None and self._update_file.add_on:
            words, tone = phrase("shell.kotae_checks_whether_it_is"), "text2"
        elif is_same is None and pasted.strip():
            words = phrase("shell.the_pasted_text_holds_no")
            tone = "warning"
        elif is_same is None and is_whole:
            words = phrase("shell.it_matches_the_list_in")
            tone = "warning"
        elif is_same is None:
            words = phrase("shell.there_is_nothing_to_compare")
            tone = "warning"
        elif is_same:
            words, tone = phrase("shell.the_same_as_the_publishers"), "success"
        else:
            words, tone = phrase("shell.not_the_publishers_do_not"), "danger"
        self.verdict.setText(words)
        self.verdict.set_tone(tone)
        # The instructions of an unverified file are hidden, because it must not be installed.
        self.instructions.setVisible(bool(is_same) or (is_same is None and bool(self._update_file.add_on)))
        layout = self.layout()
        assert layout is not None
        layout.invalidate()
        self.judged.emit()


def update_file_dialog(theme: Theme, file: UpdateFile, parent: QWidget) -> Dialog:
    facts = UpdateFacts(theme, file)
    needs_checksum = _needs_checksum(file)
    dialog = Dialog(
        theme,
        phrase("shell.check_of_the_file_you"),
        f"{make_breakable(str(file.path))}\n{_describe_file(file)}",
        (DialogButton("cancel", phrase("common.close"), is_default=not needs_checksum),),
        parent,
        icon=("file-search", "text2"),
        content=facts,
        width_px=WIDTH_PX,
    )
    if needs_checksum:
        # So that Enter after pasting does not close the dialog before the user reads the result.
        facts.checksum_field.setFocus()
        facts.judged.connect(dialog.fit_height)
    return dialog


def _needs_checksum(file: UpdateFile) -> bool:
    """Return whether the user should paste a checksum from the publisher."""
    return not (file.add_on or file.is_empty)


def _describe_file(file: UpdateFile) -> str:
    if file.add_on == "engine_pack":
        return phrase("shell.not_a_new_version_of")
    if file.add_on == "model_kit":
        return phrase("shell.not_a_new_version_of_kotae_but")
    if file.add_on == "training_kit":
        return phrase("shell.not_a_new_version_of_kotae_but_a_file")
    if not file.version:
        return phrase("shell.its_name_does_not_tell")
    if file.is_newer:
        return phrase("shell.it_is_newer_than_this")
    if file.is_running_version:
        return phrase("shell.it_is_the_same_version")
    return phrase("shell.older_than_this_version")


def _how_to_import(add_on: str) -> str:
    """Return how to import an add-on. `add_on`: engine_pack | model_kit | training_kit."""
    if add_on == "engine_pack" and not engine_packs.known_packs():
        return phrase("shell.this_kotae_takes_no_parts")
    if add_on == "engine_pack":
        return phrase("shell.open_settings_models_and_storage")
    if add_on == "model_kit":
        return phrase("shell.open_models_transfer_kit_import")
    return phrase("shell.open_settings_training_make_it")


def how_to_install(file: UpdateFile | None = None) -> str:
    """Return how to install by hand on this platform, with the name of the file `file`; None: a placeholder."""
    name = file.path.name if file is not None else ""
    if sys.platform == "linux" and not (name and not name.endswith((".tar.zst", ".deb"))):
        return _on_linux(name)
    if sys.platform == "darwin":
        return phrase("shell.close_kotae_open_the_disk")
    return phrase("shell.close_kotae_open_the_file")


def _on_linux(name: str) -> str:
    """Return the steps for Linux. `name` is the file's name; "" for a placeholder."""
    deb = f"sudo apt install ./{shell_word(name)}"
    archive = shell_word(name or "kotae-X.Y.Z-linux-x86_64.tar.zst")
    unpacked = f"tar -xf {archive} && sh {archive.removesuffix('.tar.zst')}/install.sh"
    steps = phrase("shell.close_kotae_and_run_this")
    kept = phrase("shell.conversations_settings_and_models_are")
    lines = [steps.format(command=deb if name.endswith(".deb") else unpacked), kept]
    if not name:
        lines.insert(1, phrase("shell.for_a_deb_sudo_apt"))
    return "\n".join(lines)


def _in_pieces(digest: str) -> str:
    """Return a digest in groups of 16 digits, so that lines can break within it."""
    return " ".join(digest[at : at + 16] for at in range(0, len(digest), 16))


class AboutSection(SettingsSection):
    def __init__(
        self,
        theme: Theme,
        preferences: Preferences,
        paths: Paths,
        title: str,
        navigation: NavigationSignals,
        facts: BuildFacts | None = None,
        pickers: Pickers | None = None,
    ) -> None:
        """Build the section. `facts` None: those of this program."""
        self.facts = facts or diagnostics.read_build_facts()
        self._navigation = navigation
        self._pickers = pickers or Pickers()
        self._task: LongTask | None = None
        super().__init__(theme, preferences, paths, title)

    def _fill(self) -> None:
        self._add_version()
        words = how_to_install() if self.facts.is_bundle else phrase("shell.in_the_folder_of_the")
        self.instructions = Label(words, wraps=True, selectable=True, shrinks=True)
        self._add(
            phrase("shell.installing_a_newer_version"),
            self.instructions,
            phrase("shell.kotae_never_looks_for_newer"),
            is_wide=True,
        )
        if self.facts.home:
            self.publisher_address = QLineEdit(self.facts.home)
            self.publisher_address.setReadOnly(True)
            self.publisher_address.setCursorPosition(0)
            about = phrase("shell.copy_it_and_open_it")
            self._add(phrase("shell.address_of_the_publisher"), self.publisher_address, about, is_wide=True)
        self.check_button = Button(self._theme, phrase("shell.check_a_file"), icon="file-search")
        self.check_button.clicked.connect(self._choose_file)
        self._add(
            phrase("shell.file_with_a_newer_version"), self.check_button, phrase("shell.tells_whether_it_is_whole")
        )
        self._file_row: SettingRow = self._rows[-1]
        self.first_run_button = Button(self._theme, phrase("shell.show_the_introduction_again"))
        self.first_run_button.clicked.connect(self._navigation.first_run_requested)
        self._add(phrase("shell.introduction"), self.first_run_button, phrase("shell.shows_what_this_pc_can"))
        self.news_button = Button(self._theme, phrase("shell.see_what_is_new"))
        self.news_button.clicked.connect(lambda: NewsWindow(self._theme, self.window()).show())
        self._add(phrase("shell.in_this_version"), self.news_button, phrase("shell.a_short_list_of_what"))
        self.licences_button = Button(self._theme, phrase("shell.licences"), icon="file-text")
        self.licences_button.clicked.connect(self._show_licences)
        self._add(phrase("common.licences"), self.licences_button, phrase("shell.the_terms_of_kotae_and"))
        self.report_button = Button(self._theme, phrase("shell.make_a_problem_report"))
        self.report_button.clicked.connect(lambda: show_report(self._theme, self._paths, self.window()))
        self._add(
            phrase("shell.when_something_is_wrong"), self.report_button, phrase("shell.puts_logs_and_settings_into")
        )

    def _add_version(self) -> None:
        self.version = FactList(self._theme)
        self.version.set_facts(
            (
                (phrase("common.version"), f"Kotae {self.facts.version}"),
                (
                    phrase("shell.built_on"),
                    format_date(self.facts.built_on)
                    if self.facts.built_on is not None
                    else phrase("shell.from_source"),
                ),
                (phrase("shell.commit"), self.facts.commit),
            )
        )
        self._add(phrase("shell.this_version"), self.version, phrase("shell.mention_this_when_you_ask"), is_wide=True)
        if self.facts.is_old(_today()):
            years = self.facts.age_days(_today()) // diagnostics.OLD_DAYS
            words = phrase("shell.this_version_is_n_or", n=years)
            self._rows[-1].show_note(words)

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
            lambda progress: update_file.inspect_update_file(Path(path), progress.report),
            self._on_checked, self._on_failed, self._on_progressed, self._end_check,
        )  # fmt: skip

    def _on_progressed(self, done: int, total: int) -> None:
        self._file_row.show_note(phrase("shell.checking_n", n=100 * done // total if total else 0))

    def _on_checked(self, file: UpdateFile) -> None:
        self._end_check()
        update_file_dialog(self._theme, file, self.window()).open()

    def _on_failed(self, error: AppError) -> None:
        self._end_check()
        self._file_row.show_note(f"▲ {describe_error(error)}")

    def _end_check(self) -> None:
        self._task = None
        self.check_button.setText(phrase("shell.check_a_file"))
        self._file_row.show_note("")

    def _show_licences(self) -> None:
        from app.compliance.ui.licences_window import LicencesWindow

        LicencesWindow(self._theme, self.window()).show()


def _today() -> date:
    return datetime.now(UTC).date()
