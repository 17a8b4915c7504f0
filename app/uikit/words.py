"""Words on buttons."""

from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button

_SPACE = "\u2009"  # Qt leaves 4 px between icon and words, Japanese letters need a little more


def icon_button(theme: Theme, words: str, icon: str, kind: str = "", *, compact: bool = False) -> Button:
    """A button with an icon before its words."""
    button = Button(theme, spaced(words), kind, icon, compact=compact)
    button.setAccessibleName(words)
    return button


def spaced(words: str) -> str:
    """Words that stand after an icon."""
    return _SPACE + words


def literal(text: str) -> str:
    """Qt takes & in the words of buttons and menus for the mark of a shortcut."""
    return text.replace("&", "&&")
