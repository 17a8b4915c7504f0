"""Serve OpenAI's protocol over HTTP to programs on this machine: the endpoint of `kotae serve`.

Only `app.serve.cli.serve` uses it: the window never listens.
"""
