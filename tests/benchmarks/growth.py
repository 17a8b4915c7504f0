"""How what grows with use takes longer: three sizes of each, in processor time, which other programs disturb little.

    python -m tests.benchmarks growth [--sizes N N N]

N sections of documents: storing them, opening their database, a search for a usual question. N messages: storing them,
opening their database, a search. N training rows: finding near-duplicates. The texts are random sentences. The window
has `window --share 0.1 0.3 1`; tiny files `retrieval`; likelihoods and batches take each text by itself.
"""

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.base import paths
from app.chat.message_index import MessageIndex
from app.chat.store import Store
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval import passage_search
from app.training.data import duplicates
from app.training.data.rows import RowMessage, TrainingRow
from tests.benchmarks import search

SIZES = (5_000, 15_000, 45_000)
SECTIONS_IN_DOCUMENT = 500
CHARACTERS = 250  # of a section, as in standards
QUESTION = "橋脚のかぶりはいくらか"
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            figures = {"size": size, **documents(Path(folder), size), **messages(folder, size), **rows(size)}
        print(json.dumps(figures), flush=True)


def milliseconds(act: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the processor time of the quickest of `repeats` calls."""

    def one() -> float:
        began = time.process_time()
        act()
        return time.process_time() - began

    return round(1000 * min(one() for _ in range(repeats)), 1)


def documents(folder: Path, size: int) -> dict[str, float]:
    chance = random.Random(1)
    file = folder / "documents.sqlite"

    def store() -> None:
        with contextlib.closing(Library.open(file)) as library:
            collection = library.add_collection("基準")
            for number in range(0, size, SECTIONS_IN_DOCUMENT):
                (id,) = library.add_documents(collection, [Path(f"/{number}.md")])
                texts = (
                    search.message_text(chance, CHARACTERS) for _ in range(min(SECTIONS_IN_DOCUMENT, size - number))
                )
                document = library.document(id)
                assert document is not None
                library.put(document, [Section((f"第{at}条",), text) for at, text in enumerate(texts, start=1)])

    stored_ms = milliseconds(store, 1)
    opened_ms = milliseconds(lambda: Library.open(file).close())
    with contextlib.closing(Library.open(file)) as library:
        ids = [one.id for one in library.collections()]
        searched_ms = milliseconds(lambda: passage_search.search(library, QUESTION, ids))
    return {"sections_stored_ms": stored_ms, "documents_opened_ms": opened_ms, "documents_searched_ms": searched_ms}


def messages(folder: str, size: int) -> dict[str, float]:
    where = paths.locate(folder)
    with contextlib.closing(Store.open(where.database, where.backups)) as store:
        stored_ms = milliseconds(lambda: search.fill(store, size), 1)
    opened_ms = milliseconds(lambda: Store.open(where.database, where.backups).close())
    with contextlib.closing(Store.open(where.database, where.backups)) as store:
        index = MessageIndex(store.database)
        searched_ms = milliseconds(lambda: search.shown(index, "橋脚"))
    return {"messages_stored_ms": stored_ms, "messages_opened_ms": opened_ms, "messages_searched_ms": searched_ms}


def rows(size: int) -> dict[str, float]:
    """Each tenth row is the one before it with another first sentence."""
    chance, made = random.Random(2), []
    for number in range(size):
        answer = search.message_text(chance, CHARACTERS)
        if number % 10 == 9:
            answer = search.sentence(chance) + "。" + made[-1].messages[1].text
        made.append(
            TrainingRow(number + 1, (RowMessage("user", search.sentence(chance)), RowMessage("assistant", answer)))
        )
    pairs: list[duplicates.Pair] = []
    took_ms = milliseconds(lambda: pairs.extend(duplicates.near_duplicates(made)), 1)
    return {"near_duplicates_ms": took_ms, "near_duplicates": len(pairs)}


if __name__ == "__main__":
    main()
