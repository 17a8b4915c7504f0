"""Provide the QtCore objects of training: drafts, runs, the quality gate, pair generation, the environment."""
