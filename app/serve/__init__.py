"""The endpoint of `kotae serve`: OpenAI's protocol over HTTP, for programs on this machine, in front of the services.

Only `app.serve.cli.serve` uses it: the window never listens.
"""
