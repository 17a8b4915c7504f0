"""Folders of training runs: listed, followed, reported."""
