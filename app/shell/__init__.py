"""The main window around the pages, and the start of the program."""
