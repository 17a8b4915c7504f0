"""Define `kotae models download` and `search`: fetch a model of the catalogue or of a hub's repository, and find one.

A download comes from the hub, a mirror, an address or a folder.
"""

import argparse
import contextlib
import dataclasses
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.base import programs
from app.base.addresses import host_of, origin_of
from app.base.cli import commands
from app.base.cli.commands import Output, add_command, time_left_suffix
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import format_size, help_text, outline_error, phrase
from app.inference import speed
from app.inference.local_model import LocalModel
from app.inference.services import keychain
from app.models import base_models, catalogue, hub_models, local_models, model_fit
from app.models.catalogue import ModelCard, ModelFile
from app.models.cli import model_inspection
from app.models.hub_models import HubReference
from app.models.model_fit import FitConditions
from app.models.model_store import ModelStore
from app.models.services.downloads import Download, Downloads
from app.models.services.hub_search import HubSearch, hub_address
from app.models.services.model_library import ModelLibrary

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105  a variable's name; the token is sent only to the official hub, on demand


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "download", help_text("models download"), _download)
    parser.add_argument("model", metavar="ID|OWNER/REPO[:FILE]", help=help_text("models download model"))
    form = parser.add_mutually_exclusive_group()
    form.add_argument("file", metavar="FILE", nargs="?", help=help_text("models download file"))
    form.add_argument("--quant", "--include", metavar="Q4_K_M", help=help_text("models download --quant"))
    form.add_argument("--as-base", action="store_true", help=help_text("models download --as-base"))
    parser.add_argument(
        "--from", dest="place", metavar="hub|DIR|URL", default="hub", help=help_text("models download --from")
    )
    parser.add_argument("--revision", metavar="COMMIT", help=help_text("models download --revision"))
    parser.add_argument("--token-file", metavar="FILE", help=help_text("models download --token-file"))
    parser.add_argument("--trust-template", action="store_true", help=help_text("models import --trust-template"))
    parser.add_argument("--share", action="store_true", help=help_text("models download --share"))
    searching = add_command(actions, shared, "search", help_text("models search"), _search)
    searching.add_argument("words", metavar="WORDS", nargs="+", help=help_text("models search words"))
    edition = add_command(actions, shared, "catalogue", help_text("models catalogue"), _catalogue)
    place = edition.add_mutually_exclusive_group()
    place.add_argument("--from", dest="place", metavar="DIR|FILE|URL", help=help_text("models catalogue --from"))
    place.add_argument("--reset", action="store_true", help=help_text("models catalogue --reset"))


def _download(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run the download and return the exit status: 0, or 130 after Ctrl+C; the same command then resumes it."""
    token = _token_in(options.token_file) if options.token_file else ""
    with opened_downloads(where) as (downloads, preferences, library):
        session = _DownloadSession(downloads, preferences.value, output, _download_source(options.place), token)
        find = _find_base if options.as_base else _find_file
        found = find(options.model, options.file or options.quant, options.revision, session)
        session.run(*found, is_shared=options.share)
        if session.model is not None and local_models.needs_template_consent(session.model):
            if options.trust_template:
                library.allow_template(session.model.id)
            else:
                output.note("models.template_note")
    return _report_outcome(session, output)


@contextlib.contextmanager
def opened_downloads(where: Paths) -> Iterator[tuple[Downloads, Preferences, ModelLibrary]]:
    app = core_application()
    store = ModelStore.open(where.database, where.backups)
    try:
        preferences, log = Preferences(where.settings), where.logs / "download-command.log"
        library = ModelLibrary(store, where.models)
        yield Downloads(library, preferences, programs.downloader_command(), log, None), preferences, library
    finally:
        background.shut_down()
        store.close()
        del app


def _search(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Print the repositories that the hub finds, each with its usual file; return exit status 1 if there is none."""
    words = " ".join(options.words)
    with opened_downloads(where) as (downloads, preferences, _library):
        output.progress("models.searching_hub", place=host_of(hub_address(preferences.value)))
        cards: tuple[ModelCard, ...] = answer_of(downloads.hub.search(words))
        output.end_progress()
        settings = preferences.value
    here = FitConditions.of_settings(settings, speed.load(where.data / speed.FILE_NAME))
    lines, found = [], []
    for card in cards:
        usual = model_fit.usual_file(card)
        assert usual is not None
        word = here.judge_card(card, usual).word
        repository, size = usual.repository, format_size(usual.size_bytes)
        facts = [repository, f"{usual.quantization} {size}", phrase(f"models.fit.{word}"), card.licence or "-"]
        lines.append("\t".join([*facts, *([phrase("models.gated")] if card.is_gated else [])]))
        found.append(
            model_inspection.card_data(card)
            | {"repository": repository, "quantization": usual.quantization, "fit": word, "is_gated": card.is_gated}
        )
    output.result({"models": found}, "\n".join(lines) or phrase("models.hub_found_none", words=words))
    return 0 if cards else 1


def _catalogue(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Print which edition of the catalogue is in force, after bringing one in or going back to the program's own."""
    if options.reset:
        book = catalogue.drop_edition()
    elif options.place is None:
        book = catalogue.load()
    elif "://" in options.place:
        with tempfile.TemporaryDirectory() as folder, opened_downloads(where) as (downloads, *_):
            fetched: Path = answer_of(
                downloads.catalogue.fetch(catalogue.edition_addresses(options.place), Path(folder))
            )
            book = catalogue.bring_in_edition(fetched)
    else:
        book = catalogue.bring_in_edition(Path(options.place).expanduser())
    data = {"version": book.version, "date": book.date, "models": len(book.cards), "is_own": not book.is_brought_in}
    key = "models.catalogue_brought_in" if book.is_brought_in else "models.catalogue_of_program"
    output.result(data, output.phrase(key, date=book.date, n=len(book.cards)))
    return 0


def answer_of(search: HubSearch) -> Any:
    """Wait for the answer and return it. Raises AppError, and KeyboardInterrupt after Ctrl+C."""
    loop = CommandEventLoop(lambda: loop.stop())
    search.found.connect(loop.finish)
    search.failed.connect(loop.fail)
    try:
        loop.run()
    finally:
        search.cancel()
    if loop.result is None:
        raise loop.error or KeyboardInterrupt
    return loop.result


def _find_file(
    name: str, quantization: str | None, revision: str | None, session: "_DownloadSession"
) -> tuple[ModelCard, ModelFile]:
    """Return the card named `name` and its file: of `quantization`, else the usual one.

    A repository of the hub is looked up, unless the catalogue has the wanted file of it. Raises AppError:
    download_unknown_card, download_unknown_card_near, download_trial, download_no_source, download_no_quant, those of
    looking up.
    """
    book = catalogue.load()
    card, reference = book.find(name), hub_models.parse_reference(name, revision)
    if card is not None and revision and card.files and not card.package:  # not the one that the catalogue has
        repository = hub_models.choose_file(card, quantization or "").repository
        card, reference = None, HubReference(repository, revision=revision)
    if card is None and reference is not None:
        wanted = reference.wanted or quantization or ""
        for known in (one for one in book.cards if not one.is_found and reference.revision == "main"):
            files = tuple(file for file in known.files if file.repository == reference.repository)
            with contextlib.suppress(AppError):
                if files:
                    return known, hub_models.choose_file(dataclasses.replace(known, files=files), wanted)
        found = session.look_up(reference)
        return found, hub_models.choose_file(found, wanted)
    if card is None:
        near = commands.find_similar_names(
            name, [card.id for card in book.cards if any(file.file for file in card.files)]
        )
        if near:
            raise AppError("download_unknown_card_near", wanted=name, near=" / ".join(near))
        raise AppError("download_unknown_card", wanted=name)
    if card.package:
        raise AppError("download_trial", name=card.title)
    if not card.files:
        raise AppError("download_no_source", name=card.title)
    return card, hub_models.choose_file(card, quantization or "")


def _find_base(
    name: str, _quantization: str | None, revision: str | None, session: "_DownloadSession"
) -> tuple[ModelCard, ModelFile]:
    """Return the card and the files of the publisher's weights: of a repository, or those that a card names.

    Raises AppError: download_unknown_card, hub_no_weights, those of looking up.
    """
    card = catalogue.load().find(name)
    reference = hub_models.parse_reference(card.base_model if card else name, revision)
    if reference is None:
        raise AppError("download_unknown_card", wanted=name)
    found = session.look_up(reference, as_base=True)
    return found, found.files[0]


def _download_source(option: str) -> str:
    """Return where to download from: "" for the model hub, or an address, or an absolute path."""
    if option == "hub":
        return ""
    if "://" in option:
        return option
    try:
        return str(Path(option).expanduser().absolute())
    except RuntimeError:  # `~` of an unknown user
        return option


def _token_in(name: str) -> str:
    """Return the token in a file. Raises AppError("token_unreadable")."""
    try:
        token = Path(name).expanduser().read_text("utf-8").strip()
    except (OSError, ValueError, RuntimeError) as error:
        raise AppError("token_unreadable", path=name) from error
    if not token or not token.isascii() or any(character.isspace() for character in token):
        raise AppError("token_unreadable", path=name)
    return token


class _DownloadSession:
    """Runs one download until it ends or Ctrl+C pauses it."""

    def __init__(self, downloads: Downloads, settings: Settings, output: Output, source: str, token: str) -> None:
        self._downloads, self._settings, self._output, self._source = downloads, settings, output, source
        self._may_use_stored_token = token == "" and source == ""
        if token:
            downloads.set_token(token, source)
        self._card: ModelCard | None = None  # None once its licence has been printed
        self.waiting = CommandEventLoop(self._interrupt)
        self.model: LocalModel | None = None
        self.base: Path | None = None
        self.problem: AppError | None = None
        self.paused: Download | None = None
        downloads.progressed.connect(self._on_progressed)
        downloads.changed.connect(self._on_changed)
        downloads.finished.connect(self._on_finished)
        downloads.base_finished.connect(self._on_base_finished)
        downloads.failed.connect(self._on_failed)

    def run(self, card: ModelCard, file: ModelFile, *, is_shared: bool) -> None:
        self._card = card
        try:
            self._downloads.start(card, file, self._source, is_shared=is_shared)
            if self.problem is None and self.model is None and self.base is None:
                self.waiting.run()
        finally:
            self._downloads.close()
            self._output.end_progress()

    def look_up(self, reference: HubReference, *, as_base: bool = False) -> ModelCard:
        """Return the card of a repository; a stored token is sent if the hub demands one. Raises AppError."""
        try:
            cards: tuple[ModelCard, ...] = answer_of(self._downloads.hub.look_up(reference, as_base=as_base))
        except AppError as error:
            if error.code != "download_gated" or not (self._may_use_stored_token and self._use_stored_token()):
                raise
            cards = answer_of(self._downloads.hub.look_up(reference, as_base=as_base))
        return cards[0]

    def _interrupt(self) -> None:
        for item in self._downloads.items():
            self._downloads.pause(item.id)

    def _on_changed(self) -> None:
        items = self._downloads.items()
        if self.waiting.was_interrupted and items and items[0].state == "paused" and not self._downloads.is_working:
            self.paused = items[0]
            self.waiting.stop()

    def _print_licence(self) -> None:
        """Print the licence once, as soon as the source has proved to have the file."""
        card, self._card = self._card, None
        if card is not None:
            self._output.end_progress()
            licence = card.licence or phrase("models.licence_not_stated")
            self._output.note("models.licence", licence=licence, notice=card.licence_notice)

    def _on_progressed(self, item: Download) -> None:
        if item.problem is None:
            self._print_licence()
        total = max(item.total_bytes, 1)
        facts = {"name": item.title, "percent": 100 * item.done_bytes // total}
        if item.state != "running":
            self._output.progress(f"models.download_progress.{item.state}", **facts)
            return
        if item.problem is not None:
            self._output.progress("models.download_again", problem=outline_error(item.problem.code), **facts)
            return
        self._output.progress(
            "models.download_running",
            done_bytes=item.done_bytes,
            total_bytes=item.total_bytes,
            speed=f"{item.bytes_per_s / 1e6:.1f}",
            left=time_left_suffix(item.seconds_left),
            **facts,
        )

    def _on_finished(self, model: LocalModel) -> None:
        self._print_licence()
        self.model = model
        self.waiting.stop()

    def _on_base_finished(self, folder: Path) -> None:
        self._print_licence()
        self.base = folder
        self.waiting.stop()

    def _on_failed(self, item: Download) -> None:
        assert item.problem is not None
        if item.problem.code == "download_gated" and self._may_use_stored_token and self._use_stored_token():
            self._downloads.resume(item.id)
            return
        self.problem = item.problem
        self.waiting.stop()

    def _use_stored_token(self) -> bool:
        """Use a token for the hub from the environment or the keychain; return whether there is one."""
        self._may_use_stored_token = False
        place = hub_address(self._settings)
        token = stored_hub_token(place)
        if token:
            self._downloads.set_token(token)
        elif os.environ.get(TOKEN_VARIABLE):
            self._output.end_progress()
            self._output.note("models.token_kept", variable=TOKEN_VARIABLE, place=host_of(place))
        return token != ""


def stored_hub_token(source: str) -> str:
    """Return the token from the environment, else from the system's password store; "" except for the official hub.

    A mirror in the settings or the environment gets only a token from `--token-file`.
    """
    if origin_of(source) != origin_of(keychain.PLACE):
        return ""
    return os.environ.get(TOKEN_VARIABLE, "") or keychain.stored_credential()


def _report_outcome(session: _DownloadSession, output: Output) -> int:
    if session.problem is not None:
        raise session.problem
    if session.model is not None:
        model = session.model
        data = {
            **model_inspection.model_data(model),
            "state": "done",
            "sha256": [fingerprint.sha256 for fingerprint in model.files],
        }
        output.result(data, output.phrase("models.added", name=model.name, id=model.id))
        return 0
    if session.base is not None:
        weights = base_models.resolve_base(str(session.base), ()).weights
        data = {"path": str(session.base), "weights": weights, "state": "done"}
        output.result(data, output.phrase("models.base_added", path=session.base))
        return 0
    item = session.paused
    assert item is not None
    if output.is_json:
        sizes = {"done_bytes": item.done_bytes, "total_bytes": item.total_bytes}
        output.result({"id": item.card_id, "state": "paused", **sizes}, "")
    output.note("models.download_interrupted", done_bytes=item.done_bytes, total_bytes=item.total_bytes)
    return 128 + signal.SIGINT
