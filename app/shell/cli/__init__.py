"""The commands that measure the program."""
