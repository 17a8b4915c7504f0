"""Vectors of 100,000 sections: how long searching, starting, adding and rewriting take, and what they cost on disk.

    python -m tests.benchmarks.vectors [sections] [dimensions]

Prints one JSON object.
The vectors are random directions around 1,000 centres. `overlap`: the share of the true 120 nearest that are found.
`float32`: the same search over a map of a file with the vectors as they are.
"""

import json
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
        "bytes": store.path.stat().st_size,
        "fill_s": round(fill / 1000, 2),
        **figures,
        "add_batch_median_ms": round(sorted(batches)[25], 2),
        "known_ms": round(timed(store.stored_keys), 1),
        "keep_half_ms": round(timed(lambda: store.keep_only(half)), 1),
    }


def plain(folder: Path, vectors: Floats, queries: Floats) -> dict[str, Any]:
    path = folder / "plain.npy"
    np.save(path, vectors)
    stored = np.load(path, mmap_mode="r")
    figures = searched(lambda query: np.argpartition(stored @ query, -NEAREST)[-NEAREST:].tolist(), vectors, queries)
    return {"bytes": path.stat().st_size, **figures}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    dimensions = int(sys.argv[2]) if len(sys.argv) > 2 else 768
    vectors, queries = made(count, dimensions, 1), made(QUERIES, dimensions, 2)
    with tempfile.TemporaryDirectory() as folder:
        figures = ours(Path(folder), vectors, queries)
        print(json.dumps(figures | {"float32": plain(Path(folder), vectors, queries)}))


if __name__ == "__main__":
    main()
