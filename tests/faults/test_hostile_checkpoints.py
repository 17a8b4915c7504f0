"""Checkpoints that somebody has changed or made: what is not sealed as we seal it is no checkpoint, and none is run."""

import hashlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.models.test_hf_folder import Canary
from trainer import storage
from trainer.storage import MANIFEST

FILES = ("adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "trainer_state.json")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a checkpoint of step 4, whole, and an older one of step 2."""
    folder = tmp_path / "checkpoints"
    for step in (2, 4):
        part = storage.begin_checkpoint(folder, step)
        for name in FILES:
            (part / name).write_bytes(f"{name} {step}".encode())
        storage.publish_checkpoint(part, step)
    assert [one.step for one in storage.complete_checkpoints(folder)] == [4, 2]
    return folder


def manifest(checkpoint: Path, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads((checkpoint / MANIFEST).read_text("utf-8"))
    change(told)
    (checkpoint / MANIFEST).write_text(json.dumps(told), "utf-8")


def swap_for_pipe(checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").unlink()
    os.mkfifo(checkpoint / "optimizer.pt")


def swap_for_link(checkpoint: Path, target: str) -> None:
    (checkpoint / "rng_state.pth").unlink()
    (checkpoint / "rng_state.pth").symlink_to(target)


def swap_for_folder(checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").unlink()
    (checkpoint / "optimizer.pt").mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "another rng_state": lambda one: (one / "rng_state.pth").write_bytes(pickle.dumps(Canary(one / "canary"))),
    "one file more": lambda one: (one / "scheduler.pt").write_bytes(pickle.dumps(Canary(one / "canary"))),
    "one file less": lambda one: (one / "optimizer.pt").unlink(),
    "one bit": lambda one: (one / "adapter_model.safetensors").write_bytes(b"adapter_model.safetensors 5"),
    "a file cut": lambda one: (one / "optimizer.pt").write_bytes(b"optimizer.pt"),
    "a file of zeros": lambda one: (one / "optimizer.pt").write_bytes(bytes(14)),
    "a pipe": swap_for_pipe,
    "a link to itself": lambda one: swap_for_link(one, "rng_state.pth"),
    "a link to nothing": lambda one: swap_for_link(one, "/nowhere/rng_state.pth"),
    "a folder": swap_for_folder,
    "no manifest": lambda one: (one / MANIFEST).unlink(),
    "an empty manifest": lambda one: (one / MANIFEST).write_bytes(b""),
    "a manifest of zeros": lambda one: (one / MANIFEST).write_bytes(bytes(400)),
    "a manifest cut": lambda one: (one / MANIFEST).write_bytes((one / MANIFEST).read_bytes()[:-30]),
    "a manifest without end": lambda one: (one / MANIFEST).write_text("[" * 200_000),
    "a manifest of another kind": lambda one: (one / MANIFEST).write_text("[]"),
    "another step": lambda one: manifest(one, lambda told: told.update(step=2)),
    "a later version": lambda one: manifest(one, lambda told: told.update(version=2)),
    "no hash": lambda one: manifest(one, lambda told: told["files"]["optimizer.pt"].pop("sha256")),
    "a hash of another kind": lambda one: manifest(one, lambda told: told["files"].update({"optimizer.pt": 7})),
    "a way out": lambda one: manifest(one, lambda told: told["files"].update({"../../passwd": {"sha256": ""}})),
    "a name with NUL": lambda one: manifest(one, lambda told: told["files"].update({"a\0b": {"sha256": ""}})),
    "files that are a list": lambda one: manifest(one, lambda told: told.update(files=list(told["files"]))),
}


@pytest.mark.fault("S5")
@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_was_changed_is_passed_over_for_the_one_before(folder: Path, change: str) -> None:
    CHANGES[change](folder / "checkpoint-4")
    assert [one.step for one in storage.complete_checkpoints(folder)] == [2]
    assert not (folder / "checkpoint-4" / "canary").exists()


@pytest.mark.fault("S5")
def test_names_that_are_none_of_a_checkpoint_are_none(folder: Path, tmp_path: Path) -> None:
    for name in ("checkpoint-6.part", "checkpoint-", "checkpoint-x", "checkpoint-6 ", "../checkpoint-6"):
        shutil.copytree(folder / "checkpoint-4", folder / name)
    (folder / "checkpoint-8").write_text("a file in its place")
    (folder / "checkpoint-10").symlink_to(tmp_path / "nowhere")
    assert [one.step for one in storage.complete_checkpoints(folder)] == [4, 2]


def test_what_is_sealed_as_we_seal_it_counts(folder: Path) -> None:
    """So the changes above are what makes the difference."""
    content = b"another"
    (folder / "checkpoint-4" / "optimizer.pt").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    manifest(folder / "checkpoint-4", lambda told: told["files"]["optimizer.pt"].update(sha256=digest))
    assert [one.step for one in storage.complete_checkpoints(folder)] == [4, 2]
