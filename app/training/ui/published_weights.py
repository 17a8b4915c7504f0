"""Offer the publisher's weights beside a GGUF file as the base, say what each costs, and fetch them when asked."""

import re
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from app.base.errors import AppError
from app.base.wording import format_size, phrase
from app.inference.local_model import LocalModel
from app.models import base_models, catalogue, hf_folders, hub_models
from app.models.catalogue import ModelCard
from app.models.hub_models import HubReference
from app.models.services.downloads import Download, Downloads
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Label
from app.uikit.widgets.progress_row import ProgressRow


class PublishedWeightsOffer(QWidget):
    """Tells from where a model's weights are trained, and fetches the publisher's.

    Cancelling pauses the download, which goes on where it was when it is asked for again.
    """

    fetched = Signal(str)  # the folder with the weights
    failed = Signal(object)  # AppError

    def __init__(self, theme: Theme, downloads: Downloads) -> None:
        super().__init__()
        self._theme, self._downloads = theme, downloads
        self._repository = ""  # the publisher's, of the shown model; "": not known
        self._is_asking = False
        self.note = Label(role="caption", tone="text2", wraps=True)
        self.button = Button(theme, phrase("training.get_publishers_weights"), "", "download", compact=True)
        self.progress = ProgressRow(theme)
        make_column(self.note, (self.button, 0, Qt.AlignmentFlag.AlignLeft), self.progress, into=self, spacing_px=8)
        self.button.clicked.connect(self._on_clicked)
        self.progress.cancelled.connect(self._on_cancelled)
        downloads.bases.found.connect(self._on_found)
        downloads.bases.failed.connect(self._on_not_found)
        downloads.changed.connect(self._show_download)
        downloads.progressed.connect(self._show_download)
        downloads.failed.connect(self._on_failed)
        downloads.base_finished.connect(self._on_fetched)
        self.show_model(None)

    def show_model(self, model: LocalModel | None) -> None:
        """Show what training on this model means. None: the base is a folder, or none is chosen."""
        card = catalogue.card(model.card_id) if model else None
        self._repository = card.base_model if card else ""
        self.setVisible(model is not None)
        if model is None:
            return
        lines = [phrase("training.trained_on_weights", weights=base_models.weights_text(model.quantization))]
        if model.quantization not in base_models.WHOLE_TYPES:
            lines.append(phrase("training.what_a_copy_costs"))
        if card is not None and self._repository:
            lines.append(phrase("training.or_publishers_weights", repository=self._repository, size=_size_text(card)))
        self.note.setText("\n".join(lines))
        self._show_download()

    # ------------------------------------------------------------- private methods

    def _item(self) -> Download | None:
        card_id = hub_models.card_id(self._repository)
        return self._downloads.find(card_id, hf_folders.WEIGHTS) if self._repository else None

    def _show_download(self, *_: object) -> None:
        item = self._item()
        is_under_way = item is not None and item.state not in ("paused", "failed")
        if item is not None and is_under_way:
            if self.progress.isHidden():
                self.progress.start(phrase("training.fetching_weights", repository=self._repository))
            self.progress.set_progress(item.done_bytes, item.total_bytes, is_bytes=True)
        elif not self._is_asking:
            self.progress.finish()
        again = "training.go_on_getting_weights" if item else "training.get_publishers_weights"
        self.button.setText(phrase(again))
        self.button.setVisible(bool(self._repository) and not is_under_way)
        self.button.setEnabled(not self._is_asking)

    def _on_clicked(self) -> None:
        item = self._item()
        if item is not None:
            self._downloads.resume(item.id)
            return
        self._is_asking = True
        self.progress.start(phrase("training.asking_for_weights", repository=self._repository))
        self._show_download()
        self._downloads.bases.look_up(HubReference(self._repository), as_base=True)

    def _on_cancelled(self) -> None:
        item = self._item()
        if item is not None:
            self._downloads.pause(item.id)
        else:
            self._downloads.bases.cancel()
            self._end_asking()

    def _on_found(self, cards: tuple[ModelCard, ...]) -> None:
        if self._is_asking:
            self._end_asking()
            self._confirm(cards[0])

    def _on_not_found(self, error: AppError) -> None:
        if self._is_asking:
            self._end_asking()
            self.failed.emit(error)

    def _end_asking(self) -> None:
        self._is_asking = False
        self._show_download()

    def _confirm(self, card: ModelCard) -> None:
        """Ask for consent with size, licence and gate; the download starts when the user agrees."""
        (weights,) = card.files
        lines = [
            phrase("training.weights_are_size", repository=weights.repository, size=format_size(weights.size_bytes)),
            phrase("models.licence", licence=card.licence or phrase("models.licence_not_stated"), notice=""),
            *([phrase("training.weights_are_gated", page=card.licence_url)] if card.is_gated else []),
        ]
        title, accept = phrase("training.get_publishers_weights_now"), phrase("models.accept_and_download")
        dialog = Dialog(self._theme, title, "\n".join(lines), cancel_or("accept", accept), self.window())
        dialog.ask(lambda: self._downloads.start(card, weights))

    def _on_failed(self, item: Download) -> None:
        mine = self._item()
        if mine is not None and item.id == mine.id and item.problem is not None:
            self.failed.emit(item.problem)

    def _on_fetched(self, folder: object) -> None:
        if self._repository and f"models--{self._repository.replace('/', '--')}" in Path(str(folder)).parts:
            self.fetched.emit(str(folder))


def _size_text(card: ModelCard) -> str:
    """Return "約 16 GB" for a model of 8B in bfloat16, from its label; "" without one."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([BM])", card.size_label)
    if found is None:
        return ""
    size = 2 * float(found[1]) / (1 if found[2] == "B" else 1000)
    return phrase("common.about_size", size=f"{round(size) if size >= 10 else f'{size:.2g}'}\u00a0GB")
