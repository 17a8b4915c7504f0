"""Provide widgets for message text, citations and sources."""
