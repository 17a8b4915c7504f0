"""The remote engine's child for tests."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.base import programs
from app.inference import local_model, prompts
from app.inference.engine.messages import Ask, EngineFacts, Failed, Load, Ready, Sampling
from app.inference.local_model import RemoteModel
from app.inference.prompts import Segment, Turn, build
from tests.forked_program import ROOT, Program
from tests.inference.engine.child import Child
from tests.line_child import LineChild


class RemoteChild(Child):
    """`with RemoteChild("127.0.0.1:8000", log) as child:` … Loads models of that server only."""

    def __init__(self, address: str, log: Path, limits_s: tuple[float, float, float] | None = None) -> None:
        """`limits_s`: for a short answer, between two pieces, and for a whole answer, where they are not the usual."""
        self.address = local_model.normalize_address(address)
        command = programs.remote_engine_command(self.address)
        if limits_s is not None:
            command = [sys.executable, "-m", "tests.inference.remote.hasty_remote", self.address, *map(str, limits_s)]
        LineChild.__init__(self, command, log)

    def load_remote(self, model: str = "m", **fields: Any) -> EngineFacts:
        self.send(self.remote_load(model, **fields))
        last = self.events_until(Ready, Failed)[-1]
        assert isinstance(last, Ready), last
        return last.facts

    def remote_load(self, model: str = "m", *, key: str = "", context: int = 0) -> Load:
        remote = RemoteModel(self.address, model, context)
        return Load("load", f"{self.address}#{model}", remote=remote, key=key)


def asked(question: str, system: str = "", max_tokens: int = 16, id: str = "ask") -> Ask:
    segments: tuple[Segment, ...] = build(prompts.MESSAGES_FORM, (Turn(question),), system)
    return Ask(id, segments, max_tokens=max_tokens, sampling=Sampling(temperature=0, seed=7))


def check(address: str, key: str = "") -> dict[str, object]:
    """What `--check` says of a server."""
    command = programs.remote_check_command(local_model.normalize_address(address))
    line = json.dumps({"key": key}) + "\n"
    with Program(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        said, _ = process.communicate(line)
    assert process.returncode == 0
    found: dict[str, object] = json.loads(said)
    return found
