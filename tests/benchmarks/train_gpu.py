"""QLoRA of a base with the shape of Llama 3 8B and random weights, on one card: speed, memory, the estimate's error.

    <trainer python> -m tests.benchmarks.train_gpu [--tiny] [FOLDER]

Twenty minutes at most; 17 GB of disk, 20 GB of memory. Examples of 1,024, 2,048 and 4,096 tokens, then with no more of
the card than cards of 8 and 12 GB have, with the token embedding in the machine's memory, and in 16 GB the runs of
arXiv 2603.18037: rows as long as its rows, with the settings that it names, then with those that the probe finds, and
what 4,000 rows three times would take. Each line is one run of the trainer's own three measured steps. `--tiny`: a
small shape on the processor, to see that all of this works.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

from trainer import estimate, start
from trainer.spec import PAPER_PRESETS

sys.path.insert(0, str(Path(__file__).parents[1] / "convert"))
import tiny_hf  # type: ignore[import-not-found]

LLAMA_3_8B = {
    "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 128256,
}  # fmt: skip
TINY = {
    "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 384, "vocab_size": 3200,
}  # fmt: skip
FORM = {
    "question": "<|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|>",
    "answer": "<|start_header_id|>assistant<|end_header_id|>\n\n{text}<|eot_id|>",
    "answer_start": "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "end": "<|eot_id|>",
}
GIB = 1 << 30
LIMIT_S = 150.0  # of one run
ROWS, BATCH = 16, 4
SHOWN = ("micro_batch", "accumulation", "gradient_checkpointing", "checkpoint_every", "embedding_on_cpu")
TEXT = "橋脚の設計では、地震時の水平力と鉛直荷重の組合せを考える。"


@dataclass(frozen=True, slots=True)
class Case:
    tokens: int  # of each example, or of the longest one
    card_gb: int = 0  # of a smaller card; 0: all there is
    preset: str = (
        ""  # rows of many lengths, with this preset and settings that fit; "": rows of one length, one at once
    )
    given: tuple[tuple[str, Any], ...] = ()  # more settings


CASES = (
    Case(1024), Case(2048), Case(4096), Case(1024, 8), Case(2048, 12),
    Case(1024, 8, given=(("embedding_on_cpu", True),)),
    Case(760, 16, PAPER_PRESETS[0], (("micro_batch", 2), ("gradient_checkpointing", True))),
    Case(760, 16, PAPER_PRESETS[0]), Case(760, 16, PAPER_PRESETS[1]), Case(760, 16, "standard"),
)  # fmt: skip
TINY_CASES = (Case(128), Case(256, preset=PAPER_PRESETS[0]))
PAPER_ROWS, PAPER_EPOCHS, PAPER_MIN = 4000, 3, 148.2  # of its run with rank 16


def main(arguments: list[str]) -> int:
    is_tiny = "--tiny" in arguments
    if not is_tiny and not torch.cuda.is_available():
        print("no card that CUDA can use; --tiny runs on the processor", file=sys.stderr)
        return 1
    places = [argument for argument in arguments if argument != "--tiny"]
    with tempfile.TemporaryDirectory(dir=places[0] if places else None) as folder:
        began = time.monotonic()
        base = make_base(Path(folder) / "base", TINY if is_tiny else LLAMA_3_8B, "cpu" if is_tiny else "cuda")
        tell(
            {"base_s": round(time.monotonic() - began, 1), "device": "cpu" if is_tiny else torch.cuda.get_device_name()}
        )
        for case in TINY_CASES if is_tiny else CASES:
            tell(measured(case, base, Path(folder), is_tiny=is_tiny))
    return 0


def make_base(folder: Path, shape: dict[str, int], device: str) -> Path:
    """Written a layer at a time, in bfloat16."""
    folder.mkdir()
    tokenizer, names = tiny_hf.llama_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(names), encoding="utf-8")
    config = transformers.LlamaConfig(**shape, tie_word_embeddings=False, architectures=["LlamaForCausalLM"])
    for role in ("bos", "eos"):
        setattr(config, f"{role}_token_id", tokenizer.token_to_id(names[f"{role}_token"]))
    config.save_pretrained(folder)
    with torch.device("meta"):
        tensors = transformers.LlamaForCausalLM(config).state_dict()
    groups: dict[str, list[str]] = {}
    for name in tensors:
        groups.setdefault(name.split(".")[2] if ".layers." in name else "rest", []).append(name)
    weight_map = {}
    for number, names_of in enumerate(groups.values(), 1):
        file = f"model-{number:05}-of-{len(groups):05}.safetensors"
        weights = {name: random_weights(name, tensors[name].shape, device) for name in names_of}
        save_file(weights, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(names_of, file)
    total = sum(2 * tensor.numel() for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def random_weights(name: str, shape: torch.Size, device: str) -> torch.Tensor:
    if name.endswith("norm.weight"):
        return torch.ones(shape, dtype=torch.bfloat16)
    return torch.empty(shape, dtype=torch.bfloat16, device=device).normal_(0, 0.02).cpu()


def measured(case: Case, base: Path, place: Path, *, is_tiny: bool) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(dir=place))
    write_rows(folder, base, case.tokens, is_mixed=bool(case.preset))
    share = case.card_gb * GIB / torch.cuda.mem_get_info()[1] if case.card_gb else 1.0
    spec = {
        "folder": str(folder / "run"), "base": str(base), "form": FORM, "context_tokens": case.tokens + 128,
        "train": str(folder / "train.jsonl"), "validation": str(folder / "validation.jsonl"), "memory_share": share,
        "epochs": 1.0, "evaluations_per_epoch": 0, "device": "cpu" if is_tiny else "cuda",
        "precision": "f32" if is_tiny else "nf4",
    }  # fmt: skip
    one_at_once = {
        "micro_batch": 1, "accumulation": BATCH, "rank": 16, "dropout": 0.0, "gradient_checkpointing": True,
        "optimizer": "adamw" if is_tiny else "adamw_8bit",
    }  # fmt: skip
    spec |= ({"preset": case.preset} if case.preset else one_at_once) | dict(case.given)
    (folder / "run.json").write_text(json.dumps(spec), encoding="utf-8")
    told = run(folder)
    found: dict[str, Any] = {"tokens": case.tokens, "card_gb": case.card_gb or None, "preset": case.preset}
    effective = next((event for event in told if event["event"] == "effective"), {"facts": {"longest": 0}, "spec": {}})
    longest, settings = effective["facts"]["longest"], effective["spec"]
    for event in told:
        settings |= event["facts"] if event["event"] == "adjusted" else {}
    found |= {name: settings.get(name) for name in SHOWN}
    forecasts = {event["is_measured"]: event for event in told if event["event"] == "forecast"}
    if True not in forecasts:
        return found | {"computed": forecasts.get(False), "end": told[-1] if told else "said nothing"}
    computed, peak = forecasts[False]["peak_bytes"], forecasts[True]["peak_bytes"]
    # A card's own figure has no context in it.
    computed -= 0 if is_tiny else estimate.CONTEXT_BYTES
    return (
        found
        | {
            "longest": longest,
            "tokens_per_s": round(
                effective["facts"]["tokens"] / effective["facts"]["steps"] / forecasts[True]["step_s"], 1
            ),
            "computed_GiB": round(computed / GIB, 2),
            "measured_GiB": round(peak / GIB, 2),
            "ratio": round(computed / peak, 3),
            "computed_step_s": forecasts[False]["step_s"],
            "measured_step_s": forecasts[True]["step_s"],
        }
        | (papers_run(settings, forecasts[True]["step_s"]) if case.preset else {})
    )


def papers_run(settings: dict[str, Any], step_s: float) -> dict[str, Any]:
    """What the paper's run would take, beside what it took there."""
    steps = PAPER_ROWS * PAPER_EPOCHS / (settings["micro_batch"] * settings["accumulation"])
    return {"papers_run_min": round(steps * step_s / 60, 1), "paper_min": PAPER_MIN}


def write_rows(folder: Path, base: Path, tokens: int, *, is_mixed: bool) -> None:
    """One short row, on which the loss is tried, and all others of about this length; a third of it is learned.

    `is_mixed`: of many lengths up to this one, 0.42 of it on average, as in the paper's data.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    sentence = len(tokenizer.encode(TEXT, add_special_tokens=False))
    for name in ("train", "validation"):
        lines = []
        for number in range(ROWS):
            share = 0.2 + 0.8 * (number / (ROWS - 1)) ** 2.6 if is_mixed else 1.0
            count = max(3, int(share * tokens) // sentence - 1) if number else 3
            question, answer = f"{name} {number} " + TEXT * (2 * count // 3), TEXT * (count // 3)
            turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            lines.append(json.dumps({"messages": turns}, ensure_ascii=False) + "\n")
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def run(folder: Path) -> list[dict[str, Any]]:
    """What the trainer told."""
    command = start.command(sys.executable, "trainer", str(folder / "run.json"), "--probe")
    with (folder / "log.txt").open("wb") as log:
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            return [json.loads(line) for line in (error.stdout or b"").splitlines()] + [{"event": "timeout"}]
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    return told if ended.returncode == 0 or told else [{"event": (folder / "log.txt").read_text("utf-8")[-500:]}]


def tell(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
