"""The offline check: does what needs no network, counts what tries to leave, and writes a page for an IT department.

`checking` is asked by the command line and by the window's child (`child`); `coordinator` does the work in an empty
network where the system has one; `page` writes what was found.
"""
