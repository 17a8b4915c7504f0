"""Conversations from the database into files."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.files import output_file
from app.base.files.output_file import create_numbered_file, open_atomically
from app.base.wording import phrase
from app.chat import conversation_privacy
from app.chat.conversation_privacy import KnownCollections
from app.chat.exchange import json_file
from app.chat.exchange.answer_record import AnswerRecord
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.organizer import ConversationOrganizer
from app.chat.records import Conversation
from app.chat.store import Store

EXPORT_SUFFIXES = {"json": ".json", "markdown": ".md", "docx": ".docx"}  # of each format

ReportProgress = Callable[[int, int], None]  # conversations done, of how many; what it raises ends the export


def save_file(
    store: Store,
    ids: Sequence[int],
    file_format: str,
    target: Path,
    report: ReportProgress,
    there: KnownCollections,
    *,
    permit: Permit,
) -> list[Path]:
    """One file, in the place of what may be there; JSON of any number of conversations, the others of one.

    `there`: the collections as they are now, by which the conversations are labelled.

    Raises AppError("conversation_gone"), and as `Permit.whole_file`.
    """
    with permit.open_atomically(target) as file:
        _write(file, _bundles(store, ids, report, there), file_format)
    return [target]


def save_unstored(bundle: Bundle, file_format: str, target: Path, *, permit: Permit) -> list[Path]:
    """A conversation that lives in memory only. Raises as `save_file`."""
    with permit.open_atomically(target) as file:
        _write(file, [bundle], file_format)
    return [target]


def save_answer(answered: AnswerRecord, target: Path, *, permit: Permit) -> list[Path]:
    """One answer as a Word document. Raises as `save_file`."""
    from app.chat.exchange import docx_file  # lxml takes a tenth of a second, which the window's start need not pay

    with permit.open_atomically(target) as file:
        file.write(docx_file.answer_docx(answered))
    return [target]


def save_folder(
    store: Store,
    ids: Sequence[int],
    file_format: str,
    folder: Path,
    report: ReportProgress,
    there: KnownCollections,
    *,
    permit: Permit,
) -> list[Path]:
    """A file for each conversation, named after its title; nothing is overwritten, and all are written or none.

    `there`, and what it raises: as `save_file`.
    """
    made: list[Path] = []
    numbers: dict[str, int] = {}
    try:
        for bundle in _bundles(store, ids, report, there):
            made.append(
                create_numbered_file(
                    permit.at(folder), suggested_name(bundle.conversation), EXPORT_SUFFIXES[file_format], numbers
                )
            )
            with open_atomically(made[-1]) as file:
                file.write(_content(bundle, file_format))
        permit.require()
    except BaseException:
        for path in made:
            with contextlib.suppress(OSError):  # the stick was pulled out: what is on it cannot be removed
                path.unlink(missing_ok=True)
        raise
    return made


def with_current_label(bundle: Bundle, there: KnownCollections) -> Bundle:
    """With the label that it is shown with."""
    label = conversation_privacy.effective_label(bundle.conversation, bundle.messages, there)
    return replace(bundle, conversation=replace(bundle.conversation, label=label))


def suggested_name(conversation: Conversation) -> str:
    """A file name for it, without suffix."""
    return output_file.safe_name(conversation.title, phrase("common.export_untitled"))


def _bundles(store: Store, ids: Sequence[int], report: ReportProgress, there: KnownCollections) -> Iterator[Bundle]:
    folders = {folder.id: folder.name for folder in ConversationOrganizer(store.database).folders()}
    report(0, len(ids))
    for done, conversation_id in enumerate(ids, start=1):
        conversation = store.conversation(conversation_id)
        if conversation is None:
            raise AppError("conversation_gone", id=conversation_id)
        folder = folders.get(conversation.folder_id or 0, "")
        yield with_current_label(Bundle(conversation, tuple(store.tree(conversation_id)), folder), there)
        report(done, len(ids))


def _write(file: BinaryIO, bundles: Iterable[Bundle], file_format: str) -> None:
    if file_format == "json":
        json_file.write_conversations(file, bundles, time.time())
    else:
        file.writelines(_content(bundle, file_format) for bundle in bundles)


def _content(bundle: Bundle, file_format: str) -> bytes:
    # The parser and lxml take a tenth of a second, which the window's start need not pay.
    if file_format == "markdown":
        from app.chat.exchange import markdown_file

        return markdown_file.conversation_markdown(bundle).encode()
    from app.chat.exchange import docx_file

    return docx_file.conversation_docx(bundle)
