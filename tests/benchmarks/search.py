"""How long a search over 100,000 messages takes, what the index costs on disk and per message, and how a database of
that size opens.

    python -m tests.benchmarks.search [messages]

Prints one JSON object. The texts are random sentences; a search is everything that the page waits for.
"""

import json
import random
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from app.base import paths, search_text
from app.chat.message_index import MessageIndex
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.store import Store, title_of

REPEATS = 20
MESSAGES_IN_CONVERSATION = 20
CONVERSATIONS_AT_ONCE = 200
ROWS_IN_SIGHT = 15
RARE, RARE_SHARE = "落橋防止装置", 1 / 4000

QUERIES = {
    "frequent": "橋脚",
    "frequent_2": "配筋",
    "rare": RARE,
    "one_character": "橋",
    "one_kana": "の",
    "two_words": "橋脚 かぶり",
    "three_frequent_words": "の 点検 を",
    "ten_characters": "鉄筋のかぶりを確かめ",
    "latin": "D13",
    "clause": "3.2.1",
    "unit": "N/mm²",
    "half_width": "ｺﾝｸﾘｰﾄ",
    "nothing": "存在しない語句",
}

WORDS_FILE = Path(__file__).with_name("words.toml")
WORDS = {name: words.split() for name, words in tomllib.loads(WORDS_FILE.read_text("utf-8")).items()}


def sentence(chance: random.Random) -> str:
    def a(kind: str) -> str:
        return chance.choice(WORDS[kind])

    what = RARE if chance.random() < RARE_SHARE else a("subjects")
    does = a("actions") + a("endings")
    match chance.randrange(4):
        case 0:
            return f"{a('places')}の{what}を{does}"
        case 1:
            return f"{a('reasons')}、{what}と{a('subjects')}の{a('subjects')}を{does}"
        case 2:
            return f"{what}については、{a('values')}とし、{a('places')}で{does}"
        case _:
            return f"{a('places')}の{a('subjects')}が{a('values')}なので、{what}の{a('subjects')}を{does}"


def message_text(chance: random.Random, length: int) -> str:
    written = ""
    while len(written) < length:
        written += sentence(chance)
    return written


def conversation(chance: random.Random, number: int, count: int) -> tuple[Conversation, list[Message]]:
    at = 1.6e9 + number * 4e4
    details = AnswerDetails("m", "Swallow-8B Q4_K_M", "end", seed=number, prompt_tokens=900, tokens_per_s=44.9)
    messages = []
    for place in range(1, count + 1):
        is_question = place % 2 == 1
        written = message_text(chance, 40 if is_question else 160)
        role = "question" if is_question else "answer"
        parent = place - 1 or None
        kept = None if is_question else details
        messages.append(Message(place, 0, parent, role, written, "done", at + place * 60, kept))
    return Conversation(0, title_of(messages[0].text), at, at + count * 60, count), messages


def fill(store: Store, count: int) -> int:
    """Gives the characters of all texts."""
    chance = random.Random(1)
    characters = 0
    conversations = count // MESSAGES_IN_CONVERSATION
    for start in range(0, conversations, CONVERSATIONS_AT_ONCE):
        with store.database.transaction():
            for number in range(start, min(start + CONVERSATIONS_AT_ONCE, conversations)):
                made, messages = conversation(chance, number, MESSAGES_IN_CONVERSATION)
                store.add_tree(made, messages)
                characters += sum(len(message.text) for message in messages)
    return characters


def measured(act: Callable[[], object], repeats: int = REPEATS) -> dict[str, float]:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        act()
        times.append((time.perf_counter() - started) * 1000)
    return {"median_ms": round(statistics.median(times), 2), "worst_ms": round(max(times), 2)}


def searches(store: Store) -> dict[str, dict[str, float]]:
    found = {}
    index = MessageIndex(store.database)
    for name, query in QUERIES.items():
        hits = index.search(query).hits
        times = measured(lambda query=query: shown(index, query))
        found[f"{name}: {query}"] = {"conversations": len(hits), **times}
    return found


def shown(index: MessageIndex, query: str) -> list[search_text.Snippet]:
    """What the page does: it makes the lines of the rows in sight."""
    return [
        search_text.make_snippet(hit.text, search_text.split_query(query))
        for hit in index.search(query).hits[:ROWS_IN_SIGHT]
    ]


def sizes(store: Store) -> dict[str, float]:
    """Bytes of the tables and indexes."""
    index = store.database.read("SELECT sum(length(block)) FROM message_terms_data")[0][0]
    texts = store.database.read("SELECT sum(length(CAST(text AS BLOB))) FROM message")[0][0]
    return {
        "file": store.path.stat().st_size,
        "texts": texts,
        "index": index,
        "index_to_texts": round(index / texts, 2),
    }


def index_cost(store: Store) -> dict[str, float]:
    """Milliseconds that the index adds to storing one message, without the commit."""
    chance = random.Random(2)
    index = MessageIndex(store.database)
    texts = [message_text(chance, 120) for _ in range(200)]
    with store.database.transaction():
        highest = store.database.read("SELECT max(id) FROM message")[0][0]
        started = time.perf_counter()
        for number, written in enumerate(texts, start=highest + 1):
            index.replace(number, "", written)
        added = (time.perf_counter() - started) * 1000 / len(texts)
        started = time.perf_counter()
        for number, written in enumerate(texts, start=highest + 1):
            index.replace(number, written, "")
        removed = (time.perf_counter() - started) * 1000 / len(texts)
    return {"add_ms": round(added, 3), "remove_ms": round(removed, 3)}


def add_messages(store: Store) -> dict[str, float]:
    """A question, stored and synced."""
    chance = random.Random(3)
    return measured(lambda: store.add_question(message_text(chance, 120)), 50)


def erasing(store: Store) -> dict[str, object]:
    """Half of all conversations, in the turns of the bin; others can write between two of them."""
    shelf = ConversationOrganizer(store.database)
    everything = [conversation.id for conversation in store.conversations()]
    before = store.database.read("SELECT count(*) FROM message")[0][0]
    shelf.bin(everything[: len(everything) // 2])
    shelf.mark_for_erasure(everything[: len(everything) // 2])
    turns, is_more = [], True
    while is_more:
        started = time.perf_counter()
        is_more = shelf.erase_some()
        turns.append((time.perf_counter() - started) * 1000)
    return {
        "messages": before - store.database.read("SELECT count(*) FROM message")[0][0],
        "turns": len(turns),
        "median_ms": round(statistics.median(turns), 1),
        "worst_ms": round(max(turns), 1),
        "all_s": round(sum(turns) / 1000, 1),
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        where = paths.locate(folder)
        store = Store.open(where.database, where.backups)
        started = time.perf_counter()
        characters = fill(store, count)
        filled = time.perf_counter() - started
        result = {"messages": count, "characters": characters, "fill_s": round(filled, 1), "searches": searches(store)}
        result |= {"index": index_cost(store), "add_question": add_messages(store)}
        store.close()
        result["open"] = measured(lambda: Store.open(where.database, where.backups).close(), 5)
        store = Store.open(where.database, where.backups)
        result["bytes"] = sizes(store)
        result["quick_check"] = measured(lambda: store.database.read("PRAGMA quick_check(1)"), 3)
        result["erasing"] = erasing(store)
        store.close()
    print(json.dumps(result, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
