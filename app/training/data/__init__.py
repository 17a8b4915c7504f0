"""Prepare training data: import files as rows of messages, check and curate them, split them without leaks."""
