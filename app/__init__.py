"""Kotae: Japanese questions about your own documents, answered on this machine."""

__version__ = "0.1.0"

# The name of the desktop entry and of the icon on Linux (packaging/linux), as notifications and windows give it too.
DESKTOP_ID = "jp.kotae.Kotae"
