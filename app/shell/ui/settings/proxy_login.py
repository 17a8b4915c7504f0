"""Who speaks to the proxy: a name and a password, kept in memory only."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.uikit.dialogs import Choice, Dialog
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
            self.tr("プロキシのユーザー名とパスワード"),
            self.tr("Kotae を閉じるまで覚えておくだけで、ファイルには書きません。"),
            (
                Choice("cancel", self.tr("キャンセル")),
                Choice("use", self.tr("使う"), "primary", is_default=True),
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
        for name, field in ((self.tr("ユーザー名"), self.user), (self.tr("パスワード"), self.password)):
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
