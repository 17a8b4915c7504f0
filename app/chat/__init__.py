"""Conversations: how they are stored, searched, labelled, exported and answered."""
