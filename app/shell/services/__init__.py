"""Provide the Qt objects of the whole program: start record, signals, Qt's messages, housekeeping."""
