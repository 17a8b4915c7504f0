"""A token for repositories that want to know who asks: how to get one, and a field that does not show it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QLineEdit, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

WIDTH_PX = 560
TOKEN_MAX = 500  # characters


class TokenDialog(Dialog):
    token_given = Signal(str)
    store_requested = Signal(str)  # the user wants it to be kept, too

    def __init__(self, theme: Theme, repository: str, parent: QWidget, *, can_store: bool = False) -> None:
        """`repository`: "owner/name" that is wanted; "": any. `can_store`: the system has a store of passwords."""
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
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("use", phrase("common.use"), "primary", is_default=True),
            ),
            parent,
            content=self._content(steps),
            width_px=WIDTH_PX,
        )
        self.field.textChanged.connect(self._on_changed)
        self.chosen.connect(self._on_chosen)
        self._on_changed()
        self.field.setFocus()

    def _content(self, steps: list[str]) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for step in steps:
            label = Label(step, wraps=True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(label)
        column.addWidget(self.field)
        column.addWidget(self.store)
        kept = phrase("models.unless_you_keep_it_it")
        column.addWidget(Label(kept, "caption", "muted", wraps=True))
        return content

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
    """Shows dots, and never offers its content to a list of words."""
    field = QLineEdit()
    field.setEchoMode(QLineEdit.EchoMode.Password)
    field.setMaxLength(TOKEN_MAX)
    field.setPlaceholderText("hf_…")
    field.setAccessibleName(phrase("common.access_token"))
    return field
