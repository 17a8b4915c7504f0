"""A study that goes on, or waits to be gone on with."""
