"""Hold-outs for the tiny models of the tests, and what numpy makes of logits."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

END = 2  # of the tiny model


def byte_ids(text: str) -> list[int]:
    """The tiny model has one token a byte, after its own four, and a space of its own."""
    return [3 if byte == 32 else byte + 4 for byte in text.encode("utf-8")]


def prompt_ids(question: str) -> list[int]:
    """As llama.cpp reads it with that tokenizer: a first token, and a space before the text."""
    return [1, 3, *byte_ids(question)]


def example(line: int, question: str, answer: str) -> dict[str, Any]:
    prompt, learned = prompt_ids(question), [*byte_ids(answer), END]
    labels = [-100] * len(prompt) + learned
    return {"line": line, "ids": prompt + learned, "labels": labels, "base_nll": 9.0, "adapter_nll": 5.0}


def write(path: Path, pairs: Sequence[tuple[str, str]], **fields: Any) -> Path:
    examples = [example(line, *pair) for line, pair in enumerate(pairs, start=1)]
    chats = [
        {"messages": [{"role": "user", "content": question}], "ids": prompt_ids(question)} for question, _ in pairs
    ]
    content = {"version": 1, "precision": "f32", "end_ids": [END], "examples": examples, "chats": chats}
    path.write_text(json.dumps(content | fields, ensure_ascii=False), encoding="utf-8")
    return path


def log_softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result
