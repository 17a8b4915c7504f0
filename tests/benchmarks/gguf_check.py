"""The GGUF check before a load, on the starter and on a vocabulary of Llama-3's size. Prints milliseconds as JSON.

python -m tests.benchmarks.gguf_check
"""

import json
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.inference import gguf
from app.models import starter

RUNS = 9
TOKENS, MERGES = 128_256, 280_147
_STRING, _ARRAY = 8, 9


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = _llama_3_sized(Path(folder) / "vocabulary.gguf")
        result = {"llama_3_vocabulary_read_ms": _median_ms(lambda: gguf.read_header(vocabulary))}
        if starter.is_available():
            model = starter.assemble(starter.card(), Path(folder))
            result |= {
                "starter_read_ms": _median_ms(lambda: gguf.read_header(model)),
                "starter_before_load_ms": _median_ms(lambda: gguf.check_model(model, every_token=False)),
                "starter_import_ms": _median_ms(lambda: gguf.check_model(model)),
            }
    print(json.dumps(result))


def _median_ms(call: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 1)


def _llama_3_sized(path: Path) -> Path:
    """A header with only the two long lists; nothing else in it is looked at by `read_header`."""
    lists = {
        "tokenizer.ggml.tokens": [b"w%d" % number for number in range(TOKENS)],
        "tokenizer.ggml.merges": [b"x%d y%d" % (number, number) for number in range(MERGES)],
    }
    pairs = b"".join(
        _text(key.encode()) + struct.pack("<IIQ", _ARRAY, _STRING, len(texts)) + b"".join(map(_text, texts))
        for key, texts in lists.items()
    )
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(lists)) + pairs)
    return path


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


if __name__ == "__main__":
    main()
