"""Provide the Qt objects of the whole program: the record of starts, signals of the system, Qt's messages,
housekeeping.
"""
