"""Peak memory of a training step with the loss in chunks, and with the model's own. Prints JSON.

    python -m tests.benchmarks.train_loss_memory [BASE] [--tokens N] [--device cuda] [--precision nf4 --compute bf16]

`BASE`: a safetensors folder; without one, the trial model's, made of its GGUF. One row of so many tokens, of which a
quarter is trained; each loss in a process of its own. `step_mb`: above what the loaded model takes; on a processor the
pages of the weights' file that are looked at for the first time are in it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("base", nargs="?")
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--compute", default="f32", help="bf16 with nf4 on a card")
    parser.add_argument("--inside", choices=("chunks", "whole"), help="in the training environment already")
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(measured(options)))
        return
    from app.models import training_environment
    from tests.benchmarks.train_speed import trial_model

    environment = training_environment.locate(Path("/no-data-folder"))
    with tempfile.TemporaryDirectory() as name:
        base = options.base or str(trial_model(environment, Path(name)))
        given = sys.argv[1 + bool(options.base) :]
        for loss in ("chunks", "whole"):
            subprocess.run([str(environment.python), "-P", __file__, base, *given, "--inside", loss], check=True)


# ---------------------------------------------------------- in the environment


def measured(options: argparse.Namespace) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    from trainer import offline

    offline.enforce()
    import torch

    from trainer import loop, model
    from trainer.data import inspect_base
    from trainer.spec import RunSpec

    spec = RunSpec(
        *("none",) * 4, device=options.device, precision=options.precision, compute=options.compute, rank=16, alpha=32,
        gradient_checkpointing=True,
    )  # fmt: skip
    base = inspect_base(Path(options.base))
    adapted = model.load_model(spec, base)
    if options.inside == "chunks":
        model.install_loss(adapted.base_model.model)
    device = next(adapted.parameters()).device
    ids = torch.arange(options.tokens, device=device)[None] % (base.vocab_size // 2) + 300
    labels = ids.clone()
    labels[:, : options.tokens * 3 // 4] = -100
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    short = {name: tensor[:, -32:] for name, tensor in given.items()}
    adapted.train()
    adapted(**short).loss.backward()  # all weights have been looked at
    before = loop.peak_memory_bytes(options.device)
    value = adapted(**given).loss
    value.backward()
    peak = loop.peak_memory_bytes(options.device)
    return {
        "loss": options.inside,
        "tokens": options.tokens,
        "vocabulary": base.vocab_size,
        "value": round(float(value.detach()), 4),
        "peak_mb": peak // MIB,
        "step_mb": (peak - before) // MIB,
    }


if __name__ == "__main__":
    main()
