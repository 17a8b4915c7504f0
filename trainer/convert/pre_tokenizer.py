"""Which of llama.cpp's pre-tokenizers splits a text exactly as a given tokenizer.json does.

llama.cpp's converter knows published tokenizers by a digest of one encoded text, so it knows none that was trained at
home. What a pre-tokenizer does is written down in tokenizer.json, though: where all of it equals one that llama.cpp has
(src/llama-vocab.cpp of the engine's version), that one is taken. Nothing is taken because it is similar.
"""

from typing import Any

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_QWEN_2 = _LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")

_NFC = {"type": "NFC"}
_SPACES_BECOME_BARS = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}


def equal_one(tokenizer: dict[str, Any]) -> str | None:
    """llama.cpp's name for the rules of `tokenizer` (a parsed tokenizer.json); None when it has no such rules."""
    model = tokenizer.get("model") or {}
    if model.get("type") != "BPE" or any(model.get(key) for key in _CHANGES_OF_BPE):
        return None
    rules = (
        _rules(tokenizer.get("normalizer")),
        _rules(tokenizer.get("pre_tokenizer")),
        bool(model.get("ignore_merges")),
        bool(model.get("byte_fallback")),
    )
    return next((name for name, known in _KNOWN if rules == known), None)


# llama.cpp's byte-pair encoding knows none of these.
_CHANGES_OF_BPE = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
# What changes no token: offsets, and defaults that are left out or spelled out.
_WITHOUT_EFFECT = {"trim_offsets"}


def _rules(part: Any) -> Any:
    """A part of tokenizer.json without what has no effect; a sequence of one is that one."""
    if not isinstance(part, dict):
        return part
    steps = part.get("pretokenizers") or part.get("normalizers") or []
    if part.get("type") == "Sequence":
        return _rules(steps[0]) if len(steps) == 1 else ("Sequence", *(_rules(step) for step in steps))
    return {key: value for key, value in part.items() if key not in _WITHOUT_EFFECT}


def _split_then_bytes(pattern: str) -> Any:
    return (
        "Sequence",
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
    )


_SPLIT_AT_SPACES = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}

# Normalizer, pre-tokenizer, whether whole words are taken before merges, whether unknown characters become bytes.
# llama.cpp normalizes nothing; Qwen's NFC changes only text that is not composed yet, as in llama.cpp's own conversion
# of Qwen.
_KNOWN = (
    ("llama-bpe", (None, _split_then_bytes(_LLAMA_3), True, False)),
    ("dbrx", (None, _split_then_bytes(_LLAMA_3), False, False)),
    ("qwen2", (_NFC, _split_then_bytes(_QWEN_2), False, False)),
    ("qwen2", (None, _split_then_bytes(_QWEN_2), False, False)),
    # Gemma's: spaces become bars, so that nothing is left to split at.
    ("gemma4", (_SPACES_BECOME_BARS, _SPLIT_AT_SPACES, False, True)),
    ("gemma4", (_SPACES_BECOME_BARS, None, False, True)),
)
