"""`kotae eval sets from-chats`: a question set of the answers that were rated in conversations."""

import argparse
from typing import Any

from app.base.cli.commands import Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text, phrase
from app.chat.store import Store
from app.documents.library import collections_now
from app.evaluation import from_conversations, question_sets


def add_parser(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    parser = add_command(actions, shared, "from-chats", help_text("eval sets from-chats"), _from_chats)
    parser.add_argument("name", metavar="NAME", help=help_text("eval sets add name"))


def _from_chats(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 3 expected error."""
    store = Store.open(where.database, where.backups)
    try:
        found = from_conversations.collect(store, collections_now(where.documents))
    finally:
        store.close()
    for reason, count in found.left_out.items():
        output.note(f"evaluation.chat_questions_{reason}", count=count)
    if not found.questions:
        raise AppError("no_rated_answers")
    before = question_sets.newest_version(where.questions, options.name)
    source = phrase("evaluation.chat_questions_source")
    stored = question_sets.store(where.questions, options.name, found.questions, found.label, source)
    is_new = stored.version > before
    data = {"name": stored.name, "version": stored.version, "label": stored.label, "count": len(stored.questions)}
    words = output.phrase(
        "evaluation.question_set_stored" if is_new else "evaluation.question_set_same",
        **data | {"label": phrase(f"common.label.{stored.label}")},
    )
    output.result(data | {"sha256": stored.sha256, "is_new": is_new, "left_out": found.left_out}, words)
    return 0
