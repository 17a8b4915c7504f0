"""QtCore objects between the window (or the command line) and the children, files and threads."""
