"""Which settings of llama.cpp are faster than Kotae's defaults.

    python -m tests.benchmarks.engine_settings [MODEL.gguf] [--prompt N] [--rounds N]

Without a model, one of 8 layers with the width of Llama-3.1-8B, Q4_K_M and random weights. All settings are measured in
turn on one thread, in processor time, which other programs disturb little. Ratios are taken within a round, to the
defaults (batches of 512, flash attention as llama.cpp decides, f16 cache, weights as they are), and the median printed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.inference.engine.llama import EngineLog, api
from tests import model_files

ANSWER_TOKENS = 8
CONTEXT_TOKENS = 4096
WORDS = 1000  # an id from here on is a word


@dataclass(frozen=True)
class Choice:
    repack: bool = False
    batch_tokens: int = 512
    flash_attention: int = -1  # -1: as llama.cpp decides
    kv_type: int = api.GGML_TYPE_F16

    def __str__(self) -> str:
        words = {-1: "auto", 0: "off", 1: "on"}
        kind = "q8_0" if self.kv_type == api.GGML_TYPE_Q8_0 else "f16"
        layout = "repacked" if self.repack else "plain"
        return f"{layout:9s} batch {self.batch_tokens:4d}  flash {words[self.flash_attention]:4s}  cache {kind:4s}"


CHOICES = [
    choice
    for repack in (False, True)
    for choice in (
        *(Choice(repack, batch) for batch in (512, 128, 256, 1024)),
        Choice(repack, flash_attention=0),
        Choice(repack, flash_attention=1, kv_type=api.GGML_TYPE_Q8_0),
    )
]


def load(path: Path, *, repack: bool) -> Any:
    params = api.llama_model_default_params()
    params.use_extra_bufts, params.n_gpu_layers = repack, 0
    return api.llama_model_load_from_file(str(path).encode(), params)


def open_context(model: Any, choice: Choice) -> Any:
    params = api.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = CONTEXT_TOKENS, choice.batch_tokens, choice.batch_tokens
    params.n_threads = params.n_threads_batch = 1
    params.flash_attn_type, params.type_k, params.type_v = choice.flash_attention, choice.kv_type, choice.kv_type
    params.n_outputs_max, params.no_perf = 1, True
    return api.llama_init_from_model(model, params)


def decode(context: Any, tokens: list[int]) -> None:
    ids = (api.llama_token * len(tokens))(*tokens)  # the batch only points to it
    assert api.llama_decode(context, api.llama_batch_get_one(ids, len(tokens))) == 0


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def speeds(model: Any, choice: Choice, prompt_tokens: int) -> tuple[float, float]:
    """Return the tokens per second of a prompt and of the answer after it."""
    context = open_context(model, choice)
    decode(context, [WORDS])
    api.llama_memory_clear(api.llama_get_memory(context), True)
    prompt = [WORDS + at % 10_000 for at in range(prompt_tokens)]

    def read() -> None:
        for at in range(0, prompt_tokens, choice.batch_tokens):
            decode(context, prompt[at : at + choice.batch_tokens])

    def write() -> None:
        for _ in range(ANSWER_TOKENS):
            decode(context, [WORDS])

    found = prompt_tokens / seconds(read), ANSWER_TOKENS / seconds(write)
    api.llama_free(context)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    EngineLog(lambda _line: None)
    with tempfile.TemporaryDirectory() as folder:
        path = options.model or model_files.synthetic_8b(Path(folder) / "model.gguf", layers=8)
        models = {repack: load(path, repack=repack) for repack in (False, True)}
        measure(models, options.prompt, options.rounds)


def measure(models: dict[bool, Any], prompt_tokens: int, rounds: int) -> None:
    found: dict[Choice, list[tuple[float, float]]] = {choice: [] for choice in CHOICES}
    for number in range(rounds):
        for choice in CHOICES[:: 1 if number % 2 == 0 else -1]:
            found[choice].append(speeds(models[choice.repack], choice, prompt_tokens))
    for choice, each in found.items():
        prompt, answer = (statistics.median(pair[at] for pair in each) for at in (0, 1))
        ratios = [
            statistics.median(pair[at] / base[at] for pair, base in zip(each, found[Choice()], strict=True))
            for at in (0, 1)
        ]
        print(f"{choice}  prompt {prompt:7.1f} tok/s ({ratios[0]:.2f})  answer {answer:6.2f} ({ratios[1]:.2f})")


if __name__ == "__main__":
    main()
