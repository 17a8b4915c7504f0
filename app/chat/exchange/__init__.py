"""Conversations as files: JSON to be imported again, Markdown and Word for people."""
