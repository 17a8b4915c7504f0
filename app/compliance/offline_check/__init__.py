"""Check that no data leaves this machine: use Kotae without a network, count network attempts, and write a page.

`check_run` runs the whole check, for the command line and for the window's child process (`child`); `coordinator` uses
Kotae in an empty network where the system allows one; `report_page` writes the result.
"""
