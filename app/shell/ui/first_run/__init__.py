"""The dialog that greets who starts the program for the first time."""
