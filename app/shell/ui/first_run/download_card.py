"""Step 2 of the first run, where the network is allowed: the model that suits this machine, to be downloaded."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.base.settings import Settings
from app.base.wording import current_language, describe_error, phrase
from app.models import catalogue, model_fit, model_sizes
from app.models.catalogue import ModelCard, ModelFile
from app.models.services.downloads import Download
from app.models.ui import words
from app.models.ui.download_desk import DownloadDesk
from app.models.ui.download_row import DownloadRow
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import Label


class DownloadCard(QFrame):
    """What is being downloaded goes on when the dialog is closed."""

    def __init__(self, theme: Theme, desk: DownloadDesk, card: ModelCard, file: ModelFile) -> None:
        super().__init__()
        self._desk = desk
        self._card = card
        self._file = file
        self.setProperty("surface", "card")
        size = words.gigabytes(file.size_bytes)
        self.button = Button(theme, phrase("common.download_size", size=size), icon="download")
        self.kit_button = Button(theme, phrase("common.import_a_kit"), icon="hard-drive")
        self.row = DownloadRow(theme)
        self.banner = Banner(theme, can_close=False)
        self._offline = Label(phrase("shell.network_access_is_off_add"), tone="text2", wraps=True)
        self._goes_on = Label(phrase("shell.the_download_goes_on_when"), "caption", "muted", wraps=True)
        self._build()
        self._connect()
        self._refresh()

    def _build(self) -> None:
        inside = QVBoxLayout(self)
        inside.setContentsMargins(16, 12, 16, 12)
        inside.setSpacing(6)
        title = join_facts(self._card.title, words.gigabytes(self._file.size_bytes))
        inside.addWidget(Label(title, strong=True, wraps=True))
        suits = phrase("shell.it_suits_this_pc")
        text = " ".join((self._card.summary, suits)) if current_language() == "en" else self._card.summary + suits
        inside.addWidget(Label(text, tone="text2", wraps=True))
        licence = phrase("shell.terms_of_use_name", name=self._card.licence)
        inside.addWidget(Label(licence, "caption", "text2", wraps=True))
        widgets: tuple[QWidget, ...] = (self._offline, self.banner, self.row, self._goes_on)
        for widget in widgets:
            inside.addWidget(widget)
        for button in (self.button, self.kit_button):
            inside.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)

    def _connect(self) -> None:
        downloads = self._desk.downloads
        self.button.clicked.connect(lambda: self._desk.offer(self._card, self._file, self.window()))
        self.row.pause_requested.connect(downloads.pause)
        self.row.resume_requested.connect(downloads.resume)
        self.row.cancel_requested.connect(downloads.cancel)  # what was received is deleted when Kotae is closed
        self.banner.action_requested.connect(lambda key: self._desk.act(key, self.window()))
        downloads.changed.connect(self._refresh)
        downloads.progressed.connect(self._refresh)

    def _refresh(self, _item: Download | None = None) -> None:
        item = self._desk.downloads.find(self._card.id, self._file.quantization)
        is_allowed = self._desk.is_allowed
        self._offline.setVisible(item is None and not is_allowed)
        self.kit_button.setVisible(item is None and not is_allowed)
        self.button.setVisible(item is None and is_allowed)
        self.row.setVisible(item is not None)
        self._goes_on.setVisible(item is not None and item.state != "failed")
        if item is not None:
            self.row.show_download(item)
        if item is None or item.state != "failed" or item.problem is None:
            self.banner.hide()
        elif self.banner.isHidden():
            sentence = describe_error(item.problem)
            self.banner.show_message("danger", sentence.message, self._desk.next_step(item), self._desk.actions(item))


def suggestion(available_bytes: int, settings: Settings) -> tuple[ModelCard, ModelFile] | None:
    """The first of the catalogue of the size that fits; None where none can be downloaded."""
    best = model_sizes.recommended(model_sizes.fits(available_bytes, settings.context_tokens, settings.kv_type))
    found = [(card, file) for card in catalogue.load().cards if (file := _file(card)) is not None]
    right = [(card, file) for card, file in found if best is not None and card.size_label == best.name]
    smaller = [(card, file) for card, file in found if best is not None and file.size_bytes <= best.file_bytes]
    if right:
        return right[0]
    return max(smaller, key=lambda pair: pair[1].size_bytes, default=None)


def _file(card: ModelCard) -> ModelFile | None:
    if card.kind != "chat" or card.is_trial:
        return None
    file = model_fit.usual_file(card)
    return file if file is not None and file.repository else None
