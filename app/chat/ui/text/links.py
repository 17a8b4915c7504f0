"""Links in text that others wrote: which may be opened at all, and how their address is shown."""

from PySide6.QtCore import QUrl

from app.uikit.characters import harmless
from app.uikit.language import noted

SHOWN_CHARACTERS = 300


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
