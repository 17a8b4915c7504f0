"""Kotae answers Japanese questions from the user's own documents, on this machine."""

__version__ = "0.1.0"

# The name of the desktop entry and of the icon on Linux (packaging/linux); notifications and windows use it too.
DESKTOP_ID = "jp.kotae.Kotae"
