"""Steps a second of the training loop, beside a bare loop of transformers and peft with the same batches. Prints JSON.

    python -m tests.benchmarks.train_speed [BASE] [--rounds N] [--steps N]
        [--device cuda --precision nf4 --compute bf16]

`BASE`: a safetensors folder; without one, the trial model's, made of its GGUF. In turn, `steps` of ours and of the bare
one, in one process of the training environment; the median of the rounds. Checkpoints and evaluations do not count.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TEXT = "橋脚の設計では、地震時の水平力と鉛直荷重の組合せを考える。"
MICRO_BATCH, ACCUMULATION, LEARNING_RATE = 2, 4, 2e-4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("base", nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--compute", default="f32", help="bf16 with nf4 on a card")
    parser.add_argument("--inside", action="store_true", help="in the training environment already")
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(compared(options)))
        return
    from app.models import training_environment

    environment = training_environment.locate(Path("/no-data-folder"))
    with tempfile.TemporaryDirectory() as name:
        base = options.base or str(trial_model(environment, Path(name)))
        inside = [str(environment.python), "-P", __file__, base, *sys.argv[1 + bool(options.base) :], "--inside"]
        subprocess.run(inside, check=True)


def trial_model(environment: Any, folder: Path) -> Path:
    """Return the trial model as a folder that can be trained, 2 GB. `environment`: a TrainingEnvironment."""
    from app.models import starter
    from trainer import convert_job
    from trainer.convert_job import GgufToHf

    base, job = folder / "base", folder / "job.json"
    made = GgufToHf(str(starter.assemble(starter.card(), folder)), str(base))
    job.write_text(json.dumps(convert_job.job_to_json(made)))
    # Its input stays open as long as the result is wanted.
    command = environment.command("trainer.convert", str(job))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        last = process.stdout.readlines()[-1]
    assert json.loads(last)["event"] == "finished", last
    return base


# ---------------------------------------------------------- in the environment


def compared(options: argparse.Namespace) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    from trainer import offline

    offline.enforce()
    import torch

    material, base = prepared(options)
    ours, bare = loaded(material, base, own_loss=True), loaded(material, base, own_loss=False)
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    for round_ in range(options.rounds + 1):  # the first one warms up
        measured = {"ours": our_seconds(ours, material), "bare": bare_seconds(bare, material)}
        for name, taken in measured.items():
            seconds[name] += [taken / options.steps] * (round_ > 0)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "device": torch.cuda.get_device_name() if options.device == "cuda" else f"{torch.get_num_threads()} threads",
        "tokens": sum(len(one.ids) for one in material.train),
        "s_per_step": {name: round(value, 4) for name, value in medians.items()},
        "all": {name: [round(value, 4) for value in values] for name, values in seconds.items()},
        "speed_of_bare": round(medians["bare"] / medians["ours"], 3),
    }


def prepared(options: argparse.Namespace) -> tuple[Any, Any]:
    from trainer import data, tokenization
    from trainer.data import TrainingInputs, inspect_base
    from trainer.prompt_form import TrainingPromptForm
    from trainer.spec import RunSpec

    base = inspect_base(Path(options.base))
    form = TrainingPromptForm("質問: {text}\n", "回答: {text}\n\n", "回答:", is_completion=True)
    spec = RunSpec(
        "none", options.base, "none", "none", form=form, device=options.device, precision=options.precision,
        compute=options.compute, rank=16, alpha=32, dropout=0.0, learning_rate=LEARNING_RATE, clip_norm=0.3,
        micro_batch=MICRO_BATCH, accumulation=ACCUMULATION, max_steps=options.steps, evaluations_per_epoch=0,
        optimizer="adamw", gradient_checkpointing=options.device == "cuda",
    )  # fmt: skip
    loaded_tokens = tokenization.load_tokenizer(base.folder)
    rows = [
        data.TrainingConversation(
            number + 1,
            (
                {"role": "user", "content": f"{number}: " + TEXT * (1 + number % 5)},
                {"role": "assistant", "content": TEXT * (1 + number % 3)},
            ),
        )
        for number in range(MICRO_BATCH * ACCUMULATION * options.steps)
    ]
    examples = data.encode_rows(rows, form, loaded_tokens, 1 << 30, "refuse", "answers").examples
    return TrainingInputs(spec, form, loaded_tokens, examples, [], []), base


def loaded(material: Any, base: Any, *, own_loss: bool) -> Any:
    from trainer import model

    adapted = model.load_model(material.spec, base)
    if own_loss:
        model.install_loss(adapted.base_model.model)
    return adapted


def our_seconds(adapted: Any, material: Any) -> float:
    from trainer.channel import RunControl, TrainerJournal
    from trainer.loop import TrainingLoop

    with tempfile.TemporaryDirectory() as folder:
        going = TrainingLoop(adapted, material, Path(folder), TrainerJournal(None), RunControl())
        going.begin(None)
        return going.clock.trained_s


def bare_seconds(adapted: Any, material: Any) -> float:
    """What nobody could leave out: forward, backward, clipping, AdamW. With transformers' own loss."""
    import torch

    from trainer import data

    spec, lengths = material.spec, [len(one.ids) for one in material.train]
    device = next(adapted.parameters()).device
    order = data.epoch_order(len(lengths), material.step_examples, spec.seed, 0, lengths)
    trained = [one for one in adapted.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0.0)
    adapted.train()
    began = time.monotonic()
    for start in range(0, len(order), material.step_examples):
        chosen = [material.train[at] for at in order[start : start + material.step_examples]]
        batches = [
            data.collate(chosen[at : at + MICRO_BATCH], material.tokens.pad_id)
            for at in range(0, len(chosen), MICRO_BATCH)
        ]
        count = sum(int((batch["labels"][:, 1:] != -100).sum()) for batch in batches)
        for batch in batches:
            given = {name: tensor.to(device) for name, tensor in batch.items()}
            adapted(**given, num_items_in_batch=torch.tensor(count, device=device)).loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, spec.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
