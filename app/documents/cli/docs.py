"""Run `kotae docs`: add, list, search, show, move, remove, refresh and embed collections of documents.

The file is over 450 lines because it contains all actions of the command.
"""

import argparse
import os
import re
import shlex
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base import confidentiality, invisible_characters
from app.base.cli import commands
from app.base.cli.commands import Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.documents import collection_lookup, collection_updates
from app.documents.cli import docs_output
from app.documents.library import Library
from app.documents.records import Document, DocumentCollection

if TYPE_CHECKING:  # each action imports what it needs when it runs
    from app.documents.services.command_documents import CommandReading

FOUND_MOST = 100  # limit of -k


def add_parser(commands: Any, shared: argparse.ArgumentParser, **handed_in: Any) -> None:
    from app.base.cli.commands import add_command
    from app.documents.cli import docs_overview

    group = add_command(commands, shared, "docs", help_text("docs"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)

    def add_action(name: str, run: Callable[[argparse.Namespace, Paths, Output], int]) -> Any:
        return add_command(actions, shared, name, help_text(f"docs {name}"), run)

    add = add_action("add", _add)
    add.add_argument("collection", metavar="COLLECTION", help=help_text("docs add collection"))
    add.add_argument("paths", metavar="PATH", nargs="+", help=help_text("docs add path"))
    add.add_argument("--label", metavar="|".join(_labels()), help=help_text("docs add --label"))
    add.add_argument("--allow-secret", action="store_true", help=help_text("docs add --allow-secret"))
    listing = add_action("list", _list)
    listing.add_argument("collection", metavar="COLLECTION", nargs="?", help=help_text("docs list collection"))
    search = add_action("search", _search)
    search.add_argument("collection", metavar="COLLECTION")
    search.add_argument("query", metavar="QUERY")
    search.add_argument("-k", metavar="N", type=int, default=10, help=help_text("docs search -k"))
    show = add_action("show", _show)
    show.add_argument("collection", metavar="COLLECTION")
    show.add_argument("document", metavar="DOCUMENT", help=help_text("docs show document"))
    move = add_action("move", _move)
    move.add_argument("collection", metavar="COLLECTION")
    move.add_argument("documents", metavar="DOCUMENT", nargs="+", help=help_text("docs show document"))
    move.add_argument("--to", metavar="COLLECTION", required=True, help=help_text("docs move --to"))
    move.add_argument("--allow-secret", action="store_true", help=help_text("docs move --allow-secret"))
    remove = add_action("remove", _remove)
    remove.add_argument("collection", metavar="COLLECTION")
    remove.add_argument("document", metavar="DOCUMENT", nargs="?", help=help_text("docs remove document"))
    recognition = add_action("ocr", _recognize)
    recognition.add_argument("collection", metavar="COLLECTION", nargs="?", help=help_text("docs ocr collection"))
    change = recognition.add_mutually_exclusive_group()
    change.add_argument("--install", action="store_true", help=help_text("docs ocr --install"))
    change.add_argument("--remove", action="store_true", help=help_text("docs ocr --remove"))
    recognition.add_argument("--wheels", metavar="DIR", help=help_text("docs ocr --wheels"))
    refresh = add_action("refresh", _refresh)
    refresh.add_argument("collection", metavar="COLLECTION", nargs="?", help=help_text("docs refresh collection"))
    add_action("embed", _embed)
    docs_overview.add_actions(add_action, **handed_in)


def _labels() -> list[str]:
    return [phrase(f"common.label.{label}") for label in ("public", "internal", "secret")]


# ------------------------------------------------------------------------- adding


def _add(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae docs add`. Exit status: 0; 1: something could not be read; 3: an expected error; 130: interrupted."""
    named = [_existing(path) for path in options.paths]
    label = confidentiality.label_from_word(options.label) if options.label is not None else None
    if options.label is not None and label is None:
        raise AppError("bad_option", option="--label", value=options.label, expected=" / ".join(_labels()))
    name = invisible_characters.to_single_line(options.collection)
    if not name:
        raise AppError("collection_unnamed")
    started = time.monotonic()

    def work(reading: "CommandReading") -> tuple[dict[str, Any], list[str]]:
        before = next((collection for collection in reading.documents.collections() if collection.name == name), None)
        if before is not None:
            _check_not_own(before)
        permit = entry = None
        with closing(Library.open_second(where.documents)) as library:
            becomes = label or (before.label if before else confidentiality.DEFAULT_LABEL)
            asked = collection_updates.entry_request(library, before.id if before else 0, named, name, becomes)
        if asked is not None:
            entry = confidentiality.permit_export(asked, where.exports_log, is_agreed=options.allow_secret)
        if before is not None and label is not None:
            export = reading.documents.label_change_request(before, label)
            permit = confidentiality.permit_export(export, where.exports_log, is_agreed=options.allow_secret)
        added = reading.add(name, label, named, permit, entry)
        if all(collection.id != added.collection_id for collection in reading.documents.collections()):
            raise AppError("collection_removed_meanwhile", name=name)
        documents = [
            document for document in reading.documents.documents(added.collection_id) if _is_below(document, named)
        ]
        data: dict[str, Any] = {
            "collection": name,
            "state": "done",
            **_counts(documents),
            "new": len(added.new),
            "skipped": dict(added.skipped),
            **_attention(documents),
        }
        key = "documents.docs_added_partly" if data["unread"] else "documents.docs_added"
        facts = {fact: data[fact] for fact in ("documents", "read", "unread", "new", "sections")}
        lines = [output.phrase(key, name=name, **facts)]
        if not documents:
            lines = [output.phrase("documents.docs_nothing_found")]
        skipped = [f"{phrase(f'documents.not_taken.{reason}')} {count}" for reason, count in added.skipped.items()]
        lines += [output.phrase("documents.docs_skipped", what=", ".join(skipped))] if skipped else []
        if before is not None and label is not None and label != before.label:
            changed = {"before": phrase(f"common.label.{before.label}"), "after": phrase(f"common.label.{label}")}
            lines.append(output.phrase("documents.docs_labelled", **changed))
        return data, lines

    return _read(where, output, name, started, work)


def _refresh(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Read new and changed files. Exit status: 0; 1: something unread or missing; 3: an expected error; 130."""
    with closing(collection_lookup.open_library(where.documents)) as library:
        known = [collection for collection in library.collections() if not collection.is_builtin]
        if options.collection is not None:
            known = [collection_lookup.find_collection(library, options.collection)]
            _check_not_own(known[0])
    started = time.monotonic()

    def work(reading: "CommandReading") -> tuple[dict[str, Any], list[str]]:
        done = reading.refresh([one.id for one in known])
        documents = [document for one in known for document in reading.documents.documents(one.id)]
        rows: list[dict[str, Any]] = [
            {
                "collection": one.name,
                "new": outcome.new,
                "changed": outcome.changed,
                "removed": len(outcome.removed_ids),
                "missing": [str(path) for path in outcome.missing],
            }
            for one, outcome in zip(known, done, strict=True)
        ]
        lines = [output.phrase("documents.docs_refreshed", **row) for row in rows]
        missing = [output.phrase("documents.docs_source_missing", path=path) for row in rows for path in row["missing"]]
        return {"state": "done", "collections": rows, **_attention(documents)}, [*lines, *missing]

    return _read(where, output, options.collection, started, work)


def _recognize(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae docs ocr`: install or remove the part, then recognize a collection's pages that are images, if named.

    Exit status: that of the reading; without a collection 0, or 1 if nothing can recognize text although nothing was
    removed; 3 for an expected error; 130 if interrupted.
    """
    from app.documents.cli import ocr_installation
    from app.documents.reading.pdf import ocr
    from app.models import package_folder

    if options.wheels and not options.install:
        raise AppError("bad_option", option="--wheels", value=options.wheels, expected="--install")
    if options.install:
        ocr_installation.install(where, output, _existing(options.wheels) if options.wheels else None)
    elif options.remove:
        package_folder.remove(ocr.part_folder(where.documents))
    if options.collection is None:
        status = ocr_installation.print_state(where, output)
        return 0 if options.remove else status
    with closing(collection_lookup.open_library(where.documents)) as library:
        collection = collection_lookup.find_collection(library, options.collection)
        _check_not_own(collection)
        wanted = [one.id for one in library.documents(collection.id) if one.needs_recognition]
    started = time.monotonic()

    def work(reading: "CommandReading") -> tuple[dict[str, Any], list[str]]:
        reading.recognize(wanted)
        documents = [one for one in reading.documents.documents(collection.id) if one.id in wanted]
        line = output.phrase("documents.docs_recognized", name=collection.name, **_counts(documents))
        return {"collection": collection.name, "state": "done", **_counts(documents), **_attention(documents)}, [line]

    if wanted and not ocr_installation.engine(where):
        raise AppError("ocr_missing")
    return _read(where, output, collection.name, started, work)


def _read(
    where: Paths,
    output: Output,
    name: str | None,
    started: float,
    work: Callable[["CommandReading"], tuple[dict[str, Any], list[str]]],
) -> int:
    """Run `work` with a reading queue, print its result, and return the exit status.

    `work` returns the JSON object and the lines for a terminal. `name`: the collection's name; None: all collections.
    `started`: the monotonic time in seconds when the command began.
    """
    from app.documents.services import command_documents
    from app.models import local_models

    reading = command_documents.CommandReading(where, output)
    try:
        with reading:
            data, lines = work(reading)
            data["seconds"] = round(time.monotonic() - started, 2)
    except KeyboardInterrupt:
        with closing(Library.open_second(where.documents)) as library:
            left = len(library.waiting())
        if output.is_json:
            output.result({"collection": name, "state": "interrupted", "unfinished": left}, "")
        output.note("documents.docs_interrupted", left=left)
        return 128 + signal.SIGINT
    output.result(data, "\n".join(lines))
    if any(map(local_models.is_embedding_model, command_documents.search_models(where))):
        output.note("documents.docs_embed_next")
    for (state, message, next_step), names in docs_output.names_by_reason(data["attention"]).items():
        state = phrase(f"documents.document_state.{state}")
        output.note("documents.docs_attention", state=state, document=names, message=message, next=next_step)
    if data["invisible"]["n"]:
        output.note("documents.docs_invisible_in", **data["invisible"])
    is_missing = any(row["missing"] for row in data.get("collections", []))
    is_empty = data.get("documents") == 0 and "new" in data
    return 1 if is_missing or data["unread"] or is_empty else 0


def _counts(documents: list[Document]) -> dict[str, int]:
    read = [one for one in documents if one.state in ("done", "doubtful") and not _is_unread(one)]
    return {
        "documents": len(documents),
        "read": len(read),
        "sections": sum(document.report.sections for document in read),
    }


def _attention(documents: list[Document]) -> dict[str, Any]:
    """Return the JSON fields for documents with problems; `unread`: how many have no searchable text."""
    troubled = [document for document in documents if document.state in ("doubtful", "failed")]
    unread = sum(map(_is_unread, documents))
    removed = [document.report.invisible for document in documents if document.report.invisible]
    return {
        "unread": unread,
        "attention": [docs_output.attention_data(document) for document in troubled],
        "invisible": {"documents": len(removed), "n": sum(removed)},
    }


def _is_unread(document: Document) -> bool:
    return document.state == "failed" or (document.state == "doubtful" and not document.report.sections)


def _existing(name: str) -> Path:
    """Return the absolute path of a file or folder. Raises AppError("docs_path_missing" | "docs_path_missing_near")."""
    try:
        path = Path(os.path.abspath(Path(name).expanduser()))  # noqa: PTH100  as the documents are stored
        if path.exists() and str(path).encode("utf-8"):
            return path
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, ValueError, RuntimeError) as error:  # no permission, a NUL, not text, or `~` of an unknown user
        raise AppError("docs_path_missing", path=name) from error
    offered = commands.find_similar_names(path.name, beside)
    if offered:
        raise AppError("docs_path_missing_near", path=name, near=" / ".join(offered))
    raise AppError("docs_path_missing", path=name)


def _is_below(document: Document, given_paths: list[Path]) -> bool:
    path = Path(document.path)
    return any(path == one or one in path.parents for one in given_paths)


def _check_not_own(collection: DocumentCollection) -> None:
    if collection.is_builtin:
        raise AppError("collection_is_own", name=collection.name)


# ------------------------------------------------------------------------- looking


def _list(options: argparse.Namespace, where: Paths, output: Output) -> int:
    if options.collection is not None:
        return _list_documents(options.collection, where, output)
    with closing(collection_lookup.open_library(where.documents)) as library:
        if not any(collection.is_builtin for collection in library.collections()):
            from app.documents.services import command_documents

            command_documents.provide_manual(where, output, phrase("common.manual_collection"))
        known = library.collections()
        rows = [
            docs_output.collection_data(
                one, [str(path) for path in library.sources(one.id)] if not one.is_builtin else []
            )
            for one in known
        ]
    lines = [docs_output.collection_line(one) for one in known]
    lines += [output.phrase("documents.docs_none")] if all(one.is_builtin for one in known) else []
    output.result({"collections": rows}, "\n".join(lines))
    return 0


def _list_documents(name: str, where: Paths, output: Output) -> int:
    from app.documents.services import command_documents

    command_documents.provide_manual(where, output, name)
    with closing(collection_lookup.open_library(where.documents)) as library:
        collection = collection_lookup.find_collection(library, name)
        documents = library.documents(collection.id)
    lines = [docs_output.document_line(document) for document in documents] or [output.phrase("documents.docs_empty")]
    rows = [docs_output.document_data(document) for document in documents]
    output.result({"collection": collection.name, "documents": rows}, "\n".join(lines))
    return 0


def _embed(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Prepare the search by meaning. Exit status: 0; 1: no vectors; 3: no model; 130: interrupted, vectors kept."""
    from app.documents.services import command_documents

    started = time.monotonic()
    with command_documents.QuestionEmbedder(where, output) as meanings:
        outcome = meanings.complete()
    if outcome.phase == "off":
        raise AppError("embedding_model_absent")
    data = {"sections": outcome.total, "embedded": outcome.done, "seconds": round(time.monotonic() - started, 2)}
    output.result(data, output.phrase("documents.docs_embedded", done=outcome.done, total=outcome.total))
    return 0 if outcome.phase == "idle" else 1


def _search(options: argparse.Namespace, where: Paths, output: Output) -> int:
    if not 1 <= options.k <= FOUND_MOST:
        expected = output.phrase("common.range", low=1, high=FOUND_MOST)
        raise AppError("bad_option", option="-k", value=options.k, expected=expected)
    if not options.query.strip():
        raise AppError("empty_question")
    from app.documents.retrieval import named_clauses, passage_search
    from app.documents.services import command_documents
    from app.documents.services.reranking import RERANKED

    command_documents.provide_manual(where, output, options.collection)
    with closing(collection_lookup.open_library(where.documents)) as library:
        collection = collection_lookup.find_collection(library, options.collection)
        with command_documents.QuestionEmbedder(where, output) as meanings:
            meaning = meanings.embed_question(options.query)
            started = time.monotonic()
            limit = max(options.k, RERANKED)
            searched = passage_search.search(library, options.query, [collection.id], limit, where.glossary, meaning)
            missing = named_clauses.find_clauses(library, options.query, [collection.id]).missing
            seconds = time.monotonic() - started
            order = meanings.rerank(options.query, searched)
        found = order.passages[: options.k]
    if collection.unfinished:
        output.note("documents.docs_still_reading", n=collection.unfinished)
    lines = [named_clauses.missing_sentence(one) for one in missing]
    lines += [line for passage in found for line in docs_output.passage_lines(passage, options.query)]
    data = {
        "passages": [docs_output.passage_data(passage) for passage in found],
        "missing": [docs_output.missing_data(one) for one in missing],
        "seconds": round(seconds, 4),
        "reranked": order.state == "used",
        "rerank_seconds": round(order.seconds, 2),
    }
    output.result(data, "\n".join(lines or [phrase("documents.docs_not_found")]))
    return 0


def _show(options: argparse.Namespace, where: Paths, output: Output) -> int:
    from app.documents.services import command_documents

    command_documents.provide_manual(where, output, options.collection)
    with closing(collection_lookup.open_library(where.documents)) as library:
        collection = collection_lookup.find_collection(library, options.collection)
        document = collection_lookup.find_document(library, collection, options.document)
        sections = [section for _, section in library.sections(document.id)]
    data = {
        "collection": collection.name,
        **docs_output.document_data(document),
        "sections": [docs_output.section_data(section) for section in sections],
    }
    lines = [document.name, *docs_output.report_lines(document), "", *docs_output.section_lines(sections)]
    output.result(data, "\n".join(lines).rstrip())
    return 0


# ------------------------------------------------------------- moving and removing


def _move(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Move documents to another collection without reading them again, and print the command that moves them back."""
    with closing(collection_lookup.open_library(where.documents)) as library:
        collection, target = (
            collection_lookup.find_collection(library, name) for name in (options.collection, options.to)
        )
        for one in (collection, target):
            _check_not_own(one)
        references = dict.fromkeys(options.documents)
        documents = [collection_lookup.find_document(library, collection, name) for name in references]
        what = documents[0].name if len(documents) == 1 else phrase("documents.n_documents", n=len(documents))
        export = collection_updates.move_request(where.documents, collection, target, what)
        permit = confidentiality.permit_export(export, where.exports_log, is_agreed=options.allow_secret)
        collection_updates.move_documents(library, [one.id for one in documents], target.id, permit)
    data = {
        "collection": collection.name,
        "to": target.name,
        "documents": [docs_output.document_data(document) for document in documents],
    }
    way_back = collection_updates.move_request(where.documents, target, collection, what)
    paths = [document.path for document in documents]
    allowed = ["--allow-secret"] if way_back.needs_consent(target.label) else []
    undo = _shell_command("move", target.name, *paths, "--to", collection.name, *allowed)
    text = output.phrase("documents.docs_moved", n=len(documents), name=target.name, undo=undo)
    output.result(data, text)
    return 0


def _remove(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Remove a collection or a document, whose files stay, and print the command that adds it again."""
    with closing(collection_lookup.open_library(where.documents)) as library:
        collection = collection_lookup.find_collection(library, options.collection)
        _check_not_own(collection)
        sources = [str(path) for path in library.sources(collection.id)]
        if options.document is None:
            library.remove_collection(collection.id)
            data = docs_output.collection_data(collection, sources)
            # Without this label, the new collection might be less confidential.
            label = ("--label", phrase(f"common.label.{collection.label}"))
            text = output.phrase(
                "documents.docs_removed",
                name=collection.name,
                undo=_shell_command("add", collection.name, *sources, *label),
            )
        else:
            document = collection_lookup.find_document(library, collection, options.document)
            library.exclude([document.id])
            library.remove_documents([document.id])
            data = {"collection": collection.name, **docs_output.document_data(document)}
            text = output.phrase(
                "documents.docs_removed_one",
                name=document.name,
                undo=_shell_command("add", collection.name, document.path),
            )
    output.result(data, text)
    return 0


def _shell_command(action: str, *arguments: str) -> str:
    """Return the shell command `kotae docs ACTION` that undoes what was done. `arguments`: names, paths and options."""
    quoted = (word if re.fullmatch(r"[\w./:-]+", word) else shlex.quote(word) for word in arguments)
    return " ".join(["kotae", "docs", action, *quoted])
