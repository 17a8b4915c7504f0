"""Check that nothing leaves this machine: use Kotae without a network, count attempts to reach it, and write a page.

`check_run` is the check as the command line and the window's child (`child`) run it; `coordinator` does the work in an
empty network where the system allows one; `report_page` writes the result.
"""
