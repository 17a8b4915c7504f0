"""What the estimator computes for the longest run of arXiv 2603.18037, 4,000 rows three times. Prints JSON.

    python -m tests.benchmarks.train_forecast [FOLDER]

`FOLDER`: the paper's data (`kasensabo`). An 8B base of Llama 3's shape on an RTX 4060 Ti with 15 GiB free, and with the
memory of cards of 8, 12 and 24 GB. Tokens are estimated from characters. First each preset as it names its settings,
then as `fit_card` sets them. The paper's own run took 148.2 minutes. Then the padding of micro batches by the rows' own
tokens. Last, what the engine reads and at most writes for the verdict, and how long that takes. Nothing is loaded, and
no card is needed.
"""

import dataclasses
import json
import sys
from typing import Any

from app.evaluation.study import paper, scale_subsets
from app.inference import memory_estimate
from app.inference.scoring_files import HeldOutChat
from app.training import export_plan, run_plan
from app.training.runs import run_clock, run_folders
from tests import evaluation_data
from trainer import data, estimate, recipe
from trainer.recipe import RecipeFacts
from trainer.spec import PAPER_PRESETS, RunSpec

GIB = 1 << 30
CARD, MEMORIES_GIB = "NVIDIA GeForce RTX 4060 Ti", (15.0, 7.2, 11.0, 22.5)
CARD_BYTES_PER_S, READ_SHARE = 288e9, 0.6  # of its memory, as published; the share is an assumption
# Prompt and answer, in tokens per second of an 8B in Q4_K_M: two cores of a Xeon of 2020.
PROCESSOR = (21.0, 3.2)
Q4_K_M_BYTES = 4.92e9
LLAMA_3_8B = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip


def main(arguments: list[str]) -> None:
    folder = evaluation_data.for_benchmark(arguments[0] if arguments else None, "kasensabo")
    made = scale_subsets.paper_material(folder / paper.ROWS, None, system_prompt=paper.system_prompt())
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
    print(json.dumps({"padding_by_micro_batch": {rows: padding(lengths, rows) for rows in (1, 2, 4, 8)}}))
    answers = [round(run_plan.TOKENS_PER_CHARACTER * letters) for _, letters, _ in counted]
    print(json.dumps(verdict(lengths, answers)))


def padding(lengths: list[int], rows: int) -> float:
    """Return the tokens that pad micro batches of `rows` rows, sorted within a step of 8, by the rows' own."""
    ordered = [lengths[at] for at in data.epoch_order(len(lengths), 8, 0, 0, lengths)]
    batches = [ordered[at : at + rows] for at in range(0, len(ordered), rows)]
    return round(sum(max(batch) * len(batch) for batch in batches) / sum(ordered) - 1, 3)


def verdict(lengths: list[int], answers: list[int]) -> dict[str, Any]:
    """Return tokens and minutes of the base and of the base with the adapter, each loaded once.

    Several answers at a time take as long as their products, or as reading the weights for each token of all of them.
    """
    step = len(lengths) // run_folders.MEASURED_LINES
    read = 2 * sum(lengths[::step][: run_folders.MEASURED_LINES])
    chats = [HeldOutChat((), (), (0,) * tokens) for tokens in answers[::step][: run_clock._ANSWERED]]
    written = 2 * sum(map(export_plan.answer_limit_tokens, chats))
    weights = estimate.shape_from_config(LLAMA_3_8B).linear_weights
    card = (estimate.card_flops_per_s(CARD) / (2 * weights), CARD_BYTES_PER_S * READ_SHARE / Q4_K_M_BYTES)
    minutes = {}
    for name, (prompt, answer) in {"card": card, "two_cores": PROCESSOR}.items():
        at_once = min(prompt, answer * memory_estimate.PARALLEL_MOST)
        minutes[name] = round((read / prompt + 2 * export_plan.SPEED_TOKENS / answer + written / at_once) / 60, 1)
    return {"verdict_reads": read, "verdict_writes": written, "minutes": minutes}


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
