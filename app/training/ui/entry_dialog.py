"""The name of a training and a note on it."""

from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from app.training.runs.shelf import NOTE_LETTERS
from app.uikit.dialogs import Choice, Dialog, scrolled_height
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

NAME_LETTERS = 80
NOTE_LINES = 6


class EntryDialog(Dialog):
    """Chosen: cancel or keep."""

    def __init__(self, theme: Theme, name: str, note: str | None, parent: QWidget) -> None:
        """`note` None: a draft, which has none."""
        self.name = QLineEdit(name)
        self.name.setMaxLength(NAME_LETTERS)
        self.note: QPlainTextEdit | None = None
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self._add(column, self.tr("名前"), self.name)
        if note is not None:
            self.note = QPlainTextEdit(note)
            self.note.setTabChangesFocus(True)
            self.note.setFixedHeight(scrolled_height(theme, parent, NOTE_LINES * theme.line_height("ui")))
            self._add(column, self.tr("メモ"), self.note)
        super().__init__(
            theme,
            self.tr("名前を変える") if note is None else self.tr("名前とメモ"),
            "",
            (
                Choice("cancel", self.tr("キャンセル")),
                Choice("keep", self.tr("保存する"), "primary", is_default=True),
            ),
            parent,
            content=content,
        )
        self.name.selectAll()
        self.name.setFocus()

    @property
    def written(self) -> tuple[str, str | None]:
        """Name and note. Longer notes than are kept are cut."""
        note = self.note.toPlainText()[:NOTE_LETTERS] if self.note is not None else None
        return self.name.text().strip(), note

    @staticmethod
    def _add(column: QVBoxLayout, name: str, field: QWidget) -> None:
        field.setAccessibleName(name)
        column.addWidget(Label(name, "caption", "text2"))
        column.addWidget(field)
