"""The command lines of our own child processes: the same program in another role, frozen or not."""

import os
import sys


def program() -> list[str]:
    """What starts this program again. A frozen bundle is its own interpreter."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]


def engine() -> list[str]:
    """`KOTAE_ENGINE=echo` takes the fake, for tests of whole programs."""
    return [*program(), "--engine", os.environ.get("KOTAE_ENGINE", "llama")]


def template() -> list[str]:
    return [*program(), "--render-template"]
