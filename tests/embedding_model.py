"""Models for search, for tests: one layer of BERT.

In the embedding model the layer does nothing: a text's vector is the mean of its letters'. Letters that are declared
alike have the same vector, which makes words alike in meaning that share no letter. In the reranker the first token
attends to all letters of a pair equally, and a head of random weights scores it.
"""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

WIDTH, CONTEXT = 64, 128
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_BLOCKS = ((0x20, 0x7F), (0x3041, 0x3097), (0x30A1, 0x30FB), (0x4E00, 0x9FA0))  # Latin, kana, kanji


def tiny_bert(
    path: Path,
    alike: Mapping[str, str] | None = None,
    *,
    name: str = "ruri-v3-310m",
    seed: int = 1,
    pooling: int = 1,
    head: Mapping[str, np.ndarray] | None = None,
    template: str = "",
    pieces: Mapping[str, float] | None = None,
    last_kind: gguf.TokenType = gguf.TokenType.NORMAL,
) -> Path:
    """`alike`: letter to the letter whose vector it has. `name`: of a card, or none. `pooling`: as GGUF numbers it.
    `head`: tensors of a reranker. `template`: of its pairs. `pieces`: of unigrams with their scores, in place of the
    letters; the last one is of `last_kind`."""
    letters, rows = _letters(), _rows(seed)
    for letter, model in (alike or {}).items():
        rows[letters.index(letter)] = rows[letters.index(model)]
    table = np.concatenate([np.zeros((len(SPECIAL), WIDTH), np.float32), rows, rows])
    if pieces:
        table = np.random.default_rng(seed).standard_normal((len(SPECIAL) + len(pieces), WIDTH), np.float32)
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(name)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType(pooling))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if pieces:
        _add_unigrams(writer, pieces, last_kind)
    else:
        writer.add_tokenizer_model("bert")
        # Each letter at the beginning of a word, and inside one.
        writer.add_token_list([*SPECIAL, *(f"\u2581{letter}" for letter in letters), *letters])
        writer.add_token_types([gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (2 * len(letters)))
    writer.add_token_type_count(2)
    if template:
        writer.add_string("tokenizer.chat_template.rerank", template)
    for add, token in (
        (writer.add_pad_token_id, 0),
        (writer.add_unk_token_id, 1),
        (writer.add_bos_token_id, 2),
        (writer.add_sep_token_id, 3),
    ):
        add(token)
    writer.add_tensor("token_embd.weight", table)
    writer.add_tensor("token_types.weight", np.zeros((2, WIDTH), np.float32))
    writer.add_tensor("position_embd.weight", np.zeros((CONTEXT, WIDTH), np.float32))
    nothing, ones = np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32)
    for norm in ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"):
        writer.add_tensor(f"{norm}.weight", ones)
        writer.add_tensor(f"{norm}.bias", nothing)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"):
        attends = head is not None and part in ("attn_v", "attn_output")
        writer.add_tensor(f"blk.0.{part}.weight", np.eye(WIDTH, dtype=np.float32) * attends)
        writer.add_tensor(f"blk.0.{part}.bias", nothing)
    for tensor, values in (head or {}).items():
        writer.add_tensor(tensor, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_unigrams(writer: gguf.GGUFWriter, pieces: Mapping[str, float], last_kind: gguf.TokenType) -> None:
    writer.add_tokenizer_model("t5")
    writer.add_token_list([*SPECIAL, *pieces])
    writer.add_token_scores([0.0] * len(SPECIAL) + [*pieces.values()])
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    kinds = [control, gguf.TokenType.UNKNOWN, control, control, *[normal] * (len(pieces) - 1), last_kind]
    writer.add_token_types(kinds)
    writer.add_eos_token_id(3)
    writer.add_add_space_prefix(True)
    writer.add_remove_extra_whitespaces(True)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)


def _letters() -> list[str]:
    return [chr(code) for first, end in _BLOCKS for code in range(first, end)]


def _rows(seed: int) -> np.ndarray:
    """Return the vectors of the letters, [letters, WIDTH]."""
    return np.random.default_rng(seed).standard_normal((len(_letters()), WIDTH), np.float32)


def tiny_reranker(
    path: Path, liked: str = "", *, name: str = "Bge M3", seed: int = 1, broken: bool = False, template: str = ""
) -> Path:
    """Write a reranker with a head of random weights.

    `liked`: a letter; the more of it a pair contains, the higher is its score. `broken`: scores are not numbers.
    """
    return tiny_bert(path, name=name, seed=seed, pooling=2, head=_head(liked, seed, broken=broken), template=template)


def _head(liked: str, seed: int, *, broken: bool = False) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed + 1)
    first, out = chance.standard_normal((WIDTH, WIDTH), np.float32) / 8, chance.standard_normal((1, WIDTH), np.float32)
    if liked:
        first, out = np.eye(WIDTH, dtype=np.float32), _rows(seed)[[_letters().index(liked)]]
    return {
        "cls.weight": first,
        "cls.bias": chance.standard_normal(WIDTH, np.float32) * (not liked),
        "cls.output.weight": out,
        "cls.output.bias": np.array([np.nan if broken else 0.25], np.float32),
    }


def score_of(question: str, passage: str, liked: str = "", *, seed: int = 1, begins: bool = True) -> float:
    """Return the score of [CLS] question [SEP] passage by `tiny_reranker`, computed by numpy.

    The texts: letters without spaces. `begins`: with [CLS].
    """
    letters, rows, head = _letters(), _rows(seed), _head(liked, seed)
    zero = np.zeros((1, WIDTH), np.float32)
    texts = [rows[[letters.index(letter) for letter in text]] for text in (question, passage)]
    pair = _layer_norm(np.concatenate([zero[: int(begins)], texts[0], zero, texts[1]]))
    first = _layer_norm(_layer_norm(pair[0] + pair.mean(axis=0)))
    hidden = np.tanh(head["cls.weight"] @ first + head["cls.bias"])
    return float((head["cls.output.weight"] @ hidden + head["cls.output.bias"])[0])


def _layer_norm(values: np.ndarray) -> np.ndarray:
    centred = values - values.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
