"""Who speaks to the proxy: a name and a password, kept in memory only."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.dialogs import Dialog, DialogButton
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

TEXT_MAX = 200  # characters


class ProxyLoginDialog(Dialog):
    login_given = Signal(str, str)  # user, password

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        self.user, self.password = QLineEdit(), QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        super().__init__(
            theme,
            phrase("shell.user_name_and_password_of"),
            phrase("shell.they_are_remembered_until_kotae"),
            (
                DialogButton("cancel", phrase("common.cancel")),
                DialogButton("use", phrase("common.use"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
        )
        self.user.textChanged.connect(self._on_changed)
        self.chosen.connect(self._on_chosen)
        self._on_changed()
        self.user.setFocus()

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for name, field in ((phrase("shell.user_name"), self.user), (phrase("shell.password"), self.password)):
            label = Label(name)
            label.setBuddy(field)
            field.setAccessibleName(name)
            field.setMaxLength(TEXT_MAX)
            column.addWidget(label)
            column.addWidget(field)
            column.addSpacing(6)
        return content

    def _on_changed(self) -> None:
        self.buttons["use"].setEnabled(bool(self.user.text().strip()))

    def _on_chosen(self, key: str) -> None:
        if key == "use":
            self.login_given.emit(self.user.text().strip(), self.password.text())
        self.password.clear()
