"""`kotae models add-remote`: a model of a server in the local network comes into the list. And its key."""

import argparse
from typing import Any

from app.base import settings
from app.base.addresses import origin_of
from app.base.cli.commands import Output
from app.base.cli.loop import CommandLoop, core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.inference import local_model
from app.inference.local_model import RemoteModel
from app.inference.services import keychain
from app.models import remote_models, tuned_models
from app.models.cli import model_fit
from app.models.model_store import ModelStore
from app.models.services.remote_check import RemoteCheck
from app.models.services.remote_options import _key


def add_parser(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    adding = add_command(actions, shared, "add-remote", help_text("models add-remote"), _add)
    adding.add_argument("address", metavar="URL", help=help_text("models add-remote address"))
    adding.add_argument("--model", metavar="NAME", help=help_text("models add-remote --model"))
    adding.add_argument("--name", metavar="NAME", help=help_text("models add-remote --name"))
    adding.add_argument("--context", metavar="N", type=int, help=help_text("models add-remote --context"))
    adding.add_argument("--key-from", metavar="FILE|-", help=help_text("models add-remote --key-from"))
    adding.add_argument("--keep-key", action="store_true", help=help_text("models add-remote --keep-key"))


def _add(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status 3 where the server cannot be asked; nothing is added then."""
    from app.base.cli.commands import check_limit

    check_limit("--context", options.context, 256, 1 << 20)
    address = local_model.normalize_address(options.address)
    if not settings.load(where.settings).network_allowed:
        raise AppError("remote_network_off")
    key = _key(options.key_from) if options.key_from is not None else keychain.stored_token(origin_of(address))
    chosen = _chosen(_offered(address, key), options.model, address)
    if options.keep_key and key:
        keychain.store_token(key, origin_of(address))
    remote = RemoteModel(address, chosen.model, options.context or 0)
    store = ModelStore.open(where.database, where.backups)
    try:
        model = remote_models.described(options.name or chosen.model, remote, tuned_models.listed(store, where.models))
        remote_models.put(store, model)
    finally:
        store.close()
    facts = {"name": model.name, "id": model.id, "address": remote_models.shown(model)}
    output.result(model_fit.described(model), output.phrase("models.remote_added", **facts))
    return 0


def _offered(address: str, key: str) -> tuple[RemoteModel, ...]:
    app = core_application()
    asking = RemoteCheck(address, key)
    said: list[tuple[RemoteModel, ...] | AppError] = []
    waiting = CommandLoop(lambda: waiting.stop())
    for told in (asking.found, asking.failed):
        told.connect(said.append)
        told.connect(waiting.stop)
    try:
        waiting.run()
    finally:
        asking.cancel()
    del app
    if not said:
        raise KeyboardInterrupt
    if isinstance(said[0], AppError):
        raise said[0]
    return said[0]


def _chosen(found: tuple[RemoteModel, ...], wanted: str | None, address: str) -> RemoteModel:
    names = [one.model for one in found]
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted is None:
        known = " / ".join(names)
        raise AppError("bad_option", option="--model", value="-", expected=phrase("models.remote_models", known=known))
    if wanted not in names:
        raise AppError("remote_model_unknown", address=local_model.address_label(address), model=wanted)
    return found[names.index(wanted)]
