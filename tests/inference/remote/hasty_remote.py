"""The remote engine's child with less patience: `python -m … ADDRESS SHORT_S QUIET_S WHOLE_S`."""

import sys

from app.inference.remote import backend, connection, worker

if __name__ == "__main__":
    arguments, limits = sys.argv[1:2], map(float, sys.argv[2:])
    connection.SHORT_S, backend.QUIET_S, backend.WHOLE_S = limits
    worker.guard(arguments)
    worker.main(arguments)
