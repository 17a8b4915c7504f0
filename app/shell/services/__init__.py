"""QtCore objects of the program as a whole: start, signals, log of Qt, housekeeping."""
