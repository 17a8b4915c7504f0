"""The training environment's side of the proofs: tiny models with trained tokenizers, and what transformers says.

`main`: a folder with `base/` (float16), `reference.npz` (token ids and float32 logits) and, where the plan asks for
them, `adapter/` and `merged/` (peft's merge, float32).
"""

import io
import json
from pathlib import Path

import numpy as np
import sentencepiece
import texts
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

VOCABULARY = 3000
SEQUENCES, LENGTH = 4, 160

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")

SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 320,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.08,
}


# ---------------------------------------------------------------- tokenizers


def byte_level(pattern: str, special: list[str], normalizer=None, whole_words: bool = False) -> Tokenizer:
    """As Llama 3 and Qwen 2 write theirs: split by an expression, then bytes. Llama takes whole words before merges."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=whole_words))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, special, alphabet=pre_tokenizers.ByteLevel.alphabet(), first=[])
    return tokenizer


def bars(special: list[str]) -> Tokenizer:
    """As Gemma writes its: spaces become bars, no words, unknown characters become bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()],
    )
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    train(tokenizer, special, alphabet=[], first=byte_tokens)
    written = json.loads(tokenizer.to_str())  # the trainer gives a number only to what it is told is special
    written["added_tokens"] = [token for token in written["added_tokens"] if token["content"] not in byte_tokens]
    return Tokenizer.from_str(json.dumps(written))


def train(tokenizer: Tokenizer, special: list[str], alphabet: list[str], first: list[str]) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special + first,
        initial_alphabet=alphabet,
        max_token_length=12,  # without words (Gemma), whole sentences would become tokens
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts.corpus(), trainer)


def llama_tokenizer(whole_words: bool = True) -> tuple[Tokenizer, dict]:
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer = byte_level(LLAMA_3, special, whole_words=whole_words)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A",
                pair="<|begin_of_text|> $A <|begin_of_text|> $B",
                special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))],
            ),
        ]
    )
    return tokenizer, {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|end_of_text|>",
    }


def qwen_tokenizer() -> tuple[Tokenizer, dict]:
    tokenizer = byte_level(QWEN_2, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizers.NFC())
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer, {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "add_bos_token": False,
    }


def gemma_tokenizer() -> tuple[Tokenizer, dict]:
    tokenizer = bars(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
    )
    return tokenizer, GEMMA_NAMES


GEMMA_NAMES = {
    "tokenizer_class": "GemmaTokenizer",
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "add_bos_token": True,
}


GEMMA_PIECES = {
    "vocab_size": VOCABULARY,
    "model_type": "bpe",
    "byte_fallback": True,
    "split_digits": True,
    "character_coverage": 0.999,
    "normalization_rule_name": "identity",
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
    "user_defined_symbols": ["<mask>", "<start_of_turn>", "<end_of_turn>", "\n"],
    "pad_id": 0,
    "eos_id": 1,
    "bos_id": 2,
    "unk_id": 3,
    "pad_piece": "<pad>",
    "eos_piece": "<eos>",
    "bos_piece": "<bos>",
    "minloglevel": 2,
}


class SentencePiece:
    """A tokenizer as tokenizer.model, trained by sentencepiece; Gemma's, but for the `changes`."""

    def __init__(self, **changes: object) -> None:
        model = io.BytesIO()
        settings = GEMMA_PIECES | changes
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts.corpus()), model_writer=model, **settings)
        self._model = model.getvalue()
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=self._model)

    def get_vocab_size(self) -> int:
        return self._processor.vocab_size()

    def token_to_id(self, token: str) -> int:
        return self._processor.piece_to_id(token)

    def save(self, tokenizer_json: str) -> None:
        Path(tokenizer_json).with_name("tokenizer.model").write_bytes(self._model)


# -------------------------------------------------------------------- models


def llama(scaling: dict | None = None, whole_words: bool = True):
    rope = {"rope_theta": 500_000.0, **(scaling or {"rope_type": "default"})}
    return lambda: llama_tokenizer(whole_words), transformers.LlamaConfig(
        **SHAPE, rope_parameters=rope, rms_norm_eps=1e-5
    )


LLAMA_3_1_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}


def gemma_config():
    """Six layers: five of them look back 64 tokens only, as in the published ones 512 or 1,024."""
    shape = {**SHAPE, "num_hidden_layers": 6}
    return transformers.Gemma3TextConfig(**shape, head_dim=32, query_pre_attn_scalar=32, sliding_window=64)


FAMILIES = {
    "llama": llama,
    "llama-3.1": lambda: llama(LLAMA_3_1_SCALING),
    "llama-merges": lambda: llama(whole_words=False),  # a tokenizer trained at home with the usual settings
    "qwen2": lambda: (qwen_tokenizer, transformers.Qwen2Config(**SHAPE)),
    "qwen3": lambda: (qwen_tokenizer, transformers.Qwen3Config(**SHAPE, head_dim=64)),
    "gemma3": lambda: (gemma_tokenizer, gemma_config()),
    "gemma3-spm": lambda: (lambda: (SentencePiece(), GEMMA_NAMES), gemma_config()),
}


def make_base(folder: Path, family: str, tied: bool, seed: int) -> None:
    """Random weights, but all of them: norms and biases too, which a new model has at one and zero."""
    make_tokenizer, config = FAMILIES[family]()
    tokenizer, names = make_tokenizer()
    config.vocab_size = tokenizer.get_vocab_size()
    config.tie_word_embeddings = tied
    for role in ("bos", "eos", "pad"):
        token = names.get(f"{role}_token")
        setattr(config, f"{role}_token_id", None if token is None else tokenizer.token_to_id(token))
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if name.endswith("norm.weight"):
                tensor.add_(torch.randn_like(tensor) * 0.2)
            elif name.endswith(".bias"):
                tensor.copy_(torch.randn_like(tensor) * 0.2)
    model.half().save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(names), encoding="utf-8")


def write_reference(folder: Path, target: Path) -> None:
    """Token ids of all strings, and the logits after each token of some sequences, in float32."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = [tokenizer.encode(text) for text in texts.strings()]
    stream = tokenizer.encode(texts.passage())
    sequences = np.array([stream[n * LENGTH : (n + 1) * LENGTH] for n in range(SEQUENCES)], np.int32)
    with torch.inference_mode():
        logits = model(torch.from_numpy(sequences).long()).logits.numpy()
    lengths = np.array([len(row) for row in ids])
    np.savez(target, ids=np.concatenate(ids), lengths=lengths, sequences=sequences, logits=logits)


def make_adapter(base: Path, adapter: Path, merged: Path, seed: int) -> None:
    """A LoRA on the seven projections with random weights, and peft's own merge of it."""
    import peft

    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    projections = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    tuned = peft.get_peft_model(model, peft.LoraConfig(r=8, lora_alpha=32, target_modules=projections))
    with torch.no_grad():
        for name, tensor in tuned.named_parameters():
            if "lora_B" in name:
                tensor.copy_(torch.randn_like(tensor) * 0.02)
    tuned.save_pretrained(adapter)
    tuned.merge_and_unload().save_pretrained(merged)
    for file in base.glob("tokenizer*"):
        (merged / file.name).write_bytes(file.read_bytes())


def main(plan_file: str) -> None:
    plan = json.loads(Path(plan_file).read_text(encoding="utf-8"))
    folder, seed = Path(plan["folder"]), plan["seed"]
    make_base(folder / "base", plan["family"], plan["tied"], seed)
    write_reference(folder / "base", folder / "reference.npz")
    if plan["with_adapter"]:
        make_adapter(folder / "base", folder / "adapter", folder / "merged", seed=1000 + seed)
