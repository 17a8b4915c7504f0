"""Search Hugging Face, or the mirror of the settings, from the page モデル. Nothing is sent before 探す is pressed."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.base.addresses import host_of
from app.base.errors import AppError
from app.base.services.preferences import Preferences
from app.base.wording import describe_error, phrase
from app.models.catalogue import ModelCard
from app.models.services.hub_search import HubSearch, hub_address
from app.uikit.localization import join_sentences
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, announce


class HubPanel(QWidget):
    """Holds the search field and what was found; the page shows the cards in its list."""

    found = Signal()

    def __init__(self, theme: Theme, search: HubSearch, preferences: Preferences) -> None:
        super().__init__()
        self._search = search
        self._preferences = preferences
        self.cards: tuple[ModelCard, ...] = ()
        self._words = ""  # of the search that runs, or ran last
        self.field = SearchField(theme, phrase("models.words_for_the_hub"))
        self.button = Button(theme, phrase("models.search_the_hub"), icon="search")
        self.cancel_button = Button(theme, phrase("common.cancel_2"))
        self._note = Label(role="caption", tone="muted", wraps=True)
        make_column(
            make_row((self.field, 1), self.button, self.cancel_button, spacing_px=8),
            self._note,
            into=self,
            spacing_px=6,
        )
        self.field.returnPressed.connect(self.search)
        self.button.clicked.connect(self.search)
        self.cancel_button.clicked.connect(self._cancel)
        self.field.textChanged.connect(self._refresh)
        preferences.changed.connect(self._refresh)
        self._search.found.connect(self._on_found)
        self._search.failed.connect(self._on_failed)
        self._refresh()

    def search(self) -> None:
        words = self.field.text().strip()
        if words and self.button.isEnabled():
            self._words = words
            self._search.search(words)
            self._say(phrase("models.searching_hub", place=self._place()))
            self._refresh()

    def _cancel(self) -> None:
        self._search.cancel()
        self._words = ""
        self._refresh()
        self.field.setFocus()

    # ------------------------------------------------------------------- private

    def _place(self) -> str:
        return host_of(hub_address(self._preferences.value))

    def _refresh(self) -> None:
        is_allowed = self._preferences.value.network_allowed
        is_free = not self._search.is_running
        self.button.setVisible(is_free)
        self.cancel_button.setVisible(not is_free)
        self.button.setEnabled(is_allowed and is_free and bool(self.field.text().strip()))
        self.field.setEnabled(is_allowed)
        if not is_allowed:
            self._words = ""
            self._say(phrase("models.network_access_is_off"), "warning")
        elif is_free and not self._words:
            self._say(phrase("models.only_the_words_are_sent", place=self._place()))

    def _on_found(self, cards: tuple[ModelCard, ...]) -> None:
        self.cards = cards
        key = "models.hub_found_n" if cards else "models.hub_found_none"
        self._say(phrase(key, n=len(cards), words=self._words))
        self._end()

    def _on_failed(self, error: AppError) -> None:
        self.cards = ()
        sentence = describe_error(error)
        self._say(join_sentences(sentence.message, sentence.next), "danger")
        self._end()

    def _end(self) -> None:
        self._refresh()
        announce(self.field, self._note.text())
        self.found.emit()

    def _say(self, text: str, tone: str = "muted") -> None:
        self._note.setText(text)
        self._note.set_tone(tone)
