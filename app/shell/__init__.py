"""The window around the pages, and a start of the program."""
