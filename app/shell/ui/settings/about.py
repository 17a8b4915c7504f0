"""Show the section Kotae について: version, how to install a newer one, licences and reports."""

import sys

from app.base import diagnostics
from app.base.diagnostics import BuildFacts
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.shell.ui.help_windows import show_report
from app.shell.ui.settings.sections import SettingsSection
from app.uikit.localization import format_date
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import FactList, Label


def how_to_install() -> str:
    """Return how to install a newer version by hand on this platform."""
    if sys.platform == "linux":
        archive = "kotae-X.Y.Z-linux-x86_64.tar.zst"
        command = f"tar -xf {archive} && sh {archive.removesuffix('.tar.zst')}/install.sh"
        return "\n".join((
            phrase("shell.close_kotae_and_run_this", command=command),
            phrase("shell.for_a_deb_sudo_apt"),
            phrase("shell.conversations_settings_and_models_are"),
        ))  # fmt: skip
    if sys.platform == "darwin":
        return phrase("shell.close_kotae_open_the_disk")
    return phrase("shell.close_kotae_open_the_file")


class AboutSection(SettingsSection):
    def __init__(
        self,
        theme: Theme,
        preferences: Preferences,
        paths: Paths,
        title: str,
        navigation: NavigationSignals,
        facts: BuildFacts | None = None,
    ) -> None:
        """Build the section. `facts` None: those of this program."""
        self.facts = facts or diagnostics.read_build_facts()
        self._navigation = navigation
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
        self.first_run_button = Button(self._theme, phrase("shell.show_the_introduction_again"))
        self.first_run_button.clicked.connect(self._navigation.first_run_requested)
        self._add(
            phrase("shell.introduction"),
            self.first_run_button,
            phrase("shell.shows_what_this_pc_can"),
        )
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

    # ------------------------------------------------------------------- slots

    def _show_licences(self) -> None:
        from app.compliance.ui.licences_window import LicencesWindow

        LicencesWindow(self._theme, self.window()).show()
