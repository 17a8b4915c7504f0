"""Where one model is to come from this time: a folder or USB stick, a mirror, or the address of the file itself."""

from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.base.addresses import host_of
from app.base.services import background
from app.base.wording import phrase
from app.models import download_queue
from app.models.catalogue import ModelFile
from app.models.ui.care.marked_list import MarkedList
from app.uikit.desktop import Pickers
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets.form_rows import PathRow
from app.uikit.widgets.labels import Label

WIDTH_PX = 560
SIDES_PX = 80  # margins of the dialog and of a row, left and right
ADDRESS_MAX = 2000  # characters


class SourceDialog(Dialog):
    """Nothing is asked of any machine here. The last that was given counts: choosing a folder empties the address."""

    place_chosen = Signal(str)  # as `Downloads.start` takes it

    def __init__(
        self,
        theme: Theme,
        file: ModelFile,
        parent: QWidget,
        *,
        is_network_allowed: bool,
        pickers: Pickers | None = None,
    ) -> None:
        self._pickers = pickers or Pickers()
        self._names = download_queue.part_names(file.file.rpartition("/")[2])
        self._folder = ""
        self._is_there = False  # the file, in that folder
        self.folder = PathRow(theme, phrase("models.folder_or_usb_stick"), "", can_clear=False)
        self.field = QLineEdit()
        self.field.setMaxLength(ADDRESS_MAX)
        self.field.setPlaceholderText("https://…")
        self.field.setAccessibleName(phrase("models.address"))
        self.field.setEnabled(is_network_allowed)
        self._about = phrase("models.a_mirror_in_your_company")
        if not is_network_allowed:
            self._about = phrase("models.traffic_is_not_allowed_it")
        self.list = MarkedList(theme, phrase("models.source"), parent)
        self.note = Label(self._about, "caption", "muted", wraps=True)
        super().__init__(
            theme,
            phrase("models.choose_a_source_2"),
            phrase("models.where_should_name_come_from", name=self._names[0]),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("next", phrase("common.next"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
            width_px=WIDTH_PX,
        )
        self.folder.choose_requested.connect(self._choose_folder)
        self.field.textEdited.connect(self._on_edited)
        self.chosen.connect(lambda key: self.place_chosen.emit(self.place) if key == "next" else None)
        self._refresh()
        self.folder.choose_button.setFocus()

    @property
    def place(self) -> str:
        """ "" while there is none that can be used."""
        if self._folder:
            return self._folder if self._is_there else ""
        address = self.field.text().strip()
        return address if address.startswith(("http://", "https://")) and host_of(address) else ""

    def use_folder(self, folder: str) -> None:
        """Looks whether the file is in it."""
        self.field.clear()
        self._folder, self._is_there = folder, False
        self.folder.show_path(folder)
        self.folder.show_note(phrase("common.checking"), "muted")
        wanted = Path(folder) / self._names[0]
        background.run(lambda: (folder, wanted.is_file()), self._on_looked, lambda _error: None)
        self._refresh()

    # ------------------------------------------------------------------- private

    def _content(self) -> QWidget:
        address = QWidget()
        inside = QVBoxLayout(address)
        inside.setContentsMargins(12, 8, 12, 8)
        inside.setSpacing(4)
        for widget in (Label(phrase("models.address"), strong=True), self.field, self.note):
            inside.addWidget(widget)
        for row in (self.folder, address):
            self.list.add(row)
        return self.list

    def _choose_folder(self) -> None:
        start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation)
        folder = self._pickers.folder(self, phrase("models.choose_the_folder_that_has"), self._folder or start)
        if folder:
            self.use_folder(folder)

    def _on_looked(self, found: tuple[str, bool]) -> None:
        folder, is_there = found
        if folder != self._folder:
            return
        self._is_there = is_there
        missing = phrase("models.this_folder_does_not_have", name=self._names[0])
        self.folder.show_note(
            phrase("models.the_file_is_there") if is_there else missing, "success" if is_there else "danger"
        )
        self._refresh()

    def _on_edited(self) -> None:
        if self._folder:
            self._folder = ""
            self.folder.show_path("")
            self.folder.show_note("", "muted")
        self._refresh()

    def _refresh(self) -> None:
        is_wrong = bool(self.field.text().strip()) and not self.place
        self.note.setText(phrase("models.enter_an_address_that_begins") if is_wrong else self._about)
        self.note.set_tone("danger" if is_wrong else "muted")
        self.buttons["next"].setEnabled(self.place != "")
        self.list.fit(self.width() - self._theme.px(SIDES_PX))
        self.fit_height()
