"""Build the command lines of the child processes that run models."""

import os
from pathlib import Path

from app.base.programs import own_program
from app.inference import engine_packs


def engine(states: Path | None = None) -> list[str]:
    """Return the command line of the engine child. KOTAE_ENGINE=echo in the environment selects a fake for tests.

    `states`: the folder of `app.inference.prefix_states`; None: the child keeps none.
    """
    packs, backend = engine_packs.folder_in_use(), os.environ.get("KOTAE_ENGINE", "llama")
    folders = [str(packs or ""), *([str(states)] if states else [])] if packs or states else []
    return [*own_program(), "--engine", backend, *folders]


def template() -> list[str]:
    return [*own_program(), "--render-template"]


def quantizer(job: Path) -> list[str]:
    """Return the command line of the quantizer. `job`: a file written by `app.inference.engine.model_jobs`."""
    return [*own_program(), "--quantize", str(job)]


def scorer(job: Path) -> list[str]:
    """Return the command line of the scorer. `job`: a file written by `app.inference.engine.model_jobs`."""
    return [*own_program(), "--score", str(job)]


def speed_meter(folder: Path, threads: int) -> list[str]:
    """Return the command line of the child that measures llama.cpp's speed in an empty folder."""
    return [*own_program(), "--measure-speed", str(folder), str(threads)]
