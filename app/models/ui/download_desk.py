"""What is asked of the user around downloads: consent before the first byte, a token, the way on after a failure."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.base.addresses import host_of
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.models import catalogue
from app.models.catalogue import ModelCard, ModelFile
from app.models.download_queue import kind_of
from app.models.services.downloads import Download, Downloads
from app.models.services.reach import hub
from app.models.ui import questions
from app.models.ui.consent import DownloadConsent
from app.models.ui.source_dialog import SourceDialog
from app.models.ui.token_dialog import TokenDialog
from app.uikit.dialogs import Dialog
from app.uikit.localization import with_note
from app.uikit.page import Navigation
from app.uikit.theme import Theme

# What a person can do about it, beside trying again.
_WAYS = {
    "download_gated": "token",
    "download_disk_full": "folder",
    "download_unwritable": "folder",
    "drive_space": "folder",
    "drive_file_limit": "folder",
    "download_proxy": "network",
    "download_bad_proxy": "network",
    "download_unreachable": "network",
    "download_no_hub": "network",
    "download_bad_address": "network",
    "network_forbidden": "network",
    "download_bad_token": "token",
    "download_other_model": "source",
    "download_no_model": "source",
    "download_other_file": "source",
    "download_not_found": "source",
    "download_no_folder": "source",
    "download_not_in_folder": "source",
}


class DownloadDesk(QObject):
    """Ask the user about downloads, for the page モデル and the first run, and start them in the service."""

    def __init__(
        self, theme: Theme, navigation: Navigation, downloads: Downloads, preferences: Preferences, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._navigation = navigation
        self._preferences = preferences
        self.downloads = downloads

    @property
    def is_allowed(self) -> bool:
        return self._preferences.value.network_allowed

    def offer(self, card: ModelCard, file: ModelFile, parent: QWidget, place: str = "") -> DownloadConsent:
        """Starts when the user has agreed. `place` as in `Downloads.start`."""
        dialog = DownloadConsent(self._theme, card, file, self._source(file, place), parent)
        dialog.licence_button.clicked.connect(lambda: self._open_licence(card.licence_url, dialog))
        dialog.source_requested.connect(lambda: self.ask_source(card, file, parent))
        dialog.chosen.connect(lambda key: self.downloads.start(card, file, place) if key == "accept" else None)
        dialog.open()
        return dialog

    def ask_source(self, card: ModelCard, file: ModelFile, parent: QWidget) -> SourceDialog:
        """Where it is to come from; then, as always, whether."""
        dialog = SourceDialog(self._theme, file, parent, is_network_allowed=self.is_allowed)
        dialog.place_chosen.connect(lambda place: self.offer(card, file, parent, place))
        dialog.open()
        return dialog

    def _source(self, file: ModelFile, place: str) -> str:
        """In words."""
        kind, host = kind_of(place), host_of(place or hub(self._preferences.value))
        return with_note(file.repository, host) if kind == "hub" else host or place

    def find(self, download_id: str) -> Download | None:
        return next((item for item in self.downloads.items() if item.id == download_id), None)

    def cancel(self, download_id: str) -> None:
        """What was received is kept as long as it can be taken back."""
        item = self.find(download_id)
        if item is None:
            return
        self.downloads.discard_cancelled()
        self.downloads.cancel(download_id)
        words = phrase("models.the_download_of_title_was", title=item.title)
        self._navigation.undo_offered.emit(words, lambda: self.downloads.undo_cancel(download_id))

    def actions(self, download: Download) -> tuple[tuple[str, str], ...]:
        """Of the banner that explains a failure: the way out, then another try."""
        words = {
            "token": phrase("common.enter_a_token"),
            "folder": phrase("models.change_folder"),
            "network": phrase("models.network_settings"),
            "source": phrase("models.choose_a_source"),
        }
        way = _WAYS.get(download.problem.code, "") if download.problem else ""
        again = (f"again:{download.id}", phrase("models.try_again"))
        return ((f"{way}:{download.id}", words[way]), again) if way else (again,)

    def next_step(self, download: Download) -> str:
        """As the banner says it, with its buttons in mind."""
        assert download.problem is not None
        facts = download.problem.facts
        if download.problem.code == "download_gated":
            words = phrase("models.open_page_sign_in_and")
            return words.format(page=facts.get("page", facts.get("repository", "")))
        if download.problem.code == "download_proxy":
            return phrase("models.enter_the_proxys_user_name")
        return describe_error(download.problem).next

    def act(self, key: str, parent: QWidget) -> None:
        """A button of that banner was pressed."""
        way, _, download_id = key.partition(":")
        if way == "again":
            self.downloads.resume(download_id)
        elif way == "token":
            self.ask_token(download_id, parent)
        elif way == "source":
            self._ask_other_source(download_id, parent)
        elif way in ("folder", "network"):
            self._navigation.settings_requested.emit("models" if way == "folder" else "network")

    def ask_token(self, download_id: str, parent: QWidget) -> TokenDialog:
        """For a repository that wants to know who asks; the download goes on with it."""
        item = self.find(download_id)
        repository = str(item.problem.facts.get("repository", "")) if item and item.problem else ""
        dialog = TokenDialog(self._theme, repository, parent)
        dialog.token_given.connect(lambda token: self.downloads.sign_in(download_id, token))
        dialog.open()
        return dialog

    def _ask_other_source(self, download_id: str, parent: QWidget) -> None:
        item = self.find(download_id)
        card = catalogue.load().card(item.card_id) if item else None
        file = card.file_of(item.quantization) if card and item else None
        if card is not None and file is not None:
            self.ask_source(card, file, parent)

    def _open_licence(self, url: str, parent: QWidget) -> Dialog:
        dialog = questions.licence_dialog(self._theme, url, parent)
        dialog.open()
        return dialog
