"""The reader: a whole document with its outline."""
