"""The foot of the sidebar: what leaves this machine now, and what has left it since the start."""

import time
from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.services.downloads import Contact
from app.ui.language import noted
from app.ui.theme import Theme
from app.ui.widgets.icon import Icon
from app.ui.widgets.labels import Label, tip

LISTED = 8  # contacts in the tooltip


class Traffic(QWidget):
    """Downloads that the user has begun, and connections that something has tried and that were refused."""

    def __init__(self, theme: Theme, refusals: Callable[[], int]) -> None:
        """`refusals` counts the connections that were refused since the start of the program."""
        super().__init__()
        self._refusals = refusals
        self._online = 0
        self._is_model = True
        self._contacts: list[Contact] = []
        self._icon = Icon(theme, "shield-check", "success")
        self.state = Label(role="caption", strong=True)
        self.since = Label(role="caption", tone="muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 12, 18, 12)
        row.setSpacing(8)
        row.addWidget(self._icon)
        row.addWidget(Label(self.tr("外部通信"), role="caption", tone="text2"))
        row.addWidget(self.state)
        row.addStretch(1)
        row.addWidget(self.since)
        self.refresh()

    def show_downloads(self, online: int, contacts: Sequence[Contact], *, is_model: bool = True) -> None:
        """`online`: how many use the network now. `contacts`: the machines that were spoken to, oldest first.

        `is_model`: whether it is a model that is being fetched, and not the parts of the training environment.
        """
        self._is_model = is_model
        if (online, len(contacts)) != (self._online, len(self._contacts)):
            self._online, self._contacts = online, list(contacts)
            self.refresh()

    def refresh(self) -> None:
        refused = self._refusals()
        now = self._online or refused
        self.state.setText(self.tr("{n} 件").format(n=now) if now else self.tr("なし"))
        count = self.tr("起動後 {n} 件").format(n=refused + len(self._contacts))
        fetched = self.tr("モデルの取得") if self._is_model else self.tr("学習環境の取得")
        self.since.setText(fetched if self._online else count)
        warning, download, safe = ("external-link", "warning"), ("download", "accent"), ("shield-check", "success")
        self._icon.show_icon(*(download if self._online else warning if refused else safe))
        text = "\n".join(self._line(contact) for contact in self._contacts[-LISTED:])
        self.setToolTip(tip(text).replace("\n", "<br>"))
        self.setAccessibleName(self.tr("外部通信"))
        self.setAccessibleDescription(" ".join((self.state.text(), self.since.text(), text)).strip())

    def _line(self, contact: Contact) -> str:
        when = time.strftime("%H:%M", time.localtime(contact.at))
        words = self.tr("{title} の取得、{time}、あなたの操作").format(title=contact.title, time=when)
        if not contact.title:
            words = self.tr("学習環境の部品の取得、{time}、あなたの操作").format(time=when)
        return noted(contact.host, words)
