"""Provide the QtCore objects of conversations: asking, answering, presets, batches, export and import."""
