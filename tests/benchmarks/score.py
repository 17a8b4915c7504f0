"""How much the divergence over 1,024 tokens and the rest falls short of the whole one, on the trial model.

`python -m tests.benchmarks.score [MODEL.gguf]`: the model against itself quantized to smaller forms; prints, for each,
both divergences and memory. See app/inference/engine/score.py.
"""

import ctypes
import sys
import tempfile
from pathlib import Path

import numpy as np

from app.inference.engine.llama import api
from app.inference.engine.score import ReferenceHeader, ReferenceReader, ReferenceWriter
from app.inference.engine.scored_model import ScoredModel
from app.inference.prompts import Segment
from app.models import starter
from tests.convert import texts

FORMS = ("Q8_0", "Q4_0")
TOKENS = 256


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = Path(sys.argv[1]) if len(sys.argv) > 1 else starter.assemble(starter.card(), folder)
        first = ScoredModel(model, "")
        first.open(TOKENS)
        ids = first.ids_of((Segment(texts.passage()),))[:TOKENS]
        places = tuple(range(1, len(ids)))
        about = ReferenceHeader(len(places), first.vocabulary, "benchmark")
        writer = ReferenceWriter(folder / "reference", about)
        whole = []
        for log_p in first.log_probabilities(ids, places, lambda _count: None):
            writer.add(log_p)
            whole.append(log_p.copy())
        writer.close()
        first.close()
        rests = [1 - float(np.exp(np.sort(row)[-about.kept_tokens :].astype(np.float64)).sum()) for row in whole]
        print(f"mass of the rest: mean {np.mean(rests):.4f}, highest {np.max(rests):.4f}")
        for form in FORMS:
            compare(requantized(model, folder, form), folder / "reference", about, ids, places, whole, form)


def requantized(model: Path, folder: Path, form: str) -> Path:
    params = api.llama_model_quantize_default_params()
    params.ftype = getattr(api, f"LLAMA_FTYPE_MOSTLY_{form}")
    params.allow_requantize = True
    out = folder / f"{form}.gguf"
    assert api.llama_model_quantize(str(model).encode(), str(out).encode(), ctypes.byref(params)) == 0
    return out


def compare(path: Path, reference: Path, about: ReferenceHeader, ids, places, whole, form: str) -> None:
    model, reader = ScoredModel(path, ""), ReferenceReader(reference, about)
    model.open(TOKENS)
    kept, full = [], []
    for p, q in zip(whole, model.log_probabilities(ids, places, lambda _count: None), strict=True):
        kept.append(reader.compare(q)[0])
        exact = p.astype(np.float64)
        full.append(float(np.sum(np.exp(exact) * (exact - q))))
    model.close()
    reader.close()
    assert all(low <= high + 1e-6 for low, high in zip(kept, full, strict=True))
    short = 1 - np.mean(kept) / np.mean(full)
    print(
        f"{form}: {np.mean(kept):.5f} nats over {about.kept_tokens} and the rest, "
        f"whole {np.mean(full):.5f}: {short:.1%} less"
    )


if __name__ == "__main__":
    main()
