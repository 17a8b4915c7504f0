"""Build the command lines of the child processes that run models."""

import os
from pathlib import Path

from app.base.programs import own_program


def engine(states: Path | None = None) -> list[str]:
    """Return the command line of the engine child. KOTAE_ENGINE=echo in the environment selects a fake for tests.

    `states`: the folder of `app.inference.prefix_states`; None: the child keeps none.
    """
    return [*own_program(), "--engine", os.environ.get("KOTAE_ENGINE", "llama"), *([str(states)] if states else [])]


def device_list(packs: tuple[str, ...]) -> list[str]:
    """Return the command line of the child that lists the graphics cards. `packs`: folders of packs, best first."""
    return [*own_program(), "--list-devices", *packs]


def template() -> list[str]:
    return [*own_program(), "--render-template"]


def speed_meter(folder: Path, threads: int) -> list[str]:
    """Return the command line of the child that measures llama.cpp's speed in an empty folder."""
    return [*own_program(), "--measure-speed", str(folder), str(threads)]
