"""The pages of the window by their keys."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.chat.ui.conversations.search_page import SearchPage
from app.shell.ui.settings.page import SettingsPage
from app.uikit.page import Page

if TYPE_CHECKING:
    from app.models.ui.page import ModelsPage


class Pages(QObject):
    """Build a page when it is first asked for: most starts never need more than 質問."""

    built = Signal(object)  # Page

    def __init__(self, chat_page: Page, makers: Mapping[str, Callable[[], Page]]) -> None:
        """`makers`: one for each key but "ask", which is the page that is there already."""
        super().__init__()
        self._pages: dict[str, Page] = {"ask": chat_page}
        self._makers = makers

    def page(self, key: str) -> Page:
        """`key`: ask, documents, models, training, evaluation, settings, bin, search or batch."""
        if key not in self._pages:
            self._pages[key] = self._makers[key]()
            self.built.emit(self._pages[key])
        return self._pages[key]

    @property
    def all_built(self) -> list[Page]:
        return list(self._pages.values())

    def models(self) -> "ModelsPage":
        from app.models.ui.page import ModelsPage

        page = self.page("models")
        assert isinstance(page, ModelsPage)
        return page

    def settings(self) -> SettingsPage:
        page = self.page("settings")
        assert isinstance(page, SettingsPage)
        return page

    def search(self) -> SearchPage:
        page = self.page("search")
        assert isinstance(page, SearchPage)
        return page
