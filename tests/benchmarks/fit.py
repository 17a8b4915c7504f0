"""Memory and speed, predicted against measured, on models with the shapes of published ones (random weights).

    python -m tests.benchmarks.fit [FOLDER]

One at a time; 5 GB of disk, about 6 GB of memory, ten minutes on two cores. What is written is deleted.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from app.inference import machine, speed
from app.inference.gguf import read_header
from app.models import catalogue, model_fit
from tests import model_files as models
from tests.inference.engine.child import Child

CARDS = ("llama-3-swallow-8b-instruct-v0.1", "qwen2.5-7b-instruct", "qwen3-4b-instruct-2507")
CONTEXTS = (2048, 4096, 8192)
QUESTION = "あ " * 130


def main(arguments: list[str]) -> int:
    here = speed.measure()
    print(
        json.dumps(
            {
                "answer_GB_per_s": here.answer_bytes_per_s / 1e9,
                "prompt_G_weights_per_s": here.prompt_weights_per_s / 1e9,
            }
        )
    )
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as folder:
        for card_id in CARDS:
            card = catalogue.card(card_id)
            assert card is not None
            assert card.shape is not None
            path = models.synthetic(Path(folder) / f"{card_id}.gguf", card.shape)
            for line in _measured(path, card, here, Path(folder)):
                print(json.dumps(line), flush=True)
            path.unlink()
    return 0


def _measured(
    path: Path, card: catalogue.ModelCard, here: speed.MachineSpeed, folder: Path
) -> Iterator[dict[str, Any]]:
    header, file = read_header(path), card.file_of("Q4_K_M")
    assert file is not None
    for context in CONTEXTS:
        of_file = model_fit.fit_of_file(header, context, machine.measure_memory())
        by_card = model_fit.estimate_card(card, file, context).total_bytes
        with Child("llama", folder / "engine.log") as child:
            process = psutil.Process(child.process.pid)
            before = process.memory_info().rss
            child.load(path, context_tokens=context, threads=here.threads)
            done = child.ask(QUESTION, max_tokens=16)[1]
            grown = process.memory_info().rss - before
        evaluated = done.usage.prompt_tokens - done.usage.cached_tokens
        predicted = speed.predict(here, of_file.memory_estimate, of_file.parameters)
        yield {
            "model": card.id,
            "context": context,
            "measured_bytes": grown,
            "error_of_file_percent": round((of_file.memory_estimate.total_bytes / grown - 1) * 100, 1),
            "error_of_card_percent": round((by_card / grown - 1) * 100, 1),
            "prompt": [round(predicted.prompt, 1), round(evaluated / done.timings.prompt_s, 1)],
            "answer": [round(predicted.answer, 2), round(done.usage.answer_tokens / done.timings.answer_s, 2)],
        }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
