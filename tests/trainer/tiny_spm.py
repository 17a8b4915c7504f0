"""In the training environment: a tiny base whose vocabulary wants a space before each text, as Llama 2's does."""

import json
from pathlib import Path

import tiny_hf
import transformers

NAMES = {
    "tokenizer_class": "LlamaTokenizer",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "add_bos_token": True,
    "legacy": False,
}


def tokenizer() -> tuple[tiny_hf.SentencePiece, dict[str, object]]:
    spaced = {
        "vocab_size": 2500,
        "split_digits": False,
        "allow_whitespace_only_pieces": False,
        "add_dummy_prefix": True,
        "user_defined_symbols": ["<|user|>", "<|assistant|>", "<|system|>"],
        "unk_id": 0,
        "bos_id": 1,
        "eos_id": 2,
        "pad_id": -1,
        "bos_piece": "<s>",
        "eos_piece": "</s>",
    }
    return tiny_hf.SentencePiece(**spaced), NAMES


def main(path: str) -> None:
    folder = Path(path)
    config = transformers.LlamaConfig(**tiny_hf.SHAPE)
    tiny_hf.FAMILIES["spaced"] = lambda: (tokenizer, config)
    tiny_hf.make_base(folder, "spaced", tied=True, seed=1)
    flags = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word"), False) | {"special": True}
    texts_of = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"]
    controls = {str(id): {"content": text, **flags} for id, text in enumerate(texts_of)}
    named = NAMES | {"added_tokens_decoder": controls}
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
