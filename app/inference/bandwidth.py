"""How fast this machine reads memory: the ceiling of every model that is larger than the caches.

Each generated token reads all weights once, so tokens per second <= bandwidth / bytes of the weights.
"""

import time
from concurrent.futures import ThreadPoolExecutor

_BLOCK_BYTES = 512 * 1024 * 1024  # a thread's share; far above any cache
_PASSES = 5


def read_bytes_per_s(threads: int, block_bytes: int = _BLOCK_BYTES) -> float:
    """The best of five passes over one block a thread, each read by its thread (numpy frees the lock)."""
    import numpy as np  # the window imports this module at its start and needs no numpy until it measures

    blocks = [np.ones(block_bytes // 8, dtype=np.int64) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_PASSES):
            began = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, blocks))
            best = max(best, threads * block_bytes / (time.perf_counter() - began))
    return best
