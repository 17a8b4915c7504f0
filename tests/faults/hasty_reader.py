"""The reading child with less patience: `python hasty_reader.py DATABASE`. A page may take a second or two."""

import sys

from app.core import offline
from app.documents import limits, worker

if __name__ == "__main__":
    offline.enforce()
    limits.PAGE_S = 1.0
    worker.main(sys.argv[1])
