"""What the estimator computes for the longest run of arXiv 2603.18037, 4,000 rows three times. Prints JSON.

    python -m tests.benchmarks.train_forecast [FOLDER]

`FOLDER`: the paper's data (`kasensabo`). An 8B base of Llama 3's shape on an RTX 4060 Ti with 15 GiB free, and with the
memory of cards of 8, 12 and 24 GB. Tokens are estimated from characters. First each preset as it names its settings,
then as `fit_card` sets them. The paper's own run took 148.2 minutes. Nothing is loaded, and no card is needed.
"""

import dataclasses
import json
import sys
from typing import Any

from app.evaluation.study import paper, scale_subsets
from app.training import run_plan
from tests import evaluation_data
from trainer import data, estimate, recipe
from trainer.recipe import RecipeFacts
from trainer.spec import PAPER_PRESETS, RunSpec

GIB = 1 << 30
CARD, MEMORIES_GIB = "NVIDIA GeForce RTX 4060 Ti", (15.0, 7.2, 11.0, 22.5)
LLAMA_3_8B = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip


def main(arguments: list[str]) -> None:
    folder = evaluation_data.for_benchmark(arguments[0] if arguments else None, "kasensabo")
    made = scale_subsets.given_subsets(
        folder / paper.ROWS, None, keeps_subsets=True, system_prompt=paper.system_prompt()
    )
    rows = [json.loads(line) for line in made.subsets[3].raw.splitlines()]
    counted = [run_plan._character_counts(row) for row in rows]
    lengths = [
        round(run_plan.TOKENS_PER_CHARACTER * letters) + run_plan.MARKUP_TOKENS * messages
        for letters, _, messages in counted
    ]
    for gib in MEMORIES_GIB:
        for preset in (*PAPER_PRESETS, "standard"):
            for is_fitted in (False, True):
                print(json.dumps(computed(preset, lengths, gib, is_fitted=is_fitted)), flush=True)


def computed(preset: str, lengths: list[int], gib: float, *, is_fitted: bool) -> dict[str, Any]:
    shape = estimate.shape_from_config(LLAMA_3_8B)
    asked = RunSpec("-", "-", "-", "-", preset=preset, device="cuda", evaluations_per_epoch=0)
    facts = RecipeFacts(len(lengths), max(lengths), "cuda", round(gib * GIB), True, shape.parameters, "llama", "win32")
    spec = recipe.resolve(asked, facts)
    step = (spec.micro_batch or 1) * (spec.accumulation or 1)
    order = data.epoch_order(len(lengths), step, spec.seed, 0, lengths)
    load = estimate.EpochWorkload(len(lengths), sum(lengths), sum(lengths), lengths=[lengths[at] for at in order])
    if is_fitted:
        spec = estimate.fit_card(shape, spec, asked, load, round(gib * GIB))
    memory = estimate.estimate_memory(shape, spec, max(lengths))
    time = estimate.estimate_time(shape, spec, load, estimate.card_flops_per_s(CARD))
    names = ("micro_batch", "accumulation", "gradient_checkpointing", "checkpoint_every", "embedding_on_cpu")
    return {
        "free_GiB": gib,
        "preset": preset,
        "rank": spec.rank,
        **{name: value for name, value in dataclasses.asdict(spec).items() if name in names},
        "memory_GiB": round(memory.total / GIB, 2),
        "minutes": round(time.total_s / 60, 1),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
