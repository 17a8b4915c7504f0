"""Links in text that others wrote: which may be opened at all, how their address is shown, and the question before.

The question shows the whole address in characters that cannot deceive.
"""

from collections.abc import Callable

from PySide6.QtCore import QUrl
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.base.wording import phrase
from app.uikit.characters import harmless
from app.uikit.dialogs import Choice, Dialog
from app.uikit.language import noted
from app.uikit.theme import Theme

SHOWN_CHARACTERS = 300
ADDRESS_PX = 72


def is_openable(href: str) -> bool:
    """Only http and https with a host. Files, network shares, scripts, data and other programs' schemes never open."""
    if href != harmless(href) or any(character.isspace() or character == "\\" for character in href):
        return False
    url = QUrl(href, QUrl.ParsingMode.StrictMode)
    return url.isValid() and url.scheme() in ("http", "https") and bool(url.host())


def suffix(href: str, shown: str) -> str:
    """The address, to stand in brackets after a link whose text is something else; else ""."""
    bare = href.removeprefix("http://").removeprefix("https://").removeprefix("mailto:")
    if not href or shown in (href, bare):
        return ""
    href = harmless(href)
    return noted("", href if len(href) <= SHOWN_CHARACTERS else href[:SHOWN_CHARACTERS] + "…")


def full_address(url: QUrl) -> str:
    """The whole address in characters that cannot be mistaken for others (punycode, percent codes)."""
    return bytes(url.toEncoded().data()).decode("ascii", "replace")


def shown_host(url: QUrl) -> str:
    return url.host(QUrl.ComponentFormattingOption.FullyEncoded)


def ask_to_open(theme: Theme, href: str, open_url: Callable[[QUrl], object], parent: QWidget) -> Dialog | None:
    """Shows the question. None, and nothing happens, for what never opens (files, shares, scripts, data)."""
    if not is_openable(href):
        return None
    url = QUrl(href, QUrl.ParsingMode.StrictMode)
    dialog = Dialog(
        theme,
        phrase("uikit.open_this_link"),
        phrase("uikit.your_browser_will_connect_to", host=shown_host(url)),
        (
            Choice("open", phrase("common.open_in_the_browser")),
            Choice("cancel", phrase("common.cancel"), is_default=True),
        ),
        parent,
        content=_address(theme, full_address(url)),
    )
    dialog.chosen.connect(lambda key: open_url(url) if key == "open" else None)
    dialog.open()
    return dialog


def _address(theme: Theme, address: str) -> QPlainTextEdit:
    view = QPlainTextEdit(address)
    view.setReadOnly(True)
    view.setProperty("field", True)
    view.setAccessibleName(phrase("uikit.the_whole_address"))
    view.setTabChangesFocus(True)
    view.setFixedHeight(theme.px(ADDRESS_PX))
    return view
