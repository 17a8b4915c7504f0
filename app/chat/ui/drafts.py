"""What is typed and not sent stays with its conversation: when another one is opened, and through a crash."""

from PySide6.QtCore import QObject, QTimer

from app.chat.records import Draft
from app.chat.services.chat import ChatSession
from app.chat.ui.composer import Composer

KEPT_AFTER_MS = 500  # of the first change, also while somebody goes on typing


class Drafts(QObject):
    """Between the composer and the open conversation. The page says when another one is shown (`restore`)."""

    def __init__(self, session: ChatSession, composer: Composer, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._composer = composer
        self._kept: Draft | None = Draft()  # as it is stored; None: unknown
        self._timer = QTimer(self, singleShot=True, interval=KEPT_AFTER_MS)
        self._timer.timeout.connect(self.keep)
        composer.draft_changed.connect(self._on_draft_changed)
        session.about_to_leave.connect(self.keep)

    def keep(self) -> None:
        """Stores what is in the composer, unless it is stored already. What could not be stored is tried again."""
        self._timer.stop()
        draft = self._composer.draft()
        if draft != self._kept and self._session.keep_draft(draft):
            self._kept = draft

    def keep_anew(self) -> None:
        """The same, when the conversation has got another place: its first question, or a store of its own."""
        self._kept = None
        self.keep()

    def _on_draft_changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def restore(self) -> None:
        """What was typed in the conversation that is open now."""
        self._timer.stop()
        self._kept = self._session.draft()
        self._composer.show_draft(self._kept)
