"""Hold QtCore objects without a feature: child processes, background work, settings with a signal, one instance."""
