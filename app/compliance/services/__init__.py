"""QtCore objects of the offline check."""
