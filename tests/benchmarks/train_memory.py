"""Memory of real runs on this processor: computed against measured. Three settings, two steps each, the trial model.

What is measured has the pages of the weights' file in it, which the system takes back when it wants memory: they are
subtracted.

    python -m tests.benchmarks.train_memory [BASE]

`BASE`: a safetensors folder or a GGUF file; without one the trial model's GGUF. 2 GB of disk, 6 GB of memory, ten
minutes on two cores.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from app.models import starter, training_environment
from trainer import estimate, spec
from trainer.prompt_form import TrainingPromptForm
from trainer.spec import RunSpec

SETTINGS: tuple[dict[str, Any], ...] = (
    {"precision": "f32", "micro_batch": 1, "gradient_checkpointing": False, "optimizer": "adamw"},
    {"precision": "f32", "micro_batch": 4, "gradient_checkpointing": True, "optimizer": "adamw"},
    {"precision": "f32", "micro_batch": 2, "gradient_checkpointing": False, "optimizer": "adamw"},
)
LONG_TOKENS = 384  # about; each row is as long
ROWS = 8
FORM = TrainingPromptForm(
    question="質問:{text}\n", answer="回答:{text}\n", answer_start="回答:", is_completion=True
)  # any base
TEXT = "橋脚の設計では、地震時の水平力と鉛直荷重の組合せを考える。"


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        base = Path(arguments[0]) if arguments else starter.assemble(starter.card(), place)
        for settings in SETTINGS:
            print(json.dumps(measured(base, place, settings)), flush=True)
    return 0


def measured(base: Path, place: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Runs two steps and compares."""
    folder = Path(tempfile.mkdtemp(dir=place))
    rows = "".join(json.dumps(row(number), ensure_ascii=False) + "\n" for number in range(ROWS))
    for name in ("train", "validation"):
        (folder / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    asked = RunSpec(
        folder=str(folder / "run"),
        base=str(base),
        train=str(folder / "train.jsonl"),
        validation=str(folder / "validation.jsonl"),
        bases=str(place / "bases"),
        form=FORM,
        device="cpu",
        rank=16,
        accumulation=1,
        max_steps=2,
        evaluations_per_epoch=0,
        **settings,
    )
    events = run(asked, folder)
    end = events[-1]
    if end["event"] != "finished":
        return {**settings, "end": end}
    effective = next(event for event in events if event["event"] == "effective")
    decided = spec.from_json(effective["spec"])
    config = json.loads((base_folder(base, place) / "config.json").read_text(encoding="utf-8"))
    computed = estimate.estimate_memory(
        estimate.shape_from_config(config, effective["facts"]["parameters"]), decided, effective["facts"]["longest"]
    )
    files = sum(path.stat().st_size for path in base_folder(base, place).glob("*.safetensors"))
    needed = end["peak_bytes"] - files
    return {
        **settings,
        "longest": effective["facts"]["longest"],
        "computed_GB": round(computed.total / 1e9, 3),
        "measured_GB": round(needed / 1e9, 3),
        "ratio": round(computed.total / needed, 3),
        "tokens_per_s": end["tokens_per_s"],
    }


def run(asked: RunSpec, folder: Path) -> list[dict[str, Any]]:
    path = folder / "run.json"
    path.write_text(json.dumps(spec.to_json(asked)), encoding="utf-8")
    environment = training_environment.locate(Path("/no-data-folder"))
    with (folder / "log.txt").open("wb") as log:
        ended = subprocess.run(
            environment.command("trainer", str(path)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def row(number: int) -> dict[str, Any]:
    """The first one is short: the loss is tried on the shortest, with all its logits."""
    question = f"{number}番目の質問です。" + TEXT * (LONG_TOKENS // 24 if number else 1)
    answer = TEXT * (3 if number else 1)
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def base_folder(base: Path, place: Path) -> Path:
    return base if base.is_dir() else next((place / "bases").iterdir())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
