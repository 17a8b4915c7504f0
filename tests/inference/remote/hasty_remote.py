"""The remote engine's child with less patience: `python -m … ADDRESS SHORT_S QUIET_S WHOLE_S`."""

import sys

from app.inference.remote import model_server, worker

if __name__ == "__main__":
    arguments, limits = sys.argv[1:2], map(float, sys.argv[2:])
    model_server.SHORT_S, worker.QUIET_S, worker.WHOLE_S = limits
    worker.guard(arguments)
    worker.main(arguments)
