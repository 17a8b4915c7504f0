"""Build the command lines of the child processes that run models."""

import os
from pathlib import Path

from app.base.programs import own_program
from app.inference import engine_packs


def engine() -> list[str]:
    """Return the command line of the engine child. KOTAE_ENGINE=echo in the environment selects a fake for tests."""
    packs = engine_packs.folder_in_use()
    return [*own_program(), "--engine", os.environ.get("KOTAE_ENGINE", "llama"), *([str(packs)] if packs else [])]


def template() -> list[str]:
    return [*own_program(), "--render-template"]


def quantizer(job: Path) -> list[str]:
    """Return the command line of the quantizer. `job`: a file written by `app.inference.engine.model_jobs`."""
    return [*own_program(), "--quantize", str(job)]


def scorer(job: Path) -> list[str]:
    """Return the command line of the scorer. `job`: a file written by `app.inference.engine.model_jobs`."""
    return [*own_program(), "--score", str(job)]
