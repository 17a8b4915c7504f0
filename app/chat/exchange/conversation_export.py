"""Export conversations from the database to files."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.files.output_file import create_numbered_file, open_atomically, safe_name
from app.base.wording import phrase
from app.chat.answer_check import AnswerRecord
from app.chat.conversation_privacy import KnownCollections, effective_label
from app.chat.exchange import json_file
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.organizer import ConversationOrganizer
from app.chat.records import Conversation
from app.chat.store import Store

EXPORT_SUFFIXES = {"json": ".json", "markdown": ".md", "docx": ".docx"}  # the suffix of each format

ReportProgress = Callable[[int, int], None]  # takes the numbers of exported and of all; may raise to end the export


def save_file(bundles: Iterable[Bundle], file_format: str, target: Path, *, permit: Permit) -> list[Path]:
    """Write one file, replacing an existing one: any number of conversations as JSON, or one in another format.

    Raises AppError as `stored_bundles` and `Permit.open_atomically` do.
    """
    with permit.open_atomically(target) as file:
        if file_format == "json":
            json_file.write_conversations(file, bundles, time.time())
        else:
            file.writelines(_content(bundle, file_format) for bundle in bundles)
    return [target]


def save_answer(answered: AnswerRecord, target: Path, *, permit: Permit) -> list[Path]:
    """Write one answer as a Word document. Raises as `save_file`."""
    from app.chat.exchange import docx_file  # importing lxml takes 0.1 s, too long for the start of the window

    with permit.open_atomically(target) as file:
        file.write(docx_file.answer_docx(answered))
    return [target]


def save_folder(bundles: Iterable[Bundle], file_format: str, folder: Path, *, permit: Permit) -> list[Path]:
    """Write a file for each conversation, named after it: all or none, over none. Raises as `save_file`."""
    made: list[Path] = []
    numbers: dict[str, int] = {}
    try:
        for bundle in bundles:
            name, suffix = suggested_name(bundle.conversation), EXPORT_SUFFIXES[file_format]
            made.append(create_numbered_file(permit.at(folder), name, suffix, numbers))
            with open_atomically(made[-1]) as file:
                file.write(_content(bundle, file_format))
        permit.require()
    except BaseException:
        for path in made:
            with contextlib.suppress(OSError):  # files on a drive that was removed cannot be deleted
                path.unlink(missing_ok=True)
        raise
    return made


def with_current_label(bundle: Bundle, collections: KnownCollections) -> Bundle:
    """Return the bundle with the effective label of its conversation in place of the stored one."""
    label = effective_label(bundle.conversation, bundle.messages, collections)
    return replace(bundle, conversation=structs.replace(bundle.conversation, label=label))


def suggested_name(conversation: Conversation) -> str:
    """Return a file name for the conversation, without suffix."""
    return safe_name(conversation.title, phrase("common.export_untitled"))


def stored_bundles(
    store: Store, ids: Sequence[int], report: ReportProgress, collections: KnownCollections
) -> Iterator[Bundle]:
    """Yield stored conversations with their current labels. Raises AppError("conversation_gone")."""
    folders = {folder.id: folder.name for folder in ConversationOrganizer(store.database).folders()}
    report(0, len(ids))
    for done, conversation_id in enumerate(ids, start=1):
        conversation = store.conversation(conversation_id)
        if conversation is None:
            raise AppError("conversation_gone", id=conversation_id)
        folder = folders.get(conversation.folder_id or 0, "")
        yield with_current_label(Bundle(conversation, tuple(store.tree(conversation_id)), folder), collections)
        report(done, len(ids))


def _content(bundle: Bundle, file_format: str) -> bytes:
    # Importing the parser and lxml takes 0.1 s, which would delay the start of the window.
    if file_format == "markdown":
        from app.chat.exchange import markdown_file

        return markdown_file.conversation_markdown(bundle).encode()
    from app.chat.exchange import docx_file

    return docx_file.conversation_docx(bundle)
