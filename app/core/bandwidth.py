"""How fast this machine reads memory: the ceiling of every model that is larger than the caches.

Each generated token reads all weights once, so tokens per second <= bandwidth / bytes of the weights.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_BLOCK_BYTES = 512 * 1024 * 1024  # a thread's share; far above any cache
_PASSES = 3


def read_bytes_per_s(threads: int) -> float:
    """The best of three passes over `threads` blocks of 512 MB, each summed by one thread (numpy frees the lock)."""
    blocks = [np.ones(_BLOCK_BYTES // 8, dtype=np.int64) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_PASSES):
            began = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, blocks))
            best = max(best, threads * _BLOCK_BYTES / (time.perf_counter() - began))
    return best
