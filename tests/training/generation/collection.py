"""A small collection, and replies as a model would give them."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from app.base.confidentiality import Label
from app.documents.library import Library
from app.documents.records import Passage, Section
from app.inference.reply_journal import ModelReply, StandalonePrompt

COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
TEXT = (
    f"{COVER}水中で施工する部材では、かぶりを100mm以上とする。"
    "ただし、設計者が別に定める場合は、監督職員と協議のうえ、この限りでない。鉄筋の表面から測るものとする。"
)
SECTION = Section(("第2章 材料", "2.2 鉄筋のかぶり"), TEXT, "標準", 14)
QUESTION = "土に接する部材では、鉄筋のかぶりを何mm以上にしますか？"
ANSWER = "70mm以上とします。"


def passage(text: str = TEXT, **fields: object) -> Passage:
    section = dataclasses.replace(SECTION, text=text, **fields)
    return Passage(1, section, 1, "基準.pdf", "/d/基準.pdf", "基準", "internal", 0.0, 1, (section,))


def library_of(path: Path, documents: dict[str, Sequence[Section]], label: Label = "internal") -> Library:
    """With one collection, 基準."""
    library = Library.open(path)
    collection_id = library.add_collection("基準", label)
    for name, sections in documents.items():
        (document_id,) = library.add_documents(collection_id, [Path("/d") / name])
        document = library.document(document_id)
        library.put(dataclasses.replace(document, state="done"), sections)
    return library


def said(**fields: object) -> ModelReply:
    return ModelReply(json.dumps(fields, ensure_ascii=False), "end")


def answered(
    prompts: Sequence[StandalonePrompt], write: Callable[[StandalonePrompt], ModelReply]
) -> dict[StandalonePrompt, ModelReply]:
    return {prompt: write(prompt) for prompt in prompts}
