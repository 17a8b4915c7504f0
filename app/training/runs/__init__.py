"""Folders of training runs: listed, followed, reported, taken over into the list of models."""
