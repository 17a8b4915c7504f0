"""Serve an OpenAI-compatible HTTP API to programs on this machine, for `kotae serve`.

Only the command line uses this package: the window never listens on a socket.
"""
