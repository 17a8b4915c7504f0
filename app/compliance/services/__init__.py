"""Hold the QtCore objects of the offline check."""
