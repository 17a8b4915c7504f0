"""Conversations to files and back, as the user sees it."""
