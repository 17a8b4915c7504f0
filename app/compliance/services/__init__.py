"""Run the offline check from the window, by a QtCore object."""
