"""Run `kotae serve`: offer the model and the collections to other programs of this machine until Ctrl+C."""

import argparse
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.base import settings
from app.base.cli.commands import Output, add_command, check_limit
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.errors import AppError
from app.base.isolation import network_guard
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import help_text
from app.chat.services import answer_run, command_request
from app.chat.services.answer_run import AnswerRequest
from app.documents import collection_lookup
from app.documents.services.command_documents import QuestionEmbedder, scope_of
from app.inference import child_commands
from app.inference.engine.messages import Event, Failed, LoadProgress, Ready
from app.inference.load_plan import LoadPlan
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models import model_registry
from app.serve.request_queue import RequestQueue
from app.serve.served_models import MODEL_ID, ServedModel, ServedModels
from app.training.runs import run_folders

PORT = 8631
PORT_LEAST, PORT_MOST = 1024, 65535


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(commands, shared, "serve", help_text("serve"), run)
    add_options(parser)
    parser.add_argument("--port", metavar="N", type=int, help=help_text("serve --port"))
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--key-file", metavar="FILE", help=help_text("serve --key-file"))
    key.add_argument("--new-key", action="store_true", help=help_text("serve --new-key"))


def add_options(parser: Any) -> None:
    """Add the options that `kotae mcp` has, too."""
    parser.add_argument("--model", metavar="ID|FILE", help=help_text("ask --model"))
    parser.add_argument(
        "--collection", metavar="NAME", action="append", default=[], help=help_text("serve --collection")
    )
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    parser.add_argument("--context", metavar="N", type=int, help=help_text("ask --context"))


def run(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Serve until Ctrl+C, then return 0. Raises AppError, for which the program exits with status 3."""
    with naming_missing_packages():
        from app.serve.endpoint import Endpoint
        from app.serve.server import HttpServer, load_or_create_key, read_key
    check_limit("--port", options.port, PORT_LEAST, PORT_MOST)
    if not settings.load(
        where.settings
    ).network_allowed:  # if False, no process of Kotae may have a socket, not even loopback
        raise AppError("serve_network_off")
    request = request_of(options, where, [])
    served_models = served_models_of(options, where, request.model)
    if options.key_file:
        key = read_key(Path(options.key_file).expanduser())
    else:
        key = load_or_create_key(where.data, is_renewed=options.new_key)
    listener = _listener(options.port, output)
    network_guard.install_socket_filter()  # from now on neither this process nor its children can create another socket
    with listener, answering(request, where, output, "engine-serve.log") as (engine, requests):
        loop = CommandEventLoop(lambda: loop.stop())
        endpoint = Endpoint(requests, served_models, request.model.name)
        server = HttpServer(listener, key, endpoint.routes)

        def serve() -> None:
            server.start()
            output.end_progress()
            models, address = endpoint.model_names(), server.address
            data = {"address": address, "port": server.port, "key": key, "models": models, "pid": os.getpid()}
            text = output.phrase("serve.serve_ready", address=address, bearer=key, models="  ".join(models))
            output.result(data, text)
            output.note("serve.serve_until")

        try:
            _load_model(engine, request, loop, output, serve)
            loop.run()
        finally:
            requests.end()
            server.stop()
    if loop.error is not None:
        raise loop.error
    return 0


def _load_model(
    engine: EngineClient, request: AnswerRequest, loop: CommandEventLoop, output: Output, serve: Callable[[], None]
) -> None:
    """Load the model, then call `serve`, so that errors are reported at the start; an error ends the loop."""
    load_id = ""

    def on_planned(plan: LoadPlan) -> None:
        nonlocal load_id
        load_id = answer_run.send_load(engine, request.model.name, plan)

    def on_event(event: Event) -> None:
        match event:
            case LoadProgress() if event.id == load_id:
                output.progress("serve.loading", percent=round(100 * event.fraction))
            case Ready() if event.id == load_id:
                engine.died.disconnect(on_died)
                serve()
            case Failed() if event.id == load_id:
                loop.fail(AppError(event.code, **event.facts))

    def on_died(_death: object) -> None:
        loop.fail(AppError("serve_engine_gone"))

    engine.event_received.connect(on_event)
    engine.died.connect(on_died)
    background.run(lambda: answer_run.plan_load(request), on_planned, loop.fail)


@contextmanager
def answering(
    request: AnswerRequest, where: Paths, output: Output, log_name: str
) -> Iterator[tuple[EngineClient, RequestQueue]]:
    """Yield an engine and a queue of requests that are answered as `request`; end both afterwards.

    SIGTERM, which systemd and kill send, interrupts the block like Ctrl+C.
    """
    app = core_application()
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
    try:
        with QuestionEmbedder(where, output) as embedder:
            engine = EngineClient(child_commands.engine(), where.logs / log_name)
            requests = RequestQueue(engine, request, where.documents, embedder.embedding)
            try:
                yield engine, requests
            finally:
                requests.end()
                engine.shut_down()
                background.shut_down()
    finally:
        signal.signal(signal.SIGTERM, before)
    del app


@contextmanager
def naming_missing_packages() -> Iterator[None]:
    """Raise AppError("serve_not_installed") if the block imports a package that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise AppError("serve_not_installed", name=(error.name or "").partition(".")[0]) from error


def request_of(options: argparse.Namespace, where: Paths, collections: list[str]) -> AnswerRequest:
    """Return the default request for every answer, as `kotae ask` makes it from these options.

    `collections`: names of those that are asked; without a model they are quoted. Raises AppError as
    `command_request.request_from_options`, and "remote_cannot" for a model on another machine, which cannot be served.
    """
    absent = dict.fromkeys(("adapter", "preset", "system", "max_tokens", "temperature", "seed"))
    ask_options = argparse.Namespace(
        question="", model=options.model, context=options.context, collection=collections, allow_remote=True, **absent
    )
    request = command_request.request_from_options(ask_options, where, run_folders.find_folder)
    if request.model.remote is not None:
        raise AppError("remote_cannot", address=model_registry.server_address(request.model))
    return request


def served_models_of(options: argparse.Namespace, where: Paths, model: LocalModel) -> ServedModels:
    """Return the models to serve: `model` alone, and with each collection that --collection names.

    Without --collection these are all collections that are not 機密 (secret).

    Raises AppError("secret_export") if the model or a collection of --collection is 機密 (secret) and --allow-secret is
    missing; also the errors of `command_documents.scope_of` and of the database.
    """
    named = scope_of(options.collection, where) if options.collection else ()
    if where.documents.is_file():
        collection_lookup.open_library(where.documents).close()
    served_models = ServedModels(where.documents, where.exports_log, model, named, is_agreed=options.allow_secret)
    for served in (ServedModel(MODEL_ID), *(ServedModel(one.name, (one,)) for one in named)):
        served_models.export_request_for(served, "").check(is_agreed=options.allow_secret)
    return served_models


def _listener(port: int | None, output: Output) -> socket.socket:
    """Listen on the requested port. For None listen on PORT or, if it is taken, on any free port, and print a note.

    Raises AppError("serve_port_taken" | "serve_no_port").
    """
    try:
        return network_guard.listen_on_loopback(PORT if port is None else port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise AppError("serve_no_port", reason=error.strerror or str(error)) from error
        if port is not None:
            raise AppError("serve_port_taken", port=port) from error
    try:
        listener = network_guard.listen_on_loopback(0)
    except OSError as error:
        raise AppError("serve_no_port", reason=error.strerror or str(error)) from error
    output.note("serve.serve_other_port", port=PORT)
    return listener
