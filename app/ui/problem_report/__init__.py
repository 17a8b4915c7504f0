"""The report on a problem: shown whole, then saved as a file."""
