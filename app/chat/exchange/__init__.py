"""Conversations as files: JSON to be read back, Markdown and Word to be read by people."""
