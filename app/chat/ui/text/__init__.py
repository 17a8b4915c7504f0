"""Widgets for message text, citations and sources."""
