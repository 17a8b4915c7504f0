"""A trainer that says what it was told to say, for plans and probes, which `fake_trainer` knows nothing of."""

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from app.models.training_environment import TrainingEnvironment
from app.training.services.training_run import Trainer
from trainer import events, spec
from trainer.events import Event, ResolvedRecipe

WAIT = "wait"  # in place of an event: it says nothing more, until it is killed

_SCRIPT = """\
import json, sys, time
from pathlib import Path
how = sys.argv[-1].strip("-")
asked = Path(sys.argv[-2]).read_text("utf-8")
for line in Path(__file__).with_name(how + ".jsonl").read_text("utf-8").splitlines():
    if line == "wait":
        time.sleep(600)
    said = json.loads(line)
    if said["event"] == "effective":
        said["spec"] = json.loads(asked) | said["spec"]
    print(json.dumps(said), flush=True)
"""


@dataclass(frozen=True)
class ScriptedEnvironment(TrainingEnvironment):
    def command(self, module: str, *arguments: str) -> list[str]:
        assert module == "trainer"
        return [str(self.python), str(self.converter), *arguments]


def made(folder: Path, plan: list[Event | str], probe: list[Event | str]) -> Trainer:
    """`plan`, `probe`: what it says when it is asked so."""
    folder.mkdir(parents=True, exist_ok=True)
    for how, said in (("plan", plan), ("probe", probe)):
        lines = (one if isinstance(one, str) else json.dumps(events.to_json(one)) for one in said)
        (folder / f"{how}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    (folder / "trainer.py").write_text(_SCRIPT, "utf-8")
    return Trainer(ScriptedEnvironment(Path(sys.executable), folder / "trainer.py"))


def effective() -> ResolvedRecipe:
    """What it decides on a processor; the rest is as it was asked."""
    nothing = spec.RunSpec("-", "-", "-", "-")
    decided = dataclasses.replace(
        nothing, device="cpu", precision="f32", rank=16, alpha=32, micro_batch=1, accumulation=8, optimizer="adamw",
        gradient_checkpointing=True, dropout=0.05, context_tokens=512, epochs=3.0, learning_rate=3e-4, loss="answers",
        evaluations_per_epoch=4, patience=3,
    )  # fmt: skip
    values = {name: value for name, value in spec.to_json(decided).items() if value != getattr(nothing, name)}
    return ResolvedRecipe(values, {"examples": 48, "tokens": 4_800, "trained_tokens": 1_200, "longest": 160})
