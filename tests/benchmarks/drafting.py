"""Whether a small model that drafts tokens makes answers faster on this machine, by bare decode loops.

    python -m tests.benchmarks.drafting [--layers N] [--width N] [--temperature X ...] [--tokens N] [--threads N]

The draft guesses some tokens; the model evaluates its latest token and the guesses in one step, and chooses each next
token from its own logits, until one is not the guess. Printed are the processor time of a step with several tokens by
that of one, of a token of the draft, and for each number of guesses how many times as fast an answer is, which share of
the guesses was right, and how many answers are the same. Other programs disturb processor time on one thread little.

No two published models of a family are at hand. So the model is the trial model grown to the cost of a larger one: its
feed-forward layers are widened by zeros, and layers are added that change nothing, because their last products are
zero. It answers as the trial model does, which is the draft: at a temperature of 0 all guesses are right, and the
higher it is, the more often the model draws another token than the likeliest.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from app.inference.engine.generation import Sampler
from app.inference.engine.llama import api
from app.inference.engine.messages import Sampling
from app.inference.engine.sequences import LEAST_TOKENS, SequencedModel
from app.inference.engine.threads import ThreadPolicy
from app.inference.prompts import Segment, common_length
from app.models import starter
from tests import model_files

GUESSES = (1, 2, 3)
STEP_MOST = LEAST_TOKENS - 1
QUESTIONS = ("橋の点検では、", "河川の流量を測るには、まず", "The history of the city begins")

Weights = npt.NDArray[Any]


def grown(source: Path, target: Path, layers: int, width: int) -> Path:
    """Write a model with `layers` more layers and a feed-forward length of `width`, and return its path."""
    reader = gguf.GGUFReader(source)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    before = int(reader.fields["gemma3.block_count"].contents())
    changed = {"gemma3.block_count": before + layers, "gemma3.feed_forward_length": width}
    _write(reader, target, changed, _grown_tensors(tensors, before, layers, width))
    return target


def _grown_tensors(
    tensors: dict[str, gguf.ReaderTensor], before: int, layers: int, width: int
) -> Iterator[tuple[str, Weights, Any]]:
    random = np.random.default_rng(1)
    for name, tensor in tensors.items():
        yield name, _widened(tensor, width), tensor.tensor_type
    for layer in range(before, before + layers):
        for name, tensor in tensors.items():
            if not name.startswith("blk.0."):
                continue
            data = _widened(tensor, width)
            if "attn_output" in name or "ffn_down" in name:
                data = np.zeros_like(data)
            elif "ffn" in name and data.ndim == 2:  # rows of the model's own, in another order
                data = data[random.integers(0, tensor.data.shape[0], data.shape[0])]
            yield name.replace("blk.0.", f"blk.{layer}."), data, tensor.tensor_type


def _widened(tensor: gguf.ReaderTensor, width: int) -> Weights:
    """Return a feed-forward matrix with zeros up to the new length; any other tensor as it is."""
    data: Weights = tensor.data
    if "ffn_down" in tensor.name:
        wide = width * data.shape[1] // int(tensor.shape[0])
        return np.pad(data, ((0, 0), (0, wide - data.shape[1])))
    if "ffn_gate" in tensor.name or "ffn_up" in tensor.name:
        return np.pad(data, ((0, width - data.shape[0]), (0, 0)))
    return data


def _write(
    reader: gguf.GGUFReader, target: Path, changed: dict[str, int], tensors: Iterator[tuple[str, Weights, Any]]
) -> None:
    """Write a model with the metadata of another, except what is changed."""
    writer = gguf.GGUFWriter(target, "gemma3")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(key, changed.get(key, field.contents()), field.types[0], inner)
    for name, data, kind in tensors:
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Model(SequencedModel):
    """A model with one sequence."""

    def __init__(self, path: Path, threads: int) -> None:
        super().__init__()
        self._thread_policy = ThreadPolicy(threads)
        params = api.llama_model_default_params()
        params.n_gpu_layers, params.use_extra_bufts = 0, False
        self._load(str(path), params)
        params = api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = 2048, 512, 512
        params.n_outputs_max, params.swa_full, params.no_perf = STEP_MOST, True, True
        self._open(params)

    def rows(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Evaluate tokens, and return their logits, of which there must be few; of many, those of the last."""
        few = len(tokens) <= STEP_MOST
        self._decode([(0, token, few or at == len(tokens)) for at, token in enumerate(tokens, 1)])
        return self._rows(len(tokens) if few else 1)

    def keep(self, count: int) -> None:
        self._keep(0, min(count, len(self.cached[0])))


def write(
    model: Model, draft: Model, guesses: int, prompt: list[int], count: int, temperature: float
) -> tuple[float, list[int], int, int]:
    """Return the processor time of an answer, its ids, and how many guesses were right and how many there were."""
    sampler, tokens, right, guessed = Sampler(Sampling(temperature, seed=1), 1), list(prompt), 0, 0
    for one in (model, draft):
        one.keep(0)
        one.rows(prompt[:-1])
    began = time.process_time()
    while len(tokens) < len(prompt) + count:
        before, found = len(tokens), list[int]()
        while len(found) < guesses:
            found.append(int(draft.rows([*tokens, *found][len(draft.cached[0]) :])[-1].argmax()))
        for row, guess in zip(model.rows([tokens[-1], *found]), [*found, -1], strict=True):
            tokens.append(sampler.choose(row, tokens))
            if tokens[-1] != guess:
                break
        same = common_length(tokens[before:], found)
        model.keep(before + same)
        draft.keep(before + same)
        right, guessed = right + same, guessed + len(found)
    return time.process_time() - began, tokens[: len(prompt) + count], right, guessed


def step_s(model: Model, count: int) -> float:
    """Return the processor time of a step of `count` tokens after 256 others."""
    ids = [1000 + 37 * at for at in range(256 + count)]
    if model.cached[0][:256] != ids[:256]:
        model.keep(0)
        model.rows(ids[:256])
    model.keep(256)
    began = time.process_time()
    model.rows(ids[256:])
    return time.process_time() - began


def print_steps(name: str, model: Model) -> None:
    rounds = [[step_s(model, count) for count in range(1, 1 + STEP_MOST)] for _ in range(5)]
    medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
    shares = " ".join(f"{median / medians[0]:.2f}" for median in medians)
    print(f"{name}: a token {1000 * medians[0]:.0f} ms; a step of 1 to 7 tokens, by that: {shares}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=36)
    parser.add_argument("--width", type=int, default=16_384)
    parser.add_argument("--temperature", type=float, nargs="*", default=[0.0, 0.6])
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = starter.assemble(starter.card(), folder)
        wide = Model(model_files.synthetic_8b(folder / "wide.gguf", layers=6), asked.threads)
        print_steps("6 layers of an 8B, Q4_K_M", wide)
        wide.close()
        model = Model(grown(small, folder / "big.gguf", asked.layers, asked.width), asked.threads)
        print_steps("the grown model", model)
        draft = Model(small, asked.threads)
        print_steps("the draft", draft)
        for temperature in asked.temperature:
            compare(model, draft, asked.tokens, temperature)


def compare(model: Model, draft: Model, count: int, temperature: float) -> None:
    """Print each number of guesses beside none, in turn for each question."""
    found: dict[int, list[tuple[float, bool, int, int]]] = {guesses: [] for guesses in GUESSES}
    for question in QUESTIONS:
        prompt = model.prompt_tokens([Segment(question)])
        alone_s, plain, *_ = write(model, draft, 0, prompt, count, temperature)
        for guesses, each in found.items():
            seconds, tokens, right, guessed = write(model, draft, guesses, prompt, count, temperature)
            each.append((alone_s / seconds, tokens == plain, right, guessed))
    for guesses, each in found.items():
        right, guessed = sum(one[2] for one in each), sum(one[3] for one in each)
        faster, equal = statistics.median(one[0] for one in each), sum(one[1] for one in each)
        print(
            f"temperature {temperature}, {guesses} guesses: {faster:.2f} times as fast, {right / guessed:.2f} right, "
            f"{equal} of {len(each)} answers equal",
            flush=True,
        )


if __name__ == "__main__":
    main()
