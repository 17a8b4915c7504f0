"""A pre-tokenizer is taken over only where all of tokenizer.json's rules are those of one that llama.cpp has."""

import copy
from typing import Any

import pytest

from trainer.convert import converter

LLAMA_3: dict[str, Any] = {
    "normalizer": None,
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [
            {
                "type": "Split",
                "pattern": {
                    "Regex": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
                    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
                },
                "behavior": "Isolated",
                "invert": False,
            },
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    },
    "model": {"type": "BPE", "dropout": None, "byte_fallback": False, "ignore_merges": True},
}
GEMMA: dict[str, Any] = {
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": {
        "type": "Split",
        "pattern": {"String": " "},
        "behavior": "MergedWithPrevious",
        "invert": False,
    },
    "model": {"type": "BPE", "dropout": None, "byte_fallback": True, "ignore_merges": False},
}


def changed(tokenizer: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    result = copy.deepcopy(tokenizer)
    place = result
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return result


SPLIT = ("pre_tokenizer", "pretokenizers", 0)
BYTES = ("pre_tokenizer", "pretokenizers", 1)
QWEN_PATTERN = LLAMA_3["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"].replace("{1,3}", "")
QWEN = changed(
    changed(changed(LLAMA_3, *SPLIT, "pattern", "Regex", to=QWEN_PATTERN), "normalizer", to={"type": "NFC"}),
    "model",
    "ignore_merges",
    to=False,
)


@pytest.mark.parametrize(
    ("tokenizer", "name"),
    [
        (LLAMA_3, "llama-bpe"),
        (changed(LLAMA_3, *BYTES, "trim_offsets", to=False), "llama-bpe"),  # offsets are no tokens
        (changed(LLAMA_3, "model", "ignore_merges", to=False), "dbrx"),  # the same expression without whole words
        (QWEN, "qwen2"),
        (changed(QWEN, "normalizer", to=None), "qwen2"),
        (changed(QWEN, "normalizer", to={"type": "Sequence", "normalizers": [{"type": "NFC"}]}), "qwen2"),
        (GEMMA, "gemma4"),
    ],
)
def test_equal_rules_are_recognized(tokenizer, name):
    assert converter.known_pre_tokenizer(tokenizer) == name


@pytest.mark.parametrize(
    "tokenizer",
    [
        {},
        changed(LLAMA_3, *SPLIT, "pattern", "Regex", to="\\p{L}+|\\p{N}{1,2}"),
        changed(LLAMA_3, *SPLIT, "behavior", to="Removed"),
        changed(LLAMA_3, *SPLIT, "invert", to=True),
        changed(LLAMA_3, *BYTES, "add_prefix_space", to=True),
        changed(LLAMA_3, *BYTES, "use_regex", to=True),
        changed(LLAMA_3, "normalizer", to={"type": "NFKC"}),
        changed(LLAMA_3, "normalizer", to={"type": "NFC"}),  # llama.cpp's llama-bpe composes nothing
        changed(LLAMA_3, "model", "dropout", to=0.1),
        changed(LLAMA_3, "model", "end_of_word_suffix", to="</w>"),
        changed(LLAMA_3, "model", "type", to="Unigram"),
        changed(LLAMA_3, "pre_tokenizer", to=None),
        changed(GEMMA, "model", "byte_fallback", to=False),
        changed(GEMMA, "normalizer", "content", to="_"),
    ],
)
def test_similar_rules_are_not(tokenizer):
    assert converter.known_pre_tokenizer(tokenizer) is None
