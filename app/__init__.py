"""Kotae: Japanese questions about your own documents, answered on this machine."""

__version__ = "0.1.0"
