"""Run `kotae mcp`: offer the collections to the AI application that has started this process."""

import argparse
from typing import Any

from PySide6.QtCore import QTimer

from app.base.cli.commands import Output, add_command
from app.base.cli.loop import CommandEventLoop
from app.base.paths import Paths
from app.base.wording import help_text
from app.serve.cli import serve
from app.serve.served_models import unrestricted_collections

_POLL_MS = 100  # after at most this time the process ends with its standard input


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    serve.add_options(add_command(commands, shared, "mcp", help_text("mcp"), run))


def run(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Answer until standard input ends, then return 0. Raises AppError, for which the program exits with status 3.

    The model is loaded by the first question. Without one, questions are answered by quoting the documents.
    """
    with serve.naming_missing_packages():
        from app.serve.mcp_server import McpServer
    collections = options.collection or [one.name for one in unrestricted_collections(where.documents)]
    request = serve.request_of(options, where, collections)
    served_models = serve.served_models_of(options, where, request.model)
    with serve.answering(request, where, output, "engine-mcp.log") as (_engine, requests):
        loop = CommandEventLoop(lambda: loop.stop())
        server = McpServer(requests, served_models)
        timer = QTimer(interval=_POLL_MS)
        timer.timeout.connect(lambda: None if server.is_running else loop.stop())
        server.start()
        timer.start()
        loop.run()
    return 0
