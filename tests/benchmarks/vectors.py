"""Vectors of 100,000 sections: how long searching, starting, adding and rewriting take, and what they cost on disk.

    python -m tests.benchmarks.vectors [sections] [dimensions]

Prints one JSON object a store: ours, plain 32- and 16-bit numbers in a mapped file, and sqlite-vec where it and a
sqlite that loads extensions are installed (`pip install sqlite-vec`, and apsw where Python's own cannot).
The vectors are random directions around 1,000 centres. `overlap`: the share of the true 120 nearest that are found.
"""

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from app.documents.retrieval.semantic_index import Floats, VectorFile

NEAREST = 120
QUERIES = 60
BATCH = 16
CENTRES, SPREAD = 1000, 0.8


def made(count: int, dimensions: int, seed: int) -> Floats:
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((CENTRES, dimensions), np.float32)
    found = centres[chance.integers(0, CENTRES, count)]
    found = found + SPREAD * chance.standard_normal((count, dimensions), np.float32)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def timed(act: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def searched(search: Callable[[Floats], list[int]], vectors: Floats, queries: Floats) -> dict[str, float]:
    first = timed(lambda: search(queries[0]))
    times = sorted(timed(lambda query=query: search(query)) for query in queries)
    exact = [set(np.argsort(-(vectors @ query))[:NEAREST].tolist()) for query in queries]
    shared = [len(truth & set(search(query))) / NEAREST for truth, query in zip(exact, queries, strict=True)]
    return {
        "first_search_ms": round(first, 1),
        "search_median_ms": round(times[len(times) // 2], 1),
        "search_p95_ms": round(times[int(len(times) * 0.95)], 1),
        "overlap": round(sum(shared) / len(shared), 4),
    }


def nearest(store: VectorFile, query: Floats) -> list[int]:
    sections, _, cosines = store.similarities(query)
    return [int(one) for one in sections[np.argpartition(cosines, -NEAREST)[-NEAREST:]]]


def ours(folder: Path, vectors: Floats, queries: Floats) -> dict[str, Any]:
    count, dimensions = vectors.shape
    store = VectorFile(folder / "ours.vectors", dimensions)
    fill = timed(lambda: [store.add(range(at, min(count, at + 1000)), range(at, min(count, at + 1000)),
                                    vectors[at : at + 1000]) for at in range(0, count, 1000)])  # fmt: skip
    figures = searched(lambda query: nearest(store, query), vectors, queries)
    batches = [timed(lambda: store.add(range(BATCH), range(BATCH), vectors[:BATCH])) for _ in range(50)]
    half = {(number, number) for number in range(0, count, 2)}
    return {
        "store": "ours, 8 bits",
        "bytes": store.path.stat().st_size,
        "fill_s": round(fill / 1000, 2),
        **figures,
        "add_batch_median_ms": round(sorted(batches)[25], 2),
        "known_ms": round(timed(store.stored_keys), 1),
        "keep_half_ms": round(timed(lambda: store.keep_only(half)), 1),
    }


def mapped(folder: Path, vectors: Floats, queries: Floats, kind: type) -> dict[str, Any]:
    """Without anything else than the numbers."""
    path = folder / f"{kind.__name__}.raw"
    fill = timed(lambda: vectors.astype(kind).tofile(path))

    def search(query: Floats) -> list[int]:
        rows = np.memmap(path, kind, "r", shape=vectors.shape)
        if kind is np.float32:
            found = rows @ query
        else:
            parts = [rows[at : at + 512].astype(np.float32) @ query for at in range(0, len(rows), 512)]
            found = np.concatenate(parts)
        best: list[int] = np.argpartition(-found, NEAREST)[:NEAREST].tolist()
        return best

    figures = searched(search, vectors, queries)
    return {"store": kind.__name__, "bytes": path.stat().st_size, "fill_s": round(fill / 1000, 2), **figures}


def sqlite_vec(folder: Path, vectors: Floats, queries: Floats, kind: str) -> dict[str, Any]:
    """`kind`: float or int8. Raises ImportError where it cannot be measured."""
    count, dimensions = vectors.shape
    scale = 127 / float(np.abs(vectors).max())

    def blob(vector: Floats) -> bytes:
        return vector.tobytes() if kind == "float" else np.rint(vector * scale).astype(np.int8).tobytes()

    place = "?" if kind == "float" else "vec_int8(?)"
    path = folder / f"{kind}.sqlite"
    db = _with_extension(path)
    db.execute(f"CREATE VIRTUAL TABLE sections USING vec0(id INTEGER PRIMARY KEY, vector {kind}[{dimensions}])")
    insert = f"INSERT INTO sections VALUES (?, {place})"

    def fill() -> None:
        db.execute("BEGIN")
        for number in range(count):
            db.execute(insert, (number, blob(vectors[number])))
        db.execute("COMMIT")

    def add() -> None:
        db.execute("BEGIN")
        for number in range(BATCH):
            db.execute("DELETE FROM sections WHERE id = ?", (number,))
            db.execute(insert, (number, blob(vectors[number])))
        db.execute("COMMIT")

    def search(query: Floats) -> list[int]:
        sql = f"SELECT id FROM sections WHERE vector MATCH {place} AND k = {NEAREST}"
        return [row[0] for row in db.execute(sql, (blob(query),))]

    filled = timed(fill)
    figures = searched(search, vectors, queries)
    batches = [timed(add) for _ in range(50)]
    return {
        "store": f"sqlite-vec {kind}",
        "bytes": path.stat().st_size,
        "fill_s": round(filled / 1000, 2),
        **figures,
        "replace_batch_median_ms": round(sorted(batches)[25], 2),
    }


def _with_extension(path: Path) -> Any:
    import sqlite_vec as extension

    if hasattr(sqlite3.Connection, "enable_load_extension"):
        db: Any = sqlite3.connect(path, isolation_level=None)
        db.enable_load_extension(True)
        extension.load(db)
        return db
    import apsw

    db = apsw.Connection(str(path))
    db.enable_load_extension(True)
    db.load_extension(extension.loadable_path())
    return db


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    dimensions = int(sys.argv[2]) if len(sys.argv) > 2 else 768
    vectors, queries = made(count, dimensions, 1), made(QUERIES, dimensions, 2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for measure in (
            lambda: ours(folder, vectors, queries),
            lambda: mapped(folder, vectors, queries, np.float32),
            lambda: mapped(folder, vectors, queries, np.float16),
            lambda: sqlite_vec(folder, vectors, queries, "float"),
            lambda: sqlite_vec(folder, vectors, queries, "int8"),
        ):
            try:
                print(json.dumps(measure()), flush=True)
            except ImportError as error:
                print(json.dumps({"store": "sqlite-vec", "not_measured": str(error)}), flush=True)


if __name__ == "__main__":
    main()
