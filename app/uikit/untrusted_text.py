"""Make foreign text harmless to show, and ask, with the full address in ASCII, before opening one of its links.

Characters that hide, reorder or break text are removed or replaced by visible ones; display helpers control line
breaks, and no copy has them.
"""

import re
from collections.abc import Callable

from PySide6.QtCore import QUrl
from PySide6.QtWidgets import QWidget

from app.base import invisible_characters
from app.base.wording import phrase
from app.uikit.dialogs import Dialog, DialogButton, make_text_view
from app.uikit.localization import with_note
from app.uikit.theme import Theme

WORD_JOINER = "\u2060"  # inserted before a source mark such as [1], so that it does not start a line
NO_BREAK_SPACE = "\u00a0"  # replaces the space between a number and its unit
LINE_BREAK = "\ufdd5"  # a noncharacter that marks line breaks during parsing
MARKS_KEPT = 3  # the most combining marks on one letter; more would cover the lines above and below

_NEWLINES = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Control characters, lone surrogates, Qt's object and frame characters, other noncharacters, and tags.
_BROKEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffc\ufffe\uffff\U000e0000-\U000e007f]"
)
_MARK = (
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]"
)
_MARKS = re.compile(f"({_MARK}{{{MARKS_KEPT}}}){_MARK}+")
_CHIP = re.compile(r"(?<=[^\s\u2060])(?=\[\d{1,3}\])")
_UNIT = re.compile(
    r"(?<=\d) (?=(?:%|％|℃|°C|[kMG]?Pa|[kM]?N|[kmcµμ]?m[23²³]?|[km]?g|t|ms|s|min|h|[kMGT]i?B|k?[VAW]|k?Hz|m?L|dB|tok/s)"
    r"(?![A-Za-z]))"
)


def make_harmless(text: str) -> str:
    """Return the text with line feeds, visible codes for direction, U+FFFD for broken signs, nothing else invisible."""
    text = _DIRECTION.sub(_spelled_out, _NEWLINES.sub("\n", text))
    return _MARKS.sub(r"\1", invisible_characters.remove(_BROKEN.sub("\ufffd", text)))


def display_helpers(text: str) -> list[tuple[int, int, str]]:
    """Return (index in the line, characters replaced, character), the last first, that keep [1] and units unbroken."""
    helpers = [(match.start(), 0, WORD_JOINER) for match in _CHIP.finditer(text)]
    helpers += [(match.start(), 1, NO_BREAK_SPACE) for match in _UNIT.finditer(text)]
    return sorted(helpers, reverse=True)


def remove_display_helpers(text: str) -> str:
    """Return a shown text as it should be copied, without the characters that `display_helpers` inserted."""
    return text.replace(WORD_JOINER, "").replace(NO_BREAK_SPACE, " ")


def utf16_offset(text: str, position: int) -> int:
    """Convert an index in characters to one in UTF-16 units, which Qt uses."""
    return position + sum(character > "\uffff" for character in text[:position])


def _spelled_out(match: re.Match[str]) -> str:
    return f"‹U+{ord(match[0]):04X}›"


def find_unsafe(text: str) -> list[tuple[int, int, str]]:
    """Return the unsafe characters that entities such as &#x202e; made, as (index, length, replacement)."""
    directions = [(match.start(), 1, _spelled_out(match)) for match in _DIRECTION.finditer(text)]
    broken = [(match.start(), 1, "" if match[0] == LINE_BREAK else "\ufffd") for match in _BROKEN.finditer(text)]
    known = {at for at, _, _ in directions + broken}
    others = [(at, 1, "") for at in invisible_characters.find_places(text) if at not in known and text[at] != "\u2028"]
    return directions + broken + others


SHOWN_CHARACTERS = 300
ADDRESS_PX = 72


def is_openable_link(href: str) -> bool:
    """Whether a link is http or https with a host; files, shares, scripts and programs are never opened."""
    if href != make_harmless(href) or any(character.isspace() or character == "\\" for character in href):
        return False
    url = QUrl(href, QUrl.ParsingMode.StrictMode)
    return url.isValid() and url.scheme() in ("http", "https") and bool(url.host())


def link_suffix(href: str, link_text: str) -> str:
    """Return the address of a link in brackets, to show after its text `link_text`; "" if that is the address."""
    bare = href.removeprefix("http://").removeprefix("https://").removeprefix("mailto:")
    if not href or link_text in (href, bare):
        return ""
    href = make_harmless(href)
    return with_note("", href if len(href) <= SHOWN_CHARACTERS else href[:SHOWN_CHARACTERS] + "…")


def full_address(url: QUrl) -> str:
    """Return the full address in ASCII (punycode and percent codes), so that no character looks like another."""
    return bytes(url.toEncoded().data()).decode("ascii", "replace")


def ask_to_open_link(theme: Theme, href: str, open_url: Callable[[QUrl], object], parent: QWidget) -> Dialog | None:
    """Return the dialog that asks, then calls `open_url`; None for a link that must not be opened."""
    if not is_openable_link(href):
        return None
    url = QUrl(href, QUrl.ParsingMode.StrictMode)
    return Dialog(
        theme,
        phrase("uikit.open_this_link"),
        phrase("uikit.your_browser_will_connect_to", host=url.host(QUrl.ComponentFormattingOption.FullyEncoded)),
        (
            DialogButton("open", phrase("common.open_in_the_browser")),
            DialogButton("cancel", phrase("common.cancel"), is_default=True),
        ),
        parent,
        content=make_text_view(full_address(url), phrase("uikit.the_whole_address"), theme.px(ADDRESS_PX)),
    ).ask(lambda: open_url(url))
