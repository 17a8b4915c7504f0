"""Ask the user about downloads: consent before the first byte, the source, a token, and actions after a failure."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QLineEdit, QWidget

from app.base.addresses import host_of
from app.base.services import background
from app.base.services.background import LatestWork
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, format_size, phrase
from app.models import catalogue, download_queue
from app.models.catalogue import Catalogue, ModelCard, ModelFile
from app.models.download_queue import source_kind
from app.models.services.downloads import Download, Downloads
from app.models.services.hub_search import hub_address
from app.models.ui import model_actions
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.localization import with_note
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from app.uikit.undo import UndoableAction
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_box
from app.uikit.widgets.fields import line_field
from app.uikit.widgets.form_rows import CheckableList, PathRow
from app.uikit.widgets.labels import FactList, Label, plain_tooltip

WIDTH_PX = 560


class DownloadConsent(Dialog):
    """Shows licence, its terms and the source before a download.

    `chosen`: accept or cancel; accept requires the tick.
    """

    source_requested = Signal()  # the user wants another source

    def __init__(self, theme: Theme, card: ModelCard, file: ModelFile, source: str, parent: QWidget) -> None:
        """Build the dialog. `source`: the text that names the file's source."""
        self.licence_check = QCheckBox(phrase("models.i_have_read_the_licence"))
        self.share_check = QCheckBox(phrase("models.share_with_other_programs"))
        self.share_check.setToolTip(plain_tooltip(phrase("models.share_explained")))
        self.share_check.setVisible(bool(file.repository))
        self.licence_button = Button(theme, phrase("common.read_the_licence_in_full"), "link", "external-link")
        self.licence_button.setVisible(bool(card.licence_url))
        self.source_button = Button(theme, phrase("models.choose_a_source"), "link", "folder-input")
        self._reason = Label(phrase("models.tick_this_to_be_able"), "caption", "muted")
        size = format_size(file.size_bytes)
        super().__init__(
            theme,
            phrase("models.download_name", name=card.title),
            phrase(
                "models.file_size_it_can_be",
                file=file.quantization,
                size=size if file.verified else phrase("common.about_size", size=size),
            ),
            cancel_or("accept", phrase("models.accept_and_download")),
            parent,
            content=self._build_content(theme, card, source, parent),
            width_px=WIDTH_PX,
        )
        self.buttons["accept"].setEnabled(False)
        self.licence_check.toggled.connect(self._on_read)
        self.source_button.clicked.connect(self.reject)
        self.source_button.clicked.connect(self.source_requested)
        self.licence_check.setFocus()

    def _build_content(self, theme: Theme, card: ModelCard, source: str, parent: QWidget) -> QWidget:
        unstated = "models.see_where_it_is_published" if card.is_found else "models.nothing_in_particular"
        facts = FactList(theme)
        facts.set_facts(
            [
                (phrase("models.licence_2"), card.licence or phrase("models.licence_not_stated")),
                (phrase("models.what_it_asks"), card.licence_notice or phrase(unstated)),
                (phrase("models.source"), source),
            ]
        )
        facts.setContentsMargins(12, 8, 12, 8)
        terms = CheckableList(theme, phrase("models.licence_2"), parent)
        terms.add(facts)
        terms.fit(min(theme.px(WIDTH_PX), parent.width()))
        left = Qt.AlignmentFlag.AlignLeft
        links = (self.licence_button, 0, left), (self.source_button, 0, left)
        checks = self.licence_check, self._reason, self.share_check
        return make_box(terms, *links, *checks, margins_px=(0, 4, 0, 0), spacing_px=8)

    def _on_read(self, is_read: bool) -> None:
        self.buttons["accept"].setEnabled(is_read)
        self._reason.setText("" if is_read else phrase("models.tick_this_to_be_able"))


ADDRESS_MAX = 2000  # characters


class DownloadSourceDialog(Dialog):
    """Asks for the source of one download: a folder, a mirror, or the file's address.

    The dialog contacts no host. Only the last input counts: choosing a folder clears the address.
    """

    place_chosen = Signal(str)  # the argument `source` of `Downloads.start`

    def __init__(
        self,
        theme: Theme,
        file: ModelFile,
        parent: QWidget,
        *,
        is_network_allowed: bool,
        question: str = "",
    ) -> None:
        self._pickers = Pickers()
        self._names = download_queue.part_names(file.file.rpartition("/")[2])
        self._folder = ""
        self._has_file = False  # whether the file is in that folder
        self._looking = LatestWork()
        self.folder = PathRow(theme, phrase("models.folder_or_usb_stick"), "", can_clear=False)
        self.field = line_field(phrase("models.address"), ADDRESS_MAX, "https://…")
        self.field.setEnabled(is_network_allowed)
        self._about = phrase("models.a_mirror_in_your_company")
        if not is_network_allowed:
            self._about = phrase("models.traffic_is_not_allowed_it")
        self.list = CheckableList(theme, phrase("models.source"), parent)
        self.note = Label(self._about, "caption", "muted", wraps=True)
        super().__init__(
            theme,
            phrase("models.choose_a_source_2"),
            question or phrase("models.where_should_name_come_from", name=self._names[0]),
            cancel_or("next", phrase("common.next")),
            parent,
            content=self._build_content(),
            width_px=WIDTH_PX,
        )
        self.folder.choose_requested.connect(self._choose_folder)
        self.field.textEdited.connect(self._on_edited)
        self.chosen.connect(lambda key: self.place_chosen.emit(self.source) if key == "next" else None)
        self._refresh()
        self.folder.choose_button.setFocus()

    @property
    def source(self) -> str:
        """Return the chosen place; "" while there is no usable one."""
        if self._folder:
            return self._folder if self._has_file else ""
        address = self.field.text().strip()
        return address if address.startswith(("http://", "https://")) and host_of(address) else ""

    def use_folder(self, folder: str) -> None:
        """Check in the background whether the folder contains the file."""
        self.field.clear()
        self._folder, self._has_file = folder, False
        self.folder.show_path(folder)
        self.folder.show_note(phrase("common.checking"), "muted")
        wanted = Path(folder) / self._names[0]
        self._looking.run(wanted.is_file, self._on_folder_checked, lambda _error: None)
        self._refresh()

    # ------------------------------------------------------------------- private

    def _build_content(self) -> QWidget:
        title = Label(phrase("models.address"), strong=True)
        address = make_box(title, self.field, self.note, margins_px=(12, 8, 12, 8), spacing_px=4)
        for row in (self.folder, address):
            self.list.add(row)
        return self.list

    def _choose_folder(self) -> None:
        folder = self._pickers.folder(self, phrase("models.choose_the_folder_that_has"), self._folder)
        if folder:
            self.use_folder(folder)

    def _on_folder_checked(self, is_there: bool) -> None:
        self._has_file = is_there
        missing = phrase("models.this_folder_does_not_have", name=self._names[0])
        self.folder.show_note(
            phrase("models.the_file_is_there") if is_there else missing, "success" if is_there else "danger"
        )
        self._refresh()

    def _on_edited(self) -> None:
        if self._folder:
            self._folder = ""
            self._looking.drop()
            self.folder.show_path("")
            self.folder.show_note("", "muted")
        self._refresh()

    def _refresh(self) -> None:
        is_wrong = bool(self.field.text().strip()) and not self.source
        self.note.setText(phrase("models.enter_an_address_that_begins") if is_wrong else self._about)
        self.note.set_tone("danger" if is_wrong else "muted")
        self.buttons["next"].setEnabled(self.source != "")
        self.list.fit(self.width())
        self.fit_height()


TOKEN_MAX = 500  # characters


class TokenDialog(Dialog):
    """Asks for an access token, explains how to get one, and hides its characters."""

    token_given = Signal(str)
    store_requested = Signal(str)  # the token, which the user also wants to store

    def __init__(self, theme: Theme, repository: str, parent: QWidget, *, can_store: bool = False) -> None:
        """Build the dialog. `repository`: "owner/name" that demands a token; "": any.

        `can_store`: whether the system has a password store.
        """
        self.field = token_field()
        self.store = QCheckBox(phrase("models.keep_it_in_the_systems"))
        self.store.setVisible(can_store)
        page = f"https://huggingface.co/{repository}" if repository else phrase("models.the_models_page_at_its")
        steps = [
            phrase("models.1_open_page_in_a", page=page),
            phrase("models.2_on_the_site_make"),
            phrase("models.3_paste_the_text_that"),
        ]
        super().__init__(
            theme,
            phrase("models.enter_an_access_token"),
            phrase("models.some_models_are_given_only"),
            cancel_or("use", phrase("common.use")),
            parent,
            content=self._build_content(steps),
            width_px=WIDTH_PX,
        )
        self.field.textChanged.connect(self._on_changed)
        self.chosen.connect(self._on_chosen)
        self._on_changed()
        self.field.setFocus()

    def _build_content(self, steps: list[str]) -> QWidget:
        labels = [Label(step, wraps=True) for step in steps]
        for label in labels:
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        kept = Label(phrase("models.unless_you_keep_it_it"), "caption", "muted", wraps=True)
        return make_box(*labels, self.field, self.store, kept, spacing_px=8)

    def _on_changed(self) -> None:
        self.buttons["use"].setEnabled(bool(self.field.text().strip()))

    def _on_chosen(self, key: str) -> None:
        if key == "use":
            token = self.field.text().strip()
            self.token_given.emit(token)
            if self.store.isChecked():
                self.store_requested.emit(token)
        self.field.clear()


def token_field() -> QLineEdit:
    """Return an input field that shows dots, so that input methods do not learn its text."""
    field = line_field(phrase("common.access_token"), TOKEN_MAX, "hf_…")
    field.setEchoMode(QLineEdit.EchoMode.Password)
    return field


# Error code -> the action that is offered besides another attempt.
_REMEDIES = {
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


class DownloadController(QObject):
    """Asks the user about downloads, for the page モデル and the first run, and starts them in the service."""

    catalogue_changed = Signal(object)  # Catalogue
    catalogue_refused = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        downloads: Downloads,
        preferences: Preferences,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._navigation = navigation
        self._preferences = preferences
        self.downloads = downloads
        self._edition_folder: tempfile.TemporaryDirectory[str] | None = None  # kept until the next edition or the end
        downloads.catalogue.found.connect(self._on_edition_fetched)
        downloads.catalogue.failed.connect(self.catalogue_refused)

    @property
    def is_allowed(self) -> bool:
        return self._preferences.value.network_allowed

    def offer(self, card: ModelCard, file: ModelFile, parent: QWidget, source: str = "") -> DownloadConsent:
        """Ask for consent; the download starts when the user agrees. `source` as in `Downloads.start`."""
        dialog = DownloadConsent(self._theme, card, file, self._source(file, source), parent)
        dialog.licence_button.clicked.connect(
            lambda: model_actions.licence_dialog(self._theme, card.licence_url, dialog).open()
        )
        dialog.source_requested.connect(lambda: self.ask_source(card, file, parent))
        share = dialog.share_check.isChecked
        start = functools.partial(self.downloads.start, card, file, source)
        dialog.chosen.connect(lambda key: start(is_shared=share()) if key == "accept" else None)
        dialog.open()
        return dialog

    def ask_source(self, card: ModelCard, file: ModelFile, parent: QWidget) -> DownloadSourceDialog:
        """Ask for the source, then for consent to the download."""
        dialog = DownloadSourceDialog(self._theme, file, parent, is_network_allowed=self.is_allowed)
        dialog.place_chosen.connect(lambda place: self.offer(card, file, parent, place))
        dialog.open()
        return dialog

    def _source(self, file: ModelFile, source: str) -> str:
        """Return the text that names the source."""
        kind, host = source_kind(source), host_of(source or hub_address(self._preferences.value))
        return with_note(file.repository, host) if kind == "hub" else host or source

    def update_catalogue(self, parent: QWidget) -> DownloadSourceDialog:
        """Ask where a newer edition of the catalogue is, and bring it in from there."""
        edition = ModelFile("", 1, file=catalogue.FILE)
        ask = phrase("models.where_is_the_catalogue")
        dialog = DownloadSourceDialog(self._theme, edition, parent, is_network_allowed=self.is_allowed, question=ask)
        dialog.place_chosen.connect(self._on_edition_chosen)
        dialog.open()
        return dialog

    def _on_edition_chosen(self, place: str) -> None:
        if download_queue.is_online(place):
            self._edition_folder = tempfile.TemporaryDirectory()
            self.downloads.catalogue.fetch(catalogue.edition_addresses(place), Path(self._edition_folder.name))
        else:
            self._run_edition(lambda: catalogue.bring_in_edition(Path(place)))

    def _on_edition_fetched(self, file: Path) -> None:
        self._run_edition(lambda: catalogue.bring_in_edition(file))

    def go_back_to_own_catalogue(self) -> None:
        self._run_edition(catalogue.drop_edition)

    def _run_edition(self, change: Callable[[], Catalogue]) -> None:
        background.run(change, self.catalogue_changed.emit, self.catalogue_refused.emit)

    def find(self, download_id: str) -> Download | None:
        return next((item for item in self.downloads.items() if item.id == download_id), None)

    def cancel(self, download_id: str) -> None:
        """Cancel the download, offering an undo; received bytes stay until the next cancellation."""
        item = self.find(download_id)
        if item is None:
            return
        self.downloads.discard_cancelled()
        self.downloads.cancel(download_id)
        action = UndoableAction(
            done=phrase("models.the_download_of_title_was", title=item.title),
            undone=phrase("models.the_download_of_title_is", title=item.title),
            undo=lambda: self.downloads.undo_cancel(download_id),
            redo=lambda: self.cancel(download_id),
        )
        self._navigation.undo_offered.emit(action)

    def actions(self, download: Download) -> tuple[tuple[str, str], ...]:
        """Return the actions (key, text) of a failure's banner: the remedy, if there is one, then another attempt."""
        words = {
            "token": phrase("common.enter_a_token"),
            "folder": phrase("models.change_folder"),
            "network": phrase("models.network_settings"),
            "source": phrase("models.choose_a_source"),
        }
        remedy = _REMEDIES.get(download.problem.code, "") if download.problem else ""
        again = (f"again:{download.id}", phrase("models.try_again"))
        return ((f"{remedy}:{download.id}", words[remedy]), again) if remedy else (again,)

    def next_step(self, download: Download) -> str:
        """Return the text of the banner's next step, worded for its buttons."""
        assert download.problem is not None
        facts = download.problem.facts
        if download.problem.code == "download_gated":
            return phrase("models.open_page_sign_in_and", page=facts.get("page", facts.get("repository", "")))
        if download.problem.code == "download_proxy":
            return phrase("models.enter_the_proxys_user_name")
        return describe_error(download.problem).next

    def act(self, key: str, parent: QWidget) -> None:
        """Run the action `key` of a failure's banner (see `actions`)."""
        remedy, _, download_id = key.partition(":")
        if remedy == "again":
            self.downloads.resume(download_id)
        elif remedy == "token":
            self.ask_token(download_id, parent)
        elif remedy == "source":
            self._ask_other_source(download_id, parent)
        elif remedy in ("folder", "network"):
            self._navigation.settings_requested.emit("models" if remedy == "folder" else "network")

    def ask_token(self, download_id: str, parent: QWidget) -> TokenDialog:
        """Ask for the token that the repository demands; the download resumes with it."""
        item = self.find(download_id)
        repository = str(item.problem.facts.get("repository", "")) if item and item.problem else ""
        dialog = TokenDialog(self._theme, repository, parent)
        dialog.token_given.connect(lambda token: self.downloads.sign_in(download_id, token))
        dialog.open()
        return dialog

    def _ask_other_source(self, download_id: str, parent: QWidget) -> None:
        item = self.find(download_id)
        card = catalogue.card(item.card_id) if item else None
        file = card.file_of(item.quantization) if card and item else None
        if card is not None and file is not None:
            self.ask_source(card, file, parent)
