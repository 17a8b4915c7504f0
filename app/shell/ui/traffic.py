"""The foot of the sidebar: what leaves this machine now, and what has left it since the start. It leads to a check."""

import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QStyleOptionViewItem

from app.base.wording import phrase
from app.models.services.downloads import Contact
from app.uikit.localization import with_note
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import IconLabel, Label, plain_tooltip

LISTED = 8  # contacts in the tooltip


class Traffic(QAbstractButton):
    """Downloads that the user has begun, and connections that something has tried and that were refused."""

    def __init__(self, theme: Theme, refusals: Callable[[], int]) -> None:
        """`refusals` counts the connections that were refused since the start of the program."""
        super().__init__()
        self._theme = theme
        self._refusals = refusals
        self._online = 0
        self._is_sending = False
        self._is_model = True
        self._contacts: list[Contact] = []
        self._icon = IconLabel(theme, "shield-check", "success")
        self.state = Label(role="caption", strong=True)
        self.since = Label(role="caption", tone="muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 12, 18, 12)
        row.setSpacing(8)
        row.addWidget(self._icon)
        row.addWidget(Label(phrase("shell.network"), role="caption", tone="text2"))
        row.addWidget(self.state)
        row.addStretch(1)
        row.addWidget(self.since)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.refresh()

    def show_downloads(
        self, online: int, contacts: Sequence[Contact], *, is_model: bool = True, is_sending: bool = False
    ) -> None:
        """`online`: how many use the network now. `contacts`: the machines that were spoken to, oldest first.

        `is_model`: whether it is a model that is being fetched, and not the parts of the training environment.
        `is_sending`: a question is with a server of the local network.
        """
        self._is_model = is_model
        if (online, is_sending, len(contacts)) != (self._online, self._is_sending, len(self._contacts)):
            self._online, self._is_sending, self._contacts = online, is_sending, list(contacts)
            self.refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        option = QStyleOptionViewItem()
        option.initFrom(self)
        list_rows.draw_ground(
            QPainter(self), self._theme, self.rect().adjusted(8, 4, -8, -4), is_chosen=False, option=option
        )

    def refresh(self) -> None:
        refused = self._refusals()
        now = self._online + self._is_sending or refused
        self.state.setText(phrase("common.n", n=now) if now else phrase("common.none"))
        count = phrase("shell.n_so_far", n=refused + len(self._contacts))
        fetched = (
            phrase("shell.model_download") if self._is_model else phrase("shell.fetching_the_training_environment")
        )
        sent = phrase("shell.sending_a_question") if self._is_sending else count
        self.since.setText(fetched if self._online else sent)
        warning, download, safe = ("external-link", "warning"), ("download", "accent"), ("shield-check", "success")
        is_warned = refused or self._is_sending
        self._icon.show_icon(*(download if self._online else warning if is_warned else safe))
        text = "\n".join(self._line(contact) for contact in self._contacts[-LISTED:])
        leads = phrase("shell.press_to_check_that_nothing")
        self.setToolTip(plain_tooltip("\n".join(filter(None, (text, leads)))).replace("\n", "<br>"))
        self.setAccessibleName(phrase("shell.network"))
        self.setAccessibleDescription(" ".join((self.state.text(), self.since.text(), text, leads)).strip())

    def _line(self, contact: Contact) -> str:
        when = time.strftime("%H:%M", time.localtime(contact.at))
        words = phrase("shell.download_of_title_time_started", title=contact.title, time=when)
        if contact.is_answering:
            words = phrase("shell.question_sent_to_title_time", title=contact.title, time=when)
        elif not contact.title:
            words = phrase("shell.parts_of_the_training_environment", time=when)
        return with_note(contact.host, words)
