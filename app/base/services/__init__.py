"""Provide QtCore objects for all features: child processes, background work, settings, the single instance."""
