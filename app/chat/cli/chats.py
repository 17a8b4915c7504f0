"""Define `kotae chats`: list, export and import stored conversations."""

import argparse
from pathlib import Path
from typing import Any

from app.base.cli.commands import Output, add_command
from app.base.confidentiality import HIGHEST_LABEL, ExportRequest, Permit, permit_export
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import format_time, help_text
from app.chat import conversation_privacy
from app.chat.exchange import conversation_export, conversation_import
from app.chat.organizer import ConversationOrganizer
from app.chat.store import Store
from app.documents.library import collections_now

SHOWN_TITLES = 3


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    group = add_command(commands, shared, "chats", help_text("chats"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    add_command(actions, shared, "list", help_text("chats list"), _list)
    export = add_command(actions, shared, "export", help_text("chats export"), _export)
    export.add_argument("id", metavar="ID", type=int, nargs="*", help=help_text("chats export id"))
    export.add_argument(
        "--format",
        choices=list(conversation_export.EXPORT_SUFFIXES),
        default="json",
        help=help_text("chats export --format"),
    )
    export.add_argument("--to", metavar="PATH", required=True, help=help_text("chats export --to"))
    export.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    importer = add_command(actions, shared, "import", help_text("chats import"), _import)
    importer.add_argument("file", metavar="FILE.json")


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    with Store.open(where.database, where.backups) as store:
        folders = {folder.id: folder.name for folder in ConversationOrganizer(store.database).folders()}
        found: list[dict[str, Any]] = [
            {
                "id": c.id,
                "title": c.title,
                "updated_at": c.updated_at,
                "folder": folders.get(c.folder_id or 0),
                "imported_at": c.imported_at,
            }
            for c in store.conversations()
        ]
    lines = [f"{row['id']}\t{format_time(row['updated_at'])}\t{_marked(row, output)}" for row in found]
    output.result({"chats": found}, "\n".join(lines) or output.phrase("chat.no_chats"))
    return 0


def _marked(row: dict[str, Any], output: Output) -> str:
    """Return the title, with a mark in front of an imported conversation."""
    return row["title"] if row["imported_at"] is None else f"[{output.phrase('chat.imported_in_list')}] {row['title']}"


def _export(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Export conversations into one new JSON file, or into one file each in a folder; never replace existing files."""
    target = Path(options.to)
    with Store.open(where.database, where.backups) as store:
        ids = options.id or [conversation.id for conversation in store.conversations()]
        if not ids:
            output.result({"exported": 0, "files": []}, output.phrase("chat.exported_none"))
            return 0
        _check_target(target, is_file=options.format == "json")
        collections = collections_now(where.documents)
        permit = _permit_export(store, ids, target, where, allows_secret=options.allow_secret)

        def report(done: int, total: int) -> None:
            output.progress("chat.exporting", done=done, total=total)

        bundles = conversation_export.stored_bundles(store, ids, report, collections)
        if options.format == "json":
            made = conversation_export.save_file(bundles, "json", target, permit=permit)
        else:
            made = conversation_export.save_folder(bundles, options.format, target, permit=permit)
    output.end_progress()
    text = output.phrase("chat.exported", count=len(ids), path=options.to)
    output.result({"exported": len(ids), "files": [str(path) for path in made]}, text)
    return 0


def _check_target(target: Path, *, is_file: bool) -> None:
    """Check the target path. Raises AppError("export_is_folder" | "export_exists" | "export_not_folder" |
    "export_folder_gone")."""
    if is_file and target.is_dir():
        raise AppError("export_is_folder", path=str(target))
    if is_file and target.exists():
        raise AppError("export_exists", path=str(target))
    if not is_file and target.is_file():
        raise AppError("export_not_folder", path=str(target))
    folder = target.parent if is_file else target
    if not folder.is_dir():
        raise AppError("export_folder_gone", path=str(folder))


def _permit_export(store: Store, ids: list[int], target: Path, where: Paths, *, allows_secret: bool) -> Permit:
    """Return the permit to export these conversations. `allows_secret`: the user has allowed confidential ones. Raises
    AppError("secret_export" | "conversation_gone")."""
    conversations = store.conversations_of(ids)
    gone = set(ids).difference(one.id for one in conversations)
    if gone:
        raise AppError("conversation_gone", id=min(gone))
    labels = conversation_privacy.effective_labels(store, conversations, collections_now(where.documents))
    secret = [one for one in conversations if labels[one.id] == HIGHEST_LABEL]
    export = ExportRequest(
        "conversation" if len(ids) == 1 else "conversations",
        str(target.absolute()),
        lambda: conversation_privacy.highest_effective_label(store, conversations, collections_now(where.documents)),
        " / ".join(one.title for one in secret[:SHOWN_TITLES]),
    )
    return permit_export(export, where.exports_log, is_agreed=allows_secret)


def _import(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Import a JSON file. Return the exit status, 1 when conversations were refused."""
    with Store.open(where.database, where.backups) as store:
        result = conversation_import.import_conversations(
            store,
            Path(options.file),
            lambda done, total: output.progress("chat.importing", percent=round(100 * done / total)),
            where.documents,
        )
    output.end_progress()
    refused = [conversation_import.refusal_line(found) for found in result.refused]
    data = {
        "imported": result.imported,
        "copies": result.copies,
        "already_there": result.already_there,
        "in_bin": result.in_bin,
        "answers": {"checked": result.checked, "unchecked": result.unchecked},
        "refused": refused,
    }
    lines = [conversation_import.import_headline(result), conversation_import.import_remarks(result), *refused]
    output.result(data, "\n".join(line for line in lines if line))
    return 1 if refused else 0
