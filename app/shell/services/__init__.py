"""Provide Qt objects of the whole program: record of starts, signals, Qt's messages, housekeeping."""
