"""Questions of the page 資料: the name and label of a collection, and what a text file is written in."""

from collections.abc import Callable, Collection
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from app.base.confidentiality import LABELS, Label
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.documents import encodings
from app.documents.records import Document
from app.uikit import localization
from app.uikit.dialogs import Dialog, DialogButton, scrolled_height
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets import labels

NAME_MAX = 100  # characters
SAMPLE_BYTES = 64_000
SAMPLE_LINES = 12
PREVIEW_PX = 150


class CollectionDialog(Dialog):
    """Asks for a name and a label. It stays open until the name can be used."""

    given = Signal(str, str)  # name, label

    def __init__(
        self, theme: Theme, question: str, done: str, taken: Collection[str], parent: QWidget, name: str = "",
        label: Label = "internal",
    ) -> None:  # fmt: skip
        """`done`: what the button says. `taken`: names of other collections."""
        self._taken = set(taken)
        self.field = QLineEdit(name)
        self.field.setMaxLength(NAME_MAX)
        self.field.setAccessibleName(phrase("documents.name_of_the_collection"))
        self.field.setPlaceholderText(phrase("documents.name_of_the_collection"))
        self.label = QComboBox()
        self.label.setAccessibleName(phrase("common.batch_column.label"))
        for key in LABELS:
            self.label.addItem(localization.label_name(key), key)
        self.label.setCurrentIndex(LABELS.index(label))
        self._problem = labels.Label(role="caption", tone="danger", wraps=True)
        super().__init__(
            theme,
            question,
            phrase("documents.exports_of_confidential_documents_ask"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("done", done, "primary", is_default=True),
            ),
            parent,
            content=self._content(),
        )
        self.field.textChanged.connect(lambda: self._problem.setText(""))
        self.field.selectAll()
        self.field.setFocus()

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addWidget(self._problem)
        column.addWidget(self.label)
        return content

    def accept(self) -> None:
        name = self.field.text().strip()
        if not name:
            self._refuse(phrase("common.enter_a_name"))
        elif name in self._taken:
            self._refuse(phrase("documents.there_is_a_collection_with"))
        else:
            self.given.emit(name, self.label.currentData())
            super().accept()

    def _refuse(self, why: str) -> None:
        self.result_key = "cancel"
        self._problem.setText(why)
        self.fit_height()
        self.field.setFocus()


class EncodingDialog(Dialog):
    """Shows the first lines as they read in the encoding that is chosen."""

    encoding_chosen = Signal(str)  # as Python names it; "": to be detected

    def __init__(self, theme: Theme, document: Document, parent: QWidget) -> None:
        self._path = Path(document.path)
        self._sample = b""
        self.choice = QComboBox()
        self.choice.setAccessibleName(phrase("documents.docs_report.encoding"))
        self.choice.addItem(phrase("documents.detect_automatically"), "")
        for codec, name in encodings.NAMES.items():
            self.choice.addItem(name, codec)
        self.choice.setCurrentIndex(max(0, self.choice.findData(document.wished_encoding)))
        self.preview = QPlainTextEdit()
        self.preview.setReadOnly(True)
        self.preview.setProperty("field", True)
        self.preview.setAccessibleName(phrase("documents.beginning_of_the_file"))
        self.preview.setTabChangesFocus(True)
        self.preview.setFixedHeight(scrolled_height(theme, parent, theme.px(PREVIEW_PX)))
        super().__init__(
            theme,
            phrase("documents.choose_the_encoding"),
            phrase("documents.choose_the_one_in_which"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("read", phrase("documents.read_again"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
        )
        self.choice.currentIndexChanged.connect(self._show_sample)
        self.chosen.connect(self._on_chosen)
        background.run(_sample_of(self._path), self._on_read, self._on_unreadable)

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.choice)
        column.addWidget(self.preview)
        return content

    def _on_read(self, sample: bytes) -> None:
        self._sample = sample
        self.choice.setItemText(
            0, with_note(phrase("documents.detect_automatically"), encodings.name_of(encodings.detect(sample)))
        )
        self._show_sample()

    def _on_unreadable(self, error: AppError) -> None:
        self.preview.setPlainText(str(describe_error(error)))

    def _show_sample(self) -> None:
        codec = self.choice.currentData() or encodings.detect(self._sample) or "utf-8"
        lines = encodings.decode(self._sample, codec).splitlines()[:SAMPLE_LINES]
        self.preview.setPlainText("\n".join(lines))

    def _on_chosen(self, key: str) -> None:
        if key == "read":
            self.encoding_chosen.emit(self.choice.currentData())


def _sample_of(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with open_regular(path) as file:
                return file.read(SAMPLE_BYTES)
        except OSError as error:
            raise AppError("document_unreadable", reason=error.strerror or str(error)) from error

    return read
