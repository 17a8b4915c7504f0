"""Conversations to export: branches, a folder, a pin, a preset, a repeated answer and odd characters."""

import json
from pathlib import Path
from typing import Any

from app.chat.exchange.conversation_export import save_file, stored_bundles
from app.chat.organizer import ConversationOrganizer
from app.chat.presets import Choices
from app.chat.records import AnswerDetails
from app.chat.store import Store
from tests.permits import PERMIT

UID = "0123456789abcdef0123456789abcdef"


def nothing(_done: int, _total: int) -> None:
    """Whoever reports to this is not stopped."""


def plant(store: Store) -> int:
    """A conversation of two branches at the first answer, the older of them shown; gives its id."""
    question = store.add_question("橋脚の点検は？\0\n二行目 😀 𠮟")
    first = store.add_answer(question.id, AnswerDetails("m1"))
    known = AnswerDetails(
        "m1", "Swallow", "end", seed=7, prompt_tokens=12, answer_tokens=5, total_s=1.25, tokens_per_s=3.1,
        choices=Choices(system_prompt="短く", temperature=0.0, seed=7), context_tokens=4096,
    )  # fmt: skip
    store.finish_answer(first.id, "年に **一度** です。", "done", known)
    second = store.add_answer(question.id, AnswerDetails("m1", reproduces_id=first.id))
    store.finish_answer(second.id, "途中", "stopped", AnswerDetails("m1", reproduces_id=first.id, is_same=False))
    follow = store.add_question("では配筋は？", question.conversation_id, first.id)
    third = store.add_answer(follow.id, AnswerDetails())
    store.finish_answer(third.id, "", "failed", AnswerDetails(error_code="no_model"))
    shelf = ConversationOrganizer(store.database)
    shelf.move([question.conversation_id], shelf.add_folder("点検"))
    shelf.pin([question.conversation_id])
    store.store_answer_settings(question.conversation_id, "precise", Choices(temperature=0.2, top_k=1))
    return question.conversation_id


def exported(store: Store, ids: list[int], path: Path) -> dict[str, Any]:
    save_file(stored_bundles(store, ids, nothing, []), "json", path, permit=PERMIT)
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def message(message_id: int = 1, parent: int | None = None, role: str = "question", **other: Any) -> dict[str, Any]:
    plain = {"id": message_id, "parent": parent, "role": role, "text": f"文 {message_id}", "status": "done"}
    return plain | {"created_at": 1_700_000_000, "details": None} | other


def conversation(*messages: Any, **other: Any) -> dict[str, Any]:
    plain = {"uid": UID, "title": "題", "created_at": 1_700_000_000, "updated_at": 1_700_000_001.5}
    return plain | {"messages": list(messages) or [message(), message(2, 1, "answer")]} | other


def document(*conversations: Any, **other: Any) -> dict[str, Any]:
    head = {"format": "kotae-conversations", "version": 1, "exported_at": 1.0, "kotae": "0.1.0"}
    return head | {"conversations": list(conversations)} | other
