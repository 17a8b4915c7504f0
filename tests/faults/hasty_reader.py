"""The reading child with less patience and memory: `python hasty_reader.py DATABASE SECONDS_OF_A_PAGE BYTES`."""

import sys

from app.base.isolation import network_guard
from app.documents.reading import limits, worker

if __name__ == "__main__":
    network_guard.enforce_offline()
    limits.PAGE_S, limits.MEMORY_BYTES = float(sys.argv[2]), int(sys.argv[3])
    worker.main(sys.argv[1])
