"""Show the main window around the pages, and start the program."""
